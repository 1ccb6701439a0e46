"""`take` and `skip` of items that are more than rows: each consumer has an equal part of the number."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.ops.base import Counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowstream.ops.base import Node, Upstream, World


def _part(n: int, world: World) -> int:
    return n // world.of + (world.c < n % world.of)


class _Counting:
    """A node that passes on items and counts them. Its state is `[state of what is before it, count]`."""

    def __init__(self, upstream: Upstream, state: Any, number: int) -> None:
        self._count: int
        before, self._count = state or (None, 0)
        self._upstream = upstream(before, number)

    def state(self) -> Any:
        return [self._upstream.state(), self._count]

    def _counted(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._count += 1
            yield item


class _Taken(_Counting):
    def __init__(self, upstream: Upstream, state: Any, number: int, n: int) -> None:
        super().__init__(upstream, state, number)
        self._n = n

    def __iter__(self) -> Iterator[Any]:
        return self._counted(islice(iter(self._upstream), self._n - self._count))


class _Skipped(_Counting):
    def __init__(self, upstream: Upstream, state: Any, number: int, n: int) -> None:
        super().__init__(upstream, state, number)
        self._n = n

    def __iter__(self) -> Iterator[Any]:
        items = iter(self._upstream)
        for _ in self._counted(islice(items, max(0, self._n - self._count))):
            pass
        yield from items


@dataclass(frozen=True)
class Take(Counted):
    """The first `n` items of all consumers together."""

    n: int

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work."""
        return _Taken(upstream, state, number, _part(self.n, world))


@dataclass(frozen=True)
class Skip(Counted):
    """All but those."""

    n: int

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work."""
        return _Skipped(upstream, state, number, _part(self.n, world))
