"""Rows and batches as pyarrow tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from rowstream import _core

_MOST = 2**31 - 1  # what 32-bit offsets can say


def batch(batch: _core.Batch) -> pa.Table:
    """A batch, as a table."""
    return pa.Table.from_batches([pa.record_batch(batch)])


row = batch


def example(example: dict[str, Any], schema: Any = None) -> pa.Table:
    """A row that a function made, with the types of a schema if there is one."""
    if schema is not None and set(schema.names) != set(example):
        schema = None
    return pa.Table.from_pylist([example], schema)


def columns(columns: dict[str, Any]) -> pa.Table:
    """A batch that functions made: a dict of lists."""
    return pa.table(columns)


def item(batch: _core.Batch | pa.Table) -> pa.Table:
    """A batch as one item: a table of one row, whose columns are lists."""
    table = batch if isinstance(batch, pa.Table) else row(batch)
    lists = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        kind = pa.ListArray if len(column) <= _MOST else pa.LargeListArray
        lists[name] = kind.from_arrays([0, len(column)], column)
    return pa.table(lists)


def group(items: list[pa.Table]) -> pa.Table:
    """Items together: one table with a row of each."""
    # A null in one row says no type.
    return pa.concat_tables(items, promote_options="permissive")
