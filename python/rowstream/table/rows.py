"""Rows of tables that the core builds, without pyarrow objects in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rowstream import _core
from rowstream.features.arrays import ArrayXD
from rowstream.features.nested import List, requires_decoding, visit
from rowstream.features.scalar import Value


class TableRows:
    """The rows of a table, or those in a list of rows."""

    def __init__(self, core: Any, size: int, mapping: Any) -> None:
        self.core, self.size, self.mapping = core, size, mapping

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
        rows = np.asarray(keys, dtype=np.int64)
        if len(rows) and (rows.max() >= self.size or rows.min() < -self.size):
            raise IndexError(
                f"Invalid key: {int(rows.max())} is out of bounds for size {self.size}"
            )
        rows = rows % self.size if len(rows) else rows
        result: list[dict[str, Any]] = self.core.take(
            (rows if self.mapping is None else self.mapping[rows].astype(np.int64)).tobytes()
        )
        return result

    def to_list(self) -> list[dict[str, Any]]:
        """Return all rows as a list."""
        result: list[dict[str, Any]]
        if self.mapping is None:
            result = self.core.to_pylist(0, self.size)
        else:
            result = self.core.take(np.ascontiguousarray(self.mapping, dtype=np.int64).tobytes())
        return result

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all rows, one after another."""
        if self.mapping is None:
            return iter(self.core.rows(0, self.size))
        return iter(self.core.rows_at(np.ascontiguousarray(self.mapping, dtype=np.int64).tobytes()))


def rows_of(ds: Any) -> TableRows | None:
    """Return the rows of a dataset as the core builds them.

    Return `None` if the core can't: for media and arrays with several dimensions.
    """
    if requires_decoding(ds.features) or has_arrays(ds.features):
        return None
    core = core_of(ds._data)
    if core is None:
        return None
    mapping = None
    if ds._indices is not None:
        ds._indices.check()
        mapping = ds._indices.table.column(0).to_numpy()
    return TableRows(core, len(ds), mapping)


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
