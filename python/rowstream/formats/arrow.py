"""Rows and batches as pyarrow tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from rowstream import _core


def batch(batch: _core.Batch) -> pa.Table:
    """A batch, as a table."""
    return pa.Table.from_batches([pa.record_batch(batch)])


row = batch


def group(items: list[Any]) -> pa.Table:
    """A batch of batches: a table whose columns are lists."""
    columns = {}
    for name in items[0].column_names:
        lists = [item.column(name).combine_chunks() for item in items]
        offsets = [0]
        for part in lists:
            offsets.append(offsets[-1] + len(part))
        columns[name] = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.concat_arrays(lists))
    return pa.table(columns)
