"""`map`: a function over the rows of a map-style data set, its result in an Arrow file that is mapped.

A result is kept under the fingerprint of what it is made of. Parts that other processes make, and parts of a run that was stopped, are
kept each in a file of its own, and found again.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import string
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rowstream import config, progress
from rowstream.arrow_writer import BESIDE, ArrowWriter
from rowstream.dataset.column import Column
from rowstream.dataset.combine import concatenate_map_style
from rowstream.dataset.once import made_by, moved
from rowstream.dataset.processes import run_in_processes
from rowstream.dataset.steps import parts_there
from rowstream.exceptions import FileFormatError, InvalidArgumentError, RowstreamError
from rowstream.features.exact import agreed
from rowstream.features.types import Features
from rowstream.formatting import LazyBatch, LazyDict, PythonFormatter, format_table, get_formatter
from rowstream.ops.apply import check_lengths, table_of
from rowstream.table import MemoryMappedTable, Table, as_table, concat_tables
from rowstream.utils import logging

if TYPE_CHECKING:
    from rowstream.dataset.map_style import Dataset

_logger = logging.get_logger(__name__)
_SOME_NONE = "map: the function returned None for some rows and columns for others{}: a row that stays as it is, is returned as it is"


class DatasetTransformationNotAllowedError(RowstreamError):
    """A transform that would part the rows from an index over them."""


@dataclass
class Job:
    """What to do with the rows of a part: everything that a process needs."""

    shard: Any
    function: Callable[..., Any]
    with_indices: bool = False
    with_rank: bool = False
    input_columns: list[str] | None = None
    batched: bool = False
    batch_size: int | None = 1000
    drop_last_batch: bool = False
    remove_columns: list[str] | None = None
    keep_in_memory: bool = False
    cache_file_name: str | None = None
    writer_batch_size: int | None = 1000
    features: Any = None
    disable_nullable: bool = False
    fn_kwargs: dict[str, Any] | None = None
    try_original_type: bool | None = True
    on_mixed_types: str | None = "use_json"
    new_fingerprint: str | None = None
    rank: int | None = None
    offset: int = 0
    # Whether the file is the user's, and has all columns.
    whole: bool = False

    def __call__(self, told: Callable[[int], None]) -> Any:
        """Does it, in a process: gives the result, or `None` where the function gave nothing."""
        made = run(self, told)
        return None if made is self.shard else made


# --------------------------------------------------------------------------------------------------------- one part


def _listed(kinds: Any = (list, tuple)) -> tuple[type, ...]:
    """The types that a column of a batch may have."""
    import sys

    made: list[type] = [list, np.ndarray]
    for module, names in (
        ("pandas", ["Series"]),
        ("polars", ["Series", "DataFrame"]),
        ("torch", ["Tensor"]),
        ("tensorflow", ["Tensor"]),
        ("jax", ["Array"]),
    ):
        if (loaded := sys.modules.get(module)) is not None:
            made += [getattr(loaded, name) for name in names]

    return (*made, Column)


def _frame(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("pandas", "polars") and type(value).__name__ in ("DataFrame", "LazyFrame")


class Row(dict[str, Any]):
    """A row that a function is given. What is made of it with `|` is one too: columns that are removed are removed of it."""

    def __or__(self, other: Any) -> Any:
        made = Row(self)
        made.update(other)
        return made

    def __ror__(self, other: Any) -> Any:
        made = Row(other)
        made.update(self)
        return made

    def copy(self) -> Row:
        """A copy."""
        return Row(self)

    __copy__ = copy


class _Columns(dict[str, Any]):
    """The columns of a batch. `kept`: those that the function did not change, which are as they were."""

    kept: tuple[str, ...] = ()


class _Function:
    """A user's function, with what it is given and what becomes of its result."""

    def __init__(self, job: Job) -> None:
        self.job, ds = job, job.shard
        self.kwargs = job.fn_kwargs or {}
        self.plain = not job.batched and job.input_columns is None and ds._plain() and ds._core_rows() is not None
        if ds._format_type is None:
            self.formatter: Any = PythonFormatter(features=ds.features, lazy=True)
        else:
            self.formatter = get_formatter(ds._format_type, features=ds.features, **ds._format_kwargs)
        self.merges = ds._format_type is not None or bool(job.input_columns)
        self.removed = set(job.remove_columns or ())
        self.kept_examples = bool(ds.list_indexes())
        self.checked = False

    def arguments(self, part: Any, at: Any) -> tuple[Any, list[Any]]:
        """The row or batch, and the arguments."""
        job = self.job
        if self.plain:
            given: Any = part
        else:
            key = range(part.num_rows) if job.batched else 0
            given = format_table(part, key, self.formatter, format_columns=job.input_columns)
        arguments = [given] if job.input_columns is None else [given[name] for name in job.input_columns]
        if job.with_indices:
            arguments.append([i + job.offset for i in at] if isinstance(at, list) else at + job.offset)
        if job.with_rank:
            arguments.append(job.rank)
        return given, arguments

    def __call__(self, part: Any, at: Any) -> Any:
        """What becomes of a row or batch; `None` where the function gives nothing."""
        given, arguments = self.arguments(part, at)
        return self.result(part, given, self.job.function(*arguments, **self.kwargs))

    async def later(self, part: Any, at: Any) -> Any:
        """As a call, of an async function."""
        given, arguments = self.arguments(part, at)
        return self.result(part, given, await self.job.function(*arguments, **self.kwargs))

    def result(self, part: Any, given: Any, made: Any) -> Any:
        """The columns of the result: those that were there, and those that the function gave."""
        if made is None:
            return None
        lazy = isinstance(made, (LazyDict, Row))
        if isinstance(made, Row):
            made = dict(made)
        elif lazy:
            made = {name: value for name, value in made.data.items() if name not in made.keys_to_format}
        self.check(made)
        if not isinstance(made, Mapping):
            return made
        own: Any = made
        if self.plain:
            # As the function leaves it: what it sets in its row is set, whatever it gives.
            merged = dict(given)
        elif self.merges:
            merged = dict(zip(part.column_names, part.columns, strict=True))
        elif isinstance(given, LazyDict):
            merged = {name: part[name] if name in given.keys_to_format else value for name, value in given.data.items()}
        else:
            merged = dict(given)
        for name in self.removed:
            merged.pop(name, None)
            if lazy:
                own.pop(name, None)
        if self.kept_examples and made and self.job.batched and len(next(iter(made.values()))) != part.num_rows:
            raise DatasetTransformationNotAllowedError(
                "map(batched=True) on a data set with an index may not add or leave out rows: drop_index() first, and add the index again"
            )
        columns = _Columns({**merged, **made} if isinstance(given, Mapping) else made)
        if self.job.batched:
            check_lengths("map", made, columns)
        if not isinstance(given, Mapping):
            return made
        untouched: Callable[[str], bool] | None = given.untouched if isinstance(given, LazyBatch) else None
        if self.job.batched and (self.merges or untouched is not None):
            columns.kept = tuple(name for name in merged if name not in made and (self.merges or untouched is None or untouched(name)))
            # What the function has only looked at is what it was, whatever Python has for it.
            columns.update({name: part[name] for name in columns.kept})
        return columns

    def check(self, made: Any) -> None:
        """Raises where a function gives what cannot be rows."""
        if self.checked:
            return
        if not (isinstance(made, (Mapping, pa.Table, Table)) or _frame(made)):
            raise TypeError(
                f"Provided `function` which is applied to all elements of table returns a variable of type {type(made)}. Make sure "
                "provided `function` returns a variable of type `dict` (or a pyarrow table) to update the dataset or `None` if you are "
                "only interested in side effects."
            )
        if self.job.batched and isinstance(made, Mapping):
            kinds = _listed()
            if wrong := {
                name: type(one).__name__ for name, one in made.items() if not isinstance(one, (*kinds, pa.Array, pa.ChunkedArray))
            }:
                raise TypeError(
                    f"Provided `function` which is applied to all elements of table returns a `dict` of types {wrong}. When using "
                    f"`batched=True`, make sure provided `function` returns a `dict` of types like `{kinds}`."
                )
        self.checked = True


