"""Map columns of Arrow as lists of keys and values, and back; views of lists as lists. No data is
copied but that of views.

A data set has maps as they are in Arrow. Lists of keys and values are what `datasets` and Polars
have in their place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def without_hidden(array: Any) -> Any:
    """List or maps, of which those that are null have no items: what is left of them would become
    items of the row before.
    """
    if array.null_count:
        lengths = np.diff(array.offsets.to_numpy())
        if lengths[array.is_null().to_numpy(zero_copy_only=False)].any():
            return array.take(pa.array(np.arange(len(array))))
    return array


def offsets_of(array: Any) -> Any:
    """Return where the lists of an array begin, of which those that are null have no items; null
    for those that are.
    """
    offsets = array.offsets
    if array.null_count:
        first = pc.replace_with_mask(
            offsets[:-1], array.is_null(), pa.nulls(len(array), offsets.type)
        )
        offsets = pa.concat_arrays([first, offsets[-1:]])
    return offsets


def entries_of(array: Any) -> Any:
    """Return a map array as one of lists of structs of a key and a value."""
    array = without_hidden(array)
    entries = pa.StructArray.from_arrays([array.keys, array.items], names=["key", "value"])
    return pa.ListArray.from_arrays(offsets_of(array), entries)


def map_of(array: Any) -> Any:
    """Return an array of lists of structs of a key and a value as a map array."""
    array = without_hidden(array)
    keys, values = array.values.flatten()
    return pa.MapArray.from_arrays(offsets_of(array), keys, values)


def has_entries(kind: Any) -> bool:
    """Return whether lists are of structs of a key and a value."""
    inner = kind.value_type
    return pa.types.is_struct(inner) and [field.name for field in inner] == ["key", "value"]


def is_view(kind: Any) -> bool:
    """Return whether a type is one of views of lists, whose values may lie in any order."""
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def list_of_view(array: Any) -> Any:
    """Return an array of views of lists as one of lists, which pyarrow's own cast leaves without an
    end where some are missing.
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
