"""Runs as lm-evaluation-harness writes and reads them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rowstream.evaluate.result import ItemResult
from rowstream.evaluate.results.as_json import dumps, without_nan
from rowstream.evaluate.results.files import free, safe_name, write_text
from rowstream.evaluate.results.run import REACH, Run, score_with_error
from rowstream.exceptions import FileFormatError, InvalidArgumentError

_FILTER = "none"
_DATE = "%Y-%m-%dT%H-%M-%S.%f"
# Fields of a sample that are no scores.
_FIELDS = frozenset(
    [
        *("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"),
        *("doc_hash", "prompt_hash", "target_hash"),
    ]
)


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
    written: list[str] = []
    models: dict[str, list[Run]] = {}
    for run in runs:
        models.setdefault(run.model or "unknown", []).append(run)
    for model, of_model in models.items():
        keys = [(run.task, _filter(run)) for run in of_model]
        if not all(run.task for run in of_model):
            raise InvalidArgumentError("lm-eval's files are by task, and a run has none: task=")
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise InvalidArgumentError(
                f"two runs of the model {model!r} are of the task {twice[0]!r}, and lm-eval's files"
                " have one: write them to two folders, or give the runs different model="
            )
        place = Path(folder) / safe_name(model)
        created = max(dt.datetime.fromisoformat(run.created) for run in of_model)
        # Another call may have written results of the same moment.
        while (place / f"results_{created:{_DATE}}.json").exists():
            created += dt.timedelta(microseconds=1)
        samples: dict[str, str] = {}
        for run in of_model:
            text = "".join(_sample(item, _filter(run)) for item in run.items)
            samples[run.task] = samples.get(run.task, "") + text
        for task, text in samples.items():
            if text:
                path = free(place / f"samples_{safe_name(task)}_{created:{_DATE}}.jsonl", written)
                write_text(path, text)
        path = free(place / f"results_{created:{_DATE}}.json", written)
        write_text(path, dumps(without_nan(_results(of_model, model, created)), "the results"))
    return written


def _filter(run: Run) -> str:
    return str(run.metadata.get("filter") or _FILTER)


def _results(runs: Sequence[Run], model: str, created: dt.datetime) -> dict[str, Any]:
    results: dict[str, dict[str, Any]] = {}
    for run in runs:
        of = results.setdefault(run.task, {"alias": run.task, "sample_len": run.count})
        for name, score in run.scores.items():
            of[f"{name},{_filter(run)}"] = score.value
            known = score.high > score.low
            error = (score.high - score.low) / (2 * REACH) if known else "N/A"
            of[f"{name}_stderr,{_filter(run)}"] = error
    tasks = [*dict.fromkeys(run.task for run in runs)]
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
        "model_name_sanitized": safe_name(model),
        "rowstream": {
            f"{run.task},{_filter(run)}": {
                "name": run.name,
                "id": run.id,
                "created": run.created,
                "metadata": dict(run.metadata),
            }
            for run in runs
        },
    }


def _sample(item: ItemResult, filter_: str) -> str:
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
        "filter": filter_,
        "metrics": [*item.scores],
        **{
            name: hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
            for name, text in hashes.items()
        },
        **item.scores,
    }
    return dumps(without_nan(sample), f"item {item.id!r}") + "\n"


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
    place = Path(path).expanduser()
    files = [place]
    if place.is_dir():
        # A name that it is told is written before the date.
        files = sorted(file for file in place.rglob("*.json") if _DATED.search(file.stem))
    if not files or not files[0].exists():
        raise InvalidArgumentError(f"there is no results_*.json of lm-eval in {place}")
    return [run for file in files for run in _runs(file)]


_DATED = re.compile(r"^results_(?P<rest>.*)$|_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)$")


def _runs(file: Path) -> list[Run]:
    try:
        found = json.loads(file.read_text("utf-8"))
        return [*_of_results(file, found, found["results"])]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        if isinstance(e, FileFormatError):
            raise
        raise FileFormatError(f"{file} has no results of lm-eval: {type(e).__name__}: {e}") from e


def _of_results(file: Path, found: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[Run]:
    dated = _DATED.search(file.stem)
    date = (dated["rest"] or dated["date"] or "") if dated else ""
    model = str(found.get("model_name") or (found.get("config") or {}).get("model") or "")
    when = found.get("date")
    created = dt.datetime.fromtimestamp(when if isinstance(when, (int, float)) else 0, dt.UTC)
    ours = found.get("rowstream") or {}
    for task, values in results.items():
        names: dict[str, dict[str, str]] = {}
        for key, value in values.items():
            # Before its version 0.4 there was no filter in a name.
            name, _, filter_ = key.partition(",")
            other = name in ("alias", "sample_len") or name.endswith("_stderr")
            if isinstance(value, (int, float)) and not other:
                names.setdefault(filter_ or _FILTER, {})[name] = key
        samples = _samples(file.with_name(f"samples_{safe_name(task)}_{date}.jsonl"))
        size = ((found.get("n-samples") or {}).get(task) or {}).get("effective", -1)
        for filter_, of in names.items():
            # Without a filter, they are of the only one that there is.
            alone = samples.get(_FILTER, []) if len(names) == 1 else []
            items = samples.get(filter_, alone)
            known = ours.get(f"{task},{filter_}") or {}
            source = {"source": "lm-eval", "file": str(file), "filter": filter_}
            yield Run(
                known.get("name") or (f"{task} ({filter_})" if len(names) > 1 else task),
                {
                    name: score_with_error(
                        values[key], values.get(f"{name}_stderr{key.removeprefix(name)}")
                    )
                    for name, key in sorted(of.items())
                },
                items,
                task=task,
                model=model,
                created=known.get("created") or created.isoformat(),
                metadata={**source, **(known.get("metadata") or {})},
                count=max(len(items), size),
                **({"id": known["id"]} if known.get("id") else {}),
            )


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
            except (ValueError, LookupError, TypeError, AttributeError) as e:
                raise FileFormatError(
                    f"{file}, line {number}, is no sample of lm-eval: {type(e).__name__}: {e}"
                ) from e
    return found


def _item(sample: Mapping[str, Any]) -> ItemResult:
    doc = sample["doc"]
    ours = isinstance(doc, Mapping) and {"input", "target", "choices", "metadata"} == doc.keys()
    given = sample.get("arguments") or {}
    # Before, it was a list of the arguments of each request.
    requests = [[*one.values()] if isinstance(one, Mapping) else one for one in _values(given)]
    asked = [one[0] for one in requests if one]
    answers = sample["filtered_resps"]
    scores = {
        name: float(value)
        for name, value in sample.items()
        if name not in _FIELDS and isinstance(value, (int, float))
    }
    return ItemResult(
        sample["doc_id"],
        doc["input"] if ours else asked[0] if asked else None,
        doc["target"] if ours else sample["target"],
        _prediction(answers, requests),
        scores,
        doc["choices"] if ours else (),
        doc["metadata"] if ours else {"doc": doc},
    )


def _values(given: Any) -> list[Any]:
    return [*given.values()] if isinstance(given, Mapping) else [*given]


def _prediction(answers: list[Any], requests: list[Any]) -> Any:
    """Return what was answered: of a multiple choice the one that is likeliest."""
    if len(answers) == 1:
        return answers[0]
    try:
        likely = [float(answer[0]) for answer in answers]
        return requests[likely.index(max(likely))][1]
    except (ValueError, TypeError, IndexError, KeyError):
        return answers
