"""Rows and batches as NumPy arrays, in the types that `datasets` gives.

In a batch, integers are `int64` and floating-point numbers `float32`, whatever the width in the file; a row's
scalars keep their width. A column of 64-bit integers, of 32-bit floats, or of lists of one length of those, is a
read-only view of the batch, without a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rowstream.formatting import NumpyFormatter

if TYPE_CHECKING:
    from rowstream import _core


def batch(batch: _core.Batch) -> dict[str, Any]:
    """A batch."""
    return _columns(batch)


def row(batch: _core.Batch) -> dict[str, Any]:
    """One row: the only one of a batch, with the width of its scalars kept."""
    return {name: _scalar(_column(batch, i, keep=True)[0]) for i, name in enumerate(batch.column_names)}


def example(example: dict[str, Any]) -> dict[str, Any]:
    """A row that a function made."""
    return {name: _scalar(_value(value)) for name, value in example.items()}


def columns(columns: dict[str, Any]) -> dict[str, Any]:
    """A batch that functions made: a dict of lists."""
    return NumpyFormatter().format_columns(columns)


def item(batch: _core.Batch | dict[str, Any]) -> dict[str, Any]:
    """A batch as one item. Its strings are objects, as those of a list are."""
    made = batch if isinstance(batch, dict) else _columns(batch)
    return {name: column.astype(object) if column.dtype.kind == "U" else column for name, column in made.items()}


def group(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Items together."""
    return {name: _consolidate([item[name] for item in items]) for name in (items[0] if items else ())}


def _scalar(value: Any) -> Any:
    """As `datasets` has it: numbers and strings are scalars, other scalars arrays without dimensions."""
    return np.asarray(value) if isinstance(value, np.generic) and not isinstance(value, (np.number, np.character)) else value


def _columns(batch: _core.Batch) -> dict[str, Any]:
    return {name: _column(batch, i) for i, name in enumerate(batch.column_names)}


def _column(batch: _core.Batch, i: int, *, keep: bool = False) -> Any:
    """A column. `keep`: scalars keep their width, as they do in a row."""
    view = batch.view(i)
    if view is None:
        return _other(batch, i)
    dtype, shape, buffer, mask = view
    values = np.frombuffer(memoryview(buffer), dtype)
    if shape:
        return _default(values.reshape(batch.num_rows, *shape))
    if mask is None:
        return values if keep else _default(values)
    present = np.frombuffer(mask, bool)
    if values.dtype.kind == "b":
        made = values.astype(object)
        made[~present] = None
        return made
    # As pyarrow does: a missing number is not a number, which only a floating-point type has.
    made = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    made[~present] = np.nan
    return made if keep else _default(made)


def _default(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    match values.dtype.kind:
        case "i" | "u":
            return values.astype(np.int64, copy=False)
        case "f":
            return values.astype(np.float32, copy=False)
        case _:
            return values


def _other(batch: _core.Batch, i: int) -> Any:
    """A column that NumPy cannot view: strings, times, nested types."""
    import pyarrow as pa

    column = pa.record_batch(batch).column(i)
    if pa.types.is_struct(column.type) or pa.types.is_map(column.type):
        return _consolidate([_value(value) for value in column.to_pylist()])
    items = [_value(item) for item in column.to_numpy(zero_copy_only=False)]
    if items and all(isinstance(item, (str, bytes)) for item in items):
        # Not bytes: NumPy's own type drops zeros at the end of each.
        return np.asarray(items) if all(isinstance(item, str) for item in items) else _objects(items)
    return _consolidate(items)


def _value(value: Any) -> Any:
    match value:
        case np.ndarray() if value.dtype == object:
            return _consolidate([_value(item) for item in value])
        case np.ndarray():
            return _default(value)
        case dict():
            return {name: _value(item) for name, item in value.items()}
        case list() | tuple():
            return _consolidate([_value(item) for item in value])
        case str() | bytes() | None | np.generic():
            return value
        case _:
            return np.asarray(value)


def _consolidate(items: list[Any]) -> Any:
    first = items[0] if items else None
    arrays = (np.ndarray, np.number, np.bool_, np.datetime64, np.timedelta64)
    if isinstance(first, arrays) and all(
        isinstance(item, arrays) and item.shape == first.shape and item.dtype == first.dtype for item in items
    ):
        return np.stack(items)
    return _objects(items)


def _objects(items: list[Any]) -> np.ndarray[Any, Any]:
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made
