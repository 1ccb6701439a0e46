"""Streams as tar archives."""

from __future__ import annotations

from typing import Any

from rowstream.dataset.iterable.export import StreamExport
from rowstream.writers.shards import Output
from rowstream.writers.tar import write_webdataset


class StreamArchives(StreamExport):
    """The method that writes a stream in the convention of WebDataset."""

    def to_webdataset(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        compression: str | None = "infer",
    ) -> int:
        """Write the rows as samples of tar archives, whole or not at all.

        What is written of a row says `Dataset.to_webdataset`.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            batch_size: Rows that are written at once; 1000 if `None`.
            compression: `"gzip"`, `"bz2"`, `"xz"`, `"zstd"`, or `None`; by the ending of the path
                by default.

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
        with self._exported(output, batch_size) as rows:
            return write_webdataset(rows, output, path_or_buf, compression, batch_size)
