"""Tables that have columns and no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def empty_table(schema: Any) -> pa.Table:
    """Return a table of a schema without rows.

    pyarrow has no empty array of a list or a struct with an extension type inside: such a table has
    columns without chunks.
    """
    import pyarrow as pa

    try:
        return schema.empty_table()
    except pa.ArrowNotImplementedError:
        return pa.Table.from_batches([], schema=schema)
