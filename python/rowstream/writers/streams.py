"""Batches of a stream in types that a file has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.ops.apply import columns_of

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1000
ROW_GROUP = 64 << 20  # bytes of a row group of Parquet
LOOKED_AT = 10  # batches of what functions made, from which types are found


def common_schema(schemas: list[Any]) -> pa.Schema:
    """Return the common schema of batches that functions returned.

    Raises:
        SchemaError: A column has types that do not go together.
    """
    import pyarrow as pa

    try:
        return pa.unify_schemas([pa.schema([]), *schemas], promote_options="permissive")
    except pa.ArrowException as error:
        raise SchemaError(
            f"the first {len(schemas)} batches have no types in common: {error}. Say which they"
            " have with map(features=…); Json() takes any value"
        ) from error


def typed_batches(rows: list[dict[str, Any]], schema: Any) -> pa.Table:
    """Convert rows that functions returned to a table of a schema."""
    import pyarrow as pa

    from rowstream.arrow.exact import FAILED

    columns = columns_of(rows)
    if new := [name for name in columns if name not in schema.names]:
        raise InvalidArgumentError(
            f"a function returned columns that earlier rows did not have: {new}; name all columns"
            " with map(features=…)"
        )
    result = []
    for field in schema:
        try:
            result.append(as_features(columns.get(field.name, [None] * len(rows)), field.type))
        except FAILED as error:
            raise SchemaError(
                f"column {field.name!r}: {error}; earlier rows were {field.type}: name the types"
                " with map(features=…)"
            ) from error
    return pa.table(result, schema=schema)


def as_features(values: list[Any], kind: Any) -> pa.Array:
    """Convert values to an array of a type; they may be tensors or have several dimensions."""
    from rowstream.arrow.cast import array_cast
    from rowstream.arrow.exact import FAILED, exact_array
    from rowstream.features.infer import array_of

    try:
        return exact_array(values, kind)
    except FAILED:
        return array_cast(array_of(values), kind)
