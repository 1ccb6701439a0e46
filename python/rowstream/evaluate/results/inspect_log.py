"""Runs as inspect (`inspect-ai`) writes and reads its logs."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rowstream.evaluate.metric import Score
from rowstream.evaluate.result import ItemResult
from rowstream.evaluate.results.as_json import dumps, without_nan
from rowstream.evaluate.results.files import safe_name, write_text
from rowstream.evaluate.results.run import Run, score_with_error
from rowstream.exceptions import FileFormatError, InvalidArgumentError

# What its scorers write for right, wrong, half right, and no answer.
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_ZSTANDARD = 93
_ATTACHMENT = "attachment://"


def write_inspect(run: Run, path: str | os.PathLike[str]) -> str:
    """Write a run as a log of inspect, in JSON.

    Args:
        run: The run.
        path: The file, whose name ends in `.json`; or a folder, in which it is named by date, task
            and id.

    Returns:
        The path of the file.

    Raises:
        InvalidArgumentError: The name ends in `.eval`.
    """
    place = Path(path)
    if place.suffix == ".eval":
        raise InvalidArgumentError(f"a log of inspect is a .json file here, found {place}")
    if place.is_dir() or place.suffix != ".json":
        date = safe_name(run.created.replace(":", "-").replace("+", "-"))
        place = place / f"{date}_{safe_name(run.task or run.name)}_{run.id[:22]}.json"
    write_text(place, dumps(without_nan(_log(run)), f"the run {run.name!r}"))
    return str(place)


def _log(run: Run) -> dict[str, Any]:
    created = dt.datetime.fromisoformat(run.created).astimezone(dt.UTC).isoformat()
    model = run.model or "unknown"
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": run.id,
            "run_id": run.id,
            "created": created,
            "task": run.task or run.name,
            "task_id": run.id,
            "dataset": {"name": run.task or None, "samples": run.count},
            "model": model,
            "config": {},
            "metadata": {**run.metadata, "rowstream": run.name},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": run.count,
            "completed_samples": run.count,
            "scores": [
                {
                    "name": name,
                    "scorer": name,
                    "params": {},
                    "metrics": {
                        key: {"name": key, "value": value, "params": {}}
                        for key, value in (
                            ("mean", score.value),
                            ("low", score.low),
                            ("high", score.high),
                        )
                    },
                }
                for name, score in run.scores.items()
            ],
        },
        "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
        "samples": [_sample(item, model) for item in run.items],
    }


def _sample(item: ItemResult, model: str) -> dict[str, Any]:
    target = item.target
    if isinstance(target, (list, tuple)):
        target = [str(one) for one in target]
    answer = item.prediction if isinstance(item.prediction, str) else dumps(item.prediction, "it")
    asked = item.input
    messages = isinstance(asked, (list, tuple)) and all(isinstance(m, Mapping) for m in asked)
    said = {"role": "assistant", "content": answer, "source": "generate", "model": model}
    return {
        "id": item.id,
        "epoch": 1,
        "input": asked
        if messages or isinstance(asked, str)
        else ""
        if asked is None
        else str(asked),
        **({"choices": [str(one) for one in item.choices]} if item.choices else {}),
        "target": target if isinstance(target, (str, list)) else str(target),
        "messages": [],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": "stop"}],
            "completion": answer,
        },
        "scores": {
            name: {"value": float(value), "answer": answer} for name, value in item.scores.items()
        },
        "metadata": dict(item.metadata),
    }


def read_inspect(path: str | os.PathLike[str]) -> list[Run]:
    """Read logs that inspect wrote.

    Args:
        path: A log, `.eval` or `.json`, or a folder in which to look for them.

    Returns:
        A run for each log. Where a sample was tried several times, its scores are means, and its
        prediction is that of the first time.

    Raises:
        InvalidArgumentError: There are no logs.
        FileFormatError: A file is no log of inspect.

    Example:
        >>> import os, tempfile
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import Exporter, Run, read_inspect
        >>> run = Run.of(evaluate(["4"], ["4"], metrics="equal"), "one", task="sums", model="m")
        >>> path = os.path.join(tempfile.mkdtemp(), "log.json")
        >>> _ = Exporter(run).to_inspect(path)
        >>> read_inspect(path)[0].items[0].scores
        {'equal': 1.0}
    """
    place = Path(path).expanduser()
    files = [place]
    if place.is_dir():
        files = sorted((*place.rglob("*.eval"), *filter(_is_log, place.rglob("*.json"))))
    if not files or not files[0].exists():
        raise InvalidArgumentError(f"there is no log of inspect, .eval or .json, in {place}")
    return [_read(file) for file in files]


def _is_log(file: Path) -> bool:
    """Return whether a file of JSON may be a log: sets of evaluations have others beside them."""
    with file.open(encoding="utf-8", errors="replace") as content:
        return '"eval"' in content.read(4096)


def _read(file: Path) -> Run:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                head = "header.json" if "header.json" in names else "_journal/start.json"
                log = json.loads(_member(file, archive, head))
                samples = [
                    json.loads(_member(file, archive, name))
                    for name in names
                    if name.startswith("samples/")
                ]
        else:
            log = json.loads(file.read_text("utf-8"))
            samples = log.get("samples") or []
        return _run(file, log, samples)
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as e:
        raise FileFormatError(f"{file} is no log of inspect: {type(e).__name__}: {e}") from e


def _member(file: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member of an archive, of Zstandard too, which Python's `zipfile` may not know."""
    info = archive.getinfo(name)
    if info.compress_type != _ZSTANDARD:
        return archive.read(info)
    import pyarrow as pa

    with file.open("rb") as source:
        source.seek(info.header_offset + 26)
        lengths = source.read(4)
        source.seek(sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2)), io.SEEK_CUR)
        packed = source.read(info.compress_size)
    try:
        content: bytes = pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read()
    except OSError as e:
        raise zipfile.BadZipFile(f"{name} is damaged: {e}") from e
    if zlib.crc32(content) != info.CRC:
        raise zipfile.BadZipFile(f"{name} is damaged")
    return content


