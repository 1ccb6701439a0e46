"""Rows into SQL databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def signed(table: Any) -> Any:
    """Return a table with signed integers in place of unsigned ones of 64 bits, which databases do
    not have.

    Raises:
        InvalidArgumentError: one is too large.
    """
    import pyarrow as pa

    for i, of in enumerate(table.schema):
        if pa.types.is_uint64(of.type):
            try:
                table = table.set_column(i, of.name, table.column(i).cast(pa.int64()))
            except pa.ArrowInvalid as error:
                raise InvalidArgumentError(
                    f"to_sql: column {of.name!r} has integers that no database holds: {error}"
                ) from None
    return table


def inserted(frames: Iterator[Any], name: str, con: Any, options: dict[str, Any]) -> int:
    """Frames written into a table of a database, one after another; gives the rows."""
    total = 0
    for i, frame in enumerate(frames):
        given = {"index": False, **options, **({"if_exists": "append"} if i else {})}
        total += frame.to_sql(name, con, **given) or len(frame)
    return total
