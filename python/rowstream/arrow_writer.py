"""Arrow files written from rows and batches of Python objects, whose types are found where nobody says them."""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import Any

import pyarrow as pa

from rowstream import config
from rowstream.features.exact import located, wider
from rowstream.features.features import (
    cast_to_python_objects,
    features_of_schema,
    generate_from_arrow_type,
    get_nested_type,
    plain,
    require_storage_embed,
)
from rowstream.features.media import Image
from rowstream.features.raw import FAILED, encoded_at, first_there, raw_array, typed_array
from rowstream.features.types import Features, Json, LargeList, List, Value, dumps, relisted, visit
from rowstream.files import open as open_file
from rowstream.sealed import is_local, marked, seal
from rowstream.table import (
    InMemoryTable,
    MemoryMappedTable,
    array_cast,
    cast_array_to_feature,
    embed_table_storage,
    restored,
    stored,
    stored_schema,
    table_cast,
)

BESIDE = "rowstream.columns"
"""The key of the metadata that says which columns a file has and which lie elsewhere: the names of all, in order."""


class SchemaInferenceError(ValueError):
    """Nothing was written, and nobody said the types."""


def get_arrow_writer_batch_size_from_features(features: Features | None) -> int | None:
    """Rows of a batch for features whose values are large: media and bytes; `None` where there are none."""
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


# ---------------------------------------------------------------------------------------------------------- columns


def _deep_arrays(value: Any) -> bool:
    """Whether a value is a NumPy array, or a list whose first is one."""
    import numpy as np

    while isinstance(value, list) and value:
        value = first_there(value)
    return isinstance(value, np.ndarray)


def mixed_paths(examples: list[Any], allow_root: bool = True) -> list[list[Any]]:
    """Where values are of types that Arrow has no common one for: objects with other fields, objects beside numbers."""
    found: list[list[Any]] = []
    waiting: list[tuple[list[Any], list[Any]]] = [([], [one for one in examples if one is not None])]
    while waiting:
        path, values = waiting.pop(0)
        if not values:
            continue
        if all(isinstance(one, dict) for one in values):
            if (allow_root or path) and (not values[0] or any(one.keys() != values[0].keys() for one in values)):
                found.append(path)
            else:
                names = dict.fromkeys(name for one in values for name in one)
                waiting += [([*path, name], [one[name] for one in values if one.get(name) is not None]) for name in names]
        elif all(isinstance(one, list) for one in values):
            waiting.append(([*path, 0], [item for one in values for item in one if item is not None]))
        elif any(isinstance(one, (dict, list)) for one in values) or len({_family(one) for one in values}) > 1:
            found.append(path)
    return found


