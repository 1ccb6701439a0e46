"""The interfaces of steps and nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rowstream.ops.pool import Ahead

    Upstream = Callable[
        [Any, int], "Node"
    ]  # makes the node before a step: from its state, if any, in a pass

Position = list[Any] | dict[str, Any] | str | int | None
"""Where a step or a source is, as plain data: a part of the state of a stream."""


class Node(Protocol):
    """An iterator over items with a state."""

    def __iter__(self) -> Iterator[Any]: ...

    def state(self) -> Position:
        """Return the position after the last item, as plain JSON."""
        ...


@dataclass(frozen=True)
class World:
    """Who iterates: consumer `c` of `of`, in an epoch."""

    c: int
    of: int
    epoch: int


class Step(Protocol):
    """A step of the plan, as plain data.

    Attributes:
        rowwise: Whether each item becomes one item or none, whatever comes before and after it.
            Such a step has no state.
        one_to_one: Whether each item becomes one item.
        counted: Whether its result depends on how many items a consumer had, so that consumers go
            on behind others when their number changes (`streams/earlier.py`).
        python: Whether it returns dicts of Python objects, whatever came before.
        keeps_types: Whether rows have the types that the features say, after it as before: no
            user's function made their values.
    """

    @property
    def keeps_types(self) -> bool:
        """Whether rows have the types that the features say."""
        ...

    @property
    def rowwise(self) -> bool:
        """Whether each item becomes one item or none on its own."""
        ...

    @property
    def one_to_one(self) -> bool:
        """Whether each item becomes one item."""
        ...

    @property
    def counted(self) -> bool:
        """Whether its result depends on the items a consumer had."""
        ...

    @property
    def python(self) -> bool:
        """Whether it returns dicts of Python objects."""
        ...

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step, from a state on, in the pass `number`."""
        ...

    def fresh(self, state: Any) -> Position:
        """Return its state before its first item, from the state of the step before."""
        ...


class PlainStep:
    """The properties of most steps, and the state of those that have none of their own."""

    rowwise = False
    one_to_one = False
    counted = False
    python = False
    keeps_types = True

    def fresh(self, state: Position) -> Position:
        """Return the state before the first item: that of the step before."""
        return state


class RowWise(PlainStep):
    """A step that processes one item at a time."""

    rowwise = True
    one_to_one = True
    python = True


class Whole(PlainStep):
    """A step that processes lists of items."""

    def fresh(self, state: Any) -> Position:
        """Return the initial state of a `Stage`."""
        return [state, 0, 0]


class Counted(PlainStep):
    """A step that counts the items of its consumer."""

    counted = True


class Stage:
    """A node that takes lists of `size` items and yields others.

    Its state is `[state of the node before, at the last boundary; lists taken; items yielded of
    this list]`.
    """

    def __init__(
        self,
        upstream: Upstream,
        size: int,
        make: Callable[[Any, int], Iterable[Any]],
        state: Any,
        number: int,
        pool: Ahead | None = None,
    ) -> None:
        self._index: int
        self._given: int
        before, self._index, self._given = state or (None, 0, 0)
        self._upstream = upstream(before, number)
        self._before = self._upstream.state()
        self._size, self._make, self._pool = size, make, pool

    def state(self) -> Position:
        """Return the position, as the class says."""
        return [self._before, self._index, self._given]

    def __iter__(self) -> Iterator[Any]:
        for result, after in self._lists():
            for item in islice(result, self._given, None) if self._given else result:
                self._given += 1
                yield item
            self._before, self._index, self._given = after, self._index + 1, 0

    def _taken(self) -> Iterator[Any]:
        """Yield lists of `size` items, in the form that the node before has."""
        chunks = getattr(self._upstream, "chunks", None)
        if chunks is not None:
            yield from chunks(self._size)
            return
        items = iter(self._upstream)
        while taken := list(islice(items, self._size)):
            yield taken

    def _lists(self) -> Iterator[tuple[Iterable[Any], Any]]:
        """Yield the result of each list, and the state of the node before at that point."""
        index = self._index
        # A source whose rows are read ahead, for lists that others may have instead.
        note = getattr(self._upstream, "reached", lambda _: None)
        if self._pool is None:
            for taken in self._taken():
                yield self._make(taken, index), self._upstream.state()
                index += 1
            return
        with self._pool.running(self._make) as submit:
            queue: deque[tuple[Any, Any]] = deque()
            for taken in self._taken():
                queue.append((submit(taken, index), self._upstream.state()))
                index += 1
                if len(queue) >= getattr(submit, "ahead", self._pool.ahead):
                    future, after = queue.popleft()
                    result = future.result()
                    note(after)
                    yield result, after
            while queue:
                future, after = queue.popleft()
                result = future.result()
                note(after)
                yield result, after
