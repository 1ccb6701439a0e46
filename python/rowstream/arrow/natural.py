"""Python objects as Arrow arrays by their own types: also those that pyarrow does not find by
itself.

It takes times of pandas for times of microseconds, and has no type for integers beyond those of 63
bits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

_MOST = (1 << 63) - 1
_LISTS = (list, tuple)


def natural_array(values: Any) -> Any:
    """Return an array of Python objects, of the type that has them.

    Raises:
        OverflowError: an integer is larger than those of 64 bits, or there are large ones and ones
            below zero.
        pyarrow.ArrowException: the values have no common type.
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
    """Return a table of columns of Python objects, or of what is Arrow data already."""
    return pa.table(
        {
            name: one if isinstance(one, (pa.Array, pa.ChunkedArray)) else natural_array(one)
            for name, one in columns.items()
        }
    )


def _timed(kind: Any) -> bool:
    """Return whether there are times or durations somewhere in a type."""
    if pa.types.is_struct(kind):
        return any(_timed(of.type) for of in kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _timed(kind.value_type)
    return bool(pa.types.is_timestamp(kind) or pa.types.is_duration(kind))


def _kind(values: Any) -> Any:
    """Return the type of values that pyarrow does not find; `None` where they have no common one
    that is known here.
    """
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
