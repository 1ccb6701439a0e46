"""The format of Python objects: rows as dicts, batches as dicts of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream import _core


def row(batch: _core.Batch) -> dict[str, Any]:
    """Return the row of a batch with one row."""
    return batch.to_pylist()[0]


def batch(batch: _core.Batch) -> dict[str, list[Any]]:
    """Return a batch as a dict of lists."""
    return batch.to_pydict()


def example(example: dict[str, Any]) -> dict[str, Any]:
    """Return a row that a user's function returned, unchanged."""
    return example


def columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Return a batch that users' functions returned, unchanged."""
    return columns


def item(batch: _core.Batch | dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Format a batch as one row of a batched dataset: a dict of lists."""
    return batch if isinstance(batch, dict) else batch.to_pydict()


def group(items: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Join rows into a dict of lists, with `None` for a column that a row lacks."""
    names = dict.fromkeys(name for item in items for name in item)
    return {name: [item.get(name) for item in items] for name in names}
