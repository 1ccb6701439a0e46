"""`take` and `skip` after batching and similar steps, or of one rank.

Each consumer that has rows takes or skips an equal part of the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.ops.base import Counted, Position

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


def _part(n: int, among: int, sequences: int | None, world: World) -> int:
    """Return a consumer's part of `n`, of which each of `among` ranks has `n` of its own.

    Args:
        n: The number.
        among: The number of ranks.
        sequences: The number of sequences, each of which is one consumer's; `None` if all
            consumers have rows.
        world: The consumer.
    """
    each = world.of // among
    first = world.c - world.c % each
    those: Sequence[int] = range(first, first + each)
    if sequences is not None and sequences < world.of:
        owners = {v * world.of // sequences for v in range(sequences)}
        those = [c for c in those if c in owners]
    if world.c not in those:
        return 0
    return n // len(those) + (those.index(world.c) < n % len(those))


class _Counting:
    """A node that passes on items and counts them.

    Its state is `[state of the node before, count]`.
    """

    def __init__(self, upstream: Upstream, state: Any) -> None:
        self._count: int
        before, self._count = state or (None, 0)
        # In every pass the same items are chosen: those of the first.
        self._upstream = upstream(before, 0)

    def state(self) -> Position:
        return [self._upstream.state(), self._count]

    def _counted(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._count += 1
            yield item


class _Taken(_Counting):
    def __init__(self, upstream: Upstream, state: Any, n: int) -> None:
        super().__init__(upstream, state)
        self._n = n

    def __iter__(self) -> Iterator[Any]:
        return self._counted(islice(iter(self._upstream), self._n - self._count))


class _Skipped(_Counting):
    def __init__(self, upstream: Upstream, state: Any, n: int) -> None:
        super().__init__(upstream, state)
        self._n = n

    def __iter__(self) -> Iterator[Any]:
        items = iter(self._upstream)
        for _ in self._counted(islice(items, max(0, self._n - self._count))):
            pass
        yield from items


@dataclass(frozen=True)
class Take(Counted):
    """The first `n` items of all consumers together, or of each of `among` ranks, in epoch 0.

    `sequences` is the number of those that are not shared: other consumers have no items.
    """

    n: int
    among: int = 1
    sequences: int | None = field(default=None, repr=False)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        return _Taken(upstream, state, _part(self.n, self.among, self.sequences, world))


@dataclass(frozen=True)
class Skip(Counted):
    """All items but those that `Take` takes."""

    n: int
    among: int = 1
    sequences: int | None = field(default=None, repr=False)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        return _Skipped(upstream, state, _part(self.n, self.among, self.sequences, world))


class _Striding(_Counting):
    def __init__(self, upstream: Upstream, state: Any, of: int, index: int) -> None:
        super().__init__(upstream, state)
        self._of, self._index = of, index

    def __iter__(self) -> Iterator[Any]:
        for item in self._upstream:
            self._count += 1
            if (self._count - 1) % self._of == self._index:
                yield item


@dataclass(frozen=True)
class Every(Counted):
    """Every `of`-th item, from the one at `index` on.

    It divides what a `Take` or `Skip` left, since shards of files would divide the rows before it.
    """

    of: int
    index: int

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        return _Striding(upstream, state, self.of, self.index)
