"""The format of pandas data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.formatting.batches import arrow

if TYPE_CHECKING:
    import pandas as pd

    from rowstream import _core


def batch(batch: _core.Batch) -> pd.DataFrame:
    """Return a batch as a data frame."""
    return arrow.batch(batch).to_pandas()


row = batch


def example(example: dict[str, Any], schema: Any = None) -> pd.DataFrame:
    """Format a row that a user's function returned, with the schema's types if given."""
    return arrow.example(example, schema).to_pandas()


def columns(columns: dict[str, Any]) -> pd.DataFrame:
    """Format a batch that users' functions returned, a dict of lists."""
    return arrow.columns(columns).to_pandas()


def item(batch: Any) -> Any:
    """Format a batch as one row of a batched dataset: a data frame of one row with lists."""
    return batch if hasattr(batch, "iloc") else arrow.item(batch).to_pandas()


def group(items: list[Any]) -> Any:
    """Join the data frames of several rows into one."""
    import pandas as pd

    return pd.concat(items, ignore_index=True)
