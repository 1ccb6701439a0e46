"""The format of pyarrow tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.arrow.exact import FAILED, InexactError, exact_array, located
from rowstream.features.infer import array_of

if TYPE_CHECKING:
    from rowstream import _core


_MOST = 2**31 - 1  # what 32-bit offsets can say


def batch(batch: _core.Batch) -> pa.Table:
    """Return a batch as a table."""
    return pa.Table.from_batches([pa.record_batch(batch)])


row = batch


def example(example: dict[str, Any], schema: Any = None) -> pa.Table:
    """Format a row that a user's function returned, as a table with the schema's types if given."""
    if schema is not None and set(schema.names) != set(example):
        schema = None
    if schema is None:
        return columns({name: [value] for name, value in example.items()})
    arrays = []
    for field in schema:
        values = [example[field.name]]
        try:
            arrays.append(exact_array(values, field.type))
        except FAILED as error:
            raise located(
                error, field.name, values, str(field.type), partial(exact_array, kind=field.type)
            ) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def columns(columns: dict[str, Any]) -> pa.Table:
    """Format a batch that users' functions returned, a dict of lists."""
    arrays = {}
    for name, values in columns.items():
        try:
            arrays[name] = array_of(values)
        except FAILED as error:
            raise InexactError(
                f"column {name!r}: its values have no common type: {error}. Say which it has, such"
                " as with map(features=…); Json() takes any value"
            ) from error
    return pa.table(arrays)


def item(batch: _core.Batch | pa.Table) -> pa.Table:
    """Format a batch as one row of a batched dataset: a table of one row with lists."""
    table = batch if isinstance(batch, pa.Table) else row(batch)
    lists = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        kind = pa.ListArray if len(column) <= _MOST else pa.LargeListArray
        lists[name] = kind.from_arrays([0, len(column)], column)
    return pa.table(lists)


def group(items: list[pa.Table]) -> pa.Table:
    """Join the tables of several rows into one table."""
    # A null in one row says no type.
    try:
        return pa.concat_tables(items, promote_options="permissive")
    except pa.ArrowInvalid:
        # Integers of which only some need 64 bits without a sign: together they say so.
        names = dict.fromkeys(name for item in items for name in item.column_names)
        return columns(
            {name: [one for item in items for one in _values(item, name)] for name in names}
        )


def _values(table: pa.Table, name: str) -> list[Any]:
    result: list[Any] = (
        table[name].to_pylist() if name in table.column_names else [None] * table.num_rows
    )
    return result
