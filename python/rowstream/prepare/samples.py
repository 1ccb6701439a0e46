"""Samples of tar archives, read at their places."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from rowstream import _core
from rowstream.prepare.row_groups import RowLookup, keeps_types

if TYPE_CHECKING:
    import pyarrow as pa

    from rowstream.features.features import Features
    from rowstream.plan.plan import Plan


class Samples(RowLookup):
    """The rows of a plan, each read where it begins. Nothing is kept but where that is.

    It has the methods of `RowGroups` that look up rows.
    """

    def __init__(self, plan: Plan, features: Features) -> None:
        super().__init__(plan, features)
        self._plain = keeps_types(plan, features)
        self._made: tuple[int, _core.RowReader] | None = None

    @property
    def _reader(self) -> _core.RowReader:
        # A child process may not use the locks of its parent.
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), _core.RowReader(self.plan.core))
        return self._made[1]

    def row(self, row: int) -> dict[str, Any]:
        """Return a row of the files."""
        if self._plain:
            return self._reader.row(row)
        result: dict[str, Any] = _core.Table(self.table(row, row + 1)).row(0)
        return result

    def table(self, start: int, stop: int) -> pa.Table:
        """Return consecutive rows, of which there is at least one."""
        return self._read(np.arange(start, stop, dtype=np.int64))

    def select(self, rows: Any) -> _core.SelectedRows:
        """Return the rows of an array of numbers, which is not empty."""
        return _core.Table(self._read(rows)).slice(0, len(rows))

    def _read(self, rows: Any) -> pa.Table:
        return self.fitted(self._reader.read(rows.tobytes()))
