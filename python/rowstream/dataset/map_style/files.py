"""Map-style datasets written to files and databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

from rowstream import config
from rowstream.arrow.empty import empty_table
from rowstream.arrow.stored import stored, stored_schema
from rowstream.dataset.map_style.export import MapStyleExport
from rowstream.exceptions import InvalidArgumentError
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.writers.arrange import refuse
from rowstream.writers.exports import (
    ExportedRows,
    write_csv,
    write_json,
    write_parquet,
    write_sql,
)
from rowstream.writers.shards import Output, even
from rowstream.writers.tar import write_archives, write_webdataset


class MapStyleFiles(MapStyleExport):
    """The methods that write rows to files and databases."""

    def to_parquet(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **parquet_writer_kwargs: Any,
    ) -> int:
        """Write the rows to one or more Parquet files. A failed write leaves no partial file.

        Args:
            path_or_buf: A path, a URL such as `s3://bucket/rows`, or a binary file. With
                `num_shards` or `max_shard_size`, `"folder/name.parquet"` stands for the files
                `name-00000-of-00003.parquet` and so on, which replace earlier ones of that name; a
                path without an ending is a folder.
            batch_size: The number of rows in a row group; row groups of about 100 MB if `None`.
            storage_options: Options of the file system of a URL, as fsspec has them.
            num_shards: The number of files.
            max_shard_size: The largest size of a file in bytes, or as text such as `"500MB"`,
                measured by the size of the rows in memory. Not together with `num_shards`.
            **parquet_writer_kwargs: Options of `pyarrow.parquet.ParquetWriter`. A page index and
                content-defined chunking are on by default, as in `datasets`.

        Returns:
            The size of the columns in memory, in bytes.

        Raises:
            InvalidArgumentError: The folder does not exist, or both `num_shards` and
                `max_shard_size` are given.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]})
            >>> ds.to_parquet("rows.parquet")
            24
        """
        refuse(
            parquet_writer_kwargs,
            "Dataset.to_parquet",
            "ds.to_iterable_dataset().to_parquet(…) has them, or ds.sort and ds.shuffle",
        )
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._write_parquet(output, batch_size, parquet_writer_kwargs)

    def _write_parquet(
        self,
        output: Output,
        batch_size: int | None = None,
        options: dict[str, Any] | None = None,
        embed: bool | None = None,
    ) -> int:
        size = max(1, self._estimate_nbytes())
        rows = batch_size or max(
            1, len(self) * convert_file_size_to_int(config.MAX_ROW_GROUP_SIZE) // size
        )
        # A file is filled in a few steps.
        at_once = (
            rows
            if output.most is None
            else max(1, min(rows, len(self) * output.most // (4 * size)))
        )
        exported = replace(
            self._exported(),
            tables=self._stored,
            empty=empty_table(stored_schema(self.features.arrow_schema, maps=True)),
        )
        return write_parquet(
            exported, output, options or {}, at_once, lambda n, _: n >= rows, embed=embed
        )

    def _stored(self, rows: int | None) -> Iterator[Any]:
        """Yield tables of at most so many rows, with the types that Parquet files store."""
        metadata = self.features.arrow_schema.metadata
        for table in self._tables(rows):
            yield stored(table.replace_schema_metadata(metadata), maps=True)

    def _exported(self) -> ExportedRows:
        return ExportedRows(
            self._tables,
            empty_table(self.features.arrow_schema),
            self.features,
            len(self),
            str(self.split or "data"),
        )

    def to_csv(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_csv_kwargs: Any,
    ) -> int:
        """Write the rows to one or more CSV files. A failed write leaves no partial file.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            batch_size: The number of rows that are converted at a time; 1000 if `None`.
            num_proc: The number of threads that convert rows to text.
            **to_csv_kwargs: Options of `pandas.DataFrame.to_csv`; `index` is `False` by default.

        Returns:
            The number of bytes written.

        Raises:
            InvalidArgumentError: The folder does not exist, `num_proc` is less than 1, or both
                `num_shards` and `max_shard_size` are given.

        Example:
            >>> Dataset.from_dict({"a": [1, 2, 3]}).to_csv("rows.csv")
            8
        """
        refuse(
            to_csv_kwargs,
            "Dataset.to_csv",
            "ds.to_iterable_dataset().to_parquet(…) has them, or ds.sort and ds.shuffle",
        )
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return write_csv(
            self._exported(), output, path_or_buf, to_csv_kwargs, batch_size, _processes(num_proc)
        )

    def to_json(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_json_kwargs: Any,
    ) -> int:
        """Write the rows to one or more JSON Lines files. A failed write leaves no partial file.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            batch_size, num_proc: As in `to_csv`.
            **to_json_kwargs: Options of `pandas.DataFrame.to_json`, such as `lines=False` (one JSON
                value), `orient` and `compression` (by the ending of the path by default).

        Returns:
            The number of bytes written, before compression.

        Raises:
            InvalidArgumentError: As in `to_csv`, or for options that do not go together.
            NotImplementedError: `lines=False` with several batches or with `max_shard_size`.

        Example:
            >>> Dataset.from_dict({"a": [1, 2, 3]}).to_json("rows.jsonl")
            24
        """
        refuse(
            to_json_kwargs,
            "Dataset.to_json",
            "ds.to_iterable_dataset().to_parquet(…) has them, or ds.sort and ds.shuffle",
        )
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return write_json(
            self._exported(), output, path_or_buf, to_json_kwargs, batch_size, _processes(num_proc)
        )

    def to_webdataset(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        compression: str | None = "infer",
    ) -> int:
        """Write the rows as samples of one or more tar archives, in the convention of WebDataset.

        A row is a sample; each column that is not `None` in it is a member, whose name is the key
        of the sample and the column. The column `__key__` has the keys; without it they are the
        numbers of the rows. Bytes and media are written as they are, texts in UTF-8, columns that
        end in `npy` as arrays, others as JSON; `.txt` or `.json` is added to names that do not say
        what they are. The same rows give the same bytes.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            batch_size: As in `to_csv`.
            num_proc: The number of processes that write archives, with `num_shards`; else of the
                threads that make members. Archives that a run of the same rows finished before it
                was killed are not written again.
            compression: `"gzip"`, `"bz2"`, `"xz"`, `"zstd"`, or `None`; by the ending of the path
                by default.

        Returns:
            The bytes of all members, before compression.

        Raises:
            InvalidArgumentError: As in `to_csv`, or a key or value cannot be written so that it is
                read again.

        Example:
            >>> ds = Dataset.from_dict({"__key__": ["a", "b"], "cls": [3, 4], "json": [[1], [2]]})
            >>> ds.to_webdataset("samples.tar")
            4096
            >>> load_dataset("webdataset", data_files="samples.tar", split="train")[1]["json"]
            [2]
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        threads = _processes(num_proc)
        if output.num_shards is None:
            return write_webdataset(
                self._exported(), output, path_or_buf, compression, batch_size, threads
            )
        counts = even(len(self), output.num_shards)
        starts = accumulate(counts, initial=0)
        opened = [
            (partial(self._part, start, count), f"{start:09d}")
            for start, count in zip(starts, counts, strict=False)
        ]
        said, name = [self._fingerprint, self.column_names, counts], str(self.split or "data")
        return write_archives(
            output, opened, said, path_or_buf, compression, batch_size, name, threads
        )

    @contextmanager
    def _part(self, start: int, count: int) -> Iterator[ExportedRows]:
        """Open consecutive rows for writing."""
        tables = partial(self._tables, first=start, stop=start + count)
        yield replace(self._exported(), tables=tables, count=count)

    def to_sql(
        self,
        name: str,
        con: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        **sql_writer_kwargs: Any,
    ) -> int:
        """Write the rows to a table of a database.

        Args:
            name: The name of the table.
            con: A URI or an SQLAlchemy connection, which need SQLAlchemy; or one of `sqlite3`.
            batch_size: The number of rows that are written at a time; 1000 if `None`.
            num_proc: Accepted and ignored: rows are written one batch after another.
            **sql_writer_kwargs: Options of `pandas.DataFrame.to_sql`, such as `if_exists`; `index`
                is `False` by default.

        Returns:
            The number of rows written.

        Raises:
            InvalidArgumentError: `num_proc` is less than 1, or an integer is too large for the
                signed 64-bit integers of databases.

        Example:
            >>> import sqlite3
            >>> con = sqlite3.connect("data.db")
            >>> Dataset.from_dict({"id": [1, 2]}).to_sql("items", con)
            2
            >>> con.close()
        """
        _processes(num_proc)
        options = {
            key: value for key, value in sql_writer_kwargs.items() if key not in ("sql", "con")
        }
        return write_sql(self._exported(), name, con, options, batch_size)


def _processes(num_proc: int | None) -> int | None:
    """Return the number of threads that convert rows to text, checked."""
    if num_proc is not None and num_proc <= 0:
        raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
    return num_proc
