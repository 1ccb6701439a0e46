"""The results of `map`, in a file or in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.arrow.empty import empty_table
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.ops.apply import table_of
from rowstream.table.table import MemoryMappedTable, concat_tables
from rowstream.transforms.map_function import SOME_NONE, Columns
from rowstream.utils.atomic import aside, publish_file
from rowstream.writers.arrow import ArrowWriter
from rowstream.writers.arrow_file import BESIDE

if TYPE_CHECKING:
    from rowstream.transforms.map_job import MapJob


def _writer(job: MapJob, target: Any) -> ArrowWriter:
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


class MapOutput:
    """The file of a job's result, or its bytes in memory.

    Columns that no batch changed are not written again: the file has the others, and its metadata
    says how to combine them with those of the dataset. If a later batch changes them, or the number
    of rows, all columns are written after all.
    """

    def __init__(self, job: MapJob) -> None:
        self._job, ds = job, job.shard
        self.path: str | None = None
        self.target: Any = None
        self.writer: ArrowWriter | None = None
        self._done = 0
        self._none: bool | None = None
        self._kept: tuple[str, ...] = ()
        in_file = not job.keep_in_memory and job.cache_file_name is not None
        in_files = (
            ds._indices is None and bool(ds._data.files) and not hasattr(type(ds._data), "gather")
        )
        given = job.whole or job.features is not None or job.disable_nullable
        self._may_keep = in_file and in_files and job.batched and not given

    def _open(self) -> ArrowWriter:
        job = self._job
        if job.keep_in_memory or job.cache_file_name is None:
            self.target = pa.BufferOutputStream()
        else:
            os.makedirs(os.path.dirname(os.path.abspath(job.cache_file_name)), exist_ok=True)
            handle, self.path = aside(job.cache_file_name, ".arrow")
            os.close(handle)
            self.target = self.path
        self.writer = _writer(job, self.target)
        self.writer.stream_may_change = True
        return self.writer

    def write(self, made: Any, rows: int) -> None:
        """Write the result of `rows` rows; `made` is `None` if there is none."""
        self._agree(none=made is None)
        kept = made.kept if self._may_keep and isinstance(made, Columns) else ()
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
            write_results(self.writer, made, self._job)
        self._done += rows
        self._may_keep = bool(self._kept)

    def _agree(self, *, none: bool) -> None:
        """Raise if a function returns a result for some rows only.

        Otherwise some rows would be dropped, or stay unchanged, without notice.
        """
        if self._none is None:
            self._none = none
        elif self._none != none:
            raise InvalidArgumentError(
                SOME_NONE.format(f" from row {self._done + self._job.offset} on")
            )

    def end(self) -> None:
        """Finish the file.

        It has no rows if the function was never called, as the only batch was short and dropped.
        """
        job = self._job
        if self._kept and self._done != len(job.shard):
            self._write_all()
        if self.writer is None and not self._done:
            there = {
                name: of
                for name, of in job.shard.features.items()
                if name not in (job.remove_columns or ())
            }
            features = Features(there) if job.features is None else job.features
            self._open().write_table(empty_table(features.arrow_schema))
        if self.writer is not None:
            self.writer.finalize()

    def _write_all(self) -> None:
        """Rewrite the rows so far with all columns."""
        before, kept, self._kept = self.path, self._kept, ()
        if self.writer is None or before is None:
            raise AssertionError("extra columns but no output file (a bug of rowstream)")
        order = self.writer.columns_beside or []
        self.writer.finalize()
        try:
            result = MemoryMappedTable.from_file(before).table
            writer = self._open()
            for start in range(0, self._done, 1000):
                part = self._job.shard._query(slice(start, min(start + 1000, self._done)))
                some = result.slice(start, 1000)
                writer.write_batch({name: (part if name in kept else some)[name] for name in order})
        finally:
            os.remove(before)

    def drop(self) -> None:
        """Close and remove the incomplete file."""
        if self.writer is not None:
            with suppress(Exception):
                self.writer.close()
        if self.path is not None:
            with suppress(FileNotFoundError):
                os.remove(self.path)

    def result(self) -> Any:
        """Return the dataset of the result, or the shard itself if the function returned `None`."""
        job, writer = self._job, self.writer
        if writer is None:
            return job.shard
        info = job.shard.info.copy()
        info.features = writer._features
        if self.path is None:
            return job.shard._own_class.from_buffer(
                writer.stream.getvalue(), info=info, split=job.shard.split
            )
        publish_file(self.path, str(job.cache_file_name))
        result = open_result(job, info)
        if result is None:
            raise AssertionError("what was written cannot be read")
        return result


def open_result(job: MapJob, info: Any) -> Any:
    """Return the dataset of a cached file, with the unchanged columns of the input dataset.

    Returns:
        `None` if the input dataset has other columns or rows than the file expects.
    """
    ds, path = job.shard, str(job.cache_file_name)
    table = MemoryMappedTable.from_file(path)
    said = (table.schema.metadata or {}).get(BESIDE.encode())
    if said is None:
        return ds._own_class.from_file(path, info=info, split=ds.split)
    order = json.loads(said)
    kept = [name for name in order if name not in table.column_names]
    if ds._indices is not None or len(ds) != len(table) or not set(kept) <= set(ds.column_names):
        return None
    own = Features.from_arrow_schema(table.schema)
    info.features = Features(
        {name: ds.features[name] if name in kept else own[name] for name in order}
    )
    metadata = {
        key: value for key, value in table.schema.metadata.items() if key != BESIDE.encode()
    }
    whole = (
        concat_tables([ds._data.select(kept), table], axis=1)
        .select(order)
        .replace_schema_metadata(metadata)
    )
    return ds._own_class(whole, info=info, split=ds.split, fingerprint=job.new_fingerprint)


def write_results(writer: ArrowWriter, made: Any, job: MapJob) -> None:
    """Write what the function returned for a row or batch."""
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
