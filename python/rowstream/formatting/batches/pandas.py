"""Rows and batches as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.formatting.batches import arrow

if TYPE_CHECKING:
    from rowstream import _core


def batch(batch: _core.Batch) -> Any:
    """Return a batch, as a frame."""
    return arrow.batch(batch).to_pandas()


row = batch


def example(example: dict[str, Any], schema: Any = None) -> Any:
    """Return a row that a function made, with the types of a schema if there is one."""
    return arrow.example(example, schema).to_pandas()


def columns(columns: dict[str, Any]) -> Any:
    """Return a batch that functions made: a dict of lists."""
    return arrow.columns(columns).to_pandas()


def item(batch: Any) -> Any:
    """Return a batch as one item: a frame of one row, whose columns are lists."""
    return batch if hasattr(batch, "iloc") else arrow.item(batch).to_pandas()


def group(items: list[Any]) -> Any:
    """Items together: one frame with a row of each."""
    import pandas as pd

    return pd.concat(items, ignore_index=True)
