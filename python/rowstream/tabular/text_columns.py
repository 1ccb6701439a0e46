"""Texts of whole tables by a template: column by column in Arrow where that can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.exceptions import InvalidArgumentError
from rowstream.tabular.cells import key_of_cells, variant_of
from rowstream.tabular.templates import StringTemplate, TextTemplate

_ROWS = 65_536
_TEXT = pa.large_string()
# Between these Arrow writes numbers as Python does.
_FROM, _UPTO = 1e-4, 1e9


class Cells(NamedTuple):
    """Columns of a table: arrays of Arrow, or lists of values; and how many rows there are."""

    columns: Mapping[str, Any]
    size: int

    def part(self, start: int, size: int) -> Cells:
        """Return some of the rows."""
        size = min(size, self.size - start)
        return Cells(
            {
                name: one[start : start + size] if isinstance(one, list) else one.slice(start, size)
                for name, one in self.columns.items()
            },
            size,
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dicts."""
        lists = [one if isinstance(one, list) else one.to_pylist() for one in self.columns.values()]
        if not lists:
            return iter([{} for _ in range(self.size)])
        return (dict(zip(self.columns, row, strict=True)) for row in zip(*lists, strict=True))


def cells_of(data: Any, fields: Sequence[str] | None) -> Cells:
    """Return the columns of a frame, an Arrow table or a list of rows: those of some names.

    Raises:
        InvalidArgumentError: It is none of these, or two columns have one name.
    """
    if hasattr(data, "collect") and hasattr(data, "collect_schema"):
        data = data.collect()  # a lazy frame of Polars
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return _columns(data.column_names, fields, len(data), lambda i: data.column(i))
    if hasattr(data, "to_arrow") and hasattr(data, "get_columns"):
        return _columns(data.columns, fields, len(data), lambda i: _of_polars(data.to_series(i)))
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return _columns([*data.columns], fields, len(data), lambda i: _of_pandas(data.iloc[:, i]))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _of_rows(data, fields)
    raise InvalidArgumentError(
        f"expected a frame of pandas or Polars, an Arrow table, a list of rows, a dataset or a"
        f" stream, found a {type(data).__name__}"
    )


def _columns(names: Sequence[Any], fields: Sequence[str] | None, size: int, get: Any) -> Cells:
    labels = [*map(str, names)]
    chosen = labels if fields is None else [name for name in fields if name in labels]
    if twice := next((name for name in chosen if labels.count(name) > 1), None):
        raise InvalidArgumentError(f"the table has {labels.count(twice)} columns called {twice!r}")
    return Cells({name: get(labels.index(name)) for name in chosen}, size)


def _of_rows(rows: Sequence[Any], fields: Sequence[str] | None) -> Cells:
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidArgumentError(
                f"expected rows as dicts, found a {type(row).__name__} as row {i}; frames of pandas"
                " and Polars, Arrow tables, datasets and streams are taken too"
            )
    names = [*dict.fromkeys(name for row in rows for name in row)]
    names = [name for name in names if fields is None or name in fields]
    columns = {}
    for name in names:
        lacks = next((i for i, row in enumerate(rows) if name not in row), None)
        if lacks is not None:
            raise InvalidArgumentError(f"row {lacks} has no {name!r}, which others have")
        columns[name] = [row[name] for row in rows]
    return Cells(columns if rows else {name: [] for name in fields or ()}, len(rows))


def _of_pandas(series: Any) -> Any:
    kind = str(series.dtype).lower()
    if not kind.startswith(("int", "uint", "float", "bool", "string", "str", "object")):
        return series.tolist()
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return series.tolist()
    # Objects that are not all texts are written one by one, as they are.
    texts_only = kind != "object" or pa.types.is_string(array.type)
    if not texts_only:
        return series.tolist()
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _of_polars(series: Any) -> Any:
    try:
        return pa.chunked_array([series.to_arrow()])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return series.to_list()  # 128 bits, and objects of Python


