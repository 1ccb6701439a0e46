"""Texts of whole tables by a template: column by column in Arrow where that can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.exceptions import InvalidArgumentError
from rowstream.tabular.templates import StringTemplate, TextTemplate

_ROWS = 65_536
_TEXT = pa.large_string()


def table_of(data: Any, columns: Sequence[str]) -> pa.Table:
    """Return the columns of a frame, an Arrow table or a list of rows, those that there are."""
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data
    if hasattr(data, "to_arrow"):  # Polars
        there = [name for name in columns if name in data.columns]
        table: pa.Table = data.select(there).to_arrow()
        return table
    if hasattr(data, "iloc"):  # pandas
        there = [name for name in columns if name in data.columns]
        return pa.table({name: _of_pandas(data[name]) for name in there})
    rows = [*data]
    if not all(isinstance(row, Mapping) for row in rows):
        raise InvalidArgumentError(
            f"expected rows as dicts, found a {type(rows[0]).__name__}; frames of pandas and"
            " Polars, Arrow tables, datasets and streams are taken too"
        )
    # The one that lacks a column says so; rows without values have none.
    there = [name for name in columns if all(name in row for row in rows)]
    return pa.table({name: _array([row[name] for row in rows]) for name in there})


def _of_pandas(series: Any) -> pa.Array:
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _array(series.tolist())


def _array(values: list[Any]) -> pa.Array:
    """Return values as an array; those of several types as texts."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in values], _TEXT)


def texts(template: TextTemplate, table: pa.Table, indices: Sequence[int], seed: int) -> pa.Array:
    """Return the texts of rows as an array.

    Args:
        template: The template.
        table: The rows.
        indices: The number of each row, from which its variant follows.
        seed: The seed of the variants.
    """
    template.check(table.column_names)
    chosen = _variants(seed, np.asarray(indices, np.uint64), template.variants)
    parts = []
    for start in range(0, len(table), _ROWS):
        rows = table.select(template.fields).slice(start, _ROWS)
        of = chosen[start : start + _ROWS]
        if isinstance(template, StringTemplate):
            parts.append(_joined(template, rows, of))
        else:
            made = map(template.render, rows.to_pylist(), of.tolist())
            parts.append(pa.array(made, _TEXT))
    return pa.concat_arrays(parts) if parts else pa.array([], _TEXT)


def _variants(seed: int, indices: Any, count: int) -> Any:
    """Return the variant of each row, as `variant_of` does."""
    first = np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    with np.errstate(over="ignore"):
        x = first + (indices + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((x ^ (x >> np.uint64(31))) % np.uint64(count)).astype(np.int64)


def _joined(template: StringTemplate, rows: pa.Table, variants: Any) -> pa.Array:
    cells = {name: _cells(template, name, rows.column(name)) for name in rows.column_names}
    if template.variants == 1:
        return _join(template.parts[0], cells, len(variants))
    parts, places = [], []
    for variant, part in enumerate(template.parts):
        at = np.flatnonzero(variants == variant)
        places.append(at)
        parts.append(_join(part, {n: cells[n].take(pa.array(at)) for n in set(part[1])}, len(at)))
    order = np.empty(len(variants), np.int64)
    order[np.concatenate(places)] = np.arange(len(variants))
    return pa.concat_arrays(parts).take(pa.array(order))


def _join(part: tuple[list[str], list[str]], cells: Mapping[str, pa.Array], size: int) -> pa.Array:
    between, columns = part
    pieces: list[Any] = [pa.scalar(between[0], _TEXT)]
    for column, after in zip(columns, between[1:], strict=True):
        pieces += [cells[column], pa.scalar(after, _TEXT)]
    if not columns:
        return pa.repeat(pieces[0], size)
    return pc.binary_join_element_wise(*pieces, pa.scalar("", _TEXT))


def _cells(template: StringTemplate, name: str, column: pa.ChunkedArray) -> pa.Array:
    """Return cells as texts; each value that occurs is made text once."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    if text and name not in template.formats:
        array = array.cast(_TEXT)
        empty = pc.or_kleene(pc.is_null(array), pc.equal(array, ""))
        return pc.if_else(
            pc.fill_null(empty, fill_value=True), pa.scalar(template.missing, _TEXT), array
        )
    if pa.types.is_integer(array.type) and name not in template.formats:
        return pc.fill_null(array.cast(_TEXT), pa.scalar(template.missing, _TEXT))
    if not pa.types.is_nested(array.type) and not pa.types.is_string_view(array.type):
        coded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
        made = pa.array(
            [template.text_of_cell(name, value) for value in coded.dictionary.to_pylist()], _TEXT
        )
        return pc.fill_null(made.take(coded.indices), pa.scalar(template.missing, _TEXT))
    values = array.to_pylist()
    return pa.array([template.text_of_cell(name, value) for value in values], _TEXT)
