"""Streams as tar archives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from rowstream.dataset.iterable.export import StreamExport
from rowstream.dataset.iterable.order import StreamOrder
from rowstream.exceptions import InvalidArgumentError
from rowstream.writers.shards import Output
from rowstream.writers.tar import write_archives, write_webdataset

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rowstream.writers.exports import ExportedRows


class StreamArchives(StreamOrder, StreamExport):
    """The method that writes a stream in the convention of WebDataset."""

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
            of = output.num_shards
            if of is None or num_proc < 1:
                raise InvalidArgumentError(
                    f"num_proc={num_proc!r} processes write num_shards={of!r} archives: both are 1"
                    " or more"
                )
            opened = [
                (partial(self.shard(of, i)._opened, batch_size), f"{i:05d}-000000000")
                for i in range(of)
            ]
            said, name = [self._plan, of, self._consumer], str(self._split or "data")
            return write_archives(
                output, opened, said, path_or_buf, compression, batch_size, name, num_proc
            )
        with self._exported(output, batch_size) as rows:
            return write_webdataset(rows, output, path_or_buf, compression, batch_size)

    def _opened(self, batch_size: int | None) -> AbstractContextManager[ExportedRows]:
        return self._exported(Output(None, None, None, None), batch_size)
