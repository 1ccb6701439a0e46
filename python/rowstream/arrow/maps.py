"""Conversion of Arrow maps to lists of keys and values and back, and of list views to lists.

Only the values of views are copied. A dataset has maps as Arrow does; `datasets` and Polars have
lists of keys and values in their place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def without_hidden(array: Any) -> pa.Array:
    """Return lists or maps whose null rows have no items.

    Items of null rows would otherwise become items of the row before.
    """
    if array.null_count:
        lengths = np.diff(array.offsets.to_numpy())
        if lengths[array.is_null().to_numpy(zero_copy_only=False)].any():
            return array.take(pa.array(np.arange(len(array))))
    return array


def offsets_of(array: Any) -> pa.Array:
    """Return the offsets of lists whose null rows have no items; null for null rows."""
    offsets = array.offsets
    if array.null_count:
        first = pc.replace_with_mask(
            offsets[:-1], array.is_null(), pa.nulls(len(array), offsets.type)
        )
        offsets = pa.concat_arrays([first, offsets[-1:]])
    return offsets


def entries_of(array: Any) -> pa.Array:
    """Convert a map array to lists of structs of a key and a value."""
    array = without_hidden(array)
    entries = pa.StructArray.from_arrays([array.keys, array.items], names=["key", "value"])
    return pa.ListArray.from_arrays(offsets_of(array), entries)


def map_of(array: Any) -> pa.Array:
    """Convert lists of structs of a key and a value to a map array."""
    array = without_hidden(array)
    keys, values = array.values.flatten()
    return pa.MapArray.from_arrays(offsets_of(array), keys, values)


def has_entries(kind: Any) -> bool:
    """Return whether a list type has structs of a key and a value as items."""
    inner = kind.value_type
    return pa.types.is_struct(inner) and [field.name for field in inner] == ["key", "value"]


def is_view(kind: Any) -> bool:
    """Return whether a type is a list view, whose values may be in any order."""
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def list_of_view(array: Any) -> pa.Array:
    """Convert list views to lists.

    pyarrow's own cast writes wrong offsets if some lists are null.
    """
    large = pa.types.is_large_list_view(array.type)
    there = array.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.where(there, array.sizes.to_numpy(zero_copy_only=False), 0)
    starts = array.offsets.to_numpy(zero_copy_only=False)
    ends = np.cumsum(sizes)
    rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64() if large else pa.int32())
    make = pa.LargeListArray if large else pa.ListArray
    mask = pa.array(~there) if array.null_count else None
    return make.from_arrays(offsets, array.values.take(pa.array(rows, pa.int64())), mask=mask)
