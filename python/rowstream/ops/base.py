"""What steps and nodes are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Upstream = Callable[[Any, int], "Node"]  # makes the node before a step: from its state, if any, in a pass


class Node(Protocol):
    """Gives items, and says where it is."""

    def __iter__(self) -> Iterator[Any]:
        """The items that are left."""
        ...

    def state(self) -> Any:
        """Where it is, after the last item given: plain JSON."""
        ...


@dataclass(frozen=True)
class World:
    """Who pulls: consumer `c` of `of`, in an epoch."""

    c: int
    of: int
    epoch: int


class Step(Protocol):
    """A step of the plan: plain data."""

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work, from a state on, in the pass `number`."""
        ...


class Stage:
    """Takes `size` items, gives a list of others.

    Its state is `[state of what is before it, at the last boundary; lists taken; items given of this list]`.
    """

    def __init__(self, upstream: Upstream, size: int, make: Callable[[list[Any], int], list[Any]], state: Any, number: int) -> None:
        self._index: int
        self._given: int
        before, self._index, self._given = state or (None, 0, 0)
        self._upstream = upstream(before, number)
        self._before = self._upstream.state()
        self._size, self._make = size, make

    def state(self) -> Any:
        """See the class."""
        return [self._before, self._index, self._given]

    def __iter__(self) -> Iterator[Any]:
        """The items that are left."""
        items = iter(self._upstream)
        while taken := list(islice(items, self._size)):
            made = self._make(taken, self._index)
            while self._given < len(made):
                self._given += 1
                yield made[self._given - 1]
            self._before, self._index, self._given = self._upstream.state(), self._index + 1, 0
