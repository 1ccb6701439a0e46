"""The rows of files, read in order or by position."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from rowstream import _core
from rowstream.prepare.row_groups import keeps_types
from rowstream.utils.cached import cached_property


class Rows:
    """The rows of a `FileTable`, with the methods of `_core.Table`."""

    def __init__(self, of: Any) -> None:
        self._of = of

    @cached_property
    def _mapped(self) -> Any:
        return _core.Table(self._of.table)

    def row(self, i: int) -> dict[str, Any]:
        """Return the row at a position."""
        of = self._of
        if of.mapped:
            result: dict[str, Any] = self._mapped.row(i)
            return result
        found: dict[str, Any] = of._groups.row(of._start + i)
        return found

    def select(self, at: bytes) -> _core.SelectedRows:
        """Return the rows at several positions, given as the bytes of 64-bit integers."""
        of = self._of
        if of.mapped:
            result: _core.SelectedRows = self._mapped.select(at)
            return result
        rows = np.frombuffer(at, dtype=np.int64) + of._start
        return of._groups.select(rows) if len(rows) else _core.Table(of._empty).slice(0, 0)

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
