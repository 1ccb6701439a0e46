"""Columns of a batch as tensors: stacked where all rows are alike, padded where they are lists."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError

FORMATS = ("torch", "numpy", "jax", "mlx", "tensorflow")


class GivenCollate:
    """A user's function of the columns of a batch, whose errors say what it is called with."""

    def __init__(self, function: Callable[[dict[str, Any]], Any]) -> None:
        self._function = function

    def __call__(self, batch: dict[str, Any]) -> Any:
        """Return what the function makes of a batch."""
        try:
            return self._function(batch)
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            error.add_note(
                f"DataLoader: collate= is called with a dict of columns, {list(batch)}; a function"
                " of a list of rows, as torch's loader takes it, is given by collate_fn="
            )
            raise


class Collate:
    """The default of `DataLoader`: one tensor a column.

    Args:
        format: One of `FORMATS`.
        padding: The value that fills up lists, by column.
        masks: The columns that say what is there of lists, by the columns that have those.
        multiple: Lists are filled up to a multiple of it.
    """

    def __init__(
        self,
        format: str,
        padding: Mapping[str, Any] | None,
        masks: Mapping[str, str] | None,
        multiple: int,
    ) -> None:
        if format not in FORMATS:
            raise InvalidArgumentError(
                f"DataLoader: format is one of {', '.join(map(repr, FORMATS))}, not {format!r}"
            )
        for what, given in (("padding", padding), ("masks", masks)):
            if given is not None and not isinstance(given, Mapping):
                raise InvalidArgumentError(
                    f"DataLoader: {what} is a dict by column, such as"
                    f" {what}={{'input_ids': …}}, not {given!r}"
                )
        named = [*(masks or {}).values()]
        if len({*named}) < len(named) or any(of == name for name, of in (masks or {}).items()):
            raise InvalidArgumentError(
                f"DataLoader: masks names a column for each mask, one of its own, not {masks!r}"
            )
        for name, value in (padding or {}).items():
            if not isinstance(value, (bool, int, float)):
                raise InvalidArgumentError(
                    f"DataLoader: padding is a number for each column, not {value!r} for {name!r}"
                )
        self._format, self._multiple = format, multiple
        self._padding, self._masks = dict(padding or {}), dict(masks or {})

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the batch, its columns given as in the format `"numpy"`."""
        for name in (*self._padding, *self._masks):
            if name not in batch:
                raise InvalidArgumentError(
                    f"DataLoader: padding or masks name a column {name!r}; the columns are"
                    f" {list(batch)}"
                )
        # Now, and not when it is made, for it goes to other processes.
        make = _tensors(self._format)
        made: dict[str, Any] = {}
        for name, column in batch.items():
            for of, array in self._arrays(name, column, batch).items():
                made[of] = make(array) if _is_array(array) else array
        return made

    def _arrays(self, name: str, column: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a column as an array, and the mask that belongs to it."""
        mask = self._masks.get(name)
        if mask is None and name.endswith("input_ids"):
            mask = name.removesuffix("input_ids") + "attention_mask"
        # Rows may have a mask themselves.
        mask = None if mask in batch else mask
        if _is_array(column):
            if column.ndim != 2:
                return {name: column}
            # Of other columns a length that all rows have is what they are, such as a class each.
            filled_up = mask is not None or name in self._padding or _along(name, column, batch)
            if not filled_up or not column.shape[1] % self._multiple:
                return {name: column} | ({} if mask is None else {mask: _ones(column.shape)})
        import numpy as np

        rows = [_plain(row) for row in column]
        lists = [row for row in rows if row is not None]
        if mask is not None and not lists:
            lists = [np.zeros(0, np.int64)]
        if not lists or not all(_is_array(row) and row.ndim == 1 for row in lists):
            return {name: rows}
        there = np.array([0 if row is None else len(row) for row in rows])
        width = -(-int(there.max()) // self._multiple) * self._multiple
        kinds = [row.dtype for row in lists if len(row)] or [np.dtype(np.int64)]
        padding = self._padding.get(name, -100 if name.endswith("labels") else 0)
        dtype = np.result_type(*kinds)
        if isinstance(padding, float) and not padding.is_integer():
            dtype = np.result_type(dtype, np.float32)
        elif dtype == np.bool_ and padding not in (0, 1):
            dtype = np.dtype(np.int64)
        filled = np.full((len(rows), width), padding, dtype=dtype)
        inside = np.arange(width) < there[:, None]
        filled[inside] = np.concatenate(lists)
        return {name: filled} | ({} if mask is None else {mask: inside.astype(np.int64)})


def _along(name: str, column: Any, batch: Mapping[str, Any]) -> bool:
    """Return whether a column has a value for each token id, by its name and its shape."""
    return name.endswith(("labels", "_ids", "_mask", "_masks")) and any(
        ids.endswith("input_ids")
        and name.startswith(ids.removesuffix("input_ids"))
        and getattr(of, "shape", None) == column.shape
        for ids, of in batch.items()
    )


def _ones(shape: tuple[int, ...]) -> Any:
    """Return ones of 64 bits, in memory of the core's allocator, which keeps its pages."""
    import numpy as np

    buffer = _core.WritableBuffer.ones(math.prod(shape))
    return np.frombuffer(memoryview(buffer), np.int64).reshape(shape)


def _plain(value: Any) -> Any:
    """Return a value that is no array of numbers as Python has it; an empty list as an array."""
    import numpy as np

    if getattr(value, "ndim", None) == 0:
        return value.item()
    if isinstance(value, (list, np.ndarray)) and not len(value) and not _is_array(value):
        # What an empty list would have is not known.
        return np.zeros(0, np.int64)
    if isinstance(value, (list, np.ndarray)) and getattr(value, "dtype", None) in (None, object):
        # What a function made of numbers of several kinds.
        items = [_plain(of) for of in value]
        if all(isinstance(of, (bool, int, float)) for of in items):
            return np.array(items)
    if isinstance(value, dict):
        return {name: _plain(of) for name, of in value.items()}
    return value


def _is_array(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and hasattr(value, "ndim") and dtype.kind in "biuf"


@functools.cache
def _tensors(format: str) -> Any:
    """Return the function that makes a tensor of an array."""
    if format == "torch":
        import torch

        def tensor(array: Any) -> Any:
            array = array if array.flags.writeable else array.copy()
            if not torch.is_inference_mode_enabled():
                return torch.from_numpy(array)
            # Of one kind, whichever thread makes it, and in whichever mode the loop is.
            with torch.inference_mode(mode=False):
                return torch.from_numpy(array)

        return tensor
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
