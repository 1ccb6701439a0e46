"""Arrow extension types of arrays with several dimensions: nested lists that know their shape.

The types are not in pyarrow's registry, where `datasets` registers types of the same name. Files
have them as `datasets` writes them, so that either library reads what the other wrote.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.arrow.dtypes import arrow_type

NAMES = {n: f"datasets.features.features.Array{n}DExtensionType" for n in (2, 3, 4, 5)}
"""The names of the types in files."""


class ArrayType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow comes without types
    """The Arrow type of arrays with several dimensions.

    Attributes:
        shape: The length of each dimension; the first may be `None`.
        value_type: The name of the type of the numbers.
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
        result: ArrayType = _deserialized(cls.ndims, serialized)
        return result

    def __reduce__(self) -> Any:
        return type(self), (self.shape, self.value_type)

    def __hash__(self) -> int:
        return hash((type(self), self.shape, self.value_type))

    def __arrow_ext_class__(self) -> type:
        return ArrayExtensionArray

    def to_pandas_dtype(self) -> Any:
        from rowstream.arrow.pandas import PandasArrayExtensionDtype

        return PandasArrayExtensionDtype(self.value_type, array_type)


@lru_cache(maxsize=256)
def _deserialized(ndims: int, serialized: bytes) -> pa.DataType:
    return _TYPES[ndims](*json.loads(serialized))


class Array2DExtensionType(ArrayType):
    """The Arrow type of arrays with two dimensions."""

    ndims = 2


class Array3DExtensionType(ArrayType):
    """The Arrow type of arrays with three dimensions."""

    ndims = 3


class Array4DExtensionType(ArrayType):
    """The Arrow type of arrays with four dimensions."""

    ndims = 4


class Array5DExtensionType(ArrayType):
    """The Arrow type of arrays with five dimensions."""

    ndims = 5


_TYPES = {
    2: Array2DExtensionType,
    3: Array3DExtensionType,
    4: Array4DExtensionType,
    5: Array5DExtensionType,
}


def array_type(shape: tuple[int | None, ...], dtype: str) -> ArrayType:
    """Return the type of arrays with a shape.

    Raises:
        ValueError: The shape does not have two to five dimensions.
    """
    if len(shape) not in _TYPES:
        raise ValueError(f"an array has two to five dimensions, not the shape {shape}")
    return _TYPES[len(shape)](shape, dtype)


def _numbers(storage: Any, n: int) -> Any:
    for _ in range(n):
        storage = storage.flatten()
    kind = storage.type
    copied = (
        storage.null_count
        or not pa.types.is_primitive(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_temporal(kind)
    )
    return storage.to_numpy(zero_copy_only=not copied)


class ArrayExtensionArray(pa.ExtensionArray):  # type: ignore[misc]  # likewise
    """An Arrow array whose values are arrays with several dimensions."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        result = self.to_numpy(zero_copy_only=False)
        return result if dtype is None else result.astype(dtype)

    def __getitem__(self, i: Any) -> Any:
        return self.storage[i]

    def to_numpy(self, zero_copy_only: bool = True) -> Any:
        """Return one NumPy array if all values have the same shape, else an array of arrays.

        Nothing is copied where no value is null and the shape is fixed. Null values are NaN.
        """
        storage, shape, n = self.storage, self.type.shape, self.type.ndims
        if shape[0] is not None and not storage.null_count:
            return _numbers(storage, n).reshape(len(storage), *shape)
        missing = storage.is_null().to_numpy(zero_copy_only=False)
        if shape[0] is not None:
            result = _numbers(storage, n).reshape(len(storage) - int(missing.sum()), *shape)
            if missing.any():
                full = np.full((len(storage), *shape), np.nan)
                full[~missing] = result
                return full
            return result
        lengths = np.diff(storage.offsets.to_numpy())
        numbers = _numbers(storage, n)
        inner = int(np.prod(shape[1:]))
        result, at = [], 0
        for length, null in zip(lengths.tolist(), missing.tolist(), strict=True):
            if null:
                result.append(np.nan)
            else:
                result.append(numbers[at : at + length * inner].reshape(length, *shape[1:]))
                at += length * inner
        if len(set(lengths.tolist())) > 1:
            several = np.empty(len(result), dtype=object)
            several[:] = result
            return several
        return np.array(result)

    def to_pylist(self, maps_as_pydicts: Any = None) -> list[Any]:
        """Return the values as nested lists."""
        result: list[Any] = self.storage.to_pylist()
        return result
