"""The formatter for NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from rowstream.arrow.numpy import default_type, objects, text_array
from rowstream.formatting.tensors import TensorFormatter, alike, divided, separate

if TYPE_CHECKING:
    from rowstream import _core


class NumpyFormatter(TensorFormatter):
    """The formatter that returns dicts of NumPy arrays.

    Integers are `int64` and floats `float32`, unless `dtype=` sets another type.
    """

    name = "numpy"

    def numbers(self, values: Any) -> Any:
        return (
            self.leaf(values)
            if self.kwargs
            else values.astype(default_type(values.dtype, values), copy=False)
        )

    def ragged(self, values: Any, lengths: list[int], rows: list[Any]) -> Any:
        return super().ragged(values, lengths, rows) if self.kwargs else objects(rows)

    def row_arrays(self, rows: _core.SelectedRows, i: int) -> Iterable[Any] | None:
        found = None if self.kwargs else rows.array(i, by_default=True)
        if found is not None and not found[1] and found[3] is None:
            # One number has the type of the column.
            found = rows.array(i, by_default=False)
        # Whether large numbers stay unsigned is asked of each row.
        if found is None or (found[0] == "<u8" and (found[1] or found[3] is not None)):
            return None
        dtype, shape, data, lengths = found
        values = np.frombuffer(memoryview(data), dtype)
        if lengths is not None:
            return separate(divided(values, lengths), data)
        if shape:
            return separate(values.reshape(-1, *shape), data)
        return values if values.dtype.kind in "iuf" else map(self.leaf, values)

    def texts(self, values: list[Any]) -> Any:
        nested = any(isinstance(value, (list, dict)) for value in values)
        return self._objects(values) if nested else text_array(values)

    def text(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if value.endswith("\0") else np.str_(value)
        return self._objects(value)

    def _objects(self, value: Any) -> Any:
        """Return a value with its lists, those in structs too, as arrays of objects."""
        if isinstance(value, list):
            return self.stack([self._objects(one) for one in value])
        if isinstance(value, dict):
            return {name: self._objects(one) for name, one in value.items()}
        return value

    def stack(self, column: list[Any]) -> Any:
        return (
            np.stack(column)
            if alike(column, (np.ndarray, np.number, np.bool_))
            else objects(column)
        )

    def leaf(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            kind = value.dtype.kind
            if kind in "SU":
                return value
            return np.asarray(
                value,
                **({"dtype": default_type(value.dtype, value)} if kind in "iuf" else {})
                | self.kwargs,
            )
        return (
            value
            if isinstance(value, (str, bytes, type(None), np.number))
            else np.asarray(value, **self.kwargs)
        )

    def number_list(self, values: list[Any], array: np.ndarray[Any, Any]) -> Any:
        return np.asarray(values, **self.kwargs) if self.kwargs else array

    def stays(self, value: Any) -> bool:
        return False

    def pixels(self, array: Any) -> Any:
        return np.asarray(array, **self.kwargs)

    def recursive_tensorize(self, value: Any) -> Any:
        if type(value).__module__ == "torch":
            value = value.detach().cpu().numpy()[()]
        return super().recursive_tensorize(value)
