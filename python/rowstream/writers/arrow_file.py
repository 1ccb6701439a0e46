"""An Arrow file that is written, whose columns may turn out to be of wider types."""

from __future__ import annotations

import json
import os
from typing import Any, Self

import pyarrow as pa

from rowstream import config
from rowstream.arrow.exact import FAILED, located
from rowstream.arrow.sealed import is_local, marked
from rowstream.arrow.stored import stored, stored_schema
from rowstream.features.cast import cast_array_to_feature, embed_table_storage
from rowstream.features.convert import (
    generate_from_arrow_type,
    get_nested_type,
    require_storage_embed,
)
from rowstream.features.features import Features
from rowstream.features.nested import visit
from rowstream.features.scalar import Value
from rowstream.features.widen import wider
from rowstream.table.table import InMemoryTable, MemoryMappedTable
from rowstream.writers.features import schema_metadata
from rowstream.writers.infer import column, given_column, is_text
from rowstream.writers.target import open_path

BESIDE = "rowstream.columns"
"""The key of the metadata that says which columns a file has and which lie elsewhere: the names of
all, in order.
"""


def get_arrow_writer_batch_size_from_features(features: Features | None) -> int | None:
    """Return the number of rows of a batch where features have large values: media and bytes."""
    sizes: list[int] = []

    def look(feature: Any) -> None:
        kind = type(feature).__name__
        if kind in ("Image", "Audio", "Video"):
            size = getattr(config, f"ARROW_RECORD_BATCH_SIZE_FOR_{kind.upper()}_DATASETS")
        elif isinstance(feature, Value) and feature.dtype == "binary":
            size = config.ARROW_RECORD_BATCH_SIZE_FOR_BINARY_DATASETS
        else:
            return
        if size is not None:
            sizes.append(size)

    if features:
        visit(features, look)
    return min(sizes, default=None)


