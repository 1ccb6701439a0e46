"""Conversion of Python objects to Arrow arrays with inferred types, including what pyarrow lacks.

pyarrow reads the times of pandas as microseconds, and has no type for integers of more than 63
bits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

_MOST = (1 << 63) - 1
_LISTS = (list, tuple)


def natural_array(values: Any) -> pa.Array:
    """Convert Python objects to an Arrow array with the type that fits them all.

    Raises:
        OverflowError: An integer needs more than 64 bits, or some integers need 64 bits and others
            are negative.
        pyarrow.ArrowException: The values have no common type.
    """
    try:
        array = pa.array(values)
    except OverflowError:
        if not isinstance(values, _LISTS) or (kind := _kind(values)) is None:
            raise
        return pa.array(values, kind)
    # Values of pandas can only be there once something has loaded it.
    if "pandas" in sys.modules and isinstance(values, _LISTS) and _timed(array.type):
        kind = _kind(values)
        if kind is not None and kind != array.type:
            return pa.array(values, kind)
    return array


def natural_table(columns: Mapping[str, Any]) -> Any:
    """Convert columns of Python objects, or of Arrow data, to a table."""
    return pa.table(
        {
            name: one if isinstance(one, (pa.Array, pa.ChunkedArray)) else natural_array(one)
            for name, one in columns.items()
        }
    )


def _timed(kind: Any) -> bool:
    """Return whether a type is or contains a time or duration."""
    if pa.types.is_struct(kind):
        return any(_timed(of.type) for of in kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _timed(kind.value_type)
    return bool(pa.types.is_timestamp(kind) or pa.types.is_duration(kind))


def _kind(values: Any) -> pa.DataType | None:
    """Return the type of values for which pyarrow infers none; `None` if no common one is known."""
    there = [one for one in values if one is not None]
    if there and all(isinstance(one, dict) for one in there):
        names = dict.fromkeys(name for one in there for name in one)
        kinds = {name: _kind([one.get(name) for one in there]) for name in names}
        return None if None in kinds.values() else pa.struct(list(kinds.items()))
    if there and all(isinstance(one, _LISTS) for one in there):
        inner = _kind([item for one in there for item in one])
        return None if inner is None else pa.list_(inner)
    if there and all(isinstance(one, int) and not isinstance(one, bool) for one in there):
        return pa.uint64() if max(there) > _MOST and min(there) >= 0 else pa.int64()
    try:
        kind = pa.infer_type(there)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    if pa.types.is_timestamp(kind) and any(getattr(one, "nanosecond", 0) for one in there):
        return pa.timestamp("ns", kind.tz)
    if pa.types.is_duration(kind) and any(getattr(one, "nanoseconds", 0) for one in there):
        return pa.duration("ns")
    return kind


__all__ = ["natural_array", "natural_table"]
