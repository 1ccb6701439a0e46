"""`repeat` after batching and similar steps: the steps before are run again for each pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.ops.base import Counted, Position

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


class _Repeated:
    """A node that runs the nodes before it again.

    Its state is `[pass, state of the node before]`.
    """

    def __init__(self, upstream: Upstream, state: Any, number: int, times: int | None) -> None:
        self._pass: int
        self._pass, before = state or (0, None)
        self._make, self._times = upstream, times
        # The passes of an outer repeat and of this one get keys of their own.
        self._number = number * (1 << 20)
        self._fresh = before is None
        self._upstream = upstream(before, self._number + self._pass)

    def state(self) -> Position:
        return [self._pass, self._upstream.state()]

    def __iter__(self) -> Iterator[Any]:
        while self._times is None or self._pass < self._times:
            given = not self._fresh
            for item in self._upstream:
                given = True
                yield item
            if not given and self._times is None:
                return  # else a pass without items would come round for ever
            self._pass, self._fresh = self._pass + 1, True
            self._upstream = self._make(None, self._number + self._pass)


@dataclass(frozen=True)
class Repeat(Counted):
    """A step that repeats all items `times` times, or endlessly if `None`."""

    times: int | None

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        return _Repeated(upstream, state, number, self.times)
