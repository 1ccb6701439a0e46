"""Formatters for NumPy arrays and torch tensors, and the base class of those for tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.arrow.numpy import NO_NUMBERS, default_type, numpy_column, objects, plain_numbers
from rowstream.features.infer import array_of, first_there
from rowstream.formatting.base import Formatter


class TensorFormatter(Formatter):
    """The base class of the formatters that return dicts of tensors."""

    def leaf(self, value: Any) -> Any:
        """Return a NumPy array or scalar as a tensor."""
        raise NotImplementedError

    def stack(self, column: list[Any]) -> Any:
        """Stack tensors of the same shape and type into one; return others as they are."""
        raise NotImplementedError

    def own(self, value: Any) -> bool:
        """Return whether a value is a tensor of the library already."""
        return False

    def recursive_tensorize(self, value: Any) -> Any:
        """Convert the numbers and arrays in a value to tensors, inside dicts and lists too."""
        if isinstance(value, Mapping):
            return {name: self.recursive_tensorize(one) for name, one in value.items()}
        if self.own(value):
            return self.kept(value)
        if _is_image(value):
            return self.pixels(np.asarray(value))
        if hasattr(value, "__array__") and not isinstance(
            value, (np.ndarray, np.character, np.number)
        ):
            value = value.__array__()
        if isinstance(value, np.ndarray) and value.dtype == object and not value.ndim:
            return self.recursive_tensorize(value.item())
        if (isinstance(value, np.ndarray) and value.dtype == object) or isinstance(
            value, (list, tuple)
        ):
            return self.stack([self.recursive_tensorize(one) for one in value])
        if self.stays(value):
            # Texts, also those of an array, as Python has them.
            return (
                value.tolist()
                if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "SU"
                else value
            )
        return self.leaf(value)

    def stays(self, value: Any) -> bool:
        """Return whether a value is returned as it is, since the library has no tensors for it."""
        if isinstance(value, (np.ndarray, np.generic)):
            return value.dtype.kind in "mMSU"
        return value is None or isinstance(value, (str, bytes, *NO_NUMBERS))

    def kept(self, value: Any) -> Any:
        """Return a tensor of the library as it is, or converted if the format has options."""
        return self.leaf(value) if self.kwargs else value

    def pixels(self, array: Any) -> Any:
        """Return the pixels of an image as a tensor of their own type."""
        raise NotImplementedError

    def _column(self, pa_table: Any, name: str) -> list[Any] | np.ndarray[Any, Any]:
        if self._decodes(name):
            return self._decoded(name, pa_table.column(name).to_pylist())
        return numpy_column(pa_table.column(name))

    def format_row(self, pa_table: Any) -> dict[str, Any]:
        """Return the first row as a dict of tensors."""
        one = pa_table.slice(0, 1)
        return {
            name: self.recursive_tensorize(self._column(one, name)[0]) for name in one.column_names
        }

    def format_column(self, pa_table: Any) -> Any:
        """Return the first column as a tensor, or as a list if it can't be one."""
        result = self.recursive_tensorize(self._column(pa_table, pa_table.column_names[0]))
        return self.stack(result) if isinstance(result, list) else result

    def format_batch(self, pa_table: Any) -> dict[str, Any]:
        """Return the table as a dict of tensors."""
        result = {}
        for name, column in zip(pa_table.column_names, pa_table.columns, strict=True):
            values = None if self.kwargs or self._decodes(name) else plain_numbers(column)
            result[name] = (
                self.format_column(pa_table.select([name]))
                if values is None
                else self.numbers(values)
            )
        return result

    def format_columns(self, columns: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Format columns of Python objects like the columns of a table.

        Values that Arrow can't store, such as images, are converted one by one.
        """
        result = {}
        for name, values in columns.items():
            if _has_images(values):
                result[name] = self.recursive_tensorize(values)
                continue
            try:
                table = pa.table({name: array_of(values)})
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                result[name] = self.recursive_tensorize(values)
            else:
                result[name] = self.format_batch(table)[name]
        return result

    def numbers(self, values: Any) -> Any:
        """Return an array of numbers as a tensor, as `leaf` does."""
        return self.leaf(values)


def _is_image(value: Any) -> bool:
    """Return whether a value is a Pillow image, of which some versions have no `__array__`."""
    return type(value).__module__.startswith("PIL.")


def _has_images(value: Any) -> bool:
    """Return whether a value contains images, as the first items of lists show."""
    if isinstance(value, Mapping):
        return any(map(_has_images, value.values()))
    return _has_images(first_there(value)) if isinstance(value, (list, tuple)) else _is_image(value)


def alike(column: list[Any], kind: Any) -> bool:
    """Return whether all values are arrays of the same shape and type."""
    return bool(column) and all(
        isinstance(one, kind) and one.shape == column[0].shape and one.dtype == column[0].dtype
        for one in column
    )


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

    def stays(self, value: Any) -> bool:
        return False

    def pixels(self, array: Any) -> Any:
        return np.asarray(array, **self.kwargs)

    def recursive_tensorize(self, value: Any) -> Any:
        if type(value).__module__ == "torch":
            value = value.detach().cpu().numpy()[()]
        return super().recursive_tensorize(value)


class TorchFormatter(TensorFormatter):
    """The formatter that returns dicts of torch tensors.

    They are `int64`, `float32` or `bool`, unless `dtype=` sets another type.
    """

    name = "torch"

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import torch
        except ImportError as error:
            raise ValueError(
                "PyTorch needs to be installed to be able to return PyTorch tensors."
            ) from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.torch = torch

    def own(self, value: Any) -> bool:
        return isinstance(value, self.torch.Tensor)

    def numbers(self, values: Any) -> Any:
        # A tensor's memory may be written, so it is always a copy.
        return self.torch.from_numpy(values.astype(default_type(values.dtype, values)))

    def stack(self, column: list[Any]) -> Any:
        return self.torch.stack(column) if alike(column, self.torch.Tensor) else column

    def kept(self, value: Any) -> Any:
        return value.detach().to(**self.kwargs) if self.kwargs else value.detach()

    def pixels(self, array: Any) -> Any:
        # Colours first, and memory of its own: an image's may not be written.
        colours = (array[:, :, np.newaxis] if array.ndim == 2 else array).transpose((2, 0, 1))
        result = self.torch.from_numpy(colours.copy(order="C"))
        return result.to(**self.kwargs) if self.kwargs else result

    def leaf(self, value: Any) -> Any:
        torch, options = self.torch, self.kwargs
        if not isinstance(value, (np.number, np.bool_, np.ndarray)):
            return torch.tensor(value, **options)
        number = value.dtype.kind in "iuf" and "dtype" not in options
        dtype = default_type(value.dtype, value) if number else value.dtype.newbyteorder("=")
        # One copy, of memory that may not be written; `torch.tensor` warns of it.
        kept = torch.from_numpy(np.array(value, dtype))
        return kept.to(**options) if options else kept
