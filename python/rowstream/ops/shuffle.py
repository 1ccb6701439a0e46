"""`shuffle` of batches as a whole, in windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.ops.base import Stage, Whole

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


@dataclass(frozen=True)
class Shuffle(Whole):
    """A step that permutes each window of `buffer` batches by a key of its own."""

    seed: int
    buffer: int

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""

        def permuted(items: list[Any], window: int) -> list[Any]:
            key = [self.seed, world.epoch, number, world.c, world.of, window]
            return [items[i] for i in _core.permutation(key, len(items))]

        return Stage(upstream, self.buffer, permuted, state, number)
