"""Streams written to files, and made objects of other libraries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream.arrow.empty import empty_table
from rowstream.dataset.iterable.base import StreamBase
from rowstream.features.features import Features, pa_schema
from rowstream.features.nested import requires_decoding
from rowstream.fingerprint.caching import get_temporary_cache_files_directory
from rowstream.fingerprint.transform import generate_random_fingerprint
from rowstream.ops.apply import columns_of
from rowstream.writers.arrange import refuse
from rowstream.writers.exports import (
    ExportedRows,
    dict_of,
    frame_of,
    write_csv,
    write_json,
    write_sql,
)
from rowstream.writers.hub import UploadOptions, uploader
from rowstream.writers.shards import Output
from rowstream.writers.streams import LOOKED_AT, ROWS, common_schema, typed_batches

if TYPE_CHECKING:
    import pyarrow as pa


class StreamExport(StreamBase):
    """What a stream becomes. Each reads it from the start of the epoch, or after a state that was
    loaded.
    """

    _map_style_class: ClassVar[Any]
    """Gives `Dataset`, which stands above this module and is loaded when it is asked for."""

    def _tables(self, batch_size: int | None, schema: Any = None) -> Iterator[Any]:
        """Yield the rows as Arrow tables of one schema: the one that is given, if the types of the
        columns are not known.
        """
        from rowstream.formatting.batches.arrow import columns

        size, features = batch_size or ROWS, self.features
        schema = schema if features is None else pa_schema(features)
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
            schema = common_schema([columns(columns_of(group)).schema for group in first])
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

    def _table(self, batch_size: int | None) -> pa.Table:
        import pyarrow as pa

        tables = list(self._tables(batch_size))
        if tables:
            return pa.concat_tables(tables)
        return self._empty()

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a dict of lists.

        Args:
            batch_size: Rows of a dict, if `batched`; 1000 if `None`.
            batched: Whether to return an iterator of dicts of `batch_size` rows each, which needs
                the memory of one of them.

        Returns:
            A dict of lists, or an iterator of such dicts.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_dict()
            {'a': [1, 2, 3]}
            >>> [*ds.to_dict(batch_size=2, batched=True)]
            [{'a': [1, 2]}, {'a': [3]}]
        """
        if batched:
            return (dict_of(table, self.features) for table in self._batches(batch_size))
        return dict_of(self._table(batch_size), self.features)

    def to_map_style(self) -> Any:
        """Return all rows as a map-style data set.

        They are read once, into an Arrow file of a temporary folder, which is removed when the
        process ends.

        Returns:
            A `Dataset`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_map_style()[-1]
            {'a': 3}
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
        return self._map_style_class().from_file(path)

    def _upload(self, options: UploadOptions) -> Any:
        # Read once, into an Arrow file.
        named = replace(options, split=options.split or self._split)
        return self.to_map_style().push_to_hub(**vars(named))

    push_to_hub = uploader(_upload)

    def to_list(self) -> list[dict[str, Any]]:
        """Return all rows as a list of dicts.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_list()
            [{'a': 1}, {'a': 2}, {'a': 3}]
        """
        return list(self.with_format(None))

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a pandas frame.

        Args:
            batch_size: Rows of a frame, if `batched`; 1000 if `None`.
            batched: Whether to return an iterator of frames of `batch_size` rows each, which needs
                the memory of one of them.

        Returns:
            A `pandas.DataFrame`, or an iterator of them.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_pandas()["a"].tolist()
            [1, 2, 3]
            >>> [len(frame) for frame in ds.to_pandas(batch_size=2, batched=True)]
            [2, 1]
        """
        if batched:
            return (frame_of(table, self.features) for table in self._batches(batch_size))
        return frame_of(self._table(batch_size), self.features)

    def to_polars(
        self,
        batch_size: int | None = None,
        batched: bool = False,
        schema_overrides: dict[str, Any] | None = None,
        rechunk: bool = True,
    ) -> Any:
        """Return all rows as a Polars frame.

        Args:
            batch_size: Rows of a frame, if `batched`; 1000 if `None`.
            batched: Whether to return an iterator of frames of `batch_size` rows each, which needs
                the memory of one of them.
            schema_overrides: Polars types for some of the columns.
            rechunk: Whether the frame is put into one block of memory.

        Returns:
            A `polars.DataFrame`, or an iterator of them.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_polars().columns
            ['a']
        """
        from rowstream.arrow.stored import polars_frame

        options = {"schema_overrides": schema_overrides, "rechunk": rechunk}
        if batched:
            return (polars_frame(table, **options) for table in self._batches(batch_size))
        return polars_frame(self._table(batch_size), **options)

    def to_csv(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_csv_kwargs: Any,
    ) -> int:
        """Write the rows as CSV, whole or not at all.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            batch_size: Rows that are turned into text at once; 1000 if `None`.
            to_csv_kwargs: Options of `pandas.DataFrame.to_csv`; `index` is `False` if not given.

        Returns:
            The bytes written.

        Raises:
            InvalidArgumentError: The folder does not exist, or arguments do not go together.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_csv("rows.csv")
            8
        """
        refuse(
            to_csv_kwargs,
            "IterableDataset.to_csv",
            "to_parquet, to_arrow and to_webdataset have them",
        )
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        with self._exported(output, batch_size) as rows:
            return write_csv(rows, output, path_or_buf, to_csv_kwargs, batch_size)

    def to_json(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_json_kwargs: Any,
    ) -> int:
        """Write the rows as JSON Lines, whole or not at all.

        Args:
            path_or_buf, storage_options, num_shards, max_shard_size: As in `to_parquet`.
            batch_size: Rows that are turned into text at once; 1000 if `None`.
            to_json_kwargs: Options of `pandas.DataFrame.to_json`, such as `orient`, `lines=False`
                (one JSON value) and `compression` (by the name if it is not given).

        Returns:
            The bytes written.

        Raises:
            InvalidArgumentError: The folder does not exist, or arguments do not go together.
            NotImplementedError: One JSON value cannot be written in several batches or files.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_json("rows.jsonl")
            24
        """
        refuse(
            to_json_kwargs,
            "IterableDataset.to_json",
            "to_parquet, to_arrow and to_webdataset have them",
        )
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        with self._exported(output, batch_size) as rows:
            return write_json(rows, output, path_or_buf, to_json_kwargs, batch_size)

    @contextmanager
    def _exported(
        self, output: Output, batch_size: int | None, schema: Any = None
    ) -> Iterator[ExportedRows]:
        """Open the rows for writing: counted, where the number of files asks for it."""
        known = None if output.num_shards is None else self._known_count()
        file = self.to_map_style() if output.num_shards is not None and known is None else None
        try:
            tables = (file or self)._tables(batch_size, *([] if schema is None else [schema]))
            first = next(tables, None)
            empty = self._empty() if schema is None else empty_table(schema)
            yield ExportedRows(
                lambda _: tables if first is None else chain([first], tables),
                empty if first is None else first.slice(0, 0),
                self.features,
                known if file is None else len(file),
                str(self._split or "data"),
            )
        finally:
            for one in [] if file is None else file.cache_files:
                Path(one["filename"]).unlink(missing_ok=True)

    def _empty(self) -> pa.Table:
        return empty_table(pa_schema(self.features or Features()))

    def to_sql(
        self, name: str, con: Any, batch_size: int | None = None, **sql_writer_kwargs: Any
    ) -> int:
        """Write the rows into a table of a database.

        Args:
            name: The table.
            con: A URI, or a connection of SQLAlchemy or sqlite3.
            batch_size: Rows that are written at once; 1000 if `None`.
            sql_writer_kwargs: Options of `pandas.DataFrame.to_sql`; `index` is `False` by default.

        Returns:
            The number of rows written.

        Raises:
            InvalidArgumentError: An integer is larger than databases have.

        Example:
            >>> import sqlite3
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.to_sql("numbers", sqlite3.connect(":memory:"))
            3
        """
        rows = ExportedRows(self._tables, self._empty(), self.features)
        return write_sql(rows, name, con, sql_writer_kwargs, batch_size)
