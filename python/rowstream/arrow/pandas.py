"""Columns of arrays with several dimensions in pandas data frames."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.extensions import ExtensionArray, ExtensionDtype

from rowstream.arrow.checks import array_shape
from rowstream.arrow.ndarrays import array_storage


class PandasArrayExtensionDtype(ExtensionDtype):  # type: ignore[misc]  # pandas may come without types
    """The pandas type of a column of arrays.

    Args:
        value_type: The type of the numbers.
        arrow_type: A function that returns the Arrow type for a shape and a type of numbers.
    """

    _metadata = ("value_type",)

    def __init__(self, value_type: Any, arrow_type: Callable[..., Any] | None = None) -> None:
        self._value_type = value_type
        self.arrow_type = arrow_type

    def __from_arrow__(self, array: Any) -> PandasArrayExtensionArray:
        if isinstance(array, pa.ChunkedArray):
            array = array.type.wrap_array(
                pa.concat_arrays([chunk.storage for chunk in array.chunks])
            )
        return PandasArrayExtensionArray(array.to_numpy(zero_copy_only=False), self.arrow_type)

    @classmethod
    def construct_array_type(cls) -> type:
        return PandasArrayExtensionArray

    @property
    def type(self) -> type:
        return np.ndarray

    @property
    def kind(self) -> str:
        return "O"

    @property
    def name(self) -> str:
        return f"array[{self.value_type}]"

    @property
    def value_type(self) -> Any:
        return self._value_type


class PandasArrayExtensionArray(ExtensionArray):  # type: ignore[misc]  # pandas may come without types
    """A pandas column of arrays with several dimensions."""

    def __init__(
        self, data: Any, arrow_type: Callable[..., Any] | None, copy: bool = False
    ) -> None:
        self._data = np.array(data) if copy else data
        self._dtype = PandasArrayExtensionDtype(data.dtype, arrow_type)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if dtype is not None and np.dtype(dtype) == np.dtype(object):
            result = np.empty(len(self._data), dtype=object)
            for i, one in enumerate(self._data):
                result[i] = one
            return result
        return self._data if dtype is None else self._data.astype(dtype)

    def __arrow_array__(self, type: Any = None) -> Any:
        several = self._data.dtype == object
        data = (
            [one if isinstance(one, np.ndarray) else None for one in self._data]
            if several
            else self._data
        )
        kind = self._arrow_type() if array_shape(type) is None else type
        storage = array_storage(data, kind)
        return (
            storage.cast(type)
            if type is not None and kind is not type
            else pa.ExtensionArray.from_storage(kind, storage)
        )

    def _arrow_type(self) -> Any:
        array_type = self._dtype.arrow_type
        if array_type is None:
            raise ValueError(
                "a column of arrays that comes from no Arrow array has no Arrow type: pass the type"
                " explicitly"
            )
        if self._data.dtype != object:
            return array_type(self._data.shape[1:], str(self._data.dtype))
        first = next((one for one in self._data if isinstance(one, np.ndarray)), None)
        if first is None:
            raise ValueError(
                "a column of arrays that are all missing has no Arrow type: pass the type"
                " explicitly"
            )
        return array_type((None, *first.shape[1:]), str(first.dtype))

    def copy(self, deep: bool = False) -> PandasArrayExtensionArray:
        return PandasArrayExtensionArray(self._data, self._dtype.arrow_type, copy=True)

    @classmethod
    def _from_sequence(
        cls, scalars: Any, dtype: Any = None, copy: bool = False
    ) -> PandasArrayExtensionArray:
        alike = len(scalars) > 1 and all(
            isinstance(one, np.ndarray)
            and one.shape == scalars[0].shape
            and one.dtype == scalars[0].dtype
            for one in scalars
        )
        if alike:
            return cls(
                np.array(scalars, dtype=getattr(dtype, "value_type", None)),
                getattr(dtype, "arrow_type", None),
            )
        data = np.empty(len(scalars), dtype=object)
        data[:] = scalars
        return cls(data, getattr(dtype, "arrow_type", None))

    @classmethod
    def _concat_same_type(cls, to_concat: Any) -> PandasArrayExtensionArray:
        parts = [one._data for one in to_concat]
        if all(
            one.shape[1:] == parts[0].shape[1:] and one.dtype == parts[0].dtype for one in parts
        ):
            return cls(np.concatenate(parts), to_concat[0].dtype.arrow_type)
        data = np.empty(sum(map(len, parts)), dtype=object)
        data[:] = [one for part in parts for one in part]
        return cls(data, to_concat[0].dtype.arrow_type)

    @property
    def dtype(self) -> PandasArrayExtensionDtype:
        return self._dtype

    @property
    def nbytes(self) -> int:
        return int(self._data.nbytes)

    def isna(self) -> Any:
        return np.array([bool(np.any(pd.isna(one))) for one in self._data], dtype=bool)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotImplementedError("a column of arrays is not changed in place")

    def __getitem__(self, item: Any) -> Any:
        return (
            self._data[item]
            if isinstance(item, int)
            else PandasArrayExtensionArray(self._data[item], self._dtype.arrow_type)
        )

    def take(
        self, indices: Any, allow_fill: bool = False, fill_value: Any = None
    ) -> PandasArrayExtensionArray:
        at = np.asarray(indices, dtype=int)
        if not allow_fill or not (at < 0).any():
            return PandasArrayExtensionArray(self._data.take(at, axis=0), self._dtype.arrow_type)
        if (at < -1).any():
            raise ValueError(
                "Invalid value in `indices`, must be all >= -1 for `allow_fill` is True"
            )
        if not len(self) and not (at == -1).all():
            raise IndexError("Invalid take for empty PandasArrayExtensionArray, must be all -1.")
        result = np.empty(len(at), dtype=object)
        result[:] = [np.nan if i == -1 else self._data[i] for i in at]
        return PandasArrayExtensionArray(result, self._dtype.arrow_type)

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, PandasArrayExtensionArray):
            raise NotImplementedError(f"Invalid type to compare to: {type(other)}")
        return (self._data == other._data).all()


def pandas_types_mapper(dtype: Any) -> Any:
    """Return the pandas type with which `to_pandas` converts columns of arrays."""
    return None if array_shape(dtype) is None else dtype.to_pandas_dtype()


def nullable(dtype: Any) -> Any:
    """Return the nullable pandas type for integers and booleans."""
    if pa.types.is_boolean(dtype):
        return pd.BooleanDtype()
    if not pa.types.is_integer(dtype):
        return pandas_types_mapper(dtype)
    return getattr(
        pd, f"{'U' if pa.types.is_unsigned_integer(dtype) else ''}Int{dtype.bit_width}Dtype"
    )()


def exact_frame(table: Any) -> pd.DataFrame:
    """Convert a table to a data frame whose integers stay integers beside nulls, at every depth."""
    types = {of.type for of, one in zip(table.schema, table.columns, strict=True) if one.null_count}
    mapper = lambda kind: nullable(kind) if kind in types else pandas_types_mapper(kind)  # noqa: E731
    return table.to_pandas(types_mapper=mapper, integer_object_nulls=True)


def csv_bytes(frame: Any, **options: Any) -> bytes:
    """Return a data frame as CSV, with all items of lists and all digits of their numbers.

    NumPy would otherwise leave some out.
    """
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return str(frame.to_csv(**options)).encode()
