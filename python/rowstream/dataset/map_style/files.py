"""Map-style rows into files and databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rowstream import config
from rowstream.arrow.stored import stored, stored_schema
from rowstream.dataset.map_style.export import MapStyleExport
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.cast import embed_table_storage
from rowstream.features.nested import requires_decoding
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.writers.exports import (
    ExportedRows,
    write_csv,
    write_json,
    write_parquet,
    write_sql,
)
from rowstream.writers.shards import Output


class MapStyleFiles(MapStyleExport):
    """Rows into files and databases."""

    def to_parquet(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **parquet_writer_kwargs: Any,
    ) -> int:
        """Write the rows as Parquet, whole or not at all. Gives the bytes of their columns.

        Args:
            path_or_buf: a file's name, a URL, or a binary file. Of several files:
                `"folder/name.parquet"` stands for `name-00000-of-00003.parquet` and so on, in the
                place of whatever it stood for before; a name without an ending is a folder.
            batch_size: rows of a row group; of about 100 MB if `None`.
            storage_options: options of a URL's file system.
            num_shards: so many files.
            max_shard_size: files of at most so many bytes (`"500MB"`), by what Arrow needs for
                their rows.
            parquet_writer_kwargs: as `pyarrow.parquet.ParquetWriter` has them.
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
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
            empty=stored_schema(self.features.arrow_schema, maps=True).empty_table(),
        )
        return write_parquet(
            exported, output, parquet_writer_kwargs, at_once, lambda n, _: n >= rows
        )

    def _stored(self, rows: int | None) -> Iterator[Any]:
        """Tables of so many rows, as files have them."""
        schema = self.features.arrow_schema
        for table in self._tables(rows):
            if requires_decoding(self.features, ignore_decode_attribute=True):
                table = embed_table_storage(table, local_files=True, remote_files=False)
            yield stored(table.replace_schema_metadata(schema.metadata), maps=True)

    def _exported(self) -> ExportedRows:
        return ExportedRows(
            self._tables,
            self.features.arrow_schema.empty_table(),
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
        """Write the rows as CSV, whole or not at all. Gives the bytes written. Other arguments as
        `pandas.DataFrame.to_csv` has them; `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return write_csv(self._exported(), output, to_csv_kwargs, batch_size, _processes(num_proc))

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
        """Write the rows as JSON Lines, whole or not at all. Gives the bytes written. Other
        arguments as `pandas.DataFrame.to_json` has them: `orient=`, `lines=`, `compression=` and
        the like; `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return write_json(
            self._exported(), output, path_or_buf, to_json_kwargs, batch_size, _processes(num_proc)
        )

    def to_sql(
        self,
        name: str,
        con: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        **sql_writer_kwargs: Any,
    ) -> int:
        """Write the rows into a table of a database. Gives how many. Other arguments as
        `pandas.DataFrame.to_sql` has them.

        Args:
            name: the table.
            con: a URI, or a connection of SQLAlchemy or sqlite3.
            batch_size: rows that are written at once.
            num_proc: accepted; a database takes rows one after another.
            sql_writer_kwargs: those of pandas.
        """
        _processes(num_proc)
        options = {
            key: value for key, value in sql_writer_kwargs.items() if key not in ("sql", "con")
        }
        return write_sql(self._exported(), name, con, options, batch_size)


def _processes(num_proc: int | None) -> int | None:
    """Return how many threads turn rows into text."""
    if num_proc is not None and num_proc <= 0:
        raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
    return num_proc