class ArrowFile:
    """A file, its schema, and its rows: written again where the type of a column gets wider."""

    def __init__(
        self,
        schema: Any = None,
        features: Features | None = None,
        path: str | None = None,
        stream: Any = None,
        fingerprint: str | None = None,
        writer_batch_size: int | None = None,
        disable_nullable: bool = False,
        update_features: bool = False,
        on_mixed_types: str | None = None,
        with_metadata: bool = True,
        unit: str = "examples",
        embed_local_files: bool = False,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        if path is None and stream is None:
            raise ValueError("At least one of path and stream must be provided.")
        self._features = (
            features
            if features is not None
            else Features.from_arrow_schema(schema)
            if schema is not None
            else None
        )
        self._schema: Any = schema if features is None else None
        self._path = path
        self._own = stream is None
        # A file of this machine, which is whole when the writer is done, gets checksums.
        self._sealed = self._own and type(self)._open is ArrowFile._open and is_local(path)
        if stream is None:
            stream = open_path(os.fspath(path or ""), "wb", storage_options)
        self.stream = stream
        self.fingerprint, self.disable_nullable, self.update_features = (
            fingerprint,
            disable_nullable,
            update_features,
        )
        self.on_mixed_types, self.with_metadata, self.unit, self.embed_local_files = (
            on_mixed_types,
            with_metadata,
            unit,
            embed_local_files,
        )
        self.writer_batch_size = (
            writer_batch_size
            or get_arrow_writer_batch_size_from_features(self._features)
            or config.DEFAULT_MAX_BATCH_SIZE
        )
        # Whether `stream` may become another, which has what was written so far: not where whoever
        # gave it looks at it afterwards.
        self.stream_may_change = False
        self.pa_writer: Any = None
        # Where the file has only some of the columns: the order of all.
        self.columns_beside: list[str] | None = None
        # Whether types are those that rows showed: they get wider with later rows.
        self._found = self._features is None or update_features
        self._num_examples = self._num_bytes = 0
        self.current_examples: list[dict[str, Any]] = []
        self.current_rows: list[Any] = []
        # The types of columns that came without rows, for a file that gets no others.
        self._without_rows: Features | None = None

    def __len__(self) -> int:
        """Return the number of rows, written or buffered."""
        return self._num_examples + len(self.current_examples) + len(self.current_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; `finalize` writes what waits."""
        if self.pa_writer is not None:
            try:
                self.pa_writer.close()
            except (OSError, pa.ArrowException):
                # What went wrong was raised before.
                self.pa_writer = None
        if self._own and not self.stream.closed:
            self.stream.close()

    @property
    def schema(self) -> pa.Schema:
        """The schema, if it is known."""
        result = (
            self._schema
            if self._schema is not None
            else None
            if self._features is None
            else pa.schema(list(self._features.type))
        )
        if result is not None and self.disable_nullable:
            result = pa.schema([pa.field(of.name, of.type, nullable=False) for of in result])
        return result

    @staticmethod
    def _build_metadata(info: Any, fingerprint: str | None = None) -> dict[str, str]:
        return {"huggingface": json.dumps(schema_metadata(info.features, fingerprint))}

    def _start(self, seen: Any) -> None:
        """Begin the file, once the schema is known."""
        found = Features.from_arrow_schema(seen)
        if self._features is None:
            features, schema = found, seen
        elif self.update_features:
            keep = {
                name: self._features[name]
                for name in found
                if name in self._features and self._same(name, found)
            }
            features, schema = (
                Features({name: keep.get(name, one) for name, one in found.items()}),
                seen,
            )
        else:
            features, schema = self._features, self.schema
        self._begin(features, schema)

    def _begin(self, features: Features, schema: Any) -> None:
        """Write the schema, as the first part of the file."""
        if self.disable_nullable:
            schema = pa.schema([pa.field(of.name, of.type, nullable=False) for of in schema])
        metadata = (
            {"huggingface": json.dumps(schema_metadata(features, self.fingerprint))}
            if self.with_metadata
            else {}
        )
        if self.columns_beside is not None:
            metadata[BESIDE] = json.dumps(self.columns_beside)
        self._schema, self._features = schema.with_metadata(metadata), features
        self.pa_writer = self._open()

    def _same(self, name: str, found: Features) -> bool:
        return bool(get_nested_type(self._features[name]) == get_nested_type(found[name]))  # type: ignore[index]  # there are features

    def _open(self) -> Any:
        schema = stored_schema(self._schema)
        return pa.RecordBatchStreamWriter(self.stream, marked(schema) if self._sealed else schema)

    def _all(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Columns, and those that only earlier rows have, null here. What earlier rows lack is null
        in them.
        """
        known = self._features or Features()
        if new := [name for name in columns if name not in known]:
            if not self._again:
                raise ValueError(
                    f"the first {self._num_examples} rows have not the columns {new}: name them"
                    " with features="
                )
            if self.columns_beside is not None:
                self.columns_beside += [name for name in new if name not in self.columns_beside]
            self._widen({name: Value("null") for name in new})
        n = len(next(iter(columns.values()), ()))
        return {**columns, **{name: pa.nulls(n) for name in known if name not in columns}}

    def _fitted(self, columns: dict[str, Any], known: Features) -> dict[str, Any]:
        """Columns with the types that are known. Of those that earlier rows showed, some may get
        wider for it.
        """
        if not (self._found and self.pa_writer is not None):
            for name, values in columns.items():
                self._check_null(name, known[name], values)
            return {
                name: given_column(values, known[name], name, self._num_examples)
                for name, values in columns.items()
            }
        result = {
            name: self._fitting(name, values, known[name]) for name, values in columns.items()
        }
        if changed := {name: of for name, (_, of) in result.items() if of != known[name]}:
            self._widen(changed)
        return {name: array for name, (array, _) in result.items()}

    def _fitting(self, name: str, values: Any, known: Any) -> tuple[Any, Any]:
        """Return a column with the type that earlier rows showed, or a wider one that has its
        values too.
        """
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            try:
                return cast_array_to_feature(values, known), known
            except FAILED:
                own = generate_from_arrow_type(values.type)
        else:
            array, own = column(values, None, known, name, self.on_mixed_types)
            if own == known:
                return array, known
        to = wider(known, own) if self._again else known
        if to is None and is_text(get_nested_type(own)) and isinstance(known, Value):
            # Text that says a number is none.
            error = pa.ArrowInvalid(f"earlier rows are {known!r}: set its type with features=")
            raise located(
                error,
                name,
                values,
                known,
                lambda some: self._same_kind(some, known),
                self._num_examples,
            )
        to = known if to is None else to
        self._check_null(name, to, values)
        return given_column(values, to, name, self._num_examples), to

    @staticmethod
    def _same_kind(values: Any, known: Any) -> None:
        if column(values, None, known)[1] != known:
            raise TypeError(known)

    @property
    def _again(self) -> bool:
        """Whether what was written can be written again."""
        return (self.stream_may_change and isinstance(self.stream, pa.BufferOutputStream)) or (
            self._own and "://" not in os.fspath(self._path or "")
        )

    def _widen(self, changed: dict[str, Any]) -> None:
        """Write the rows so far again, some of their columns with wider types."""
        features = Features({**(self._features or {}), **changed})
        self.pa_writer.close()
        self._num_examples = self._num_bytes = 0
        if isinstance(self.stream, pa.BufferOutputStream):
            written, self.stream = self.stream.getvalue(), pa.BufferOutputStream()
            self._write_again(self._read(written), changed, features)
            return
        path = os.fspath(self._path or "")
        narrow = f"{path}.narrow"
        self.stream.close()
        os.replace(path, narrow)
        try:
            self.stream = open(path, "wb")
            self._write_again(self._read(narrow), changed, features)
        finally:
            os.remove(narrow)

    def _write_again(self, before: Any, changed: dict[str, Any], features: Features) -> None:
        schema = self._schema
        for name, of in changed.items():
            at, field = schema.get_field_index(name), pa.field(name, get_nested_type(of))
            schema = schema.append(field) if at < 0 else schema.set(at, field)
        self._begin(features, schema)
        for start in range(0, before.num_rows, self.writer_batch_size):
            part = before.slice(start, self.writer_batch_size)
            for name in schema.names:
                part = (
                    part
                    if name in part.column_names
                    else part.append_column(name, pa.nulls(len(part)))
                )
            columns = [
                (
                    given_column(part[name], features[name], name, start)
                    if name in changed
                    else part[name]
                )
                for name in schema.names
            ]
            self._put(pa.Table.from_arrays(columns, schema=self._schema))

    def _read(self, written: Any) -> pa.Table:
        """Return the table of what was written: a file by its path, or bytes in memory."""
        return (
            MemoryMappedTable.from_file(written)
            if isinstance(written, str)
            else InMemoryTable.from_buffer(written)
        ).table

    def _check_null(self, name: str, feature: Any, values: Any) -> None:
        """Refuse anything else in a column that had only nulls so far."""
        if not (isinstance(feature, Value) and feature.dtype == "null"):
            return
        there = (
            values.null_count < len(values)
            if isinstance(values, (pa.Array, pa.ChunkedArray))
            else any(one is not None for one in values)
        )
        if there:
            raise TypeError(
                f"Couldn't write column '{name}': its type in this file is null, because the first"
                f" {self._num_examples} values written for it were all None. Set the type of"
                f" '{name}' with features=, or make sure the first batch written has a value."
            )

    def _put(self, table: Any, writer_batch_size: int | None = None) -> None:
        """Add a table of the schema."""
        if self.embed_local_files and require_storage_embed(self._features):
            table = embed_table_storage(table, local_files=True, remote_files=False)
        self._num_bytes += table.nbytes
        self._num_examples += table.num_rows
        self.pa_writer.write_table(
            stored(table.combine_chunks()), writer_batch_size or self.writer_batch_size
        )
