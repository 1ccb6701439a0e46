"""Streams as files of which each can be written apart from the others: Parquet, Arrow, tar
archives; in another order, if one is asked for.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.dataset.iterable.export import StreamExport
from rowstream.dataset.iterable.order import StreamOrder
from rowstream.exceptions import InvalidArgumentError
from rowstream.utils import progress
from rowstream.utils.arguments import check_number
from rowstream.utils.locks import held_lock
from rowstream.utils.ray_tasks import check_engine
from rowstream.writers.arrange import ARRANGED, Arrangement, SortedPart, given, no_tables
from rowstream.writers.forms import ArrowForm, ParquetForm, TarForm
from rowstream.writers.parts import Part, alone, named, write_parts
from rowstream.writers.shards import Output
from rowstream.writers.target import compressed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rowstream.writers.exports import ExportedRows
    from rowstream.writers.external_sort import SortedRows
    from rowstream.writers.forms import Form

_ONE = Output(None, None, None, None)
_SCRATCH, _BEGUN = ".rowstream-sort-", ".rowstream-begun-"


class StreamFiles(StreamOrder, StreamExport):
    """The methods that write a stream into several files, by several processes."""

    def to_parquet(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        num_proc: int | None = None,
        engine: str | None = None,
        sort_by: str | list[Any] | None = None,
        shuffle_seed: int | None = None,
        unique_by: str | list[str] | bool | None = None,
        memory: str | int = "1GB",
        **parquet_writer_kwargs: Any,
    ) -> int:
        """Write the rows as Parquet, whole or not at all.

        Args:
            path_or_buf: A path, a URL such as `s3://bucket/rows`, or a binary file. With
                `num_shards` or `max_shard_size`, `"folder/name.parquet"` stands for
                `folder/name-00000-of-00003.parquet` and so on, and a name without an ending is a
                folder.
            batch_size: Rows of a row group; of about 64 MiB if `None`. Rows are sorted in tables of
                as many, of 1000 if `None`: fewer where rows are large.
            storage_options: Options of the file system of a URL, as fsspec has them.
            num_shards: Write so many files. Where only reading tells how many rows there are, the
                stream is read once, into a temporary file.
            max_shard_size: Write files of at most so many bytes (`"500MB"`). Not together with
                `num_shards`.
            num_proc: The number of processes that write files, with `num_shards`: file `i` has the
                rows of `shard(num_shards, i)`, to which functions are applied: numbers of
                `with_indices` begin anew in each. Files that a run of the same stream finished
                before it was killed are not written again.
            engine: `"ray"` writes the files by processes of a Ray cluster, at most `num_proc` at
                once. All its machines have to see the sources and the target.
            sort_by: The column to sort by, or a list of columns and of pairs such as
                `("score", "descending")`. Rows with equal values keep their order; nulls come last.
            shuffle_seed: Shuffle all rows, however many they are, with this seed.
            unique_by: Leave out rows that have the values of an earlier one in a column, or in
                some; in all columns if `True`.
            memory: The bytes that sorting, shuffling and looking for duplicates may take beside the
                budget of the stream. What has more is sorted on disk: in the folder of the target,
                or, for a URL, in that of temporary files. With `num_proc` the files then have about
                as many rows each, and a run that was killed does not sort again.
            parquet_writer_kwargs: Options of `pyarrow.parquet.ParquetWriter`. A page index and
                content-defined chunks are written by default, as `datasets` does.

        Returns:
            The bytes of the columns in memory.

        Raises:
            InvalidArgumentError: The folder does not exist, or arguments do not go together.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 3, 2, 3]}).to_iterable_dataset()
            >>> ds.to_parquet("rows.parquet")
            32
            >>> ds.to_parquet("sorted.parquet", sort_by="a", unique_by="a")
            24
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        form = ParquetForm(batch_size, parquet_writer_kwargs)
        order = Arrangement.of(sort_by, shuffle_seed, unique_by, memory)
        return self._write(output, form, batch_size, num_proc, engine, order)

    def to_arrow(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        num_proc: int | None = None,
        engine: str | None = None,
        sort_by: str | list[Any] | None = None,
        shuffle_seed: int | None = None,
        unique_by: str | list[str] | bool | None = None,
        memory: str | int = "1GB",
        compression: str | None = None,
    ) -> int:
        """Write the rows as Arrow files, whole or not at all.

        `load_dataset("arrow", data_files=…)` reads them, with their features.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size, num_proc: As in `to_parquet`.
            engine, sort_by, shuffle_seed, unique_by, memory: As in `to_parquet`.
            batch_size: Rows of a record batch; 1000 if `None`.
            compression: `"lz4"` or `"zstd"`; what is not compressed can be mapped into memory.

        Returns:
            The bytes of the columns in memory.

        Raises:
            InvalidArgumentError: The folder does not exist, or arguments do not go together.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_arrow("rows.arrow")
            24
        """
        if compression not in (None, "lz4", "zstd"):
            raise InvalidArgumentError(
                f"to_arrow: compression is 'lz4', 'zstd' or None, found {compression!r}"
            )
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        order = Arrangement.of(sort_by, shuffle_seed, unique_by, memory)
        return self._write(
            output, ArrowForm(batch_size, compression), batch_size, num_proc, engine, order
        )

    def to_webdataset(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        compression: str | None = "infer",
        num_proc: int | None = None,
        engine: str | None = None,
        sort_by: str | list[Any] | None = None,
        shuffle_seed: int | None = None,
        unique_by: str | list[str] | bool | None = None,
        memory: str | int = "1GB",
    ) -> int:
        """Write the rows as samples of tar archives, whole or not at all.

        What is written of a row says `Dataset.to_webdataset`.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            engine, sort_by, shuffle_seed, unique_by, memory: As in `to_parquet`.
            batch_size: Rows that are written at once; 1000 if `None`.
            compression: `"gzip"`, `"bz2"`, `"xz"`, `"zstd"`, or `None`; by the ending of the path
                by default.
            num_proc: The number of processes that write archives, with `num_shards`: archive `i`
                has the rows of `shard(num_shards, i)`, and rows without keys get that number and
                theirs in it. Archives that a run of the same stream finished before it was killed
                are not written again.

        Returns:
            The bytes of all members, before compression.

        Raises:
            InvalidArgumentError: The folder does not exist, arguments do not go together, or a key
                or value cannot be written so that it is read again.

        Example:
            >>> ds = Dataset.from_dict({"txt": ["a", "b"]}).to_iterable_dataset()
            >>> ds.to_webdataset("texts.tar")
            2048
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        compressed(path_or_buf, compression)
        form = TarForm(path_or_buf, compression, batch_size, "000000000")
        order = Arrangement.of(sort_by, shuffle_seed, unique_by, memory)
        return self._write(output, form, batch_size, num_proc, engine, order)

    def _write(
        self,
        output: Output,
        form: Form,
        batch_size: int | None,
        num_proc: int | None,
        engine: str | None,
        order: Arrangement | None,
    ) -> int:
        """Write the rows in a form; the other arguments are those of `to_parquet`."""
        what = form.said[0]
        check_engine(engine, what)
        if order is not None and self.features is not None:
            # Before anything is read.
            order.check(self._empty())
        if num_proc is None and engine is None:
            if order is None:
                with self._exported(output, batch_size) as rows:
                    return form.write(rows, output)
            with _scratch(output) as folder, self._exported(_ONE, batch_size) as rows:
                return form.write(
                    given(rows, self._sorted(order, rows, folder, batch_size)), output
                )
        of = _files(output, num_proc, engine)
        name = str(self._split or "data")
        begin = self._loaded()
        said: list[Any] = [form.said, self._plan, of, self._consumer, self._shared.epoch]
        said += [] if begin is None else [begin.to_dict(self._plan.described)]
        if order is not None:
            said += [ARRANGED, order]
        with (
            alone(output.shards(form.ending, name)),
            self._parts(output, form, batch_size, order, of, num_proc or of, said) as opened,
        ):
            parts = [Part(rows, form.part(i)) for i, rows in enumerate(opened)]
            return write_parts(output, parts, said, form.ending, name, num_proc, what, engine)

    @contextmanager
    def _parts(
        self,
        output: Output,
        form: Form,
        batch_size: int | None,
        order: Arrangement | None,
        of: int,
        at_once: int,
        said: list[Any],
    ) -> Iterator[list[Any]]:
        """Make what opens the rows of each of several files."""
        if order is None:
            schema = None
            if self.features is None and (first := next(self._tables(batch_size), None)):
                # One for all files.
                schema = first.schema
            yield [partial(self.shard(of, i)._opened, batch_size, schema) for i in range(of)]
            return
        shards = output.shards(form.ending, str(self._split or "data"))
        # Where a run that was killed has left them, if that can be on a disk.
        key = f".{shards.name}{shards.ending}.{named(said)}.sorted"
        folder = shards.at(key) if shards.fs is None else tempfile.mkdtemp()
        try:
            with self._exported(_ONE, batch_size) as rows:
                known = replace(rows, tables=no_tables)
                result = order.found(folder) or self._sorted(order, rows, folder, batch_size)
            memory = order.memory // at_once
            yield [SortedPart(known, result, i, of, memory) for i in range(of)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            stale = re.compile(
                rf"\.{re.escape(shards.name + shards.ending)}\.[0-9a-f]{{16}}\.sorted"
            )
            for one in filter(stale.fullmatch, shards.listed() if shards.fs is None else []):
                shutil.rmtree(shards.at(one), ignore_errors=True)

    def _sorted(
        self, order: Arrangement, rows: ExportedRows, folder: str, batch_size: int | None
    ) -> SortedRows:
        with progress.bar(None, "Sorting", " rows") as bar:
            return order.sorted(rows, folder, bar.update, batch_size)

    def _opened(
        self, batch_size: int | None, schema: Any = None
    ) -> AbstractContextManager[ExportedRows]:
        return self._exported(_ONE, batch_size, schema)


def _files(output: Output, num_proc: int | None, engine: str | None) -> int:
    """Return how many files are to be written by so many processes."""
    of = output.num_shards
    if num_proc is not None:
        check_number("num_proc", num_proc, least=1)
    if of is None:
        asked = f"engine={engine!r}" if num_proc is None else f"num_proc={num_proc} processes"
        raise InvalidArgumentError(f"{asked} write several files: give num_shards= as well")
    return of


@contextmanager
def _scratch(output: Output) -> Iterator[str]:
    """Make a folder beside the target, if that is on a disk; it is removed afterwards."""
    beside = output.folder()
    for left in Path(beside or tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        # What a run that was killed has left: of one that runs, its lock is held.
        # Or another has removed it, or it is another user's.
        with suppress(OSError), held_lock(left / "lock", wait=False) as ours:
            if ours:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_BEGUN, dir=beside))
    try:
        with held_lock(folder / "lock"):
            # Only now, when it is locked, does it have the name that others look for. Windows does
            # not rename what is open, nor do others find a lock there.
            with suppress(PermissionError):
                folder = folder.rename(
                    folder.with_name(_SCRATCH + folder.name.removeprefix(_BEGUN))
                )
            yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
