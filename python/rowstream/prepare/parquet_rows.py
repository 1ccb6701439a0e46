"""The rows of Parquet files, read in order or by position."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from rowstream import _core
from rowstream.prepare.row_groups import keeps_types


class Rows:
    """The rows of a `ParquetTable`, with the methods of `_core.Table`."""

    def __init__(self, of: Any) -> None:
        self._of = of

    @cached_property
    def _mapped(self) -> Any:
        return _core.Table(self._of.table)

    def row(self, i: int) -> dict[str, Any]:
        """Return the row at a position."""
        of = self._of
        result: dict[str, Any]
        if of.mapped:
            result = self._mapped.row(i)
            return result
        at = of._start + i
        group = of._groups.of(at)
        result = of._groups.get(group, at + 1).core.row(at - of._groups.starts[group])
        return result

    def select(self, at: bytes) -> _core.SelectedRows:
        """Return the rows at several positions, given as the bytes of 64-bit integers."""
        of = self._of
        if of.mapped:
            result: _core.SelectedRows = self._mapped.select(at)
            return result
        rows = np.frombuffer(at, dtype=np.int64) + of._start
        starts = np.asarray(of._groups.starts)
        which = np.searchsorted(starts, rows, side="right") - 1
        tables: list[_core.Table] = []
        number = np.empty(len(rows), dtype=np.int64)
        # Each row group is looked up once, however its rows are mixed with others.
        for group in np.unique(which):
            own = which == group
            number[own] = len(tables)
            tables.append(of._groups.get(int(group), int(rows[own].max()) + 1).core)
        return _core.SelectedRows.of(
            tables or [_core.Table(of._empty)], number.tobytes(), (rows - starts[which]).tobytes()
        )

    def slice(self, start: int, stop: int) -> _core.SelectedRows:
        """Return the rows from `start` to before `stop`."""
        return self.select(np.arange(start, max(start, stop), dtype=np.int64).tobytes())

    def to_pylist(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Return consecutive rows as a list."""
        return list(self.rows(start, stop))

    def rows(self, start: int, stop: int) -> Iterator[dict[str, Any]]:
        """Return an iterator over consecutive rows, which are streamed and not kept."""
        of = self._of.slice(start, stop - start)
        if not keeps_types(of.plan, of.features):
            return (
                row for table in of.tables() for row in _core.Table(table).rows(0, table.num_rows)
            )
        stream, skip = of._read()
        return (
            stream
            if not skip and of._stop == of._groups.starts[-1]
            else islice(stream, skip, skip + of.num_rows)
        )

    def rows_at(self, at: bytes) -> Iterator[dict[str, Any]]:
        """Yield the rows at several positions, given as the bytes of 64-bit integers."""
        rows = np.frombuffer(at, dtype=np.int64)
        for start in range(0, len(rows), _AHEAD):
            yield from self.select(rows[start : start + _AHEAD].tobytes()).to_pylist()


_AHEAD = 1000  # rows that are looked up together
