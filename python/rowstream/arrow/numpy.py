"""Conversion of Arrow columns to NumPy arrays."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.arrow.extension import ArrayType


def _uniform(array: Any) -> Any:
    """Convert lists of numbers of the same length to one array; return `None` for other columns.

    Nothing is copied where pyarrow does not copy.
    """
    shape = [len(array)]
    while (
        pa.types.is_list(array.type)
        or pa.types.is_large_list(array.type)
        or pa.types.is_fixed_size_list(array.type)
    ):
        if array.null_count or not len(array):
            return None
        if pa.types.is_fixed_size_list(array.type):
            length = array.type.list_size
        else:
            lengths = np.diff(array.offsets.to_numpy())
            length = int(lengths[0])
            if not length or not (lengths == length).all():
                return None
        shape.append(length)
        array = array.flatten()
    if (
        array.null_count
        or not pa.types.is_primitive(array.type)
        or pa.types.is_boolean(array.type)
        or pa.types.is_temporal(array.type)
    ):
        return None
    return array.to_numpy().reshape(shape)


def numpy_column(column: Any) -> np.ndarray[Any, Any]:
    """Convert a pyarrow column or array to a NumPy array.

    It has numbers, or arrays of one shape, or else objects.
    """
    kind = column.type
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if isinstance(kind, ArrayType):
        parts = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks if len(chunk)]
        if len(parts) == 1 or (
            parts
            and all(
                part.dtype == parts[0].dtype and part.shape[1:] == parts[0].shape[1:]
                for part in parts
            )
        ):
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        return objects([one for part in parts for one in part]) if parts else np.array([])
    plain = (
        pa.types.is_primitive(kind)
        and not pa.types.is_boolean(kind)
        and not pa.types.is_temporal(kind)
    )
    if plain and not column.null_count:
        parts = [chunk.to_numpy() for chunk in chunks if len(chunk)]
        return (
            parts[0]
            if len(parts) == 1
            else np.concatenate(parts)
            if parts
            else np.array([], kind.to_pandas_dtype())
        )
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        parts = [_uniform(chunk) for chunk in chunks if len(chunk)]
        if parts and all(
            part is not None and part.shape[1:] == parts[0].shape[1:] for part in parts
        ):
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
    if pa.types.is_map(kind):
        return objects(column.to_pylist())
    rows = [row for chunk in chunks for row in chunk.to_numpy(zero_copy_only=False)]
    several = any(isinstance(row, np.ndarray) for row in rows)
    if several:
        first = next(row for row in rows if isinstance(row, np.ndarray))
        alike = all(
            isinstance(row, np.ndarray) and row.dtype != object and row.shape == first.shape
            for row in rows
        )
        return np.asarray(rows) if alike else objects(rows)
    return text_array(rows)


def text_array(rows: list[Any]) -> np.ndarray[Any, Any]:
    """Return values, such as texts, as an array of NumPy's type for them, if it keeps them."""
    result = np.asarray(rows)
    # NumPy's own types of text and of bytes lose zeros at the end.
    loses = result.dtype.kind == "S" or (
        result.dtype.kind == "U" and any(row.endswith("\0") for row in rows)
    )
    return objects(rows) if loses else result


_NUMBERS = frozenset(
    (
        *(
            kind()
            for kind in (
                pa.int8,
                pa.int16,
                pa.int32,
                pa.int64,
                pa.uint8,
                pa.uint16,
                pa.uint32,
                pa.uint64,
            )
        ),
        pa.float32(),
        pa.float64(),
    )
)


def plain_numbers(column: Any) -> np.ndarray[Any, Any] | None:
    """Return the numbers of a column, without copying them if they are in one chunk.

    Return `None` if some are null, or the column does not have numbers.
    """
    n = column.num_chunks
    if column.type not in _NUMBERS or not n or column.null_count:
        return None
    return (
        column.chunk(0).to_numpy()
        if n == 1
        else np.concatenate([chunk.to_numpy() for chunk in column.chunks])
    )


NO_NUMBERS = (date, time, timedelta, Decimal)
"""The Python types of times, durations and decimals, for which only NumPy has arrays."""
_INT64, _FLOAT32 = np.dtype(np.int64), np.dtype(np.float32)
_INT64_MAX = np.iinfo(np.int64).max


def is_text(value: Any) -> bool:
    """Return whether a value is a text or bytes, or an array of them."""
    return isinstance(value, (str, bytes)) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "SU"
    )


def default_type(dtype: Any, values: Any) -> Any:
    """Return the type of tensors of numbers: 64-bit integers and 32-bit floats, as in `datasets`.

    Args:
        dtype: The type of the values.
        values: A NumPy array or scalar.
    """
    if dtype.kind == "f":
        return _FLOAT32
    # What has the highest bit would become negative.
    if (
        dtype.kind == "u"
        and dtype.itemsize == 8
        and np.size(values)
        and np.max(values) > _INT64_MAX
    ):
        return dtype
    return _INT64


def objects(values: list[Any]) -> np.ndarray[Any, Any]:
    """Return values as a one-dimensional array of objects, even if they are arrays."""
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result