def _family(value: Any) -> str:
    """What Arrow takes together: numbers, text, bytes, and everything else by its type."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return next((kind.__name__ for kind in (dt.datetime, dt.timedelta) if isinstance(value, kind)), type(value).__name__)


def with_json(feature: Any, paths: list[list[Any]], path: tuple[Any, ...] = ()) -> Any:
    """A feature with `Json` at some places."""
    if list(path) in paths:
        return Json()
    if isinstance(feature, dict):
        return {name: with_json(one, paths, (*path, name)) for name, one in feature.items()}
    if isinstance(feature, (List, LargeList)):
        return relisted(feature, with_json(feature.feature, paths, (*path, 0)))
    return feature


def media(data: Any) -> tuple[Any, Any]:
    """Objects of media as what is stored of them, and their feature."""
    import sys

    pillow = sys.modules.get("PIL.Image")
    if pillow is None:
        return data, None

    first = first_there(data)
    if isinstance(first, pillow.Image):
        image = Image()
        return [None if one is None else image.encode_example(one) for one in data], image
    if isinstance(first, list) and first and isinstance(first[0], pillow.Image):
        image = Image()
        return [None if one is None else [image.encode_example(item) for item in one] for one in data], List(image)
    return data, None


_INTEGERS = {int, type(None)}
_NARROW = {"attention_mask": "int8", "special_tokens_mask": "int8", "input_ids": "int32", "token_type_ids": "int8"}
"""Columns of tokenizers, whose integers are small."""


def _narrowed(array: Any, name: str | None) -> Any:
    """Integers of tokenizers in fewer bytes, where they fit."""
    if name not in _NARROW:
        return array
    leaf, depth = array.type, 0
    while pa.types.is_list(leaf) and depth < 2:
        leaf, depth = leaf.value_type, depth + 1
    if not pa.types.is_int64(leaf):
        return array
    to = pa.type_for_alias(_NARROW[name])
    for _ in range(depth):
        to = pa.list_(to)
    try:
        return array_cast(array, to)
    except pa.ArrowInvalid:
        return array


def column(
    data: Any, feature: Any = None, try_feature: Any = None, name: str | None = None, on_mixed_types: str | None = None
) -> tuple[Any, Any]:
    """An Arrow array of the values of a column, and its feature.

    Args:
        data: a list, a NumPy array, a pandas or Polars series, or an Arrow array.
        feature: what they have to be.
        try_feature: what they are where that fits; else what they are by themselves.
        name: the column's name: tokenizers' columns are stored in fewer bytes.
        on_mixed_types: `"use_json"`: values that have no common type are stored as JSON.

    Raises:
        TypeError: values do not have the type that they have to have.
        pyarrow.ArrowInvalid: values have no common type.
    """
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        if feature is not None:
            return cast_array_to_feature(data, feature), feature
        return data, generate_from_arrow_type(data.type)
    if type(data).__module__.startswith("polars"):
        return column(data.to_arrow(), feature, try_feature, name, on_mixed_types)
    wanted = feature if feature is not None else try_feature
    if wanted is None:
        data, wanted = media(data)
        feature = wanted
    allowed = {"allow_primitive_to_str": feature is not None, "allow_decimal_to_str": feature is not None}
    if wanted is not None:
        try:
            if (quick := _quick(data, wanted)) is not None:
                return quick, wanted
            made = typed_array(data, wanted, **allowed)
            if feature is not None or not isinstance(first_there(data), str) or _same_text(raw_array(data), made):
                return made, wanted
        except FAILED as error:
            if feature is not None:
                return _again(data, feature, allowed, error), feature
    try:
        array = raw_array(data)
    except FAILED as error:
        if "overflow" in str(error):
            raise OverflowError(f"There was an overflow: reduce writer_batch_size to have batches smaller than 2GB.\n({error})") from None
        try:
            array = raw_array(data, thorough=True)
        except FAILED:
            paths = mixed_paths(cast_to_python_objects(list(data), optimize_list_casting=False)) if on_mixed_types == "use_json" else []
            if not paths:
                raise error from None
            return _jsoned(data, paths)
    if on_mixed_types == "use_json" and _has_struct(array.type) and (paths := mixed_paths(cast_to_python_objects(list(data)))):
        return _jsoned(data, paths)
    if wanted is None:
        array = _narrowed(array, name)
    return array, generate_from_arrow_type(array.type)


def given_column(data: Any, feature: Any, name: str | None = None, before: int = 0) -> Any:
    """An Arrow array of values that have to be of a feature.

    Args:
        data: as `column` takes it.
        feature: what they have to be.
        name: the column's name, for errors.
        before: rows before these, for errors.

    Raises:
        InexactError: a value is not one of the feature.
        TypeError, ValueError, pyarrow.ArrowException: other values that are none; noted with the row.
    """
    try:
        return column(data, feature, None, name)[0]
    except FAILED as error:
        if isinstance(error, OverflowError):
            raise
        raise located(error, name, data, feature, lambda some: column(some, feature), before) from None


def encoded(features: Features, row: Any, number: int) -> dict[str, Any]:
    """A row as Arrow takes it. An error says which row it is."""
    try:
        return features.encode_example(row)
    except (TypeError, ValueError) as error:
        error.add_note(f"row {number}")
        raise


def _same_text(before: Any, after: Any) -> bool:
    """Whether text that was read as numbers or times would be written as it was."""
    if not _is_text(before.type) or _is_text(after.type) or pa.types.is_nested(after.type):
        return True
    return isinstance(after, pa.ExtensionArray) or bool(after.cast(before.type).equals(before))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _quick(data: Any, wanted: Any) -> Any:
    """A column of plain values, in one step; `None` where it takes more."""
    if isinstance(data, list) and isinstance(wanted, Value) and wanted.dtype in ("string", "int64", "float64", "bool"):
        first = first_there(data)
        # Of floats, pyarrow would make integers.
        if type(first) in (str, int, float, bool) and (wanted.dtype != "int64" or {*map(type, data)} <= _INTEGERS):
            try:
                return pa.array(data, wanted.pa_type)
            except FAILED:
                return None
    return None


def _has_struct(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return True
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _has_struct(kind.value_type)


def _jsoned(data: Any, paths: list[list[Any]]) -> tuple[Any, Any]:
    values = cast_to_python_objects(list(data), optimize_list_casting=False)
    for path in paths:
        values = [encoded_at(one, path) for one in values]
    array = pa.array(values)
    feature = with_json(generate_from_arrow_type(array.type), paths)
    return cast_array_to_feature(array, feature), feature


def _again(data: Any, feature: Any, allowed: dict[str, bool], error: Exception) -> Any:
    """A second try, in which each value is looked at."""
    text = str(error)
    if "overflow" in text:
        raise OverflowError(f"There was an overflow: reduce writer_batch_size to have batches smaller than 2GB.\n({error})") from None
    if isinstance(error, pa.ArrowNotImplementedError) or not any(part in text for part in ("Could not convert", "cannot mix", "Expected ")):
        raise error
    return typed_array(data, feature, thorough=True, **allowed)


# ----------------------------------------------------------------------------------------------------------- writers


class ArrowWriter:
    """Writes rows, batches and tables as an Arrow stream.

    Args:
        schema, features: the types, where they are known.
        path: the file; or
        stream: a binary file or pyarrow stream.
        fingerprint: written into the metadata.
        writer_batch_size: rows of a batch of the file.
        disable_nullable: whether columns are declared to have no nulls.
        update_features: whether `features` are only those that columns keep where they fit.
        with_metadata: whether the features are written into the metadata.
        unit: what rows are called.
        on_mixed_types: `"use_json"`: values without a common type are stored as JSON.
        embed_local_files: whether files that columns of media name are put in.

    Example:
        >>> with ArrowWriter(path="rows.arrow") as writer:
        ...     writer.write({"text": "a"})
        ...     writer.finalize()
        (1, 9)
    """

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
        self._features = features if features is not None else features_of_schema(schema) if schema is not None else None
        self._schema: Any = schema if features is None else None
        self._path = path
        self._own = stream is None
        # A file of this machine, which is whole when the writer is done, gets checksums.
        self._sealed = self._own and type(self) is ArrowWriter and is_local(path)
        if stream is None:
            stream = open(path, "wb") if "://" not in os.fspath(path) else open_file(path, "wb", storage_options=storage_options)  # type: ignore[arg-type]  # it is not None
        self.stream = stream
        self.fingerprint, self.disable_nullable, self.update_features = fingerprint, disable_nullable, update_features
        self.on_mixed_types, self.with_metadata, self.unit, self.embed_local_files = on_mixed_types, with_metadata, unit, embed_local_files
        self.writer_batch_size = (
            writer_batch_size or get_arrow_writer_batch_size_from_features(self._features) or config.DEFAULT_MAX_BATCH_SIZE
        )
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
        """Rows that were written, or wait to be."""
        return self._num_examples + len(self.current_examples) + len(self.current_rows)

    def __enter__(self) -> ArrowWriter:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self.close()

    def close(self) -> None:
        """Closes the file; `finalize` writes what waits."""
        if self.pa_writer is not None:
            try:
                self.pa_writer.close()
            except (OSError, pa.ArrowException):
                # What went wrong was raised before.
                self.pa_writer = None
        if self._own and not self.stream.closed:
            self.stream.close()

    @property
    def schema(self) -> Any:
        """The schema, if it is known."""
        made = self._schema if self._schema is not None else None if self._features is None else pa.schema(list(self._features.type))
        if made is not None and self.disable_nullable:
            made = pa.schema([pa.field(of.name, of.type, nullable=False) for of in made])
        return made

    @staticmethod
    def _build_metadata(info: Any, fingerprint: str | None = None) -> dict[str, str]:
        return {"huggingface": json.dumps(_metadata(info.features, fingerprint))}

    def _start(self, seen: Any) -> None:
        """Begins the file, once the schema is known."""
        found = features_of_schema(seen)
        if self._features is None:
            features, schema = found, seen
        elif self.update_features:
            keep = {name: self._features[name] for name in found if name in self._features and self._same(name, found)}
            features, schema = Features({name: keep.get(name, one) for name, one in found.items()}), seen
        else:
            features, schema = self._features, self.schema
        self._begin(features, schema)

    def _begin(self, features: Features, schema: Any) -> None:
        """Begins the file."""
        if self.disable_nullable:
            schema = pa.schema([pa.field(of.name, of.type, nullable=False) for of in schema])
        metadata = {"huggingface": json.dumps(_metadata(features, self.fingerprint))} if self.with_metadata else {}
        if self.columns_beside is not None:
            metadata[BESIDE] = json.dumps(self.columns_beside)
        self._schema, self._features = schema.with_metadata(metadata), features
        self.pa_writer = self._open()

    def _same(self, name: str, found: Features) -> bool:
        return bool(get_nested_type(self._features[name]) == get_nested_type(found[name]))  # type: ignore[index]  # there are features

    def _open(self) -> Any:
        schema = stored_schema(self._schema)
        return pa.RecordBatchStreamWriter(self.stream, marked(schema) if self._sealed else schema)

    def write(self, example: dict[str, Any], writer_batch_size: int | None = None) -> None:
        """Adds a row."""
        self.current_examples.append(example)
        if len(self.current_examples) >= (writer_batch_size or self.writer_batch_size):
            self.write_examples_on_file()

    def write_examples_on_file(self) -> None:
        """Writes the rows that wait."""
        if not self.current_examples:
            return
        examples, self.current_examples = self.current_examples, []
        first, names = examples[0].keys(), examples[0]
        if any(row.keys() != first for row in examples):
            names = dict.fromkeys(name for row in examples for name in row)
        self._write_columns({name: _items([row.get(name) for row in examples]) for name in self._order(names)})

    def write_row(self, row: Any, writer_batch_size: int | None = None) -> None:
        """Adds a row, as a pyarrow table."""
        if len(row) != 1:
            raise ValueError(f"Only single-row pyarrow tables are allowed but got table with {len(row)} rows.")
        self.current_rows.append(row)
        if len(self.current_rows) >= (writer_batch_size or self.writer_batch_size):
            self.write_rows_on_file()

    def write_rows_on_file(self) -> None:
        """Writes the tables of a row that wait."""
        if self.current_rows:
            rows, self.current_rows = self.current_rows, []
            self._write_table(pa.concat_tables(rows))

    def write_batch(
        self, batch_examples: dict[str, Any], writer_batch_size: int | None = None, try_original_type: bool | None = True
    ) -> None:
        """Adds rows, as columns. A batch without rows says no more than its columns."""
        self.write_examples_on_file()
        lengths = {name: len(values) for name, values in batch_examples.items()}
        if 0 in lengths.values():
            if any(lengths.values()):
                raise ValueError(f"the columns of a batch have one length, found {lengths}")
            self._note(batch_examples)
        self._write_columns(batch_examples, writer_batch_size, try_original_type)

    def _note(self, columns: dict[str, Any]) -> None:
        """Notes the columns of a batch without rows."""
        if self.pa_writer is None and self.update_features:
            known: Features = self._features or Features()
            self._without_rows = Features({name: column(columns[name], None, known.get(name), name)[1] for name in self._order(columns)})

    def _order(self, columns: Any) -> list[str]:
        """The names in the order of the schema, then new ones."""
        schema = self.schema
        known = [name for name in schema.names if name in columns] if schema is not None else []
        return [*known, *(name for name in columns if name not in known)]

    def _write_columns(self, columns: dict[str, Any], writer_batch_size: int | None = None, try_original_type: bool | None = True) -> None:
        if columns and len(next(iter(columns.values()))) == 0:
            return
        begun = self.pa_writer is not None
        if begun and self._found:
            columns = self._all(columns)
        known = self._features if begun or not self.update_features else None
        if known is not None:
            arrays = self._fitted({name: columns[name] for name in self._order(columns)}, known)
            features = {name: known[name] for name in arrays}
        else:
            hints = self._features if self._features is not None and try_original_type else {}
            made = {name: column(columns[name], None, hints.get(name), name, self.on_mixed_types) for name in self._order(columns)}
            arrays, features = {name: array for name, (array, _) in made.items()}, {name: of for name, (_, of) in made.items()}
        schema = self.schema if begun else Features(features).arrow_schema
        self.write_table(pa.Table.from_arrays(list(arrays.values()), schema=schema), writer_batch_size)

    def _all(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Columns, and those that only earlier rows have, null here. What earlier rows lack is null in them."""
        known = self._features or Features()
        if new := [name for name in columns if name not in known]:
            if not self._again:
                raise ValueError(f"the first {self._num_examples} rows have not the columns {new}: name them with features=")
            if self.columns_beside is not None:
                self.columns_beside += [name for name in new if name not in self.columns_beside]
            self._widen({name: Value("null") for name in new})
        n = len(next(iter(columns.values()), ()))
        return {**columns, **{name: pa.nulls(n) for name in known if name not in columns}}

    def _fitted(self, columns: dict[str, Any], known: Features) -> dict[str, Any]:
        """Columns with the types that are known. Of those that earlier rows showed, some may get wider for it."""
        if not (self._found and self.pa_writer is not None):
            for name, values in columns.items():
                self._check_null(name, known[name], values)
            return {name: given_column(values, known[name], name, self._num_examples) for name, values in columns.items()}
        made = {name: self._fitting(name, values, known[name]) for name, values in columns.items()}
        if changed := {name: of for name, (_, of) in made.items() if of != known[name]}:
            self._widen(changed)
        return {name: array for name, (array, _) in made.items()}

    def _fitting(self, name: str, values: Any, known: Any) -> tuple[Any, Any]:
        """A column with the type that earlier rows showed, or a wider one that has its values too."""
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
        if to is None and _is_text(get_nested_type(own)) and isinstance(known, Value):
            # Text that says a number is none.
            error = pa.ArrowInvalid(f"earlier rows are {known!r}: set its type with features=")
            raise located(error, name, values, known, lambda some: self._same_kind(some, known), self._num_examples)
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
        return isinstance(self.stream, pa.BufferOutputStream) or (self._own and "://" not in os.fspath(self._path or ""))

    def _widen(self, changed: dict[str, Any]) -> None:
        """Writes the rows so far again, some of their columns with wider types."""
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
                part = part if name in part.column_names else part.append_column(name, pa.nulls(len(part)))
            columns = [given_column(part[name], features[name], name, start) if name in changed else part[name] for name in schema.names]
            self._put(pa.Table.from_arrays(columns, schema=self._schema))

    def _read(self, written: Any) -> Any:
        """What was written: a file of this name, or these bytes."""
        return (MemoryMappedTable.from_file(written) if isinstance(written, str) else InMemoryTable.from_buffer(written)).table

    def _check_null(self, name: str, feature: Any, values: Any) -> None:
        """A column that had only nulls so far cannot have anything else."""
        if not (isinstance(feature, Value) and feature.dtype == "null"):
            return
        there = (
            values.null_count < len(values) if isinstance(values, (pa.Array, pa.ChunkedArray)) else any(one is not None for one in values)
        )
        if there:
            raise TypeError(
                f"Couldn't write column '{name}': its type in this file is null, because the first {self._num_examples} values written for "
                f"it were all None. Set the type of '{name}' with features=, or make sure the first batch written has a value."
            )

    def write_table(self, pa_table: Any, writer_batch_size: int | None = None) -> None:
        """Adds a table."""
        self.write_rows_on_file()
        self._write_table(pa_table, writer_batch_size)

    def _write_table(self, pa_table: Any, writer_batch_size: int | None = None) -> None:
        if self.pa_writer is None:
            self._start(pa_table.schema)
        there = {of.name: of.type for of in self._schema}
        other = [of.name for of in pa_table.schema if there.get(of.name, of.type) != of.type]
        if other and self._features is not None:
            for name, array in self._fitted({name: pa_table[name] for name in other}, self._features).items():
                pa_table = pa_table.set_column(pa_table.column_names.index(name), name, array)
        self._put(table_cast(pa_table, self._schema), writer_batch_size)

    def _put(self, table: Any, writer_batch_size: int | None = None) -> None:
        """Adds a table of the schema."""
        if self.embed_local_files and require_storage_embed(self._features):
            table = embed_table_storage(table, local_files=True, remote_files=False)
        self._num_bytes += table.nbytes
        self._num_examples += table.num_rows
        self.pa_writer.write_table(stored(table.combine_chunks()), writer_batch_size or self.writer_batch_size)

    def finalize(self, close_stream: bool = True) -> tuple[int, int]:
        """Writes what waits, and the end. Gives the rows and the bytes of their columns.

        Raises:
            SchemaInferenceError: there were no rows, and nobody said the types.
        """
        self.write_rows_on_file()
        self.write_examples_on_file()
        if self.pa_writer is None and self._without_rows is not None:
            self._start(self._without_rows.arrow_schema)
        if self.pa_writer is None and self.schema is not None:
            self._start(self.schema)
        if self.pa_writer is None:
            if close_stream:
                self.stream.close()
            raise SchemaInferenceError("Please pass `features` or at least one example when writing data")
        self.pa_writer.close()
        self.pa_writer = None
        if close_stream or self._sealed:
            self.stream.close()
        if self._sealed:
            seal(os.fspath(self._path))  # type: ignore[arg-type]  # it is not None
        return self._num_examples, self._num_bytes


