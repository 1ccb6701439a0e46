"""What is stored, as users have it: media, JSON and what a user's own feature decodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.features.encode import decode_nested_example, encode_nested_example
from rowstream.features.nested import requires_decoding
from rowstream.ops.base import RowWise
from rowstream.ops.map import RowNode
from rowstream.ops.pool import Pool

if TYPE_CHECKING:
    from rowstream.features.features import Features
    from rowstream.ops.base import Node, Upstream, World


@dataclass(frozen=True)
class Decode(RowWise):
    """Values as their features decode them, in `threads` threads beside the loop; in the loop if
    there are none.
    """

    features: Features
    threads: int = 0

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the step at work."""
        those = {
            name: feature for name, feature in self.features.items() if requires_decoding(feature)
        }

        def decoded(row: dict[str, Any], _: int) -> dict[str, Any]:
            made = dict(row)
            for name, feature in those.items():
                if made.get(name) is not None:
                    # A function may have given an image or a path rather than what is stored.
                    made[name] = decode_nested_example(
                        feature, encode_nested_example(feature, made[name])
                    )
            return made

        pool = Pool("threads", self.threads, ahead_of_each=2) if self.threads else None
        return RowNode(upstream, state, number, decoded, indexed=False, pool=pool)

    def __repr__(self) -> str:
        """Return the same in every process, however many threads there are."""
        return f"Decode({list(self.features)})"