def texts(template: TextTemplate, cells: Cells, seed: int) -> pa.ChunkedArray:
    """Return the texts of rows as an array in chunks.

    Args:
        template: The template.
        cells: The rows.
        seed: From which, and from what its cells say, the variant of a row follows.
    """
    if cells.size:
        template.check([*cells.columns])
    parts = []
    for start in range(0, cells.size, _ROWS):
        part = cells.part(start, _ROWS)
        if isinstance(template, StringTemplate):
            parts.append(_joined(template, part, seed))
        else:
            made = [rendered(template, row, seed) for row in part.rows()]
            parts.append(pa.array(made, _TEXT))
    return pa.chunked_array([part.cast(pa.string()) for part in parts], pa.string())


def rendered(template: TextTemplate, row: Mapping[str, Any], seed: int) -> str:
    """Return the text of a row, in the variant that it has."""
    if template.variants == 1:
        return template.render(row)
    fields = (
        [*row] if template.fields is None else [name for name in template.fields if name in row]
    )
    write = template if isinstance(template, StringTemplate) else _PLAIN
    key = key_of_cells(write.text_of_cell(name, row[name]) for name in fields)
    return template.render(row, variant_of(seed, key, template.variants))


_PLAIN = StringTemplate("plain", "")


def _joined(template: StringTemplate, part: Cells, seed: int) -> pa.Array:
    written = {name: _written(template, name, one) for name, one in part.columns.items()}
    if template.variants == 1:
        return _join(template.parts[0], written, part.size)
    keys = pa.repeat(pa.scalar("", _TEXT), part.size)
    if template.fields:
        of = [written[name] for name in template.fields]
        keys = pc.binary_join_element_wise(*of, pa.scalar("\x1f", _TEXT))
    drawn = [variant_of(seed, key, template.variants) for key in keys.to_pylist()]
    variants = np.array(drawn, np.int64)
    parts, places = [], []
    for variant, of_variant in enumerate(template.parts):
        at = np.flatnonzero(variants == variant)
        places.append(at)
        taken = {name: written[name].take(pa.array(at)) for name in {*of_variant[1]}}
        parts.append(_join(of_variant, taken, len(at)))
    order = np.empty(part.size, np.int64)
    order[np.concatenate(places)] = np.arange(part.size)
    return pa.concat_arrays(parts).take(pa.array(order))


def _join(
    part: tuple[list[str], list[str]], written: Mapping[str, pa.Array], size: int
) -> pa.Array:
    between, columns = part
    pieces: list[Any] = [pa.scalar(between[0], _TEXT)]
    for column, after in zip(columns, between[1:], strict=True):
        pieces += [written[column], pa.scalar(after, _TEXT)]
    if not columns:
        return pa.repeat(pieces[0], size)
    return pc.binary_join_element_wise(*pieces, pa.scalar("", _TEXT))


def _written(template: StringTemplate, name: str, column: Any) -> pa.Array:
    """Return cells as texts, as `text_of_cell` writes them."""
    if isinstance(column, list):
        return pa.array([template.text_of_cell(name, value) for value in column], _TEXT)
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    kind, missing = array.type, pa.scalar(template.missing, _TEXT)
    if name not in template.formats:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            array = array.cast(_TEXT)
            empty = pc.or_kleene(pc.is_null(array), pc.equal(array, ""))
            return pc.if_else(pc.fill_null(empty, fill_value=True), missing, array)
        if pa.types.is_integer(kind):
            return pc.fill_null(array.cast(_TEXT), missing)
        if pa.types.is_floating(kind):
            return _floats(array, template.missing)
    if pa.types.is_dictionary(kind):
        # Each value is written once.
        words = _written(template, name, pa.chunked_array([array.dictionary]))
        return pc.fill_null(words.take(array.indices), missing)
    values = array.to_pylist()
    return pa.array([template.text_of_cell(name, value) for value in values], _TEXT)


def _floats(array: pa.Array, missing: str) -> pa.Array:
    values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    size = np.abs(values)
    nothing = np.isnan(values)
    with np.errstate(invalid="ignore"):
        whole = (np.floor(values) == values) & (size < 1e15)
        numbers = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(_TEXT)
        odd = ~whole & ~nothing & ~((size >= _FROM) & (size < _UPTO))
    words = pc.if_else(pa.array(whole), numbers, pa.array(values).cast(_TEXT))
    if odd.any():
        rare = pa.array([repr(value) for value in values[odd].tolist()], _TEXT)
        words = pc.replace_with_mask(words, pa.array(odd), rare)
    return pc.if_else(pa.array(nothing), pa.scalar(missing, _TEXT), words)
