"""The formats of arrays and tensors: NumPy, PyTorch, JAX, TensorFlow, MLX.

Values are as in map-style datasets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rowstream.arrow.exact import exact_array
from rowstream.arrow.numpy import numpy_column
from rowstream.formatting.formatters import get_formatter

if TYPE_CHECKING:
    from rowstream import _core


_UNTYPED: Mapping[str, Any] = {}


class Tensors:
    """The formatter of the core's batches as arrays of a library.

    Columns of numbers do not go through pyarrow, and are not copied if the library can use them as
    they are.

    Args:
        name: The name of the format, as in `with_format`.

    Raises:
        ValueError: The library is not installed.
    """

    def __init__(self, name: str) -> None:
        self._make: Any = get_formatter(name)

    def batch(self, batch: _core.Batch) -> dict[str, Any]:
        """Return a batch as a dict of tensors."""
        return {name: self._column(batch, i) for i, name in enumerate(batch.column_names)}

    def row(self, batch: _core.Batch) -> dict[str, Any]:
        """Return the row of a batch with one row."""
        return {name: self._first(batch, i) for i, name in enumerate(batch.column_names)}

    def example(
        self, example: dict[str, Any], kinds: Mapping[str, pa.DataType] = _UNTYPED
    ) -> dict[str, Any]:
        """Format a row that was decoded, or that a user's function returned.

        Args:
            example: The row.
            kinds: The types of its columns, as far as they are known.
        """
        return {
            # A copy: a function may write into its array again.
            name: self._pixels(value.copy())
            if _are_pixels(value)
            else self._make.recursive_tensorize(_as_typed(value, kinds.get(name)))
            for name, value in example.items()
        }

    def examples(
        self, examples: list[dict[str, Any]], kinds: Mapping[str, pa.DataType] = _UNTYPED
    ) -> dict[str, Any]:
        """Format rows as a batch: as `group` does with each."""
        return {
            name: self._typed([example[name] for example in examples], kinds.get(name))
            for name in (examples[0] if examples else ())
        }

    def _typed(self, values: list[Any], kind: Any) -> Any:
        if any(map(_are_pixels, values)) and all(one is None or _are_pixels(one) for one in values):
            alike = (
                all(one is not None for one in values) and len({one.shape for one in values}) == 1
            )
            if alike:
                return self._pixels(np.stack(values))
            return self._pixels([None if one is None else one.copy() for one in values])
        if kind is None or any(hasattr(value, "dtype") for value in values):
            return self._make.recursive_tensorize(values)
        return self._make.format_column(pa.table({"": exact_array(values, kind)}))

    def columns(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Format a batch that users' functions returned, a dict of lists."""
        result: dict[str, Any] = self._make.format_columns(columns)
        return result

    def item(self, batch: _core.Batch | dict[str, Any]) -> dict[str, Any]:
        """Format a batch as one row of a batched dataset: a dict of tensors."""
        return batch if isinstance(batch, dict) else self.batch(batch)

    def group(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Stack the tensors of several rows where their shapes allow it."""
        return {
            name: self._make.stack([item[name] for item in items])
            for name in (items[0] if items else ())
        }

    def _column(self, batch: _core.Batch, i: int) -> Any:
        if (pixels := batch.pixels(i)) is not None:
            return self._pixels(pixels)
        values = _numbers(batch, i)
        # As it lies there, where that is the type of tensors and the library does not change it.
        if self._make.copies or values is None or values.dtype not in _AS_THEY_ARE:
            found = batch.array(i, by_default=True)
            if found is not None:
                return self._make.from_numbers(*found)
        if values is None:
            return self._make.format_column(
                pa.Table.from_batches([pa.record_batch(batch)]).select([i])
            )
        return self._make.numbers(values) if values.dtype.kind in "iuf" else self._make.leaf(values)

    def _pixels(self, pixels: Any) -> Any:
        """Return images that the core decoded, in their own type and memory where that is possible.

        They are an array if all have the same shape, otherwise a list of arrays or `None`.
        """
        if isinstance(pixels, list):
            return [None if one is None else self._make.plain(one) for one in pixels]
        return self._make.plain(pixels)

    def _first(self, batch: _core.Batch, i: int) -> Any:
        if (pixels := batch.pixels(i)) is not None:
            return self._pixels(pixels)[0]
        values = _numbers(batch, i)
        if values is None:
            return self._make.recursive_tensorize(numpy_column(pa.record_batch(batch).column(i))[0])
        return self._make.leaf(values[0])


def _are_pixels(value: Any) -> bool:
    """Return whether a value is an image as an array: its type is small on purpose."""
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3


_NUMBERS: dict[pa.DataType, Any] = {
    pa.from_numpy_dtype(kind): kind
    for kind in (
        *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
        *(np.float32, np.float64),
    )
}


_TEXTS = frozenset((pa.string(), pa.large_string(), pa.string_view()))


def _as_typed(value: Any, kind: Any) -> Any:
    """Return a value as a column of a type has it in NumPy, if the type is known."""
    if kind is None or hasattr(value, "dtype"):
        return value
    # As below, without a column of one value.
    if type(value) in (int, float) and (number := _NUMBERS.get(kind)) is not None:
        return number(value)
    if type(value) is str and kind in _TEXTS and not value.endswith("\0"):
        return np.str_(value)
    return numpy_column(exact_array([value], kind))[0]


_AS_THEY_ARE = (np.dtype(np.int64), np.dtype(np.float32), np.dtype(np.bool_))


def _numbers(batch: _core.Batch, i: int) -> np.ndarray[Any, Any] | None:
    """Return a column of numbers, or of equally long lists of numbers, as an array.

    Return `None` for other columns. The array is a view of the core's memory unless there are
    nulls.
    """
    view = batch.view(i)
    if view is None:
        return None
    dtype, shape, buffer, mask = view
    values = np.frombuffer(memoryview(buffer), dtype)
    if shape:
        return values.reshape(batch.num_rows, *shape)
    if mask is None:
        return values
    if values.dtype.kind == "b":
        return None
    # As pyarrow does: a missing number is not a number, which only a floating-point type has.
    result = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    result[~np.frombuffer(mask, bool)] = np.nan
    return result
