"""Runs as lm-evaluation-harness writes and reads them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from rowstream.evaluate.metric import Score
from rowstream.evaluate.result import ItemResult
from rowstream.evaluate.results.as_json import dumps
from rowstream.evaluate.results.run import Run
from rowstream.exceptions import FileFormatError, InvalidArgumentError
from rowstream.utils.atomic import write_small

_FILTER = "none"
# How many standard errors a 95 % interval reaches.
_REACH = NormalDist().inv_cdf(0.975)


def write_lm_eval(runs: Sequence[Run], folder: str | os.PathLike[str]) -> list[str]:
    """Write runs as lm-evaluation-harness does: `results_*.json`, `samples_*.jsonl`.

    Args:
        runs: Runs, each of another task or model.
        folder: Where to; each model has a folder in it.

    Returns:
        The paths of the files.

    Raises:
        InvalidArgumentError: Two runs are of one task and model, or one has no task.
    """
    written = []
    models: dict[str, list[Run]] = {}
    for run in runs:
        models.setdefault(run.model or "unknown", []).append(run)
    for model, of_model in models.items():
        tasks = [run.task for run in of_model]
        if twice := next((task for task in tasks if tasks.count(task) > 1 or not task), None):
            raise InvalidArgumentError(
                f"two runs of {model!r} are of the task {twice!r}: write one"
            )
        if not all(tasks):
            raise InvalidArgumentError("lm-eval's files are by task, and a run has none: task=")
        place = Path(folder) / re.sub(r"[\"<>:/\|\\?\*\[\]]+", "__", model)
        place.mkdir(parents=True, exist_ok=True)
        created = max(dt.datetime.fromisoformat(run.created) for run in of_model)
        date = created.strftime("%Y-%m-%dT%H-%M-%S.%f")
        for run in of_model:
            if run.items:
                path = place / f"samples_{run.task}_{date}.jsonl"
                write_small(path, "".join(_sample(item) for item in run.items), private=False)
                written.append(str(path))
        path = place / f"results_{date}.json"
        text = dumps(_results(of_model, model, created), "the results")
        write_small(path, text, private=False)
        written.append(str(path))
    return written


def _results(runs: Sequence[Run], model: str, created: dt.datetime) -> dict[str, Any]:
    results: dict[str, dict[str, Any]] = {}
    for run in runs:
        of = results.setdefault(run.task, {"alias": run.task, "sample_len": run.count})
        for name, score in run.scores.items():
            of[f"{name},{_FILTER}"] = score.value
            known = score.high > score.low
            error = (score.high - score.low) / (2 * _REACH) if known else "N/A"
            of[f"{name}_stderr,{_FILTER}"] = error
    tasks = [run.task for run in runs]
    return {
        "results": results,
        "group_subtasks": {task: [] for task in tasks},
        "configs": {run.task: {"task": run.task, "metadata": dict(run.metadata)} for run in runs},
        "versions": dict.fromkeys(tasks, None),
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {run.task: dict.fromkeys(run.scores, True) for run in runs},
        "n-samples": {run.task: {"original": run.count, "effective": run.count} for run in runs},
        "config": {"model": model, "model_args": ""},
        "date": created.timestamp(),
        "model_source": model,
        "model_name": model,
        "model_name_sanitized": re.sub(r"[\"<>:/\|\\?\*\[\]]+", "__", model),
        "rowstream": {run.task: {"name": run.name, "id": run.id} for run in runs},
    }


def _sample(item: ItemResult) -> str:
    prompt = item.input if isinstance(item.input, str) else dumps(item.input, "an input")
    target = item.target if isinstance(item.target, str) else dumps(item.target, "a target")
    doc = {"input": item.input, "target": item.target, "choices": list(item.choices)}
    hashes = {
        "doc_hash": dumps(doc, f"item {item.id!r}"),
        "prompt_hash": prompt,
        "target_hash": target,
    }
    sample = {
        "doc_id": item.id,
        "doc": {**doc, "metadata": dict(item.metadata)},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {}}},
        "resps": [[item.prediction]],
        "filtered_resps": [item.prediction],
        "filter": _FILTER,
        "metrics": [*item.scores],
        **{name: hashlib.sha256(text.encode()).hexdigest() for name, text in hashes.items()},
        **item.scores,
    }
    return dumps(sample, f"item {item.id!r}") + "\n"


def read_lm_eval(path: str | os.PathLike[str]) -> list[Run]:
    """Read what lm-evaluation-harness wrote.

    Args:
        path: A `results_*.json`, or a folder in which to look for them. Items are from
            `samples_*.jsonl` beside it, if it was told to write them.

    Returns:
        Runs, one for each task and filter. Their ids of items are the `doc_id`, the row in the
        split.

    Raises:
        InvalidArgumentError: There are no results.
        FileFormatError: A file is not as it should be.

    Example:
        >>> import tempfile
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import Exporter, Run, read_lm_eval
        >>> run = Run.of(evaluate(["4"], ["4"], metrics="equal"), "one", task="sums", model="m")
        >>> folder = tempfile.mkdtemp()
        >>> _ = Exporter(run).to_lm_eval(folder)
        >>> [(one.task, one.model, one.scores["equal"].value) for one in read_lm_eval(folder)]
        [('sums', 'm', 1.0)]
    """
    place = Path(path)
    files = sorted(place.rglob("results_*.json")) if place.is_dir() else [place]
    if not files or not files[0].exists():
        raise InvalidArgumentError(f"there is no results_*.json of lm-eval in {place}")
    return [run for file in files for run in _runs(file)]


def _runs(file: Path) -> Iterator[Run]:
    try:
        found = json.loads(file.read_text("utf-8"))
        results = found["results"]
    except (ValueError, KeyError, TypeError) as e:
        raise FileFormatError(f"{file} has no results of lm-eval: {type(e).__name__}: {e}") from e
    date = file.stem.removeprefix("results_")
    model = str(found.get("model_name") or found.get("config", {}).get("model") or "")
    created = dt.datetime.fromtimestamp(found.get("date", 0), dt.UTC).isoformat(timespec="seconds")
    for task, values in results.items():
        keys = [key.rpartition(",") for key in values if "," in key]
        names = {filter_: {name for name, _, of in keys if of == filter_} for *_, filter_ in keys}
        samples = _samples(file.with_name(f"samples_{task}_{date}.jsonl"))
        size = found.get("n-samples", {}).get(task, {}).get("effective", -1)
        for filter_, of in names.items():
            items = samples.get(filter_, [])
            yield Run(
                f"{task} ({filter_})" if len(names) > 1 else task,
                {
                    name: _score(values, name, filter_)
                    for name in sorted(of)
                    if not name.endswith("_stderr")
                },
                items,
                task=task,
                model=model,
                created=created,
                metadata={"source": "lm-eval", "file": str(file), "filter": filter_},
                count=max(len(items), size),
            )


def _score(values: Mapping[str, Any], name: str, filter_: str) -> Score:
    value, error = values[f"{name},{filter_}"], values.get(f"{name}_stderr,{filter_}")
    # It writes "N/A" where there is none.
    reach = _REACH * error if isinstance(error, (int, float)) else 0.0
    return Score(value, value - reach, value + reach)


def _samples(file: Path) -> dict[str, list[ItemResult]]:
    """Return the items by their filter; none if there is no such file."""
    found: dict[str, list[ItemResult]] = {}
    if not file.exists():
        return found
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                sample = json.loads(line)
                found.setdefault(sample.get("filter", _FILTER), []).append(_item(sample))
            except (ValueError, KeyError, TypeError, IndexError) as e:
                raise FileFormatError(
                    f"{file}, line {number}, is no sample of lm-eval: {type(e).__name__}: {e}"
                ) from e
    return found


def _item(sample: Mapping[str, Any]) -> ItemResult:
    doc = sample["doc"]
    ours = isinstance(doc, Mapping) and {"input", "target", "choices", "metadata"} == doc.keys()
    asked = [one.get("arg_0") for one in sample.get("arguments", {}).values()]
    answers = sample["filtered_resps"]
    scores = {
        name: float(sample[name])
        for name in sample.get("metrics", ())
        if isinstance(sample.get(name), (int, float))
    }
    return ItemResult(
        sample["doc_id"],
        doc["input"] if ours else asked[0] if asked else None,
        doc["target"] if ours else sample["target"],
        answers[0] if len(answers) == 1 else answers,
        scores,
        doc["choices"] if ours else (),
        doc["metadata"] if ours else {"doc": doc},
    )
