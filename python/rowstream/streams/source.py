"""Sources: rows that do not come from a single listing.

A source is **sequences** of rows, dealt to consumers as the core deals lanes. Sequence `v` is a
pure function of the plan: the rows of a mixture that are drawn from the parts of consumer `v` of
all sequences. So the rows and their order do not depend on the number of consumers: a sequence
belongs to one consumer, or several share it row by row.

A state says for each sequence how many of its rows are past, and where its parts are. The states of
all consumers merge: each sequence continues from the consumer that was furthest behind, and rows
that others had are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from rowstream.ops.base import Position, World
from rowstream.streams.pipeline import node

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


Row = dict[str, Any]

MOST_SEQUENCES = 64  # sequences of a source
_ANCHOR = 256  # rows of a part between two states that are kept of it


class Sequence(Protocol):
    """An ordered sequence of rows with a state."""

    def pull(self) -> Row:
        """Return the next row.

        Raises:
            StopIteration: There are no more rows.
        """
        ...

    def state(self) -> Position:
        """Return the position after the last returned row, as plain JSON."""
        ...


class Source(Protocol):
    """Sequences of rows, as plain data.

    Attributes:
        sequences: The number of sequences.
        turns: Whether a consumer takes a row of each sequence in turn; otherwise it takes one
            sequence after another.
        shares: Whether several consumers may share the rows of one sequence; otherwise each
            sequence belongs to one consumer.
    """

    @property
    def shares(self) -> bool: ...

    @property
    def sequences(self) -> int: ...

    @property
    def turns(self) -> bool: ...

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """Return the `v`-th sequence, from a state on, in an epoch and a pass."""
        ...

    def pieces(self) -> int:
        """Return the number of shards for users: those that can be read in parallel."""
        ...

    def key(self) -> str:
        """Return a text that identifies the source."""
        ...


@dataclass(frozen=True)
class Part:
    """A stream that is a part of another one: its plan, and the consumer that it is split for."""

    plan: Plan
    consumer: tuple[int, int] = (0, 1)

    def pieces(self) -> int:
        """Return the number of shards of its consumer."""
        pieces: int = self.plan.core.pieces()
        return max(1, pieces // self.consumer[1])

    def key(self) -> str:
        """Return a text that identifies the part."""
        return f"{self.plan.core.fingerprint}{list(self.plan.steps) or ''}{self.consumer}"


class PeekableRows:
    """The rows of a part for one sequence, which knows whether there is another row."""

    def __init__(self, part: Part, v: int, of: int, epoch: int, number: int, state: Any) -> None:
        c, parts = part.consumer
        world = World(c * of + v, parts * of, epoch)
        self._open: Callable[[Any], Any] = lambda state: node(
            part.plan, world, state, number=number
        )[0]
        self._begin(*(state or (None, 0)))

    def _begin(self, anchor: Any, since: int) -> None:
        self._node = self._open(anchor)
        self._items = iter(self._node)
        self._anchor, self._since = anchor, since
        for _ in islice(self._items, since):
            pass
        self._peek()

    def _peek(self) -> None:
        self.more = True
        try:
            self._next = next(self._items)
        except StopIteration:
            self.more = False

    def take(self) -> tuple[Row, bool]:
        """Return the next row, which must exist, and whether there is another."""
        row: Row = self._next
        self._since += 1
        if self._since >= _ANCHOR:
            # The row after it is not pulled yet.
            self._anchor, self._since = self._node.state(), 0
        self._peek()
        return row, self.more

    def restart(self) -> bool:
        """Begin again at the first row; return whether there is one."""
        self._begin(None, 0)
        return self.more

    def state(self) -> Position:
        """Return the last saved state, and the number of rows since."""
        return [self._anchor, self._since]


def with_all_columns(row: Row, names: tuple[str, ...] | None) -> Row:
    """Return a row with all columns; those that its part lacks are null."""
    if names is None or (len(row) == len(names) and tuple(row) == names):
        return row
    return {**{name: row.get(name) for name in names}, **row}


def sequences_of(parts: tuple[Part, ...]) -> int:
    """Return the number of sequences of a mixture.

    It is 1 where a part is in file order; otherwise as many as the parts have lanes, at most 64 in
    all.
    """
    return max(1, min(MOST_SEQUENCES // len(parts), *(part.plan.lanes for part in parts)))
