"""Columns converted to other types: flattened, as text, as class labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.features.features import Features
from rowstream.features.nested import flat_fields
from rowstream.formatting.column import Column
from rowstream.table.table import Table
from rowstream.writers.infer import column, given_column

if TYPE_CHECKING:
    from rowstream.features.scalar import ClassLabel


def flat_fields_of(data: Table, features: Features) -> tuple[Table, Features]:
    """Return a table with the fields of structs as columns, one level deep.

    Media types that are decoded stay as they are.
    """
    arrays: list[Any] = []
    result: dict[str, Any] = {}
    for name, feature in features.items():
        fields = flat_fields(feature)
        data.check(column=name)
        column = data.table.column(name)
        if fields is None:
            arrays.append(column)
            result[name] = feature
            continue
        chunks = [
            dict(zip((of.name for of in chunk.type), chunk.flatten(), strict=True))
            for chunk in column.chunks
        ]
        for key, one in fields.items():
            arrays.append(
                pa.chunked_array([chunk[key] for chunk in chunks], column.type.field(key).type)
            )
            result[f"{name}.{key}"] = one
    flat = Features(result)
    return Table(pa.Table.from_arrays(arrays, schema=flat.arrow_schema), ()), flat


def as_text(batch: Any, column: str, include_nulls: bool) -> Any:
    """Return a batch with one column converted to text."""
    batch[column] = [
        None if value is None and not include_nulls else str(value) for value in batch[column]
    ]
    return batch


def as_labels(batch: Any, column: str, label: ClassLabel, include_nulls: bool) -> Any:
    """Return a batch with one column converted to the integers of class labels."""
    # A batch has few values that differ.
    numbers = {
        value: None if value is None and not include_nulls else label.str2int(str(value))
        for value in {*batch[column]}
    }
    batch[column] = [numbers[value] for value in batch[column]]
    return batch


def aligned_labels(batch: Any, column: str, ids: list[int]) -> Any:
    """Return a batch with the class labels of one column, or of lists in it, renumbered."""

    def of(value: Any) -> Any:
        return (
            None
            if value is None
            else [of(one) for one in value]
            if isinstance(value, list)
            else ids[value]
        )

    batch[column] = [of(value) for value in batch[column]]
    return batch


def column_of(name: str, values: Any, feature: Any) -> tuple[Any, Any]:
    """Return an Arrow array of values, and its feature."""
    if isinstance(values, Column):
        values = list(values)
    array, found = (
        column(values) if feature is None else (given_column(values, feature, name), feature)
    )
    return array, found
