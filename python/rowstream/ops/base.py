"""What steps and nodes are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rowstream.ops.pool import Pool

    Upstream = Callable[
        [Any, int], "Node"
    ]  # makes the node before a step: from its state, if any, in a pass


class Node(Protocol):
    """Gives items, and says where it is."""

    def __iter__(self) -> Iterator[Any]:
        """Return the items that are left."""
        ...

    def state(self) -> Any:
        """Return where it is, after the last item given: plain JSON."""
        ...


@dataclass(frozen=True)
class World:
    """Who pulls: consumer `c` of `of`, in an epoch."""

    c: int
    of: int
    epoch: int


class Step(Protocol):
    """A step of the plan: plain data.

    Attributes:
        rowwise: each item becomes an item or none, whatever comes before and after it. Such a step
            has no state.
        one_to_one: each item becomes one item.
        counted: what it does depends on how many items a consumer gave, so it cannot go on with
            other consumers.
        python: it gives dicts of Python objects, whatever came before.
    """

    @property
    def rowwise(self) -> bool:
        """See the class."""
        ...

    @property
    def one_to_one(self) -> bool:
        """See the class."""
        ...

    @property
    def counted(self) -> bool:
        """See the class."""
        ...

    @property
    def python(self) -> bool:
        """See the class."""
        ...

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the step at work, from a state on, in the pass `number`."""
        ...

    def fresh(self, state: Any) -> Any:
        """Its state before its first item, over one that is in `state`."""
        ...


class RowWise:
    """A step that looks at one item at a time."""

    rowwise = True
    one_to_one = True
    counted = False
    python = True

    def fresh(self, state: Any) -> Any:
        """Return the same: it has no state."""
        return state


class Whole:
    """A step that takes lists of items."""

    rowwise = False
    one_to_one = False
    counted = False
    python = False

    def fresh(self, state: Any) -> Any:
        """Return that of a `Stage`."""
        return [state, 0, 0]


class Counted:
    """A step that counts the items of its consumer."""

    rowwise = False
    one_to_one = False
    counted = True
    python = False

    def fresh(self, state: Any) -> Any:
        """Not used: states of such steps are not joined."""
        return state


class Stage:
    """Takes `size` items, gives others.

    Its state is
    `[state of what is before it, at the last boundary; lists taken; items given of this list]`.
    """

    def __init__(
        self,
        upstream: Upstream,
        size: int,
        make: Callable[[Any, int], Iterable[Any]],
        state: Any,
        number: int,
        pool: Pool | None = None,
    ) -> None:
        self._index: int
        self._given: int
        before, self._index, self._given = state or (None, 0, 0)
        self._upstream = upstream(before, number)
        self._before = self._upstream.state()
        self._size, self._make, self._pool = size, make, pool

    def state(self) -> Any:
        """See the class."""
        return [self._before, self._index, self._given]

    def __iter__(self) -> Iterator[Any]:
        """Yield the items that are left."""
        for made, after in self._lists():
            for item in islice(made, self._given, None) if self._given else made:
                self._given += 1
                yield item
            self._before, self._index, self._given = after, self._index + 1, 0

    def _taken(self) -> Iterator[Any]:
        """List of `size` items; in the form that what is before it has at hand."""
        chunks = getattr(self._upstream, "chunks", None)
        if chunks is not None:
            yield from chunks(self._size)
            return
        items = iter(self._upstream)
        while taken := list(islice(items, self._size)):
            yield taken

    def _lists(self) -> Iterator[tuple[Iterable[Any], Any]]:
        """Yield what is made of each list, and the state of what is before it then."""
        index = self._index
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
                if len(queue) >= self._pool.ahead:
                    future, after = queue.popleft()
                    yield future.result(), after
            while queue:
                future, after = queue.popleft()
                yield future.result(), after
