"""Arrow tables that know the files they are mapped from, and casts of what pyarrow does not cast by itself."""

from __future__ import annotations

import json
import os
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream import _core
from rowstream.exceptions import FileFormatError, UnsupportedError
from rowstream.features.checks import check_labels, check_shapes, check_table
from rowstream.features.extension import NAMES, ArrayType, array_shape, array_type
from rowstream.features.features import generate_from_arrow_type, get_nested_type, require_storage_embed
from rowstream.features.maps import entries_of, has_entries, is_view, list_of_view, map_of, offsets_of, without_hidden
from rowstream.features.types import Features, LargeList, List, Pairs, dumps
from rowstream.sealed import check_end, content, unmarked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# ------------------------------------------------------------------------------------------------------------ tables

_REPLAYED = ("slice", "select", "rename_columns", "cast", "drop", "replace_schema_metadata", "flatten", "set_column")


_WITHOUT_ROWS = frozenset(("column_names", "field", "nbytes", "num_columns", "num_rows", "schema", "shape"))
"""What a pyarrow table says without looking at its rows."""
_UNKNOWN = object()


class Table:
    """A pyarrow table, and the files that it is mapped from.

    Everything that a pyarrow table has, it has; what gives a table gives one that still knows its files. It is pickled as the
    names of its files and what was done with them, where it is mapped; by its content where it is in memory.

    Attributes:
        table: the pyarrow table.
        files: the files that it is mapped from, in order.
    """

    _checks: Any = _UNKNOWN

    def __init__(
        self,
        table: Any,
        files: Sequence[str] = (),
        replays: tuple[Any, ...] = (),
        parts: tuple[Any, ...] | None = None,
        home: str | None = None,
    ) -> None:
        self.table, self.files, self.replays = table, tuple(files), replays
        # What pickling says: how the parts are made that this was concatenated of.
        self._parts = parts
        self._home = home

    @property
    def home(self) -> str | None:
        """The folder for what is made of it: that of its files, or another that was named; `None` if it has no files."""
        return (self._home or os.path.dirname(self.files[0])) if self.files else None

    def at_home(self, place: str) -> Table:
        """The same with another folder for what is made of it."""
        return Table(self.table, self.files, self.replays, self._parts, place)

    def check(self, rows: Any = None, column: str | None = None) -> None:
        """Check what rows are made of, where it lies in a file with checksums and was not looked at before.

        Args:
            rows: a range, or an array of numbers; all rows if `None`.
            column: only that column.

        Raises:
            FileFormatError: it is not what was written.
        """
        # Another thread may be done with them meanwhile.
        checks = self._checks
        if checks is _UNKNOWN:
            checks = self._checks = _core.Checks.of(self.table) if _core.sealed_files() else None
        if checks is None:
            return
        at = None if column is None else self.table.schema.get_field_index(column)
        rows = range(self.table.num_rows) if rows is None else rows
        if isinstance(rows, range) and rows.step == 1:
            done = checks.run(rows.start, rows.stop, at)
        else:
            done = checks.rows(np.ascontiguousarray(rows, dtype=np.int64).tobytes(), at)
        if done:
            self._checks = None

    @property
    def where(self) -> str:
        """Where the rows are, for people."""
        return f"of {', '.join(self.files)}" if self.files else "in memory"

    def __getattr__(self, name: str) -> Any:
        """What the pyarrow table has."""
        if name.startswith("__") or name == "table":
            raise AttributeError(name)
        if name in _REPLAYED:
            return partial(self._replayed, name)
        if name not in _WITHOUT_ROWS:
            self.check()
        return getattr(self.table, name)

    def _replayed(self, name: str, *args: Any, **kwargs: Any) -> Table:
        if name == "cast":
            # What is converted is no longer where it can be checked.
            types = args[0] if args else kwargs["target_schema"]
            for of in self.table.schema:
                if types.get_field_index(of.name) < 0 or types.field(of.name).type != of.type:
                    self.check(column=of.name)
        made = table_cast(self.table, *args, **kwargs) if name == "cast" else getattr(self.table, name)(*args, **kwargs)
        return Table(made, self.files, (*self.replays, (name, args, kwargs)), self._parts, self._home)

    def __len__(self) -> int:
        """Rows."""
        return int(self.table.num_rows)

    def __eq__(self, other: object) -> bool:
        """Whether the content is the same."""
        return bool(self.table == (other.table if isinstance(other, Table) else other))

    __hash__ = object.__hash__

    def __getitem__(self, i: Any) -> Any:
        """A column."""
        self.check()
        return self.table[i]

    def __repr__(self) -> str:
        """That of pyarrow."""
        return f"{type(self).__name__}\n{self.table!r}"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows, as an Arrow stream."""
        self.check()
        return self.table.__arrow_c_stream__(requested_schema)

    def __deepcopy__(self, memo: Any) -> Table:
        """The same: tables are not changed."""
        return self

    def __reduce__(self) -> Any:
        """Files and what was done with them, or the content."""
        if self._parts is not None:
            return _again, (self._parts, self.replays, self._home)
        if self.files:
            return _again, ((("file", self.files[0]),), self.replays, self._home)
        table = self.table
        # A slice would bring along all that it is a slice of.
        return _unpickled, (_written(table),)


def _written(table: Any) -> Any:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, stored(table).schema) as writer:
        writer.write_table(stored(table))
    return sink.getvalue().to_pybytes()


def _unpickled(content: bytes) -> Table:
    return Table(restored(pa.ipc.open_stream(content).read_all()))


def _again(parts: tuple[Any, ...], replays: tuple[Any, ...], home: str | None = None) -> Table:
    made = [MemoryMappedTable.from_file(of) if kind == "file" else of for kind, of in parts]
    beside = any(kind == "beside" for kind, _ in parts)
    table = made[0] if len(made) == 1 else concat_tables(made, axis=int(beside))
    for name, args, kwargs in replays:
        table = table._replayed(name, *args, **kwargs)
    return table if home is None else table.at_home(home)


class InMemoryTable(Table):
    """A table in memory."""

    @classmethod
    def from_file(cls, filename: str) -> Table:
        """The rows of an Arrow stream or file, read."""
        path = os.path.expanduser(os.fspath(filename))
        return Table(restored(_read(pa.OSFile(path), os.fspath(filename), whole=True)))

    @classmethod
    def from_buffer(cls, buffer: Any) -> Table:
        """The rows of an Arrow stream in memory."""
        content(made := pa.py_buffer(buffer), "what is in memory", whole=True)
        return Table(restored(unmarked(_reader(pa.BufferReader(made)))))

    @classmethod
    def from_pydict(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_pydict(*args, **kwargs))

    @classmethod
    def from_pandas(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_pandas(*args, **kwargs))

    @classmethod
    def from_arrays(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_arrays(*args, **kwargs))

    @classmethod
    def from_batches(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_batches(*args, **kwargs))


class MemoryMappedTable(Table):
    """A table that is mapped from a file."""

    @classmethod
    def from_file(cls, filename: str, replays: Any = None) -> Table:
        """The rows of an Arrow stream or file, mapped: read when they are looked at."""
        path = os.path.abspath(os.path.expanduser(os.fspath(filename)))
        return Table(restored(_read(pa.memory_map(path), path)), (path,))


class ConcatenationTable(Table):
    """Tables together."""

    @classmethod
    def from_tables(cls, tables: Iterable[Any], axis: int = 0) -> Table:
        """Tables together."""
        return concat_tables(list(tables), axis)


def open_arrow(source: Any) -> Any:
    """A reader of an Arrow stream or file, in whichever of the two formats it is.

    Raises:
        pyarrow.ArrowInvalid: it is none.
    """
    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid as error:
        if hasattr(source, "seek"):
            source.seek(0)
        try:
            return pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            raise error from None


def _read(source: Any, path: str, whole: bool = False) -> Any:
    """The table of a file, whose checksums are checked where it has some: as its rows are looked at, or all now."""
    with source:
        buffer, sealed = content(source.read_buffer(), path, whole)
    table = _reader(pa.BufferReader(buffer), path)
    if not sealed:
        check_end(table.schema, buffer, path)
    return unmarked(table)


def _reader(source: Any, name: str = "what is in memory") -> Any:
    """The table of an Arrow stream or file.

    Raises:
        FileFormatError: it is none, or is damaged.
        UnsupportedError: a column has types that rows cannot have, some of which pyarrow crashes on.
    """
    try:
        reader = open_arrow(source)
        for field in reader.schema:
            if strange := _strange(field.type):
                raise UnsupportedError(f"{name}: the column {field.name!r} has the type {strange}, which rows cannot have")
        return reader.read_all()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FileFormatError(f"{name}: not an Arrow file or stream, or a damaged one: {error}") from error


def _strange(kind: Any) -> Any:
    """A type in a type that rows cannot have."""
    if pa.types.is_union(kind):
        return kind
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _strange(kind.value_type)
    return next((found for i in range(kind.num_fields) if (found := _strange(kind.field(i).type))), None)


def as_table(table: Any) -> Table:
    """A table of any kind as one of ours.

    Raises:
        TypeError: it is none.
    """
    if isinstance(table, Table):
        return table
    if isinstance(table, pa.Table):
        return Table(table)
    raise TypeError(f"Expected a pyarrow.Table or a rowstream.table.Table object, but got {table!r}.")


def concat_tables(tables: Sequence[Any], axis: int = 0) -> Table:
    """Tables one after another, or side by side if `axis` is 1. A column that one lacks is null there."""
    made = [as_table(table) for table in tables]
    if len(made) == 1:
        return made[0]
    # The files are known once the tables are there.
    plain = [table.table for table in made]
    files = [file for table in made for file in table.files]
    home = next((table.home for table in made if table.files), None)
    # In memory, the content is what is pickled.
    parts = tuple(("beside" if axis == 1 else "table", table) for table in made) if files else None
    if axis == 1:
        columns = [(field, column) for table in plain for field, column in zip(table.schema, table.columns, strict=True)]
        whole = pa.Table.from_arrays([column for _, column in columns], schema=pa.schema([field for field, _ in columns]))
        return Table(whole.replace_schema_metadata(plain[0].schema.metadata), files, (), parts, home)
    whole = pa.concat_tables(plain, promote_options="default")
    return Table(whole, files, (), parts, home)


# ----------------------------------------------------------------------------------------------- arrays of dimensions


def _mapped_type(kind: Any, field: Any) -> Any:
    """A type with other fields inside."""
    if pa.types.is_struct(kind):
        return pa.struct([field(of) for of in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(field(kind.value_field), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(field(kind.value_field))
    if pa.types.is_map(kind):
        return pa.map_(field(kind.key_field), field(kind.item_field))
    return pa.list_(field(kind.value_field)) if pa.types.is_list(kind) else kind


_MAP = {"rowstream.map": "1"}
"""What says of a field of lists of keys and values that it is of maps, which `datasets` does not read."""


def _stored_field(field: Any, maps: bool = False) -> Any:
    kind, inner = field.type, partial(_stored_field, maps=maps)
    if pa.types.is_map(kind) and not maps:
        entries = pa.struct([inner(pa.field("key", kind.key_type)), inner(pa.field("value", kind.item_type))])
        return pa.field(field.name, pa.list_(entries), field.nullable, _MAP)
    if isinstance(kind, ArrayType):
        metadata = {"ARROW:extension:name": NAMES[len(kind.shape)], "ARROW:extension:metadata": kind.__arrow_ext_serialize__()}
        return pa.field(field.name, kind.storage_type, field.nullable, metadata)
    return pa.field(field.name, _mapped_type(kind, inner), field.nullable, field.metadata)


def _listed_field(field: Any) -> Any:
    kind = field.type
    if pa.types.is_map(kind):
        entries = pa.struct([_listed_field(pa.field("key", kind.key_type)), _listed_field(pa.field("value", kind.item_type))])
        return pa.field(field.name, pa.list_(entries), field.nullable)
    return pa.field(field.name, _mapped_type(kind, _listed_field), field.nullable, field.metadata)


def without_maps(table: Any) -> Any:
    """A table with lists of keys and values in the place of maps."""
    return _converted(table, _listed_field)


def _restored_field(field: Any) -> Any:
    kind, metadata = field.type, field.metadata or {}
    if (known := array_shape(kind)) is not None:
        # That of `datasets`, where it is loaded.
        return field if isinstance(kind, ArrayType) else pa.field(field.name, array_type(*known), field.nullable)
    if metadata.get(b"ARROW:extension:name", b"").decode() in NAMES.values():
        return pa.field(field.name, array_type(*json.loads(metadata[b"ARROW:extension:metadata"])), field.nullable)
    if b"rowstream.map" in metadata and _is_list(kind) and has_entries(kind):
        key, value = map(_restored_field, kind.value_type)
        return pa.field(field.name, pa.map_(key.type, value.type), field.nullable)
    return pa.field(field.name, _mapped_type(kind, _restored_field), field.nullable, field.metadata)


def _arrays_inside(kind: Any) -> bool:
    if array_shape(kind) is not None or pa.types.is_map(kind):
        return True
    if pa.types.is_struct(kind):
        return any(_named(of) for of in kind)
    return _is_list(kind) and _named(kind.value_field)


def _named(field: Any) -> bool:
    known = field.metadata or {}
    return b"ARROW:extension:name" in known or b"rowstream.map" in known or _arrays_inside(field.type)


def _converted(table: Any, field: Callable[[Any], Any]) -> Any:
    """A table with other fields, where they are of arrays of several dimensions or of maps."""
    if not any(map(_named, table.schema)):
        return table
    fields = [field(of) if _named(of) else of for of in table.schema]
    columns = [
        column if made is of else pa.chunked_array([array_cast(chunk, made.type, shapes=False) for chunk in column.chunks], made.type)
        for of, made, column in zip(table.schema, fields, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, table.schema.metadata))


def stored(table: Any, maps: bool = False) -> Any:
    """A table as files have it: arrays of several dimensions under the name that `datasets` knows, maps as lists of keys and values.

    Args:
        table: the table.
        maps: whether maps stay maps, which Parquet has.
    """
    return _converted(table, partial(_stored_field, maps=maps))


def stored_schema(schema: Any, maps: bool = False) -> Any:
    """A schema as files have it. `maps`: as `stored` has it."""
    return pa.schema([_stored_field(of, maps) for of in schema], schema.metadata)


def restored(table: Any) -> Any:
    """A table of a file, with arrays of several dimensions and maps as columns of ours."""
    return _converted(table, _restored_field)


# ------------------------------------------------------------------------------------------------------------- casts


class CastError(ValueError):
    """Columns that cannot become those that were asked for."""

    def __init__(self, *args: Any, table_column_names: list[str], requested_column_names: list[str]) -> None:
        super().__init__(*args)
        self.table_column_names, self.requested_column_names = table_column_names, requested_column_names

    def __reduce__(self) -> Any:
        """With the names."""
        return partial(CastError, table_column_names=self.table_column_names, requested_column_names=self.requested_column_names), self.args

    def details(self) -> str:
        """What is too much, and what is missing."""
        new = [name for name in self.table_column_names if name not in self.requested_column_names]
        missing = [name for name in self.requested_column_names if name not in self.table_column_names]
        return " and ".join(
            text
            for text in (f"there are {len(new)} new columns {new}" * bool(new), f"{len(missing)} missing columns {missing}" * bool(missing))
            if text
        )


def _by_chunk(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays, of chunked arrays too."""

    def of(array: Any, to: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(array, pa.ChunkedArray):
            return function(array, to, *args, **kwargs)
        if array.num_chunks == 0:
            array = pa.chunked_array([pa.array([], array.type)]) if not isinstance(array.type, pa.BaseExtensionType) else array
        if array.num_chunks == 0:
            return pa.chunked_array([function(pa.array([], array.type.storage_type), to, *args, **kwargs)])
        return pa.chunked_array([function(chunk, to, *args, **kwargs) for chunk in array.chunks])

    return of


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 3000 else f"{text[:1500]}\n...\n{text[-1500:]}"


def _fixed_values(array: Any, length: int) -> Any:
    """The values of lists of one length, those of missing lists too."""
    if pa.types.is_fixed_size_list(array.type):
        return array.values[array.offset * length : (array.offset + len(array)) * length]
    if array.null_count:
        inner = array.type.value_type
        if isinstance(inner, pa.BaseExtensionType):
            array = array_cast(array, pa.list_(inner.storage_type))
        return pc.list_slice(array, 0, length, return_fixed_size_list=True).values
    return array.flatten()


def _of_length(array: Any, length: int) -> bool:
    if pa.types.is_fixed_size_list(array.type):
        return bool(array.type.list_size == length)
    return bool(pc.all(pc.equal(array.value_lengths(), length)).as_py()) or array.null_count == len(array)


def _list_of(array: Any, kind: str, length: int, values: Callable[[Any], Any]) -> Any:
    """Lists as lists of another kind, their values through `values`; `None` where that cannot be."""
    fixed = pa.types.is_fixed_size_list(array.type)
    if kind == "fixed":
        if not _of_length(array, length):
            return None
        mask = array.is_null() if array.null_count else None
        return pa.FixedSizeListArray.from_arrays(values(_fixed_values(array, length)), length, mask=mask)
    make = pa.ListArray if kind == "list" else pa.LargeListArray
    if fixed:
        offsets = (np.arange(len(array) + 1) + array.offset) * array.type.list_size
        narrow = offsets.astype(np.int32 if kind == "list" else np.int64)
        return make.from_arrays(pa.array(narrow), values(array.values), mask=array.is_null() if array.null_count else None)
    array = without_hidden(array)
    offsets = offsets_of(array)
    wanted = pa.int32() if kind == "list" else pa.int64()
    return make.from_arrays(offsets if offsets.type == wanted else offsets.cast(wanted), values(array.values))


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _list_kind(kind: Any) -> str:
    return "fixed" if pa.types.is_fixed_size_list(kind) else "large" if pa.types.is_large_list(kind) else "list"


def _listed(array: Any) -> Any:
    """Maps and views of lists as lists; anything else as it is."""
    if pa.types.is_map(array.type):
        return entries_of(array)
    return list_of_view(array) if is_view(array.type) else array


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _cast(array: Any, pa_type: Any) -> Any:
    """What pyarrow casts. What it would cut without a word is an error too: numbers as truth values, times as dates, infinite floats."""
    made, of = array.cast(pa_type), array.type
    if pa.types.is_floating(of) and pa.types.is_floating(pa_type):
        lost = pc.not_equal(pc.is_inf(array), pc.is_inf(made)) if of.bit_width > pa_type.bit_width else None
    elif (pa.types.is_boolean(pa_type) and _is_number(of)) or (pa.types.is_date(pa_type) and pa.types.is_timestamp(of)):
        lost = pc.not_equal(array, made.cast(of))
    else:
        lost = None
    if lost is not None and pc.any(lost).as_py():
        value = array.filter(lost)[0].as_py()
        raise pa.ArrowInvalid(f"{value!r} of {of} is no value of {pa_type}")
    return made


@_by_chunk
def array_cast(
    array: Any, pa_type: Any, allow_primitive_to_str: bool = True, allow_decimal_to_str: bool = True, shapes: bool = True
) -> Any:
    """An array in another type: what pyarrow casts, structs in another order, lists of another kind, and extension types.

    Raises:
        TypeError: there is no way from the one type to the other.
        ValueError: an array of several dimensions has another shape; not looked at if not `shapes`.
    """
    inner = partial(array_cast, allow_primitive_to_str=allow_primitive_to_str, allow_decimal_to_str=allow_decimal_to_str, shapes=shapes)
    if array.type == pa_type and not isinstance(pa_type, ArrayType):
        return array
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(pa_type, pa.BaseExtensionType):
        storage = inner(array, pa_type.storage_type)
        if shapes and isinstance(pa_type, ArrayType):
            check_shapes(storage, pa_type.shape)
        return pa_type.wrap_array(storage)
    if array.type == pa_type:
        return array
    array = _listed(array)
    if pa.types.is_map(pa_type) and _is_list(array.type) and has_entries(array.type):
        entries = pa.struct([pa.field("key", pa_type.key_type, nullable=False), ("value", pa_type.item_type)])
        return map_of(inner(array, pa.list_(entries)))
    if pa.types.is_struct(array.type):
        if pa.types.is_struct(pa_type) and {field.name for field in pa_type} == {field.name for field in array.type}:
            if not array.type.num_fields:
                return array
            children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
            mask = array.is_null() if array.null_count else None
            return pa.StructArray.from_arrays(
                [inner(children[field.name], field.type) for field in pa_type], fields=list(pa_type), mask=mask
            )
    elif _is_list(array.type):
        if _is_list(pa_type):
            length = pa_type.list_size if pa.types.is_fixed_size_list(pa_type) else -1
            made = _list_of(array, _list_kind(pa_type), length, lambda values: inner(values, pa_type.value_type))
            if made is not None:
                return made
    else:
        if _is_list(pa_type) and pa.types.is_primitive(array.type):
            raise TypeError(f"Couldn't cast array of type {_short(array.type)} to {_short(pa_type)}")
        if pa.types.is_string(pa_type):
            if not allow_primitive_to_str and pa.types.is_primitive(array.type):
                raise TypeError(f"Couldn't cast array of type {_short(array.type)} to {_short(pa_type)}: numbers are not made text here")
            if not allow_decimal_to_str and pa.types.is_decimal(array.type):
                raise TypeError(f"Couldn't cast array of type {_short(array.type)} to {_short(pa_type)}: decimals are not made text here")
        if pa.types.is_null(pa_type) and not pa.types.is_null(array.type):
            raise TypeError(f"Couldn't cast array of type {_short(array.type)} to {_short(pa_type)}")
        return _cast(array, pa_type)
    raise TypeError(f"Couldn't cast array of type {_short(array.type)} to {_short(pa_type)}")


@_by_chunk
def cast_array_to_feature(array: Any, feature: Any, allow_primitive_to_str: bool = True, allow_decimal_to_str: bool = True) -> Any:
    """An array as the storage of a feature: names of labels as integers, fields that a struct lacks as nulls, and all that
    `array_cast` does.

    Raises:
        TypeError: there is no way from its type to the feature's.
    """
    allowed = {"allow_primitive_to_str": allow_primitive_to_str, "allow_decimal_to_str": allow_decimal_to_str}
    inner = partial(cast_array_to_feature, **allowed)
    if isinstance(array, pa.ExtensionArray):
        texts = array.type.extension_name == "arrow.json" and isinstance(feature, (List, LargeList, dict))
        array = pa.array([text and json.loads(text) for text in array.storage.to_pylist()]) if texts else array.storage
    if hasattr(feature, "cast_storage"):
        return feature.cast_storage(array)
    if pa.types.is_map(array.type) and isinstance(feature, Pairs) and array.type == get_nested_type(feature):
        return array
    array = _listed(array)
    if isinstance(feature, Pairs) and _is_list(array.type) and has_entries(array.type):
        return array_cast(inner(array, List(feature.feature)), get_nested_type(feature))
    if pa.types.is_struct(array.type) and not isinstance(feature, (dict, List, LargeList)) and pa.types.is_struct(kind := feature()):
        # A feature of fields with a name of its own.
        feature = {of.name: generate_from_arrow_type(of.type) for of in kind}
    if pa.types.is_struct(array.type) and isinstance(feature, dict):
        there = [field.name for field in array.type]
        if not feature and not there:
            return array  # objects without fields, of which pyarrow makes none by their fields
        if set(there) <= set(feature):
            children = dict(zip(there, array.flatten(), strict=True))
            nulls = pa.nulls(len(array))
            arrays = [inner(children.get(name, nulls), one) for name, one in feature.items()]
            return pa.StructArray.from_arrays(arrays, names=list(feature), mask=array.is_null() if array.null_count else None)
    elif _is_list(array.type) and isinstance(feature, (List, LargeList)):
        kind = "large" if isinstance(feature, LargeList) else "fixed" if feature.length > -1 else "list"
        made = _list_of(array, kind, getattr(feature, "length", -1), lambda values: inner(values, feature.feature))
        if made is not None:
            return array if made.type == array.type else made
    if pa.types.is_null(array.type):
        return array_cast(array, get_nested_type(feature), **allowed)
    if not isinstance(feature, (List, LargeList, dict)):
        return array_cast(array, feature(), **allowed)
    raise TypeError(f"Couldn't cast array of type\n{_short(array.type)}\nto\n{_short(feature)}")


def label_storage(storage: Any, label: Any) -> Any:
    """An array of names or integers as one of labels.

    Raises:
        ValueError: one is no label.
    """
    if pa.types.is_string(storage.type) or pa.types.is_large_string(storage.type) or pa.types.is_string_view(storage.type):
        storage = pa.array([None if name is None else label._strval2int(name) for name in storage.to_pylist()], pa.int64())
    made = array_cast(storage, label.pa_type)
    check_labels(made, label)
    return made


def json_storage(storage: Any, feature: Any) -> Any:
    """An array of any type as one of JSON texts."""
    kind = feature.pa_type
    if pa.types.is_string(storage.type) or pa.types.is_large_string(storage.type) or pa.types.is_string_view(storage.type):
        try:
            for text in storage[:5].to_pylist():
                json.loads(text if text is not None else "null")
        except ValueError:
            storage = pa.array([None if text is None else dumps(text) for text in storage.to_pylist()], pa.string())
        return kind.wrap_array(array_cast(storage, kind.storage_type))
    return kind.wrap_array(pa.array([None if value is None else dumps(value) for value in storage.to_pylist()], pa.string()))


def cast_table_to_features(table: Any, features: Features) -> Any:
    """A table whose columns have the types of features.

    Raises:
        CastError: it has other columns.
    """
    if sorted(table.column_names) != sorted(features):
        raise CastError(
            f"Couldn't cast\n{_short(table.schema)}\nto\n{_short(features)}\nbecause column names don't match",
            table_column_names=table.column_names,
            requested_column_names=list(features),
        )
    return pa.Table.from_arrays([_cast_column(name, table[name], one) for name, one in features.items()], schema=features.arrow_schema)


def _cast_column(name: str, array: Any, feature: Any) -> Any:
    """A column as the storage of a feature. An error says which, and what does not fit."""
    from rowstream.features.exact import FAILED, located

    try:
        return cast_array_to_feature(array, feature)
    except FAILED as error:
        raise located(error, name, array, feature, lambda some: cast_array_to_feature(some, feature), None) from None


def cast_table_to_schema(table: Any, schema: Any) -> Any:
    """A table with another schema: columns in its order, those that are missing as nulls.

    Raises:
        CastError: it has columns that the schema has not.
    """
    features = Features.from_arrow_schema(schema)
    there = set(table.column_names)
    if not there <= set(schema.names):
        raise CastError(
            f"Couldn't cast\n{_short(table.schema)}\nto\n{_short(features)}\nbecause column names don't match",
            table_column_names=table.column_names,
            requested_column_names=list(features),
        )
    arrays = [_cast_column(name, table[name] if name in there else pa.nulls(len(table)), one) for name, one in features.items()]
    return pa.Table.from_arrays(arrays, schema=schema)


@lru_cache(maxsize=64)
def _said(metadata: bytes) -> Features:
    """The features that the metadata of a schema name, if some of them say more than types."""
    if b"ClassLabel" not in metadata and b"Array" not in metadata:
        return Features()
    return Features.from_dict((json.loads(metadata).get("info") or {}).get("features") or {})


def table_cast(table: Any, schema: Any) -> Any:
    """A table with another schema, cast where types differ.

    Raises:
        CastError: it has columns that the schema has not.
        ValueError: integers of it are none of the labels that the schema says, or arrays have other shapes.
    """
    if table.schema != schema:
        return cast_table_to_schema(table, schema)
    check_table(table, _said((schema.metadata or {}).get(b"huggingface", b"")))
    return table.replace_schema_metadata(schema.metadata) if table.schema.metadata != schema.metadata else table


def embed_array_storage(
    array: Any, feature: Any, token_per_repo_id: Any = None, local_files: bool = True, remote_files: bool = True
) -> Any:
    """An array into which the files are put that it names."""
    if isinstance(array, pa.ChunkedArray):
        return pa.chunked_array(
            [embed_array_storage(chunk, feature, token_per_repo_id, local_files, remote_files) for chunk in array.chunks]
        )
    inner = partial(embed_array_storage, token_per_repo_id=token_per_repo_id, local_files=local_files, remote_files=remote_files)
    if hasattr(feature, "embed_storage"):
        return feature.embed_storage(array, token_per_repo_id=token_per_repo_id, local_files=local_files, remote_files=remote_files)
    if isinstance(feature, dict) and feature:
        children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
        arrays = [inner(children[name], one) for name, one in feature.items()]
        return pa.StructArray.from_arrays(arrays, names=list(feature), mask=array.is_null() if array.null_count else None)
    if isinstance(feature, (List, LargeList)):
        kind = "large" if isinstance(feature, LargeList) else "fixed" if feature.length > -1 else "list"
        return _list_of(array, kind, getattr(feature, "length", -1), lambda values: inner(values, feature.feature))
    return array


def embed_table_storage(table: Any, token_per_repo_id: Any = None, local_files: bool = True, remote_files: bool = True) -> Any:
    """A table into which the files are put that its columns of media name."""
    features = Features.from_arrow_schema(table.schema)
    arrays = [
        embed_array_storage(table[name], one, token_per_repo_id, local_files, remote_files) if require_storage_embed(one) else table[name]
        for name, one in features.items()
    ]
    return pa.Table.from_arrays(arrays, schema=features.arrow_schema)
