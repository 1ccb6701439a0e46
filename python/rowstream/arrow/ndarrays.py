"""Conversion of NumPy arrays to Arrow lists, without Python lists in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.arrow.checks import check_shapes
from rowstream.arrow.dtypes import arrow_type
from rowstream.arrow.exact import exact_array


def array_storage(data: Any, pa_type: Any) -> pa.Array:
    """Convert NumPy arrays or nested lists to the storage of an `ArrayType`.

    Raises:
        ValueError: An array has another shape.
    """
    result = _storage(data, pa_type)
    if result.type != pa_type.storage_dtype:
        raise ValueError(f"arrays of {result.type} have not the shape {pa_type.shape}")
    check_shapes(result, pa_type.shape)
    return result


def _storage(data: Any, pa_type: Any) -> pa.Array:
    dtype = arrow_type(pa_type.value_type)
    if isinstance(data, (list, tuple)) and any(isinstance(one, np.ndarray) for one in data):
        data = list(data)
        if all(one is None or isinstance(one, np.ndarray) for one in data):
            return _of_arrays(data, dtype, pa_type.storage_dtype)
    if isinstance(data, np.ndarray) and data.dtype != object:
        return list_array(data, dtype)
    if isinstance(data, np.ndarray):
        return _storage(list(data), pa_type)
    return exact_array([_lists(one) for one in data], pa_type.storage_dtype)


def _lists(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_lists(one) for one in value] if isinstance(value, (list, tuple)) else value


def _of_arrays(data: list[Any], dtype: Any, storage: Any) -> pa.Array:
    """Return a column of arrays, some of which may be `None`."""
    there = [one for one in data if one is not None]
    if not there:
        return pa.array(data, storage)
    values = pa.concat_arrays([list_array(one, dtype) for one in there])
    lengths = np.array([0 if one is None else len(one) for one in data])
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    mask = pa.array([one is None for one in data]) if len(there) < len(data) else None
    return pa.ListArray.from_arrays(offsets, values, mask=mask)


def list_array(array: Any, dtype: Any = None) -> pa.Array:
    """Convert a NumPy array to a column of lists, without Python lists in between."""
    array = np.asarray(array)
    result = pa.array(array.reshape(-1), dtype)
    for i in range(array.ndim - 1, 0, -1):
        count = int(np.prod(array.shape[:i]))
        offsets = pa.array(np.arange(count + 1, dtype=np.int64) * array.shape[i], pa.int64())
        if count * array.shape[i] >= 1 << 31:
            result = pa.LargeListArray.from_arrays(offsets, result)
        else:
            result = pa.ListArray.from_arrays(offsets.cast(pa.int32()), result)
    return result
