"""Map-style rows into files and databases."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from rowstream import config
from rowstream.arrow.stored import stored, stored_schema
from rowstream.dataset.map_style.export import MapStyleExport
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.cast import embed_table_storage
from rowstream.features.nested import requires_decoding
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.writers.shards import Output
from rowstream.writers.sinks import ParquetSink, TextSink, parquet_overhead
from rowstream.writers.sql import inserted, signed
from rowstream.writers.target import compressed


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
        schema = stored_schema(self.features.arrow_schema, maps=True)
        options = {
            "write_page_index": True,
            "use_content_defined_chunking": config.DEFAULT_CDC_OPTIONS,
            **parquet_writer_kwargs,
        }
        if options["use_content_defined_chunking"] is True:
            options["use_content_defined_chunking"] = config.DEFAULT_CDC_OPTIONS
        cdc = options["use_content_defined_chunking"]
        notes = {"content_defined_chunking": json.dumps(cdc)} if cdc else None
        # A file is filled in a few steps.
        at_once = (
            rows
            if output.most is None
            else max(1, min(rows, len(self) * output.most // (4 * size)))
        )
        pieces = output.pieces(
            self._stored(at_once),
            schema.empty_table(),
            len(self),
            beside=parquet_overhead(len(schema)),
        )
        return output.write(
            pieces,
            lambda file: ParquetSink(file, options, lambda n, _: n >= rows, notes),
            ".parquet",
            self._called(),
        )

    def _stored(self, rows: int) -> Iterator[Any]:
        """Tables of so many rows, as files have them."""
        schema = self.features.arrow_schema
        for start in range(0, len(self), rows):
            table = self._query(slice(start, start + rows))
            if requires_decoding(self.features, ignore_decode_attribute=True):
                table = embed_table_storage(table, local_files=True, remote_files=False)
            yield stored(table.replace_schema_metadata(schema.metadata), maps=True)

    def _called(self) -> str:
        """Return what files of the rows are called."""
        return str(self.split or "data")

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
        from rowstream.arrow.pandas import csv_bytes

        options = {"index": False, **to_csv_kwargs}
        header = options.pop("header", True)

        def text(table: Any, header: Any = False) -> bytes:
            return csv_bytes(self._frame(table, exact=True), header=header, **options)

        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._texts(
            output,
            ".csv",
            batch_size,
            num_proc,
            text,
            text(self.features.arrow_schema.empty_table(), header),
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
        """Write the rows as JSON Lines, whole or not at all. Gives the bytes written. Other
        arguments as `pandas.DataFrame.to_json` has them: `orient=`, `lines=`, `compression=` and
        the like; `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        options = dict(to_json_kwargs)
        orient = options.pop("orient", "records")
        lines = options.pop("lines", orient == "records")
        if "index" in options and orient not in ("split", "table"):
            index = options.pop("index")
            if index:
                raise InvalidArgumentError(
                    "'index=True' is only valid when 'orient' is 'split', 'table', 'index', or"
                    " 'columns'."
                )
        if orient in ("split", "table"):
            options.setdefault("index", False)
        compression = options.pop(
            "compression", "infer" if isinstance(path_or_buf, (str, os.PathLike)) else None
        )
        if not lines and (
            (batch_size is not None and batch_size < len(self)) or output.most is not None
        ):
            raise NotImplementedError(
                "Output JSON in several batches is not implemented for lines=False: leave"
                " batch_size and max_shard_size out."
            )
        options.setdefault("force_ascii", False)

        def text(table: Any) -> bytes:
            made = str(
                self._frame(table, exact=True).to_json(None, orient=orient, lines=lines, **options)
            )
            return (made if made.endswith("\n") or not lines else made + "\n").encode()

        rows = batch_size if lines else max(1, len(self))
        return self._texts(
            output,
            ".jsonl" if lines else ".json",
            rows,
            num_proc,
            text,
            packed=compressed(path_or_buf, compression),
        )

    def _texts(
        self,
        output: Output,
        ending: str,
        batch_size: int | None,
        num_proc: int | None,
        text: Callable[[Any], bytes],
        head: bytes = b"",
        packed: Any = None,
    ) -> int:
        if num_proc is not None and num_proc <= 0:
            raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
        # pandas and pyarrow do most of their work without the interpreter's lock.
        empty = self.features.arrow_schema.empty_table()
        pieces = output.pieces(
            self._tables(batch_size), empty, len(self), text, len, len(head), num_proc
        )
        return output.write(
            pieces, lambda file: TextSink(file, head, packed), ending, self._called()
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
        if num_proc is not None and num_proc <= 0:
            raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
        options = {
            key: value for key, value in sql_writer_kwargs.items() if key not in ("sql", "con")
        }
        return inserted(
            (self._frame(signed(table), exact=True) for table in self._tables(batch_size)),
            name,
            con,
            options,
        )
