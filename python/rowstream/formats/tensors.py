"""Rows and batches as arrays of a library, as map-style data sets have them: JAX, TensorFlow, MLX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.formatting import get_formatter

if TYPE_CHECKING:
    from rowstream import _core


class Tensors:
    """The formatter of a library.

    Args:
        name: the format's name, as `with_format` has it.

    Raises:
        ValueError: the library is not installed.
    """

    def __init__(self, name: str) -> None:
        self._make: Any = get_formatter(name)

    def batch(self, batch: _core.Batch) -> dict[str, Any]:
        """A batch."""
        made: dict[str, Any] = self._make.format_batch(pa.Table.from_batches([pa.record_batch(batch)]))
        return made

    def row(self, batch: _core.Batch) -> dict[str, Any]:
        """One row: the only one of a batch."""
        made: dict[str, Any] = self._make.format_row(pa.Table.from_batches([pa.record_batch(batch)]))
        return made

    def example(self, example: dict[str, Any]) -> dict[str, Any]:
        """A row that a function made."""
        return {name: self._make.recursive_tensorize(value) for name, value in example.items()}

    def columns(self, columns: dict[str, Any]) -> dict[str, Any]:
        """A batch that functions made: a dict of lists."""
        made: dict[str, Any] = self._make.format_columns(columns)
        return made

    def item(self, batch: _core.Batch | dict[str, Any]) -> dict[str, Any]:
        """A batch as one item."""
        return batch if isinstance(batch, dict) else self.batch(batch)

    def group(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Items together."""
        return {name: self._make.stack([item[name] for item in items]) for name in (items[0] if items else ())}
