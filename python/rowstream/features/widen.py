"""Common types for columns that differ between files."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from rowstream.features.convert import generate_from_arrow_type, get_nested_type
from rowstream.features.features import Features
from rowstream.features.nested import LargeList, List, Pairs
from rowstream.features.scalar import Value


def wider(one: Any, other: Any) -> Any:
    """Return a feature that can hold the values of both, or `None` if there is none.

    For integers and floats it is `float64`.
    """
    if one == other or _is_null(other):
        return one
    if _is_null(one):
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        result = {
            name: wider(one.get(name, _NULL), other.get(name, _NULL)) for name in {**one, **other}
        }
        return None if None in result.values() else result
    if isinstance(one, (List, LargeList)) and isinstance(other, (List, LargeList)):
        inner = wider(one.feature, other.feature)
        if inner is None or isinstance(one, LargeList) or isinstance(other, LargeList):
            return None if inner is None else LargeList(inner)
        if isinstance(one, Pairs) and isinstance(other, Pairs):
            return Pairs(inner)
        return List(inner, length=one.length if one.length == other.length else -1)
    if isinstance(one, Value) and isinstance(other, Value):
        return _wider_value(one, other)
    return None


def agreed(several: list[Features]) -> list[Features]:
    """Return features in which columns of the same name have one type that can hold all values.

    Columns without such a type stay as they are.
    """
    common: dict[str, Any] = {}
    for name in dict.fromkeys(name for features in several for name in features):
        found, *rest = [features[name] for features in several if name in features]
        for of in rest:
            found = None if found is None else wider(found, of)
        common[name] = found
    return [
        Features(
            {name: of if common[name] is None else common[name] for name, of in features.items()}
        )
        for features in several
    ]


_NULL = Value("null")


def _is_null(feature: Any) -> bool:
    return isinstance(feature, Value) and feature.dtype == "null"


def _wider_value(one: Value, other: Value) -> Any:
    kinds = [get_nested_type(one), get_nested_type(other)]
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds) and any(
        map(pa.types.is_floating, kinds)
    ):
        integers = any(map(pa.types.is_integer, kinds))
        return (
            Value("float64")
            if integers
            else max(one, other, key=lambda of: get_nested_type(of).bit_width)
        )
    text = [
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        for kind in kinds
    ]
    if any(text) and not all(text):
        return None  # bytes have all texts, and are none
    try:
        schemas = [pa.schema([("", kind)]) for kind in kinds]
        return generate_from_arrow_type(
            pa.unify_schemas(schemas, promote_options="permissive").field(0).type
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
