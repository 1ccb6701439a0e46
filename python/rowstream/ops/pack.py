"""`pack`: sequences of tokens put together into sequences of one length."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.features.nested import LargeList, List
from rowstream.features.scalar import Value
from rowstream.ops.base import Position, Stage, Whole
from rowstream.ops.sequences import joined, sequences

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World
    from rowstream.ops.sequences import Arrays

STRATEGIES = ("bfd", "bfd_split", "wrapped")
_LENGTHS, _POSITIONS = "seq_lengths", "position_ids"


@dataclass(frozen=True)
class Pack(Whole):
    """A step that packs the sequences of rows.

    Attributes:
        length: The most tokens of a packed sequence.
        strategy: One of `STRATEGIES`.
        columns: The columns that are packed; those that are lists of numbers if `None`.
        batch_size: The number of rows that are packed together, or are read at once.
        drop_last: Whether a last sequence that is shorter is left out (`"wrapped"`).
        seq_lengths: Whether a column has the lengths of what was put together.
        position_ids: Whether a column has the positions of tokens in it.
    """

    length: int
    strategy: str
    columns: tuple[str, ...] | None
    batch_size: int
    drop_last: bool
    seq_lengths: bool
    position_ids: bool
    python = True
    keeps_types = False
    format: ClassVar[str] = "arrow"  # rows of the core come as tables

    def fresh(self, state: Any) -> Position:
        """Return the state before the first item."""
        return [state, 0] if self.strategy == "wrapped" else super().fresh(state)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:  # noqa: ARG002
        """Return the node of this step."""
        if self.strategy == "wrapped":
            return _Wrapped(upstream, self.batch_size, self, state, number)
        return Stage(upstream, self.batch_size, self._fitted, state, number)

    def features(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the types of packed rows.

        Raises:
            InvalidArgumentError: There is no such column, or none to pack.
            SchemaError: A column is not of lists of numbers.
        """
        if self.columns is None:
            names = [name for name, of in features.items() if _packs(of)]
            if not names:
                raise InvalidArgumentError(
                    "pack: no column has lists of numbers; the columns are"
                    f" {dict(features)}: tokenize first"
                )
        else:
            names = list(self.columns)
            for name in names:
                if name not in features:
                    raise InvalidArgumentError(
                        f"pack: there is no column {name!r}; the columns are {list(features)}"
                    )
                if not _packs(features[name]):
                    raise SchemaError(
                        f"pack: the column {name!r} is {features[name]!r}, where sequences are"
                        " lists of numbers"
                    )
        result = {name: features[name] for name in names}
        if self.seq_lengths:
            result[_LENGTHS] = List(Value("int32"))
        if self.position_ids:
            result[_POSITIONS] = List(Value("int32"))
        return result

    @property
    def wants_lengths(self) -> bool:
        """Whether a column says what was put together."""
        return self.seq_lengths or self.position_ids

    def row(self, columns: Arrays, lengths: Any) -> dict[str, Any]:
        """Return a packed row, with the columns that say what was put together.

        Args:
            columns: The packed columns.
            lengths: The lengths of what was put together; looked at if `wants_lengths`.
        """
        import numpy as np

        row: dict[str, Any] = dict(columns)
        if self.seq_lengths:
            row[_LENGTHS] = np.asarray(lengths, dtype=np.int32)
        if self.position_ids:
            row[_POSITIONS] = np.concatenate(
                [np.arange(n, dtype=np.int32) for n in lengths] or [np.zeros(0, np.int32)]
            )
        return row

    def _fitted(self, taken: Any, index: int) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return rows packed by best fit decreasing: the longest first, each where least is left.

        As trl does it, after "Fewer Truncations Improve Language Modeling" (arXiv 2404.10830).
        """
        import numpy as np

        values, lengths = sequences(taken, self.columns)
        ends = np.cumsum(lengths)
        starts = ends - lengths
        if self.strategy == "bfd":
            lengths = np.minimum(lengths, self.length)
            starts, lengths = starts[lengths > 0], lengths[lengths > 0]
        else:
            parts = -(-lengths // self.length)
            first = np.repeat(np.cumsum(parts) - parts, parts)
            offsets = (np.arange(len(first)) - first) * self.length
            starts, rest = np.repeat(starts, parts) + offsets, np.repeat(lengths, parts) - offsets
            lengths = np.minimum(rest, self.length)
        rows = []
        for members in _bins(lengths, self.length):
            columns = {
                name: np.concatenate([of[starts[i] : starts[i] + lengths[i]] for i in members])
                for name, of in values.items()
            }
            rows.append(self.row(columns, lengths[members]))
        return rows


def _packs(feature: Any) -> bool:
    """Return whether a column of a type can be packed."""
    if not isinstance(feature, (List, LargeList)) or not isinstance(feature.feature, Value):
        return False
    # A column of empty lists has no type of its items.
    return feature.feature.dtype.startswith(("int", "uint", "float", "bool", "null"))


def _bins(lengths: Any, room: int) -> list[list[int]]:
    """Return which sequences are put together: each where the least room is left that has enough;
    of several such places, where that room has been left for longest.
    """
    import numpy as np

    bins: list[list[int]] = []
    spaces: list[int] = []
    of_space: dict[int, deque[int]] = {}
    for i in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[i])
        at = bisect_left(spaces, length)
        if at == len(spaces):
            number, space = len(bins), room
            bins.append([])
        else:
            space = spaces[at]
            number = of_space[space].popleft()
            if not of_space[space]:
                del spaces[at]
        bins[number].append(i)
        if space > length:
            waiting = of_space.setdefault(space - length, deque())
            if not waiting:
                insort(spaces, space - length)
            waiting.append(number)
    return bins


class _Wrapped:
    """A node that cuts the tokens of all rows, one after another, into sequences of one length.

    Its state is `[state of the node before, at the beginning of a list; tokens of it that were
    given]`.
    """

    def __init__(self, upstream: Upstream, size: int, step: Pack, state: Any, number: int) -> None:
        self._skip: int
        before, self._skip = state or (None, 0)
        self._upstream = upstream(before, number)
        self._size, self._step = size, step
        self._place: list[Any] = [self._upstream.state(), self._skip]

    def state(self) -> Position:
        """Return the position, as the class says."""
        return [*self._place]

    def _lists(self) -> Iterator[Any]:
        chunks = getattr(self._upstream, "chunks", None)
        if chunks is not None:
            yield from chunks(self._size)
            return
        rows: list[Any] = []
        for row in self._upstream:
            rows.append(row)
            if len(rows) == self._size:
                yield rows
                rows = []
        if rows:
            yield rows

    def __iter__(self) -> Iterator[Any]:
        import numpy as np

        step, length = self._step, self._step.length
        # Where lists begin, by tokens since the first of them, which were given or are to be.
        begins = deque([(self._place[0], 0)])
        total, given, skip = 0, self._skip, self._skip
        held: Arrays = {}
        ends = np.zeros(0, np.int64)  # of what is held, where rows end
        for taken in self._lists():
            values, lengths = sequences(taken, step.columns)
            new = int(lengths.sum())
            if new and held and held.keys() != values.keys():
                raise SchemaError(
                    f"pack: rows have the columns {list(held)} to pack, and later ones"
                    f" {list(values)}: give all of them, or say which with columns="
                )
            if not new and held:
                values = {name: np.zeros(0, np.int32) for name in held}
            if step.wants_lengths:
                ends = np.concatenate([ends, total - given + np.cumsum(lengths)])
            total += new
            begins.append((self._upstream.state(), total))
            if skip:
                # Of rows before, whose tokens were given.
                left = min(skip, new)
                values = {name: of[left:] for name, of in values.items()}
                skip -= left
            held = {
                # What is empty may be of another type: no number says which.
                name: joined(name, [one for one in (held.get(name, ()), of) if len(one)] or [of])
                for name, of in values.items()
            }
            at = 0
            while given + length <= total and not skip:
                row, ends = self._cut(held, ends, at, length)
                at += length
                given += length
                while len(begins) > 1 and begins[1][1] <= given:
                    begins.popleft()
                self._place = [begins[0][0], given - begins[0][1]]
                yield row
            held = {name: of[at:].copy() for name, of in held.items()}
        if total > given and not skip:
            row, _ = self._cut(held, ends, 0, total - given)
            self._place = [begins[-1][0], 0]
            if not step.drop_last:
                yield row
        self._place = [begins[-1][0], 0]

    def _cut(self, held: Arrays, ends: Any, at: int, length: int) -> tuple[dict[str, Any], Any]:
        """Return the next sequence, and where rows end after it."""
        import numpy as np

        columns = {name: of[at : at + length].copy() for name, of in held.items()}
        if not self._step.wants_lengths:
            return self._step.row(columns, None), ends
        inside = int(np.searchsorted(ends, length, side="left"))
        inner = np.unique(np.concatenate([[0], ends[:inside].clip(0), [length]]))
        return self._step.row(columns, np.diff(inner)), ends[ends > length] - length
