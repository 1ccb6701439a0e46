"""Row groups of Parquet files, decoded on access and cached within a budget of memory."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from dataclasses import replace
from itertools import accumulate, count
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rowstream import _core
from rowstream.features.cast import fitted
from rowstream.features.schema import features_from_schema
from rowstream.plan.order import Segment, op_of
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.features.features import Features
    from rowstream.plan.plan import Plan


_FIRST = 8192  # rows that are decoded of a row group whose first rows are asked for


def is_read_in_place(plan: Plan) -> bool:
    """Return whether the rows of a plan are looked up in its files: Parquet and tar files of this
    machine, unchanged and not compressed.
    """
    listing = plan.listing
    plain = (
        listing["format"] in ("parquet", "webdataset")
        and None not in plan.piece_rows
        and plan.direct
        and plan.condition is None
        and plan.skipped is None
    )
    here = all("://" not in file["path"] for file in listing["files"])
    return plain and here and plan.segments == (Segment(),) and not plan.cycle


def stream_row_groups(plan: Plan, first: int, upto: int) -> Any:
    """Return a stream of the core over the row groups from `first` to before `upto`."""
    part = replace(plan, segments=(Segment((op_of("pieces", **{"from": first, "upto": upto}),)),))
    return _core.Stream(part.core, 0, 1, part.core.start(0), None)


def files_of(plan: Plan) -> str:
    """Return the files of a plan as text for users."""
    first, *more = [file["path"] for file in plan.listing["files"]]
    return first if not more else f"{first} and {len(more)} more"


def features_as_read(plan: Plan) -> Features:
    """Return the types that the core reads the columns in."""
    return features_from_schema(plan.schema, None if plan.columns is None else list(plan.columns))


def keeps_types(plan: Plan, features: Features) -> bool:
    """Return whether the core reads the columns in the types of the features."""
    return features_as_read(plan) == features


class RowGroup:
    """A decoded row group, or its first rows."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @cached_property
    def core(self) -> Any:
        """The rows as the core reads them."""
        return _core.Table(self.table)


class RowGroupCache:
    """A cache of the most recently used row groups, decoded, for all tables of the process."""

    def __init__(self) -> None:
        self._groups: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._bytes = 0
        self.lock = Lock()
        # Plans that nobody reads any more, told from wherever a table happens to be let go of.
        self.gone: deque[int] = deque()

    @property
    def budget(self) -> int:
        """The largest size of the cache in bytes; one row group is kept whatever its size."""
        return _core.memory() // 2

    def get(self, key: tuple[int, int]) -> Any:
        """Return a row group, or `None` if it is not in the cache."""
        found = self._groups.get(key)
        if found is not None:
            self._groups.move_to_end(key)
        return found

    def put(self, key: tuple[int, int], group: RowGroup) -> None:
        """Add a row group, and drop the least recently used ones beyond the budget."""
        self.let_go()
        self.drop(key)
        self._groups[key] = group
        self._bytes += group.table.nbytes
        while self._bytes > self.budget and len(self._groups) > 1:
            self.drop(next(iter(self._groups)))

    def let_go(self) -> None:
        """Drop the row groups of plans that are not used any more."""
        while self.gone:
            number = self.gone.popleft()
            for key in [one for one in self._groups if one[0] == number]:
                self.drop(key)

    def drop(self, key: tuple[int, int]) -> None:
        """Drop a row group, if it is in the cache."""
        gone = self._groups.pop(key, None)
        self._bytes -= 0 if gone is None else gone.table.nbytes


row_group_cache = RowGroupCache()
_numbers = count()


class RowLookup:
    """What looks up the rows of a plan has in common: the pieces of its files, and their rows.

    Attributes:
        again: Bytes that were decoded although they had been before.
    """

    again = 0

    def __init__(self, plan: Plan, features: Features) -> None:
        self.plan, self.features = plan, features
        self.starts: list[int] = [0, *accumulate(piece[2] for piece in plan.listing["pieces"])]

    def of(self, row: int) -> int:
        """Return the number of the piece that has a row: of Parquet, of the row group."""
        return bisect_right(self.starts, row) - 1

    def fitted(self, batch: Any) -> pa.Table:
        """Return a batch of the core as a table with the types of the features."""
        return fitted(pa.Table.from_batches([pa.record_batch(batch)]), self.features)


class RowGroups(RowLookup):
    """The row groups of a plan, looked up in the cache of the process."""

    def __init__(self, plan: Plan, features: Features) -> None:
        super().__init__(plan, features)
        self._number, self._kept = next(_numbers), row_group_cache
        self._whole: set[int] = set()

    def __del__(self) -> None:
        """Drop the cached row groups. This may run at any point, even while the lock is taken."""
        self._kept.gone.append(self._number)
        if self._kept.lock.acquire(blocking=False):
            try:
                self._kept.let_go()
            finally:
                self._kept.lock.release()

    def get(self, i: int, upto: int) -> RowGroup:
        """Return a row group, with at least its rows before row `upto` of the files."""
        rows, key = upto - self.starts[i], (self._number, i)
        with self._kept.lock:
            group: RowGroup | None = self._kept.get(key)
            if group is None or group.table.num_rows < rows:
                # A look at the first rows must not cost a whole row group.
                size = self.starts[i + 1] - self.starts[i]
                size = min(_FIRST, size) if rows <= _FIRST and group is None else size
                table = self.fitted(stream_row_groups(self.plan, i, i + 1).next_batch(size, False))
                self.again += table.nbytes if i in self._whole else 0
                if table.num_rows == self.starts[i + 1] - self.starts[i]:
                    self._whole.add(i)
                group = RowGroup(table)
                self._kept.put(key, group)
        return group

    def row(self, row: int) -> dict[str, Any]:
        """Return a row of the files."""
        i = self.of(row)
        result: dict[str, Any] = self.get(i, row + 1).core.row(row - self.starts[i])
        return result

    def table(self, start: int, stop: int) -> pa.Table:
        """Return consecutive rows, of which there is at least one."""
        parts, at = [], start
        while at < stop:
            i = self.of(at)
            upto = min(stop, self.starts[i + 1])
            parts.append(self.get(i, upto).table.slice(at - self.starts[i], upto - at))
            at = upto
        return pa.concat_tables(parts)

    def select(self, rows: Any) -> _core.SelectedRows:
        """Return the rows of an array of numbers, which is not empty."""
        starts = np.asarray(self.starts)
        which = np.searchsorted(starts, rows, side="right") - 1
        tables: list[_core.Table] = []
        number = np.empty(len(rows), dtype=np.int64)
        # Each row group is looked up once, however its rows are mixed with others.
        for group in np.unique(which):
            own = which == group
            number[own] = len(tables)
            tables.append(self.get(int(group), int(rows[own].max()) + 1).core)
        return _core.SelectedRows.of(tables, number.tobytes(), (rows - starts[which]).tobytes())