def _parts(job: Job) -> Iterator[tuple[Any, Any]]:
    """The rows of a part, one by one or in batches, with their numbers: as tables."""
    ds, size = job.shard, job.batch_size
    n = len(ds)
    if not job.batched and job.input_columns is None and ds._plain() and (rows := ds._core_rows()) is not None:
        yield from enumerate(map(Row, rows))
        return
    if not job.batched:
        # Read by the thousand, given one by one.
        for start in range(0, n, 1000):
            some = ds._query(slice(start, start + 1000))
            for i in range(some.num_rows):
                yield start + i, some.slice(i, 1)
        return
    step, stop = size if size and size > 0 else max(1, n), _given(job, n)
    for start in range(0, stop, step):
        end = min(start + step, stop)
        yield list(range(start, end)), ds._query(slice(start, end))


def _given(job: Job, n: int) -> int:
    """How many of the `n` rows of a part the function is given: none of a last batch that is left out."""
    size = job.batch_size or 0
    return n // size * size if job.batched and job.drop_last_batch and size > 0 else n


def _results(job: Job) -> Iterator[tuple[int, Any]]:
    """How many rows were read, and what the function made of them."""
    function = _Function(job)
    if not inspect.iscoroutinefunction(job.function):
        for at, part in _parts(job):
            yield len(at) if job.batched else 1, function(part, at)
        return
    loop = asyncio.new_event_loop()
    waiting: list[tuple[int, asyncio.Task[Any]]] = []
    most = config.MAX_NUM_RUNNING_ASYNC_MAP_FUNCTIONS_IN_PARALLEL
    try:
        for at, part in _parts(job):
            waiting.append((len(at) if job.batched else 1, loop.create_task(function.later(part, at))))
            while len(waiting) >= most:
                n, task = waiting.pop(0)
                yield n, loop.run_until_complete(task)
        while waiting:
            n, task = waiting.pop(0)
            yield n, loop.run_until_complete(task)
    finally:
        for _, task in waiting:
            task.cancel()
        if waiting:
            loop.run_until_complete(asyncio.gather(*(task for _, task in waiting), return_exceptions=True))
        loop.close()


