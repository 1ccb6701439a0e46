"""Rows and batches as Polars frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.arrow.stored import polars_frame
from rowstream.formatting.batches import arrow

if TYPE_CHECKING:
    from rowstream import _core


def batch(batch: _core.Batch) -> Any:
    """Return a batch, as a frame."""
    return polars_frame(arrow.batch(batch))


row = batch


def example(example: dict[str, Any], schema: Any = None) -> Any:
    """Return a row that a function made, with the types of a schema if there is one."""
    return polars_frame(arrow.example(example, schema))


def columns(columns: dict[str, Any]) -> Any:
    """Return a batch that functions made: a dict of lists."""
    return polars_frame(arrow.columns(columns))


def item(batch: Any) -> Any:
    """Return a batch as one item: a frame of one row, whose columns are lists."""
    return batch if hasattr(batch, "get_columns") else polars_frame(arrow.item(batch))


def group(items: list[Any]) -> Any:
    """Items together: one frame with a row of each."""
    import polars as pl

    return pl.concat(items)
