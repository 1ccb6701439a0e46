"""Which types have an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def is_ordered(key: pa.Table) -> bool:
    """Return whether values of the type of a column `key` can be sorted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _has_lists(key.schema.field("key").type):
        return False
    try:
        pc.sort_indices(key, sort_keys=[("key", "ascending")])
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True


def _has_lists(kind: pa.DataType) -> bool:
    """Return whether a type is one of lists, or has one inside."""
    kind = getattr(kind, "storage_type", kind)
    return hasattr(kind, "value_type") or any(
        _has_lists(kind.field(i).type) for i in range(kind.num_fields)
    )