def _writer(job: Job, target: Any) -> ArrowWriter:
    given = job.features
    options: dict[str, Any] = {"path": target} if isinstance(target, str) else {"stream": target}
    return ArrowWriter(
        features=job.shard.features if given is None else given,
        update_features=given is None,
        writer_batch_size=job.writer_batch_size,
        fingerprint=job.new_fingerprint,
        disable_nullable=job.disable_nullable,
        on_mixed_types=job.on_mixed_types,
        **options,
    )


class _Output:
    """The file of a job's result, or its bytes in memory.

    Columns that no batch changed are not written again: the file has the others, and says in its metadata how they are put together
    with those of the data set. If a later batch changes them, or the number of rows, all columns are written after all.
    """

    def __init__(self, job: Job) -> None:
        self._job, ds = job, job.shard
        self.path: str | None = None
        self.target: Any = None
        self.writer: ArrowWriter | None = None
        self._done = 0
        self._none: bool | None = None
        self._kept: tuple[str, ...] = ()
        in_file = not job.keep_in_memory and job.cache_file_name is not None
        mapped = ds._indices is None and bool(ds._data.files) and not hasattr(type(ds._data), "gather")
        given = job.whole or job.features is not None or job.disable_nullable
        self._may_keep = in_file and mapped and job.batched and not given

    def _open(self) -> ArrowWriter:
        job = self._job
        if job.keep_in_memory or job.cache_file_name is None:
            self.target = pa.BufferOutputStream()
        else:
            folder = os.path.dirname(job.cache_file_name)
            os.makedirs(folder, exist_ok=True)
            handle, self.path = tempfile.mkstemp(prefix=".rowstream-", suffix=".arrow", dir=folder)
            os.close(handle)
            self.target = self.path
        self.writer = _writer(job, self.target)
        return self.writer

    def write(self, made: Any, rows: int) -> None:
        """Adds what became of so many rows; `None` is nothing."""
        self._agree(none=made is None)
        kept = made.kept if self._may_keep and isinstance(made, _Columns) else ()
        own = {name: column for name, column in made.items() if name not in kept} if kept else made
        if kept and (not own or any(len(column) != rows for column in own.values())):
            kept, own = (), made
        if self.writer is None and made is not None:
            self._kept = kept
            writer = self._open()
            if kept:
                writer.columns_beside = list(made)
        if self._kept and (kept != self._kept or made is None):
            self._write_all()
        if self._kept:
            made = own
        if made is not None and self.writer is not None:
            _write(self.writer, made, self._job)
        self._done += rows
        self._may_keep = bool(self._kept)

    def _agree(self, *, none: bool) -> None:
        """A function gives something for all rows or for none of them: else some would go, or stay as they were, without a word."""
        if self._none is None:
            self._none = none
        elif self._none != none:
            raise InvalidArgumentError(_SOME_NONE.format(f" from row {self._done + self._job.offset} on"))

    def end(self) -> None:
        """Ends the file. It has no rows where the function was never called, as the only batch was short and left out."""
        job = self._job
        if self._kept and self._done != len(job.shard):
            self._write_all()
        if self.writer is None and not self._done:
            there = {name: of for name, of in job.shard.features.items() if name not in (job.remove_columns or ())}
            features = Features(there) if job.features is None else job.features
            self._open().write_table(features.arrow_schema.empty_table())
        if self.writer is not None:
            self.writer.finalize()

    def _write_all(self) -> None:
        """Writes the rows so far again, with all columns."""
        before, kept, self._kept = self.path, self._kept, ()
        if self.writer is None or before is None:
            raise AssertionError("columns beside no file")
        order = self.writer.columns_beside or []
        self.writer.finalize()
        try:
            made = MemoryMappedTable.from_file(before).table
            writer = self._open()
            for start in range(0, self._done, 1000):
                part = self._job.shard._query(slice(start, min(start + 1000, self._done)))
                some = made.slice(start, 1000)
                writer.write_batch({name: (part if name in kept else some)[name] for name in order})
        finally:
            os.remove(before)

    def drop(self) -> None:
        """Leaves nothing behind."""
        if self.writer is not None:
            with suppress(Exception):
                self.writer.close()
        if self.path is not None:
            with suppress(FileNotFoundError):
                os.remove(self.path)

    def result(self) -> Any:
        """The data set."""
        from rowstream.dataset.map_style import Dataset

        job, writer = self._job, self.writer
        if writer is None:
            return job.shard
        info = job.shard.info.copy()
        info.features = writer._features
        if self.path is None:
            return Dataset.from_buffer(writer.stream.getvalue(), info=info, split=job.shard.split)
        moved(self.path, str(job.cache_file_name))
        made = _opened(job, info)
        if made is None:
            raise AssertionError("what was written cannot be read")
        return made


