"""`batch` of batches: each item is a group of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.ops.base import Stage, Whole

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


@dataclass(frozen=True)
class Rebatch(Whole):
    """Groups of `size`; a shorter last one is left out if `drop_last`."""

    size: int
    drop_last: bool

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work."""

        def group(items: list[Any], index: int) -> list[Any]:
            return [] if self.drop_last and len(items) < self.size else [tuple(items)]

        return Stage(upstream, self.size, group, state, number)