def _run(file: Path, log: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> Run:
    spec, results = log["eval"], log.get("results") or {}
    scores = {}
    for score in results.get("scores") or ():
        # A scorer may give several scores, and a score may be reduced over epochs in several ways.
        scorer, name, reducer = score.get("scorer"), score["name"], score.get("reducer")
        name = name if scorer in (None, name) else f"{scorer}/{name}"
        name = name if reducer in (None, "mean") else f"{name}/{reducer}"
        if (found := _score(score.get("metrics") or {})) is not None:
            scores[name] = found
    metadata = dict(spec.get("metadata") or {})
    items = [*_items(samples)]
    return Run(
        metadata.pop("rowstream", None) or spec["task"],
        scores,
        items,
        task=spec["task"],
        model=spec["model"],
        created=spec["created"],
        metadata={"source": "inspect", "file": str(file), "status": log.get("status"), **metadata},
        count=len(items) or results.get("completed_samples", 0),
    )


def _score(metrics: Mapping[str, Any]) -> Score | None:
    """Return a score, given its metrics: that of all groups, if there are groups, or the first."""
    values = {
        name: metric["value"]
        for name, metric in metrics.items()
        if isinstance(metric.get("value"), (int, float))
    }
    error = next((value for key, value in values.items() if key.startswith("stderr")), 0.0)
    means = [key for key in values if not key.startswith("stderr")]
    if not means:
        return None
    made = score_with_error(values["all" if "all" in means else means[0]], error)
    return Score(made.value, values.get("low", made.low), values.get("high", made.high))


def _items(samples: Sequence[Mapping[str, Any]]) -> Iterator[ItemResult]:
    """Yield items, each from its samples of all epochs."""
    tries: dict[str, list[Mapping[str, Any]]] = {}
    for sample in samples:
        tries.setdefault(f"{type(sample['id']).__name__} {sample['id']}", []).append(sample)
    for of in tries.values():
        first = min(of, key=lambda sample: sample.get("epoch", 1))
        values: dict[str, list[float]] = {}
        for sample in of:
            for name, value in _numbers(sample.get("scores") or {}):
                values.setdefault(name, []).append(value)
        yield ItemResult(
            first["id"],
            _whole(_asked(first["input"]), first),
            first["target"],
            _whole((first.get("output") or {}).get("completion", ""), first),
            {name: sum(given) / len(given) for name, given in values.items()},
            first.get("choices") or (),
            {**(first.get("metadata") or {}), **_error(first)},
        )


def _error(sample: Mapping[str, Any]) -> dict[str, Any]:
    error = sample.get("error")
    return {"error": error.get("message")} if isinstance(error, Mapping) else {}


def _whole(value: Any, sample: Mapping[str, Any]) -> Any:
    """Return a value with what the log keeps apart, since it is long or there several times."""
    if isinstance(value, str) and value.startswith(_ATTACHMENT):
        return (sample.get("attachments") or {}).get(value.removeprefix(_ATTACHMENT), value)
    if isinstance(value, Mapping):
        return {name: _whole(one, sample) for name, one in value.items()}
    return [_whole(one, sample) for one in value] if isinstance(value, list) else value


def _asked(given: Any) -> Any:
    """Return what was asked: a text, or messages without what inspect notes beside them."""
    if not isinstance(given, list):
        return given
    return [{"role": message["role"], "content": message["content"]} for message in given]


def _numbers(scores: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """Yield scores that are numbers or stand for them; a score can be several by name."""
    for name, score in scores.items():
        value = score["value"]
        several = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, one in several:
            number = _number(one) if isinstance(one, str) else one
            if isinstance(number, (int, float)):
                yield f"{name}/{part}" if part else name, float(number)


def _number(text: str) -> float | None:
    """Return the number that a score in words stands for, as inspect takes it."""
    if text in _LETTERS:
        return _LETTERS[text]
    word = text.lower()
    if word in ("yes", "true", "no", "false"):
        return float(word in ("yes", "true"))
    try:
        return float(text)
    except ValueError:
        return None