def _opened(job: Job, info: Any) -> Any:
    """The data set that a file of the cache has, with columns of the data set that it was made of; `None` where these are others."""
    from rowstream.dataset.map_style import Dataset

    ds, path = job.shard, str(job.cache_file_name)
    table = MemoryMappedTable.from_file(path)
    said = (table.schema.metadata or {}).get(BESIDE.encode())
    if said is None:
        return Dataset.from_file(path, info=info, split=ds.split)
    order = json.loads(said)
    kept = [name for name in order if name not in table.column_names]
    if ds._indices is not None or len(ds) != len(table) or not set(kept) <= set(ds.column_names):
        return None
    own = Features.from_arrow_schema(table.schema)
    info.features = Features({name: ds.features[name] if name in kept else own[name] for name in order})
    metadata = {key: value for key, value in table.schema.metadata.items() if key != BESIDE.encode()}
    whole = concat_tables([ds._data.select(kept), table], axis=1).select(order).replace_schema_metadata(metadata)
    return Dataset(whole, info=info, split=ds.split, fingerprint=job.new_fingerprint)


def run(job: Job, told: Callable[[int], None]) -> Any:
    """Does a job: gives the data set of its result, or its own where the function gave nothing.

    `told` is told of rows that are done. A file is there whole, or not at all.
    """
    out, done = _Output(job), False
    try:
        for n, made in _results(job):
            out.write(made, n)
            told(n)
        out.end()
        done = True
    finally:
        if not done:
            out.drop()
    return out.result()


