"""Arrays of several dimensions in Arrow: lists of lists that know their shape.

The type has no name of its own in pyarrow's registry, since `datasets` registers one of the same name: in files it is written as
`datasets` writes it, so that either library reads what the other wrote.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.features.checks import check_shapes
from rowstream.features.names import arrow_type

NAMES = {n: f"datasets.features.features.Array{n}DExtensionType" for n in (2, 3, 4, 5)}
"""What files call the types."""


class ArrayType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow comes without types
    """An array of some dimensions.

    Attributes:
        shape: the length of each dimension; the first may be `None`.
        value_type: the name of the type of its numbers.
    """

    ndims: int | None = None

    def __init__(self, shape: tuple[int | None, ...], dtype: str) -> None:
        if self.ndims is None or self.ndims <= 1:
            raise ValueError("You must instantiate an array type with a value for dim that is > 1")
        if len(shape) != self.ndims:
            raise ValueError(f"shape={shape} and ndims={self.ndims} don't match")
        if None in shape[1:]:
            raise ValueError(f"Support only dynamic size on first dimension. Got: {shape}")
        self.shape, self.value_type = tuple(shape), dtype
        storage = arrow_type(dtype)
        for _ in shape:
            storage = pa.list_(storage)
        self.storage_dtype = storage
        super().__init__(storage, NAMES[self.ndims])

    def __arrow_ext_serialize__(self) -> bytes:
        return json.dumps((self.shape, self.value_type)).encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> ArrayType:
        # pyarrow asks for the type again with every chunk and slice.
        made: ArrayType = _deserialized(cls.ndims, serialized)
        return made

    def __reduce__(self) -> Any:
        return type(self), (self.shape, self.value_type)

    def __hash__(self) -> int:
        return hash((type(self), self.shape, self.value_type))

    def __arrow_ext_class__(self) -> type:
        return ArrayExtensionArray

    def to_pandas_dtype(self) -> Any:
        from rowstream.features.frames import PandasArrayExtensionDtype

        return PandasArrayExtensionDtype(self.value_type)


@lru_cache(maxsize=256)
def _deserialized(ndims: int, serialized: bytes) -> Any:
    return _TYPES[ndims](*json.loads(serialized))


class Array2DExtensionType(ArrayType):
    """Two dimensions."""

    ndims = 2


class Array3DExtensionType(ArrayType):
    """Three dimensions."""

    ndims = 3


class Array4DExtensionType(ArrayType):
    """Four dimensions."""

    ndims = 4


class Array5DExtensionType(ArrayType):
    """Five dimensions."""

    ndims = 5


_TYPES = {2: Array2DExtensionType, 3: Array3DExtensionType, 4: Array4DExtensionType, 5: Array5DExtensionType}


def array_type(shape: tuple[int | None, ...], dtype: str) -> ArrayType:
    """The type of arrays of a shape."""
    if len(shape) not in _TYPES:
        raise ValueError(f"an array has two to five dimensions, not the shape {shape}")
    return _TYPES[len(shape)](shape, dtype)


def array_shape(pa_type: Any) -> tuple[tuple[int | None, ...], str] | None:
    """The shape of arrays and the type of their numbers, of a type of ours or of `datasets`."""
    if isinstance(pa_type, pa.ExtensionType) and hasattr(pa_type, "ndims") and hasattr(pa_type, "value_type"):
        return tuple(pa_type.shape), pa_type.value_type
    return None


def _numbers(storage: Any, n: int) -> Any:
    for _ in range(n):
        storage = storage.flatten()
    kind = storage.type
    copied = storage.null_count or not pa.types.is_primitive(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind)
    return storage.to_numpy(zero_copy_only=not copied)


class ArrayExtensionArray(pa.ExtensionArray):  # type: ignore[misc]  # likewise
    """A column of arrays."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        made = self.to_numpy(zero_copy_only=False)
        return made if dtype is None else made.astype(dtype)

    def __getitem__(self, i: Any) -> Any:
        return self.storage[i]

    def to_numpy(self, zero_copy_only: bool = True) -> Any:
        """One array of all where they have one shape, without a copy; else an array of arrays. Those that are missing are NaN."""
        storage, shape, n = self.storage, self.type.shape, self.type.ndims
        if shape[0] is not None and not storage.null_count:
            return _numbers(storage, n).reshape(len(storage), *shape)
        missing = storage.is_null().to_numpy(zero_copy_only=False)
        if shape[0] is not None:
            made = _numbers(storage, n).reshape(len(storage) - int(missing.sum()), *shape)
            if missing.any():
                full = np.full((len(storage), *shape), np.nan)
                full[~missing] = made
                return full
            return made
        lengths = np.diff(storage.offsets.to_numpy())
        numbers = _numbers(storage, n)
        inner = int(np.prod(shape[1:]))
        made, at = [], 0
        for length, null in zip(lengths.tolist(), missing.tolist(), strict=True):
            if null:
                made.append(np.nan)
            else:
                made.append(numbers[at : at + length * inner].reshape(length, *shape[1:]))
                at += length * inner
        if len(set(lengths.tolist())) > 1:
            several = np.empty(len(made), dtype=object)
            several[:] = made
            return several
        return np.array(made)

    def to_pylist(self, maps_as_pydicts: Any = None) -> list[Any]:
        """Lists of lists."""
        made: list[Any] = self.storage.to_pylist()
        return made


