"""Rows as dicts of Python objects, batches as dicts of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream import _core


def row(batch: _core.Batch) -> dict[str, Any]:
    """One row."""
    return batch.to_pylist()[0]


def batch(batch: _core.Batch) -> dict[str, list[Any]]:
    """Return a batch."""
    return batch.to_pydict()


def example(example: dict[str, Any]) -> dict[str, Any]:
    """Return a row that a function made."""
    return example


def columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Return a batch that functions made: a dict of lists."""
    return columns


def item(batch: _core.Batch | dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return a batch as one item."""
    return batch if isinstance(batch, dict) else batch.to_pydict()


def group(items: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Items together; a column that one lacks is `None` there."""
    names = dict.fromkeys(name for item in items for name in item)
    return {name: [item.get(name) for item in items] for name in names}