def _write(writer: ArrowWriter, made: Any, job: Job) -> None:
    if not isinstance(made, Mapping):
        table = table_of(made)
        if job.batched:
            writer.write_table(table)
        else:
            writer.write_row(table)
    elif job.batched:
        writer.write_batch(dict(made), try_original_type=job.try_original_type)
    else:
        writer.write(dict(made))


# ------------------------------------------------------------------------------------------------------ several parts


def check_suffix(template: str) -> None:
    """Check that the names of the parts' files differ: `{rank}` and `{num_proc}` are in the template, and nothing else is."""
    fields = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    if fields != {"rank", "num_proc"}:
        raise InvalidArgumentError(f"suffix_template must contain exactly the fields 'rank' and 'num_proc', got: {fields}")


def columns_named(what: str, names: Any, there: list[str]) -> list[str] | None:
    """Columns that an argument names, one or several, of those that are there."""
    if names is None:
        return None
    made = [names] if isinstance(names, str) else list(names)
    if missing := [name for name in made if name not in there]:
        raise InvalidArgumentError(f"{what} {missing} not in the dataset. Current columns in the dataset: {there}")
    return made


def mapped(ds: Dataset, job: Job, *, num_proc: int | None, load: bool, suffix: str, desc: str) -> Dataset:
    """The result of a job over a data set, of several processes if asked, from the cache where it is there.

    Args:
        ds: the data set.
        job: what to do, with the fingerprint of the result, and the file for it.
        num_proc: processes; none but this one if `None`.
        load: whether what is in the cache is used.
        suffix: how the files of parts are called.
        desc: what the progress bar says.
    """
    name = job.cache_file_name
    stem, ending = os.path.splitext(name) if name else ("", "")
    if name and not ending:
        raise InvalidArgumentError(f"Expected cache_file_name to have an extension, but got: {name}")

    def part_of(rank: int, of: int) -> str:
        return f"{stem}{suffix.format(rank=rank, num_proc=of)}{ending}"

    def name_of(rank: int, of: int) -> str:
        return f"{job.new_fingerprint}{suffix.format(rank=rank, num_proc=of)}" if of > 1 else str(job.new_fingerprint)

    def usable(file: str, rank: int, of: int) -> bool:
        # Names that are our own have the fingerprint in them.
        return os.path.exists(file) and (not job.whole or made_by(file, name_of(rank, of)))

    parts = num_proc or 1
    if name and load and (there := parts_there(name, suffix, usable)):
        # The most complete set; then the one of nearly as many parts.
        parts = min(there, key=lambda of: ((of - there[of]) / of, abs(of - parts), of))
    shards = _shards(ds, job, parts)
    made: list[Any] = [None] * parts
    todo: list[tuple[int, Job]] = []
    before = 0
    for i, shard in enumerate(shards):
        own = Job(**{**vars(job), "shard": shard})
        if parts > 1:
            own.cache_file_name = part_of(i, parts) if name else None
            own.rank, own.offset = i, before
            own.new_fingerprint = name_of(i, parts)
        elif num_proc:
            own.rank = 0
        before += len(shard)
        if own.cache_file_name and load and usable(own.cache_file_name, i, parts):
            made[i] = _cached(own)
        if made[i] is None:
            todo.append((i, own))
    if todo:
        if len(todo) < parts:
            _logger.info(f"Reprocessing {len(todo)}/{parts} shards because some of them were missing from the cache.")
        if num_proc:
            for i, _ in todo:
                _logger.info(f"Process #{i + 1} will write at {part_of(i, parts) if name and parts > 1 else name}")
        if num_proc:
            _logger.info(f"Spawning {num_proc} processes")
        text = f"{desc} (num_proc={num_proc})" if num_proc else desc
        with progress.bar(len(ds), text, initial=len(ds) - sum(len(own.shard) for _, own in todo)) as bar:
            if num_proc:

                def done(i: int, result: Any) -> None:
                    made[i] = shards[i] if result is None else result

                run_in_processes(todo, num_proc, bar.update, done, "map")
            else:
                for i, own in todo:
                    made[i] = run(own, bar.update)
        made = _agreeing(job, made, shards)
        if parts > 1:
            _logger.info(f"Concatenating {parts} shards")
    else:
        shown = name if parts == 1 else f"{stem}{suffix.replace('{rank:05d}', '*').format(rank=0, num_proc=parts)}{ending}"
        _logger.info(f"Loading cached processed dataset at {shown}")
    whole = made[0] if parts == 1 else concatenate_map_style(made if job.features is not None else _agreed(made))
    changed = any(one._fingerprint != shard._fingerprint for one, shard in zip(made, shards, strict=True))
    if changed:
        whole = whole if whole is not ds else ds._copy()
        whole._fingerprint = job.new_fingerprint
    else:
        whole = ds
    return whole


