"""Conversion of Python values to Arrow arrays with inferred types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.arrow.exact import FAILED
from rowstream.arrow.natural import natural_array
from rowstream.arrow.ndarrays import list_array
from rowstream.features.encode import cast_to_python_objects, times
from rowstream.features.nested import LargeList, List, Pairs


def first_there(values: Any) -> Any:
    """Return the first value that is neither null nor an empty list; `None` if there is none."""
    for value in values:
        if value is not None and not (isinstance(value, (list, tuple)) and not len(value)):
            return value
    return None


def raw_array(data: Any, thorough: bool = False) -> pa.Array:
    """Convert values to an Arrow array of an inferred type.

    With `thorough`, every value of a list is looked at, not only the first.
    """
    if isinstance(data, np.ndarray):
        if data.dtype != object:
            return list_array(data) if data.ndim > 1 else pa.array(times(data))
        data = list(data)
    arrays = (
        isinstance(data, list)
        and isinstance(first := first_there(data), np.ndarray)
        and first.dtype.kind not in "OMm"
    )
    if arrays and all(one is None or isinstance(one, np.ndarray) for one in data):
        return _of_arrays(data)
    return natural_array(
        cast_to_python_objects(data, only_1d_for_numpy=True, optimize_list_casting=not thorough)
    )


def array_of(data: Any) -> pa.Array:
    """Convert values to an Arrow array of an inferred type, looking at every value where needed.

    Raises:
        pyarrow.ArrowInvalid, TypeError: The values have no common type.
    """
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return data
    try:
        return raw_array(data)
    except FAILED as error:
        try:
            return raw_array(data, thorough=True)
        except FAILED:
            raise error from None


def _of_arrays(data: list[Any]) -> pa.Array:
    """Return a column of lists of NumPy arrays, some of which may be `None`."""
    there = [one for one in data if one is not None]
    if any(one.ndim != there[0].ndim for one in there):
        return natural_array([None if one is None else one.tolist() for one in data])
    if there[0].ndim == 0:
        return pa.array([None if one is None else one[()] for one in data])
    lengths = [0 if one is None else len(one) for one in data]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = pa.concat_arrays([list_array(one) for one in there])
    mask = pa.array([one is None for one in data]) if len(there) < len(data) else None
    if offsets[-1] >= 1 << 31:
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, mask=mask)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)


def has_pairs(feature: Any) -> bool:
    """Return whether a feature is or contains the feature of a map."""
    if isinstance(feature, dict):
        return any(map(has_pairs, feature.values()))
    return isinstance(feature, Pairs) or (
        isinstance(feature, (List, LargeList)) and has_pairs(feature.feature)
    )
