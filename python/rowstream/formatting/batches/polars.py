"""The format of Polars data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.arrow.stored import polars_frame
from rowstream.formatting.batches import arrow

if TYPE_CHECKING:
    import polars as pl

    from rowstream import _core


def batch(batch: _core.Batch) -> pl.DataFrame:
    """Return a batch as a data frame."""
    return polars_frame(arrow.batch(batch))


row = batch


def example(example: dict[str, Any], schema: Any = None) -> pl.DataFrame:
    """Format a row that a user's function returned, with the schema's types if given."""
    return polars_frame(arrow.example(example, schema))


def columns(columns: dict[str, Any]) -> pl.DataFrame:
    """Format a batch that users' functions returned, a dict of lists."""
    return polars_frame(arrow.columns(columns))


def item(batch: Any) -> Any:
    """Format a batch as one row of a batched dataset: a data frame of one row with lists."""
    return batch if hasattr(batch, "get_columns") else polars_frame(arrow.item(batch))


def group(items: list[Any]) -> Any:
    """Join the data frames of several rows into one."""
    import polars as pl

    return pl.concat(items)
