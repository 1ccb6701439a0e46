"""Formatted access to the rows and columns of a table by key."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream import _core
from rowstream.formatting.python import PythonFormatter
from rowstream.table.rows import arrow_table, core_of, is_position, positions_of
from rowstream.table.table import Table

if TYPE_CHECKING:
    from rowstream.formatting.base import Formatter


def key_to_query_type(key: Any) -> str:
    """Return whether a key asks for a row, a column or a batch.

    Raises:
        TypeError: The key is none of these.
    """
    if isinstance(key, str):
        return "column"
    if is_position(key):
        return "row"
    if isinstance(key, (slice, range, Iterable)):
        return "batch"
    raise TypeError(
        f"Wrong key type: '{key}' of type '{type(key)}'. Expected one of int, slice, range, str or"
        " Iterable."
    )


def gather(table: Any, positions: Any) -> pa.Table:
    """Return rows of a table by position as a pyarrow table, also from many chunks."""
    if hasattr(type(table), "gather"):
        return table.gather(positions)
    plain = getattr(table, "table", table)
    if isinstance(positions, range) and positions.step == 1:
        return plain.slice(positions.start, len(positions))
    rows = np.asarray(positions, dtype=np.int64)
    if not len(rows):
        return plain.slice(0, 0)
    core = core_of(table) if isinstance(table, Table) else None
    if core is not None:
        return arrow_table(core.select(rows.tobytes()))
    try:
        return plain.take(pa.array(rows, pa.int64()))
    except pa.ArrowException:
        # Extension types, and what overflows when it is put together.
        parts = [plain.slice(int(i), 1) for i in rows]
        return pa.concat_tables(parts)


def query_table(table: Any, key: Any, indices: Any = None) -> pa.Table:
    """Return the rows or the column of a table that a key asks for.

    With `indices`, the key counts in this list of rows.
    """
    check, column = getattr(type(table), "check", _unchecked), key if isinstance(key, str) else None
    plain = table
    if isinstance(key, str):
        if key not in table.column_names:
            raise KeyError(
                f"Column {key} not in the dataset. Current columns in the dataset:"
                f" {table.column_names}"
            )
        plain, key = table.select([key]), slice(None)
    key_to_query_type(key)
    if indices is None:
        positions = positions_of(key, plain.num_rows)
        check(table, positions, column)
        return gather(plain, positions)
    getattr(type(indices), "check", _unchecked)(indices)
    mapping = getattr(indices, "table", indices).column(0)
    positions = positions_of(key, len(mapping))
    if isinstance(positions, range) and positions.step == 1:
        rows = mapping.slice(positions.start, len(positions)).to_numpy()
    else:
        rows = pc.take(mapping, pa.array(np.asarray(positions), pa.int64())).to_numpy()
    check(table, rows, column)
    return gather(plain, rows)


def _unchecked(table: Any, rows: Any = None, column: str | None = None) -> None:
    """Do nothing: plain pyarrow tables have no checksums."""


def format_table(
    table: Any,
    key: Any,
    formatter: Formatter,
    format_columns: list[str] | None = None,
    output_all_columns: bool = False,
) -> Any:
    """Format the rows or the column that a key asked for.

    Args:
        table: The rows or the column: a table, or rows that the core selected.
        key: The key: an integer, the name of a column, or anything else for a batch.
        formatter: The formatter.
        format_columns: The columns to format; all if `None`.
        output_all_columns: Add the other columns as Python objects.
    """
    plain = getattr(table, "table", table)
    if isinstance(plain, _core.SelectedRows) and not formatter.reads_selected:
        plain = arrow_table(plain)
    kind = key_to_query_type(key)
    if format_columns is None:
        return formatter(plain, kind)
    python = PythonFormatter(features=formatter.features)
    if kind == "column":
        return formatter(plain, kind) if key in format_columns else python(plain, kind)
    result = formatter(
        plain.select([name for name in plain.column_names if name in format_columns]), kind
    )
    if output_all_columns:
        if not isinstance(result, MutableMapping):
            raise TypeError(
                "Custom formatting function must return a dict to work with"
                f" output_all_columns=True, but got {result}"
            )
        result.update(
            python(
                plain.select([name for name in plain.column_names if name not in format_columns]),
                kind,
            )
        )
    return result
