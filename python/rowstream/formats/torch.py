"""Rows and batches as PyTorch tensors, in the types that `datasets` gives: `int64`, `float32`, `bool`.

What is no number stays what it is: a string, a list of them, `None`. A tensor has memory of its own, and may be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rowstream.formats import numpy
from rowstream.formatting import TorchFormatter

if TYPE_CHECKING:
    from rowstream import _core


def batch(batch: _core.Batch) -> dict[str, Any]:
    """A batch."""
    return {name: _tensors(column) for name, column in numpy.batch(batch).items()}


def row(batch: _core.Batch) -> dict[str, Any]:
    """One row: the only one of a batch."""
    return {name: _tensors(value) for name, value in numpy.row(batch).items()}


def example(example: dict[str, Any]) -> dict[str, Any]:
    """A row that a function made. Tensors in it stay as they are."""
    tensorize = TorchFormatter().recursive_tensorize
    return {name: tensorize(value) for name, value in example.items()}


def columns(columns: dict[str, Any]) -> dict[str, Any]:
    """A batch that functions made: a dict of lists."""
    return TorchFormatter().format_columns(columns)


def item(batch: _core.Batch | dict[str, Any]) -> dict[str, Any]:
    """A batch as one item."""
    return batch if isinstance(batch, dict) else {name: _tensors(column) for name, column in numpy.batch(batch).items()}


def group(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Items together."""
    return {name: _stacked([item[name] for item in items]) for name in (items[0] if items else ())}


def _tensors(value: Any) -> Any:
    match value:
        case torch.Tensor() | None:
            return value
        case np.ndarray() if value.dtype.kind in "iu":
            return torch.from_numpy(value.astype(np.int64))
        case np.ndarray() if value.dtype.kind == "f":
            return torch.from_numpy(value.astype(np.float32))
        case np.ndarray() if value.dtype.kind == "b":
            return torch.from_numpy(value.copy())
        case np.ndarray() if value.dtype.kind == "U":
            return value.tolist()
        case np.ndarray():
            return _stacked([_tensors(one) for one in value]) if value.ndim else _tensors(value.item())
        case np.generic() if value.dtype.kind in "iufb":
            return _tensors(np.asarray(value))
        case np.str_():
            return str(value)
        case bool() | int() | float():
            return _tensors(np.asarray(value))
        case dict():
            return {name: _tensors(one) for name, one in value.items()}
        case list() | tuple():
            return _stacked([_tensors(one) for one in value])
        case _:
            return value


def _stacked(items: list[Any]) -> Any:
    """Tensors of one shape and type as one; other items as a list."""
    first = items[0] if items else None
    if isinstance(first, torch.Tensor) and all(
        isinstance(one, torch.Tensor) and one.shape == first.shape and one.dtype == first.dtype for one in items
    ):
        return torch.stack(items)
    return items
