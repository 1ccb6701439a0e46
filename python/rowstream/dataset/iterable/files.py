"""Streams as files of which each can be written apart from the others: Parquet, tar archives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rowstream.dataset.iterable.export import StreamExport
from rowstream.dataset.iterable.order import StreamOrder
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.convert import generate_from_arrow_type
from rowstream.features.features import Features
from rowstream.utils.arguments import check_number
from rowstream.writers.exports import write_parquet
from rowstream.writers.parts import Part, write_parts
from rowstream.writers.shards import Output
from rowstream.writers.streams import ROW_GROUP
from rowstream.writers.tar import write_archives, write_webdataset

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rowstream.writers.exports import ExportedRows


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
        **parquet_writer_kwargs: Any,
    ) -> int:
        """Write the rows as Parquet, whole or not at all.

        Args:
            path_or_buf: A path, a URL such as `s3://bucket/rows`, or a binary file. With
                `num_shards` or `max_shard_size`, `"folder/name.parquet"` stands for
                `folder/name-00000-of-00003.parquet` and so on, and a name without an ending is a
                folder.
            batch_size: Rows of a row group; of about 64 MiB if `None`.
            storage_options: Options of the file system of a URL, as fsspec has them.
            num_shards: Write so many files. Where only reading tells how many rows there are, the
                stream is read once, into a temporary file.
            max_shard_size: Write files of at most so many bytes (`"500MB"`). Not together with
                `num_shards`.
            num_proc: The number of processes that write files, with `num_shards`: file `i` has the
                rows of `shard(num_shards, i)`, to which functions are applied: numbers of
                `with_indices` begin anew in each. Files that a run of the same stream finished
                before it was killed are not written again.
            parquet_writer_kwargs: Options of `pyarrow.parquet.ParquetWriter`. A page index and
                content-defined chunks are written by default, as `datasets` does.

        Returns:
            The bytes of the columns in memory.

        Raises:
            InvalidArgumentError: The folder does not exist, or arguments do not go together.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_parquet("rows.parquet")
            24
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        part = _ParquetPart(batch_size, parquet_writer_kwargs)
        if num_proc is None:
            with self._exported(output, batch_size) as rows:
                return part.write(rows, output)
        of = _files(output, num_proc)
        schema = None
        if self.features is None and (first := next(self._tables(batch_size), None)) is not None:
            # One for all files.
            schema = first.schema
        parts = [
            Part(partial(self.shard(of, i)._opened, batch_size, schema), part) for i in range(of)
        ]
        said = ["parquet@1", *self._said(of), batch_size, parquet_writer_kwargs]
        name = str(self._split or "data")
        return write_parts(output, parts, said, ".parquet", name, num_proc, "to_parquet")

    def to_webdataset(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        compression: str | None = "infer",
        num_proc: int | None = None,
    ) -> int:
        """Write the rows as samples of tar archives, whole or not at all.

        What is written of a row says `Dataset.to_webdataset`.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
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
        if num_proc is not None:
            of = _files(output, num_proc)
            opened = [
                (partial(self.shard(of, i)._opened, batch_size), f"{i:05d}-000000000")
                for i in range(of)
            ]
            said, name = self._said(of), str(self._split or "data")
            return write_archives(
                output, opened, said, path_or_buf, compression, batch_size, name, num_proc
            )
        with self._exported(output, batch_size) as rows:
            return write_webdataset(rows, output, path_or_buf, compression, batch_size)

    def _said(self, of: int) -> list[Any]:
        """Return what the rows of each of several files depend on."""
        return [self._plan, of, self._consumer, self._shared.epoch]

    def _opened(
        self, batch_size: int | None, schema: Any = None
    ) -> AbstractContextManager[ExportedRows]:
        return self._exported(Output(None, None, None, None), batch_size, schema)


@dataclass(frozen=True)
class _ParquetPart:
    """What writes rows as Parquet.

    Attributes:
        batch_size: Rows of a row group; of about 64 MiB if `None`.
        options: Those of `pyarrow.parquet.ParquetWriter`.
    """

    batch_size: int | None
    options: dict[str, Any]

    def __call__(self, rows: ExportedRows, file: Any) -> int:
        """Write rows into a binary file, and return the bytes of their columns."""
        return self.write(rows, Output(file, None, None, None))

    def write(self, rows: ExportedRows, output: Output) -> int:
        """Write rows, and return the bytes of their columns."""
        least = 0 if self.batch_size is not None else ROW_GROUP
        notes = _notes(rows.features, rows.empty.schema)
        return write_parquet(
            rows, output, self.options, self.batch_size, lambda _, size: size >= least, notes
        )


def _files(output: Output, num_proc: int) -> int:
    """Return how many files are to be written by so many processes."""
    of = output.num_shards
    check_number("num_proc", num_proc, least=1)
    if of is None:
        raise InvalidArgumentError(
            f"num_proc={num_proc} processes write a file each at a time: give num_shards= as well"
        )
    return of


def _notes(features: Features | None, schema: Any) -> dict[str, str] | None:
    """Return what a Parquet file says of its columns that their types do not, such as the names of
    labels.
    """
    if features is None or set(features) != set(schema.names):
        return None
    types = features.arrow_schema
    same = {
        of.name: (
            features[of.name]
            if types.field(of.name).type == of.type
            else generate_from_arrow_type(of.type)
        )
        for of in schema
    }
    return {
        name.decode(): text.decode() for name, text in Features(same).arrow_schema.metadata.items()
    }
