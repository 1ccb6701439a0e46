"""Arrow tables as they are written to files.

Arrays with several dimensions and maps get the types and names that other readers know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.arrow.cast import array_cast, is_list, mapped_type
from rowstream.arrow.checks import array_shape
from rowstream.arrow.extension import NAMES, ArrayType, array_type
from rowstream.arrow.maps import has_entries

if TYPE_CHECKING:
    import polars as pl


_MAP = {"rowstream.map": "1"}
"""The metadata of a field of maps, stored as lists of keys and values; `datasets` ignores it."""


def _stored_field(field: Any, maps: bool = False) -> pa.Field:
    kind, inner = field.type, partial(_stored_field, maps=maps)
    if pa.types.is_map(kind) and not maps:
        entries = pa.struct(
            [inner(pa.field("key", kind.key_type)), inner(pa.field("value", kind.item_type))]
        )
        return pa.field(field.name, pa.list_(entries), field.nullable, _MAP)
    if isinstance(kind, ArrayType):
        metadata = {
            "ARROW:extension:name": NAMES[len(kind.shape)],
            "ARROW:extension:metadata": kind.__arrow_ext_serialize__(),
        }
        return pa.field(field.name, kind.storage_type, field.nullable, metadata)
    return pa.field(field.name, mapped_type(kind, inner), field.nullable, field.metadata)


def _listed_field(field: Any) -> pa.Field:
    kind = field.type
    if pa.types.is_map(kind):
        entries = pa.struct(
            [
                _listed_field(pa.field("key", kind.key_type)),
                _listed_field(pa.field("value", kind.item_type)),
            ]
        )
        return pa.field(field.name, pa.list_(entries), field.nullable)
    return pa.field(field.name, mapped_type(kind, _listed_field), field.nullable, field.metadata)


def without_maps(table: Any) -> pa.Table:
    """Return a table with lists of keys and values in place of maps."""
    return _converted(table, _listed_field)


def _restored_field(field: Any) -> pa.Field:
    kind, metadata = field.type, field.metadata or {}
    if (known := array_shape(kind)) is not None:
        # That of `datasets`, where it is loaded.
        return (
            field
            if isinstance(kind, ArrayType)
            else pa.field(field.name, array_type(*known), field.nullable)
        )
    if metadata.get(b"ARROW:extension:name", b"").decode() in NAMES.values():
        return pa.field(
            field.name,
            array_type(*json.loads(metadata[b"ARROW:extension:metadata"])),
            field.nullable,
        )
    if b"rowstream.map" in metadata and is_list(kind) and has_entries(kind):
        key, value = map(_restored_field, kind.value_type)
        return pa.field(field.name, pa.map_(key.type, value.type), field.nullable)
    return pa.field(field.name, mapped_type(kind, _restored_field), field.nullable, field.metadata)


def _arrays_inside(kind: Any) -> bool:
    if array_shape(kind) is not None or pa.types.is_map(kind):
        return True
    if pa.types.is_struct(kind):
        return any(_named(of) for of in kind)
    return is_list(kind) and _named(kind.value_field)


def _named(field: Any) -> bool:
    known = field.metadata or {}
    return (
        b"ARROW:extension:name" in known or b"rowstream.map" in known or _arrays_inside(field.type)
    )


def _converted(table: Any, field: Callable[[Any], Any]) -> pa.Table:
    """Return a table with `field` applied to its fields of arrays or maps, and the columns cast."""
    if not any(map(_named, table.schema)):
        return table
    fields = [field(of) if _named(of) else of for of in table.schema]
    columns = [
        column
        if result is of
        else pa.chunked_array(
            [array_cast(chunk, result.type, shapes=False) for chunk in column.chunks], result.type
        )
        for of, result, column in zip(table.schema, fields, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, table.schema.metadata))


def stored(table: Any, maps: bool = False) -> pa.Table:
    """Convert a table to what is written to files.

    Arrays with several dimensions get the type name that `datasets` knows; maps become lists of
    keys and values.

    Args:
        table: The table.
        maps: Keep maps, as Parquet has them.
    """
    return _converted(table, partial(_stored_field, maps=maps))


def stored_schema(schema: Any, maps: bool = False) -> pa.Schema:
    """Convert a schema to what is written to files; `maps` as in `stored`."""
    return pa.schema([_stored_field(of, maps) for of in schema], schema.metadata)


def restored(table: Any) -> pa.Table:
    """Convert a table that was read from a file back, with array types and maps."""
    return _converted(table, _restored_field)


def polars_frame(table: Any, **options: Any) -> pl.DataFrame:
    """Convert a table to a Polars data frame, with maps as lists of keys and values.

    As dicts, they would keep only one value of each key.
    """
    import polars as pl

    return pl.from_arrow(without_maps(table), **options)