class ParquetWriter(ArrowWriter):
    """Writes rows, batches and tables as a Parquet file; a batch is a row group."""

    def _open(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(self.stream, stored_schema(self._schema))

    def _read(self, written: Any) -> Any:
        from pyarrow import parquet

        return restored(parquet.read_table(written if isinstance(written, str) else pa.BufferReader(written)))


_ARROW = (pa.Array, pa.ChunkedArray)


def _items(values: list[Any]) -> Any:
    """The values of rows, of which some may be Arrow arrays of one. If all are, they stay what they are."""
    arrow = [isinstance(one, _ARROW) for one in values]
    if not any(arrow):
        return values
    if all(arrow):
        try:
            return pa.concat_arrays([one.chunk(0) if isinstance(one, pa.ChunkedArray) else one for one in values])
        except pa.ArrowInvalid:
            pass  # of several types
    return [one.to_pylist()[0] if isinstance(one, _ARROW) else one for one in values]


def _metadata(features: Any, fingerprint: str | None = None) -> dict[str, Any]:
    """What `datasets` writes into the metadata of its files."""
    made: dict[str, Any] = {"info": {"features": plain(features)}}
    if fingerprint is not None:
        made["fingerprint"] = fingerprint
    return made


def with_features(table: Any, features: Features) -> Any:
    """A table whose metadata has these features."""
    features = Features({name: features[name] for name in table.column_names})
    known = table.schema.metadata or {}
    metadata = json.loads(known[b"huggingface"].decode()) if b"huggingface" in known else {}
    metadata.setdefault("info", {})["features"] = plain(features)
    return table.replace_schema_metadata({"huggingface": json.dumps(metadata)})


__all__ = [
    "BESIDE",
    "ArrowWriter",
    "ParquetWriter",
    "SchemaInferenceError",
    "column",
    "dumps",
    "encoded",
    "get_arrow_writer_batch_size_from_features",
    "given_column",
    "with_features",
]
