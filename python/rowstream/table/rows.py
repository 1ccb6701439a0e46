"""Rows of tables that the core builds, without pyarrow objects in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream import _core
from rowstream.arrow.stored import restored
from rowstream.features.arrays import ArrayXD
from rowstream.features.nested import List, requires_decoding, visit
from rowstream.features.rows import pydict
from rowstream.features.scalar import Value


def is_position(key: Any) -> bool:
    """Return whether a key is one position: an integer, or a scalar of NumPy or a tensor library.

    Arrays and tensors have `__index__` too, which only those of one number answer.
    """
    return hasattr(key, "__index__") and not getattr(key, "ndim", 0) and not isinstance(key, bool)


def positions_of(key: Any, size: int) -> Any:
    """Return the positions of the rows that a key asks for, as a range or an array.

    Raises:
        IndexError: A position is out of range.
    """
    if isinstance(key, slice):
        return range(*key.indices(size))
    if isinstance(key, range):
        for one in (key[0], key[-1]) if len(key) else ():
            _within(one, size)
        return key if not len(key) or (key[0] >= 0 and key[-1] >= 0) else np.asarray(key) % size
    if is_position(key):
        _within(i := int(key.__index__()), size)
        return range(i % size, i % size + 1)
    if isinstance(key, list) and set(map(type, key)) == {int}:
        # As loaders ask: of few numbers Python knows the least sooner than NumPy does.
        _within(max(key), size)
        _within(least := min(key), size)
        result = np.array(key, np.int64)
        return result if least >= 0 else result % size
    if isinstance(key, np.ndarray) and (key.dtype.kind in "iu" or key.dtype == bool):
        result = key
    else:
        result = np.fromiter((int(one) for one in key), np.int64)
    if result.dtype == bool:
        raise TypeError("a mask is not a list of rows: numpy.flatnonzero(mask) is")
    if result.ndim != 1:
        raise TypeError(f"rows are asked for by a list of positions, found shape {result.shape}")
    if len(result):
        least = int(result.min())
        _within(int(result.max()), size)
        _within(least, size)
        result = result if least >= 0 else result % size
    return result


def _within(i: int, size: int) -> None:
    if i >= size or i < -size:
        raise IndexError(f"Invalid key: {i} is out of bounds for size {size}")


# The rows, and their bytes, whose columns are lists at a time.
_TOGETHER, _BYTES = 1000, 16 << 20


class TableRows:
    """The rows of a table, or those in a list of rows.

    Args:
        table: The table.
        core: What the core makes of it.
        size: How many rows there are.
        mapping: The positions in the table of the rows, if not all in order.
        plain: Whether the values that the core has are those of the rows, which is not so with
            media and arrays of several dimensions.
    """

    def __init__(self, table: Any, core: Any, size: int, mapping: Any, plain: bool) -> None:
        self.table, self.core, self.size, self.mapping = table, core, size, mapping
        self.plain = plain

    def select(self, key: Any) -> _core.SelectedRows:
        """Return the rows that a key asks for: a position, a slice, a range or several positions.

        Raises:
            IndexError: A position is out of range.
        """
        at = positions_of(key, self.size)
        run = isinstance(at, range) and at.step == 1
        result: _core.SelectedRows
        if run and self.mapping is None:
            result = self.core.slice(at.start, at.stop)
            return result
        if self.mapping is not None:
            at = self.mapping[at.start : at.stop] if run else self.mapping[np.asarray(at)]
        result = self.core.select(np.asarray(at).astype(np.int64, copy=False).tobytes())
        return result

    def row(self, i: int) -> dict[str, Any]:
        """Return a row by position; negative positions count from the end."""
        if not -self.size <= i < self.size:
            raise IndexError(f"Invalid key: {i} is out of bounds for size {self.size}")
        at = i % self.size
        result: dict[str, Any] = self.core.row(
            at if self.mapping is None else int(self.mapping[at])
        )
        return result

    def take(self, keys: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows at several positions."""
        return self.select(keys).to_pylist()

    def to_list(self) -> list[dict[str, Any]]:
        """Return all rows as a list."""
        if self.mapping is not None:
            return self.select(slice(None)).to_pylist()
        result: list[dict[str, Any]] = self.core.to_pylist(0, self.size)
        return result

    def _rows_within(self, size: int) -> int:
        """Return how many rows have about so many bytes."""
        each = self.table.nbytes // max(1, self.table.num_rows)
        return int(max(1, min(_TOGETHER, size // max(1, each))))

    def values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of some columns, row after row."""
        if not names:
            yield from repeat((), self.size)
            return
        if not isinstance(self.core, _core.Table):
            # Parquet where it lies: its rows come from a stream, which keeps nothing.
            yield from (tuple(row[name] for name in names) for row in self)
            return
        step = self._rows_within(_BYTES)
        for start in range(0, self.size, step):
            rows = self.select(range(start, min(start + step, self.size)))
            columns = pydict(rows.select(names))
            yield from zip(*(columns[name] for name in names), strict=True)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all rows, one after another."""
        if self.mapping is None:
            return iter(self.core.rows(0, self.size))
        return iter(self.core.rows_at(np.ascontiguousarray(self.mapping, dtype=np.int64).tobytes()))


def arrow_table(rows: _core.SelectedRows) -> pa.Table:
    """Return selected rows as a pyarrow table."""
    return restored(pa.Table.from_batches([pa.record_batch(rows)]))


def rows_of(ds: Any) -> TableRows | None:
    """Return the rows of a dataset as the core reads them; `None` if it can't read their types."""
    core = core_of(ds._data)
    if core is None:
        return None
    mapping = None
    if ds._indices is not None:
        ds._indices.check()
        mapping = ds._indices.table.column(0).to_numpy()
    plain = not (
        requires_decoding(ds.features, ignore_decode_attribute=True) or has_arrays(ds.features)
    )
    return TableRows(ds._data, core, len(ds), mapping, plain)


def core_of(table: Any) -> Any:
    """Return the core's view of a table, which is cached.

    Return `None` if the table has types of which the core builds no rows.
    """
    if hasattr(type(table), "core"):
        return table.core
    if "core" not in table.__dict__:
        try:
            table.core = _core.Table(table.table)
        except NotImplementedError:
            table.core = None
    return table.core


def has_arrays(features: Any) -> bool:
    """Return whether features contain arrays with several dimensions or unknown features."""
    found: list[bool] = []

    def look(one: Any) -> None:
        kept = isinstance(one, (dict, List, Value)) or type(one).__name__ in (
            "LargeList",
            "ClassLabel",
        )
        found.append(isinstance(one, ArrayXD) or not kept)

    visit(features, look)
    return any(found)


def matching(ds: Any, condition: Any, names: list[str]) -> np.ndarray[Any, Any]:
    """Return the positions of the rows for which an expression is true."""
    table, text = ds._data.select(names), json.dumps(condition.to_json())
    # What is read from files is looked at as it comes.
    parts = table.tables() if hasattr(type(table), "tables") else [table]
    masks = [
        np.frombuffer(_core.Table(part).matches(text), dtype=np.uint8).astype(bool)
        for part in parts
    ]
    mask = np.concatenate(masks) if masks else np.zeros(0, dtype=bool)
    if ds._indices is not None:
        ds._indices.check()
        mask = mask[ds._indices.table.column(0).to_numpy()]
    return np.flatnonzero(mask)
