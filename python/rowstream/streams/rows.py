"""The rows of the core, for steps in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.formatting.streams import formatter
from rowstream.ops.base import Position, World

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


# Passes that Python repeats are epochs of the core, beyond those that a user counts.
_PASS = 1 << 32


class Rows:
    """The iteration of the core: rows, or batches where the plan has batches."""

    def __init__(self, plan: Plan, world: World, state: str | None = None, number: int = 0) -> None:
        cursor = state or plan.core.start(world.epoch + number * _PASS)
        self.stream = _core.Stream(plan.core, world.c, world.of, cursor, plan.skipped, plan.refs)
        self._batch = plan.batch or (1, False)

    def state(self) -> str:
        """Return the cursor of the core."""
        return self.stream.cursor()

    @property
    def ended(self) -> bool:
        """Whether the last row was returned."""
        return self.stream.ended

    @property
    def pending(self) -> bool:
        """Whether it was moved and has returned nothing since."""
        return self.stream.pending

    def seek(self, cursor: str) -> None:
        """Continue after another cursor."""
        self.stream.seek(cursor)

    def batches(self, size: int, drop_last: bool) -> Iterator[_core.Batch]:
        """Yield batches of `size` rows."""
        while (batch := self.stream.next_batch(size, drop_last)) is not None:
            yield batch

    def __iter__(self) -> Iterator[_core.Batch]:
        """Return the batches of the plan; of one row where it has none."""
        return self.batches(*self._batch)


def tables_of(plan: Plan, size: int) -> Iterator[Any]:
    """Yield the rows of a plan without steps, as Arrow tables of up to `size` rows."""
    import pyarrow as pa

    for batch in Rows(plan, World(0, 1, 0)).batches(size, drop_last=False):
        yield pa.Table.from_batches([pa.record_batch(batch)])


class Source:
    """The rows of the core in the form that the first Python step takes.

    Its state is `[the core's cursor, rows returned]`.

    Args:
        limit: The maximum number of rows, over all runs that continued from one beginning.
    """

    def __init__(
        self, plan: Plan, world: World, state: Any = None, number: int = 0, limit: int | None = None
    ) -> None:
        self.given: int
        cursor, self.given = state or (None, 0)
        self._rows = Rows(plan, world, cursor, number)
        self._batched, self._limit = plan.batch is not None, limit
        self._reached: Any = None
        format = getattr(plan.steps[0], "format", None) if plan.steps else None
        self._make, self._python = formatter(format), format is None

    def state(self) -> Position:
        return [self.cursor(), self.given]

    def cursor(self) -> str:
        """Return the cursor of the core."""
        return self._rows.state()

    def reached(self, state: Any) -> None:
        """Note how far the list goes that is given: what is read ahead of it is not this one's."""
        self._reached = state

    def reach(self) -> tuple[Any, int]:
        """Return the cursor of the core and the number of rows, as far as they are this one's."""
        cursor, given = self._reached or (self.cursor(), self.given)
        return cursor, given

    def _left(self, most: int) -> int:
        return most if self._limit is None else min(most, self._limit - self.given)

    def _items(self) -> Iterator[Any]:
        """Return an iterator over rows, or over the batches of the plan."""
        if self._batched:
            return iter(self._rows)
        return iter(self._rows.stream) if self._python else map(self._make.row, self._rows)

    def __iter__(self) -> Iterator[Any]:
        """Yield rows, or the batches of the plan, and count them."""
        rows = self._items()
        while self._left(1):
            try:
                row = next(rows)
            except StopIteration:
                return
            self.given += 1
            yield row

    @property
    def chunks(self) -> Callable[[int], Iterator[Any]] | None:
        """A function that yields columns of up to so many rows; `None` where rows are batches."""
        return None if self._batched else self._chunks

    def _chunks(self, size: int) -> Iterator[Any]:
        while size := self._left(size):
            batch = self._rows.stream.next_batch(size, drop_last=False)
            if batch is None:
                return
            self.given += batch.num_rows
            yield self._make.batch(batch)


class Stateless(Source):
    """A source under steps without a state of their own: its state is the core's cursor."""

    def state(self) -> Position:
        return self.cursor()

    def reached(self, state: Any) -> None:
        """Do nothing: the state says it, and is all that is asked for."""

    def __iter__(self) -> Iterator[Any]:
        return self._items()
