"""Streams written to files, and made objects of other libraries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import UnsupportedError
from rowstream.features.convert import generate_from_arrow_type
from rowstream.features.features import Features, pa_schema
from rowstream.features.nested import requires_decoding
from rowstream.fingerprint.caching import get_temporary_cache_files_directory
from rowstream.fingerprint.transform import generate_random_fingerprint
from rowstream.ops.apply import columns_of
from rowstream.writers.hub import UploadOptions, uploader
from rowstream.writers.shards import Output
from rowstream.writers.sinks import ParquetSink, TextSink, parquet_overhead
from rowstream.writers.sql import inserted, signed
from rowstream.writers.streams import LOOKED_AT, ROW_GROUP, ROWS, typed_batches


class StreamExport(StreamBase):
    """What a stream becomes. Each reads it from the start of the epoch, or after a state that was
    loaded.
    """

    map_style_class: ClassVar[Any]
    """Gives `Dataset`, which stands above this module and is loaded when it is asked for."""

    def _tables(self, batch_size: int | None) -> Iterator[Any]:
        """Yield the rows as Arrow tables of one schema."""
        import pyarrow as pa

        from rowstream.formatting.batches.arrow import columns

        size, features = batch_size or ROWS, self.features
        schema = None if features is None else pa_schema(features)
        if self._plan.direct:
            yield from (table.cast(schema) for table in self.with_format("arrow").iter(size))
            return
        # What is stored, not what it decodes to.
        stored: Any = self.with_format(None)._with(_decoding=None)
        rows = iter(
            stored
            if features is None or not requires_decoding(features, True)
            else map(features.encode_example, stored)
        )
        first: list[list[dict[str, Any]]] = []
        while schema is None and len(first) < LOOKED_AT and (group := list(islice(rows, size))):
            first.append(group)
        if schema is None:
            seen = [columns(columns_of(group)).schema for group in first]
            schema = pa.unify_schemas(seen, promote_options="permissive") if seen else pa.schema([])
        yield from (typed_batches(group, schema) for group in first)
        while group := list(islice(rows, size)):
            yield typed_batches(group, schema)

    def _batches(self, batch_size: int | None) -> Iterator[Any]:
        """Yield the rows as Arrow tables, each as soon as its rows are read: without known types,
        each has its own.
        """
        if self.features is not None:
            yield from self._tables(batch_size)
            return
        from rowstream.formatting.batches.arrow import columns

        rows = iter(self.with_format(None)._with(_decoding=None))
        while group := list(islice(rows, batch_size or ROWS)):
            yield columns(columns_of(group))

    def _table(self, batch_size: int | None) -> Any:
        import pyarrow as pa

        tables = list(self._tables(batch_size))
        if tables:
            return pa.concat_tables(tables)
        return pa_schema(self.features or Features()).empty_table()

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a dict of lists; one for each `batch_size` rows if `batched`."""
        if batched:
            return (table.to_pydict() for table in self._batches(batch_size))
        return self._table(batch_size).to_pydict()

    def to_map_style(self) -> Any:
        """Return all rows as a map-style data set, in a file of a folder that goes with the
        process.
        """
        path = os.path.join(
            get_temporary_cache_files_directory(), f"stream-{generate_random_fingerprint()}.arrow"
        )
        import pyarrow as pa

        from rowstream.arrow.sealed import marked, seal

        tables = self._tables(10_000)
        first = next(tables, None)
        if first is None:
            first = self._table(None)
        # Names of labels, and what media are, are kept in the schema.
        schema = (
            first.schema
            if self.features is None
            else first.schema.with_metadata(self.features.arrow_schema.metadata)
        )
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, marked(schema)) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
        seal(path)
        return self.map_style_class().from_file(path)

    def _upload(self, options: UploadOptions) -> Any:
        # Read once, into an Arrow file.
        named = replace(options, split=options.split or self._split)
        return self.to_map_style().push_to_hub(**vars(named))

    push_to_hub = uploader(_upload)

    def to_list(self) -> list[dict[str, Any]]:
        """Return all rows as dicts."""
        return list(self.with_format(None))

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a pandas frame; one for each `batch_size` rows if `batched`."""
        if batched:
            return (table.to_pandas() for table in self._batches(batch_size))
        return self._table(batch_size).to_pandas()

    def to_polars(
        self,
        batch_size: int | None = None,
        batched: bool = False,
        schema_overrides: dict[str, Any] | None = None,
        rechunk: bool = True,
    ) -> Any:
        """Return all rows as a Polars frame; one for each `batch_size` rows if `batched`."""
        from rowstream.arrow.stored import polars_frame

        options = {"schema_overrides": schema_overrides, "rechunk": rechunk}
        if batched:
            return (polars_frame(table, **options) for table in self._batches(batch_size))
        return polars_frame(self._table(batch_size), **options)

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
            path_or_buf: the file's name, or a binary file. Of several files:
                `"folder/name.parquet"` stands for `name-00000-of-00003.parquet` and so on, in the
                place of whatever it stood for before; a name without an ending is a folder.
            batch_size: rows of a row group; of about 64 MiB if it is not given.
            storage_options: for remote files, which are not written yet.
            num_shards: so many files, in the order of the stream. Where only reading tells how many
                rows there are, they are read once, into a file of a temporary folder.
            max_shard_size: files of at most so many bytes (`"500MB"`), by what Arrow needs for
                their rows.
            parquet_writer_kwargs: as `pyarrow.parquet.ParquetWriter` has them.
        """
        output = self._output(path_or_buf, storage_options, num_shards, max_shard_size)
        with self._rows_for(output, batch_size) as (tables, rows, empty):
            pieces = output.pieces(tables, empty, rows, beside=parquet_overhead(len(empty.schema)))
            full = 0 if batch_size is not None else ROW_GROUP
            notes = _notes(self.features, empty.schema)
            return output.write(
                pieces,
                lambda file: ParquetSink(
                    file, parquet_writer_kwargs, lambda _, size: size >= full, notes
                ),
                ".parquet",
                self._called(),
            )

    def to_csv(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_csv_kwargs: Any,
    ) -> int:
        """Write the rows as CSV, whole or not at all. Gives the bytes written. Other arguments as
        `pandas.DataFrame.to_csv` has them; `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        from rowstream.arrow.pandas import csv_bytes, exact_frame

        options = {"index": False, **to_csv_kwargs}
        header = options.pop("header", True)

        def text(table: Any, header: Any = False) -> bytes:
            return csv_bytes(exact_frame(table), header=header, **options)

        output = self._output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._texts(output, ".csv", batch_size, text, lambda table: text(table, header))

    def to_json(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_json_kwargs: Any,
    ) -> int:
        """Write the rows as JSON Lines, whole or not at all. Gives the bytes written. Other
        arguments as those of pandas; `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        from rowstream.arrow.pandas import exact_frame

        options = {"orient": "records", "lines": True, "force_ascii": False, **to_json_kwargs}
        if options["orient"] != "records" or not options["lines"]:
            raise UnsupportedError(
                "to_json writes lines, an object each; to_pandas().to_json() writes all else"
            )
        output = self._output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._texts(
            output,
            ".jsonl",
            batch_size,
            lambda table: _ended(exact_frame(table).to_json(**options)).encode(),
        )

    @staticmethod
    def _output(
        path_or_buf: Any,
        storage_options: Any,
        num_shards: int | None,
        max_shard_size: str | int | None,
    ) -> Output:
        if storage_options:
            raise UnsupportedError(
                "files are written on this machine: storage_options is for remote ones, which come"
                " with a later release"
            )
        return Output(path_or_buf, None, num_shards, max_shard_size)

    def _called(self) -> str:
        """Return what files of the rows are called."""
        return str(self._split or "data")

    @contextmanager
    def _rows_for(
        self, output: Output, batch_size: int | None
    ) -> Iterator[tuple[Iterator[Any], int | None, Any]]:
        """Return the rows; how many they are if that has to be known; and a table without rows."""
        known = None if output.num_shards is None else self._told()
        held = self.to_map_style() if output.num_shards is not None and known is None else None
        try:
            tables = self._tables(batch_size) if held is None else held._tables(batch_size)
            first = next(tables, None)
            if first is None:
                yield iter(()), 0, pa_schema(self.features or Features()).empty_table()
            else:
                yield (
                    chain([first], tables),
                    known if held is None else len(held),
                    first.slice(0, 0),
                )
        finally:
            for one in [] if held is None else held.cache_files:
                Path(one["filename"]).unlink(missing_ok=True)

    def to_sql(
        self, name: str, con: Any, batch_size: int | None = None, **sql_writer_kwargs: Any
    ) -> int:
        """Write the rows into a table of a database. Gives how many. Other arguments as
        `pandas.DataFrame.to_sql` has them.

        Args:
            name: the table.
            con: a URI, or a connection of SQLAlchemy or sqlite3.
            batch_size: rows that are written at once.
            sql_writer_kwargs: those of pandas.
        """
        from rowstream.arrow.pandas import exact_frame

        return inserted(
            (exact_frame(signed(table)) for table in self._tables(batch_size)),
            name,
            con,
            sql_writer_kwargs,
        )

    def _texts(
        self,
        output: Output,
        ending: str,
        batch_size: int | None,
        text: Callable[[Any], bytes],
        head: Callable[[Any], bytes] | None = None,
    ) -> int:
        with self._rows_for(output, batch_size) as (tables, rows, empty):
            top = b"" if head is None else head(empty)
            pieces = output.pieces(tables, empty, rows, text, len, len(top))
            return output.write(pieces, lambda file: TextSink(file, top), ending, self._called())


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


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