def array_storage(data: Any, pa_type: ArrayType) -> Any:
    """The storage of arrays: of NumPy arrays, or of lists.

    Raises:
        ValueError: one has another shape.
    """
    made = _storage(data, pa_type)
    if made.type != pa_type.storage_dtype:
        raise ValueError(f"arrays of {made.type} have not the shape {pa_type.shape}")
    check_shapes(made, pa_type.shape)
    return made


def _storage(data: Any, pa_type: ArrayType) -> Any:
    dtype = arrow_type(pa_type.value_type)
    if isinstance(data, (list, tuple)) and any(isinstance(one, np.ndarray) for one in data):
        data = list(data)
        if all(one is None or isinstance(one, np.ndarray) for one in data):
            return _of_arrays(data, dtype, pa_type.storage_dtype)
    if isinstance(data, np.ndarray) and data.dtype != object:
        return list_array(data, dtype)
    if isinstance(data, np.ndarray):
        return _storage(list(data), pa_type)
    from rowstream.features.exact import exact_array

    return exact_array([_lists(one) for one in data], pa_type.storage_dtype)


def _lists(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_lists(one) for one in value] if isinstance(value, (list, tuple)) else value


def _of_arrays(data: list[Any], dtype: Any, storage: Any) -> Any:
    """A column of arrays, some of which may be missing."""
    there = [one for one in data if one is not None]
    if not there:
        return pa.array(data, storage)
    values = pa.concat_arrays([list_array(one, dtype) for one in there])
    lengths = np.array([0 if one is None else len(one) for one in data])
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    mask = pa.array([one is None for one in data]) if len(there) < len(data) else None
    return pa.ListArray.from_arrays(offsets, values, mask=mask)


def list_array(array: Any, dtype: Any = None) -> Any:
    """A NumPy array as a column of lists, without a list of Python's in between."""
    array = np.asarray(array)
    made = pa.array(array.reshape(-1), dtype)
    for i in range(array.ndim - 1, 0, -1):
        count = int(np.prod(array.shape[:i]))
        offsets = pa.array(np.arange(count + 1, dtype=np.int64) * array.shape[i], pa.int64())
        if count * array.shape[i] >= 1 << 31:
            made = pa.LargeListArray.from_arrays(offsets, made)
        else:
            made = pa.ListArray.from_arrays(offsets.cast(pa.int32()), made)
    return made
