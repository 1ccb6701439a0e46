"""`map`: a function applied to the rows of a map-style dataset, with the result in an Arrow file.

A result is cached under the fingerprint of its input. The parts of several processes, and of an
interrupted run, are cached in files of their own and found again.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

from rowstream.exceptions import FileFormatError, InvalidArgumentError
from rowstream.features.widen import agreed
from rowstream.transforms.map_function import SOME_NONE
from rowstream.transforms.map_job import MapJob, gave_nothing
from rowstream.transforms.map_output import open_result
from rowstream.transforms.map_run import run, run_in_process
from rowstream.transforms.step_files import parts_there
from rowstream.utils import logging, progress
from rowstream.utils.processes import run_in_processes
from rowstream.utils.ray_tasks import check_engine, cluster_size
from rowstream.writers.arrow import has_fingerprint

_logger = logging.get_logger(__name__)


def check_suffix(template: str) -> None:
    """Raise unless the template has exactly the fields `{rank}` and `{num_proc}`."""
    fields = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    if fields != {"rank", "num_proc"}:
        raise InvalidArgumentError(
            f"suffix_template must contain exactly the fields 'rank' and 'num_proc', got: {fields}"
        )


def columns_named(what: str, names: Any, there: list[str]) -> list[str] | None:
    """Return the column names of an argument as a list, and raise for names that do not exist."""
    if names is None:
        return None
    result = [names] if isinstance(names, str) else list(names)
    if missing := [name for name in result if name not in there]:
        raise InvalidArgumentError(
            f"{what} {missing} not in the dataset. Current columns in the dataset: {there}"
        )
    return result


def processes_of(num_proc: int | None, engine: str | None) -> int | None:
    """Return how many processes a function runs in; `None` for this one only.

    Raises:
        InvalidArgumentError: The number is negative, or the engine is not known.
    """
    check_engine(engine, "map")
    if num_proc is not None and num_proc < 0:
        raise InvalidArgumentError("num_proc must be >= 0 or None.")
    return num_proc or (None if engine is None else cluster_size())


class _Files:
    """The files of a result: one, or one for each process.

    Args:
        name: The path of the one file; `None` if results are kept in memory.
        fingerprint: The fingerprint of the result.
        suffix: The template for what the names of the files of processes have in addition.
        named_by_user: Whether the path is the user's; names of our own have the fingerprint.
    """

    def __init__(
        self, name: str | None, fingerprint: str | None, suffix: str, *, named_by_user: bool
    ) -> None:
        self.name, self._fingerprint, self._suffix = name, fingerprint, suffix
        self._named_by_user = named_by_user
        self._stem, self._ending = os.path.splitext(name) if name else ("", "")
        if name and not self._ending:
            raise InvalidArgumentError(
                f"Expected cache_file_name to have an extension, but got: {name}"
            )

    def path(self, rank: int, of: int) -> str:
        """Return the path of the file of one of several processes."""
        return f"{self._stem}{self._suffix.format(rank=rank, num_proc=of)}{self._ending}"

    def fingerprint_of(self, rank: int, of: int) -> str:
        """Return the fingerprint of the rows of one of so many processes."""
        suffix = self._suffix.format(rank=rank, num_proc=of) if of > 1 else ""
        return f"{self._fingerprint}{suffix}"

    def usable(self, path: str, rank: int, of: int) -> bool:
        """Return whether a file exists and has these rows."""
        if not os.path.exists(path):
            return False
        return not self._named_by_user or has_fingerprint(path, self.fingerprint_of(rank, of))

    def most_complete(self, parts: int) -> int:
        """Return the number of files of the set that lacks least; of nearly so many, if several."""
        there = parts_there(self.name, self._suffix, self.usable) if self.name else {}
        return min(
            there, key=lambda of: ((of - there[of]) / of, abs(of - parts), of), default=parts
        )

    def shown(self, of: int) -> str | None:
        """Return the path of all of so many files, for messages."""
        if of == 1:
            return self.name
        suffix = self._suffix.replace("{rank:05d}", "*").format(rank=0, num_proc=of)
        return f"{self._stem}{suffix}{self._ending}"


def run_map(
    ds: Any,
    job: MapJob,
    *,
    num_proc: int | None,
    engine: str | None,
    load: bool,
    suffix: str,
    desc: str,
    join: Callable[[list[Any]], Any],
) -> Any:
    """Run a job over a dataset, in several processes if asked, or load its result from the cache.

    Args:
        ds: The dataset.
        job: The job, with the fingerprint of the result and the path of its file.
        num_proc: The number of processes; this one only if `None`.
        engine: As in `run_in_processes`.
        load: Whether to use results in the cache.
        suffix: The template for the names of the files of parts.
        desc: The text of the progress bar.
        join: A function that joins the results of several processes.
    """
    files = _Files(job.cache_file_name, job.new_fingerprint, suffix, named_by_user=job.whole)
    parts = files.most_complete(num_proc or 1) if load else num_proc or 1
    shards = _shards(ds, job, parts)
    made: list[Any] = [None] * parts
    todo: list[tuple[int, MapJob]] = []
    before = 0
    for i, shard in enumerate(shards):
        own = MapJob(**{**vars(job), "shard": shard})
        if parts > 1:
            own.cache_file_name = files.path(i, parts) if files.name else None
            own.rank, own.offset = i, before
            own.new_fingerprint = files.fingerprint_of(i, parts)
        elif num_proc:
            own.rank = 0
        before += len(shard)
        if own.cache_file_name and load and files.usable(own.cache_file_name, i, parts):
            made[i] = _cached(own)
        if made[i] is None:
            todo.append((i, own))
    if todo:
        for i, result in _results(todo, parts, num_proc, engine, desc, len(ds)):
            made[i] = shards[i] if result is None else result
        made = _agreeing(job, made, shards)
        if parts > 1:
            _logger.info(f"Concatenating {parts} shards")
    else:
        _logger.info(f"Loading cached processed dataset at {files.shown(parts)}")
    whole = made[0] if parts == 1 else join(made if job.features is not None else _agreed(made))
    changed = any(
        one._fingerprint != shard._fingerprint for one, shard in zip(made, shards, strict=True)
    )
    if changed:
        whole = whole if whole is not ds else ds._copy()
        whole._fingerprint = job.new_fingerprint
    else:
        whole = ds
    return whole


def _results(
    todo: list[tuple[int, MapJob]],
    parts: int,
    num_proc: int | None,
    engine: str | None,
    desc: str,
    rows: int,
) -> list[tuple[int, Any]]:
    """Run the jobs of some parts, and return each with its part's number.

    Args:
        todo: The jobs, by the number of the part.
        parts: The number of parts; the others are there already.
        num_proc, engine, desc: As in `run_map`.
        rows: The rows of all parts.
    """
    if len(todo) < parts:
        _logger.info(
            f"Reprocessing {len(todo)}/{parts} shards because some of them were missing from the"
            " cache."
        )
    text = f"{desc} (num_proc={num_proc})" if num_proc else desc
    initial = rows - sum(len(own.shard) for _, own in todo)
    with progress.bar(rows, text, initial=initial) as bar:
        if not num_proc:
            return [(i, run(own, bar.update)) for i, own in todo]
        for i, own in todo:
            _logger.info(f"Process #{i + 1} will write at {own.cache_file_name}")
        _logger.info(f"Spawning {num_proc} processes")
        made: list[tuple[int, Any]] = []
        run_in_processes(
            [(i, partial(run_in_process, own)) for i, own in todo],
            num_proc,
            bar.update,
            lambda i, result: made.append((i, result)),
            "map",
            engine,
        )
        return made


def _agreed(parts: list[Any]) -> list[Any]:
    """Return the parts cast to common types, where their rows showed different ones."""
    several = [ds.features for ds in parts]
    result = []
    for ds, features in zip(parts, agreed(several), strict=True):
        if features != ds.features:
            ds = ds._copy()
            ds._data = ds._data.cast(features.arrow_schema)
            ds._info.features = features
        result.append(ds)
    return result


def _shards(ds: Any, job: MapJob, parts: int) -> list[Any]:
    """Return the rows of each process: consecutive rows, about the same number for each.

    With `drop_last_batch` these are whole batches, so that only one short batch is left out.
    """
    if parts == 1:
        return [ds]
    size = max(1, job.batch_size or 1) if job.batched and job.drop_last_batch else 1
    each, more = divmod(len(ds) // size, parts)
    starts = [size * (each * i + min(i, more)) for i in range(parts)]
    return [
        ds.select(range(start, end), job.keep_in_memory)
        for start, end in zip(starts, [*starts[1:], len(ds)], strict=True)
    ]


def _agreeing(job: MapJob, made: list[Any], shards: list[Any]) -> list[Any]:
    """Return the results, or the shards themselves if the function returned `None` for all rows."""
    none = [
        one is shard
        for one, shard in zip(made, shards, strict=True)
        if gave_nothing(job, len(shard))
    ]
    if any(none) and not all(none):
        raise InvalidArgumentError(SOME_NONE.format(""))
    return shards if any(none) else made


def _cached(job: MapJob) -> Any:
    """Return the result of a job from its file; `None` if the file is damaged."""
    info = job.shard.info.copy()
    info.features = job.features
    try:
        return open_result(job, info)
    except (pa.ArrowException, OSError, FileFormatError) as error:
        _logger.warning(f"{job.cache_file_name} is damaged, and is made anew: {error}")
        return None
