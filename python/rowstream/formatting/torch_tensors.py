"""The formatter for torch tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from rowstream.arrow.numpy import default_type
from rowstream.formatting.tensors import TensorFormatter, alike, divided, separate

if TYPE_CHECKING:
    from rowstream import _core


class TorchFormatter(TensorFormatter):
    """The formatter that returns dicts of torch tensors.

    They are `int64`, `float32` or `bool`, unless `dtype=` sets another type.
    """

    name = "torch"
    copies = True

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
        if self.kwargs:
            return self.leaf(values)
        # A tensor's memory may be written: what may not be, is copied.
        dtype, shared = default_type(values.dtype, values), not values.flags.writeable
        return self.torch.from_numpy(values.astype(dtype, copy=shared))

    def ragged(self, values: Any, lengths: list[int], rows: list[Any]) -> Any:
        if self.kwargs or values.dtype.kind not in "iuf":
            return super().ragged(values, lengths, rows)
        return self._separate(rows)

    def number_list(self, values: list[Any], array: Any) -> Any:
        if self.kwargs:
            return self.torch.tensor(values, **self.kwargs)
        result = self.torch.from_numpy(array)
        return result.to(self.torch.get_default_dtype()) if array.dtype.kind == "f" else result

    def texts(self, values: list[Any]) -> Any:
        return values

    def text(self, value: Any) -> Any:
        return value

    def row_arrays(self, rows: _core.SelectedRows, i: int) -> Iterable[Any] | None:
        found = None if self.kwargs else rows.array(i, by_default=True)
        # Large unsigned numbers stay so, which a row may not have.
        if found is None or found[0] == "<u8":
            return None
        dtype, shape, data, lengths = found
        values = np.frombuffer(memoryview(data), dtype)
        if lengths is not None:
            parts = divided(values, lengths)
        else:
            values = values.reshape(-1, *shape) if shape else values
            parts = [values[i, ...] for i in range(len(values))]
        return self._separate(separate(parts, data))

    def _separate(self, arrays: Iterable[Any]) -> list[Any]:
        """Return arrays as tensors that know nothing of each other, though they lie in one memory.

        Views of one tensor could not be changed in place where gradients are computed, and would
        be saved with all of it.
        """
        return [*map(self.torch.from_numpy, arrays)]

    def items(self, column: Any) -> Any:
        if not isinstance(column, self.torch.Tensor):
            return column
        if column.device.type != "cpu" or column.requires_grad or self.kwargs:
            return [column[i] for i in range(len(column))]
        values = column.numpy()
        return self._separate(values[i, ...] for i in range(len(values)))

    def stack(self, column: list[Any]) -> Any:
        return self.torch.stack(column) if alike(column, self.torch.Tensor) else column

    def kept(self, value: Any) -> Any:
        return value.detach().to(**self.kwargs) if self.kwargs else value.detach()

    def pixels(self, array: Any) -> Any:
        # Colours first, and memory of its own: an image's may not be written.
        colours = (array[:, :, np.newaxis] if array.ndim == 2 else array).transpose((2, 0, 1))
        result = self.torch.from_numpy(colours.copy(order="C"))
        return result.to(**self.kwargs) if self.kwargs else result

    def plain(self, array: Any) -> Any:
        result = self.torch.from_numpy(array)
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
