"""Sources: rows that are not those of one listing.

A source is **sequences** of rows, dealt to consumers as the core deals lanes. Sequence `v` is a
pure function of the plan: the rows of a mixture that are drawn from the parts of consumer `v` of
all sequences. So the rows and their order do not depend on how many consumers there are: a
sequence is one consumer's alone, or several share it row by row.

A state says for each sequence how many of its rows are behind, and where its parts are. The states
of all consumers join: each sequence goes on from the consumer that was furthest behind, and what
others had of it is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from rowstream.ops.base import World
from rowstream.streams.pipeline import node

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


Row = dict[str, Any]

MOST_SEQUENCES = 64  # sequences of a source
_ANCHOR = 256  # rows of a part between two states that are kept of it


class Sequence(Protocol):
    """Rows one after another."""

    def pull(self) -> Row:
        """Return the next row. Raises `StopIteration` after the last."""
        ...

    def state(self) -> Any:
        """Return where it is, after the last row pulled: plain JSON."""
        ...


class Source(Protocol):
    """Sequences of rows: plain data.

    Attributes:
        sequences: how many there are.
        turns: whether consumers take a row of each in turn; else one sequence after another.
        shares: whether several consumers may take the rows of one sequence in turn; else each
            sequence is one consumer's alone.
    """

    @property
    def shares(self) -> bool:
        """See the class."""
        ...

    @property
    def sequences(self) -> int:
        """See the class."""
        ...

    @property
    def turns(self) -> bool:
        """See the class."""
        ...

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """Return the `v`-th, from a state on, in an epoch and a pass."""
        ...

    def pieces(self) -> int:
        """Return how many shards a user has: what can be read beside each other without reading a
        row twice.
        """
        ...

    def key(self) -> str:
        """Return what identifies it."""
        ...


@dataclass(frozen=True)
class Part:
    """A stream that is a part of others: its plan, and which consumer of how many it is of
    itself.
    """

    plan: Plan
    consumer: tuple[int, int] = (0, 1)

    def pieces(self) -> int:
        """Return how many pieces its consumer has."""
        pieces: int = self.plan.core.pieces()
        return max(1, pieces // self.consumer[1])

    def key(self) -> str:
        """Return what identifies it."""
        return f"{self.plan.core.fingerprint}{list(self.plan.steps) or ''}{self.consumer}"


class PeekableRows:
    """The rows of a part for one sequence. It knows whether there is another one."""

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
        """Return the next row, which there is, and whether there is another."""
        row: Row = self._next
        self._since += 1
        if self._since >= _ANCHOR:
            # The row after it is not pulled yet.
            self._anchor, self._since = self._node.state(), 0
        self._peek()
        return row, self.more

    def restart(self) -> None:
        """From the first row."""
        self._begin(None, 0)

    def state(self) -> Any:
        """Return a state that was kept, and the rows since."""
        return [self._anchor, self._since]


def with_all_columns(row: Row, names: tuple[str, ...] | None) -> Row:
    """Return a row with all columns; those that its part lacks are null."""
    if names is None or (len(row) == len(names) and tuple(row) == names):
        return row
    return {**{name: row.get(name) for name in names}, **row}


def sequences_of(parts: tuple[Part, ...]) -> int:
    """Sequences of a mixture: one where a part is in the order of its files, else as many as the
    parts have lanes, 64 in all.
    """
    return max(1, min(MOST_SEQUENCES // len(parts), *(part.plan.lanes for part in parts)))