def _agreed(parts: list[Any]) -> list[Any]:
    """Parts whose rows showed different types, with types that have the values of all."""
    several = [ds.features for ds in parts]
    made = []
    for ds, features in zip(parts, agreed(several), strict=True):
        if features != ds.features:
            ds = ds._copy()
            ds._data = ds._data.cast(features.arrow_schema)
            ds._info.features = features
        made.append(ds)
    return made


def _shards(ds: Dataset, job: Job, parts: int) -> list[Any]:
    """The rows of each process: runs of nearly one length, of whole batches where a short one is left out, so that only one is."""
    if parts == 1:
        return [ds]
    size = max(1, job.batch_size or 1) if job.batched and job.drop_last_batch else 1
    each, more = divmod(len(ds) // size, parts)
    starts = [size * (each * i + min(i, more)) for i in range(parts)]
    return [ds.select(range(start, end), job.keep_in_memory) for start, end in zip(starts, [*starts[1:], len(ds)], strict=True)]


def _agreeing(job: Job, made: list[Any], shards: list[Any]) -> list[Any]:
    """What became of the parts: the parts themselves where the function gave nothing for any row."""
    none = [one is shard for one, shard in zip(made, shards, strict=True) if _given(job, len(shard))]
    if any(none) and not all(none):
        raise InvalidArgumentError(_SOME_NONE.format(""))
    return shards if any(none) else made


def _cached(job: Job) -> Any:
    """The result of a job that a file has; `None` where the file is damaged, and the job is done again."""
    info = job.shard.info.copy()
    info.features = job.features
    try:
        return _opened(job, info)
    except (pa.ArrowException, OSError, FileFormatError) as error:
        _logger.warning(f"{job.cache_file_name} is damaged, and is made anew: {error}")
        return None


__all__ = ["DatasetTransformationNotAllowedError", "Job", "as_table", "mapped", "run"]
