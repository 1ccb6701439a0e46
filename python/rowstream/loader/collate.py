"""Columns of a batch as tensors: stacked where all rows are alike, padded where they are lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rowstream.exceptions import InvalidArgumentError

FORMATS = ("torch", "numpy", "jax", "mlx", "tensorflow")
_PADDING = {"labels": -100}  # what losses leave out, as trainers have it


class Collate:
    """The default of `DataLoader`: one tensor a column.

    Args:
        format: One of `FORMATS`.
        padding: The value that fills up lists, by column.
        multiple: Lists are filled up to a multiple of it.
    """

    def __init__(self, format: str, padding: Mapping[str, Any] | None, multiple: int) -> None:
        if format not in FORMATS:
            raise InvalidArgumentError(
                f"DataLoader: format is one of {', '.join(map(repr, FORMATS))}, not {format!r}"
            )
        self._format, self._multiple = format, multiple
        self._padding = {**_PADDING, **(padding or {})}

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the batch, its columns given as in the format `"numpy"`."""
        make = _tensors(self._format)
        result: dict[str, Any] = {}
        for name, column in batch.items():
            for key, array in self._arrays(name, column).items():
                if key in batch and key != name:
                    continue  # a mask that the rows have themselves
                result[key] = make(array) if _is_array(array) else array
        return result

    def _arrays(self, name: str, column: Any) -> dict[str, Any]:
        import numpy as np

        if _is_array(column):
            return {name: column}
        rows = list(column)
        lists = [row for row in rows if row is not None]
        if not lists or not all(_is_array(row) and row.ndim == 1 for row in lists):
            return {name: rows}
        there = np.array([0 if row is None else len(row) for row in rows])
        width = -(-int(there.max()) // self._multiple) * self._multiple
        kind = np.result_type(*(row.dtype for row in lists))
        filled = np.full((len(rows), width), self._padding.get(name, 0), dtype=kind)
        inside = np.arange(width) < there[:, None]
        filled[inside] = np.concatenate(lists)
        mask = "attention_mask" if name == "input_ids" else f"{name}_mask"
        return {name: filled, mask: inside.astype(np.int64)}


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "ndim") and value.dtype.kind in "biuf"


def _tensors(format: str) -> Any:
    """Return the function that makes a tensor of an array."""
    if format == "torch":
        import torch

        return lambda array: torch.from_numpy(array if array.flags.writeable else array.copy())
    if format == "jax":
        import jax.numpy as jnp

        return jnp.asarray
    if format == "mlx":
        import mlx.core as mx

        return mx.array
    if format == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor
    return lambda array: array
