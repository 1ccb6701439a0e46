"""The decoding of stored values: media, JSON and features of users."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any

from rowstream.features.encode import decode_nested_example, encode_nested_example
from rowstream.features.media.ref import MediaRef, references
from rowstream.features.nested import requires_decoding
from rowstream.ops.base import RowWise
from rowstream.ops.map import RowNode
from rowstream.ops.pool import Pool

if TYPE_CHECKING:
    from rowstream.features.features import Features
    from rowstream.ops.base import Node, Upstream, World


@dataclass(frozen=True)
class Decode(RowWise):
    """A step that decodes values by their features.

    Attributes:
        features: The features of the columns.
        threads: The number of threads that decode; 0 for the iterating thread.
    """

    features: Features
    threads: int = 0

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        those = {
            name: feature for name, feature in self.features.items() if requires_decoding(feature)
        }
        refs = references(self.features)
        kept = {
            name: feature
            for name, feature in self.features.items()
            if refs is not None
            and name not in those
            and requires_decoding(feature, ignore_decode_attribute=True)
        }

        def decoded(row: dict[str, Any], _: int) -> dict[str, Any]:
            result = dict(row)
            for name, feature in those.items():
                if result.get(name) is not None:
                    # A function may have given an image or a path rather than what is stored.
                    result[name] = decode_nested_example(
                        feature, encode_nested_example(feature, result[name])
                    )
            for name, feature in kept.items():
                if not isinstance(result.get(name), (MediaRef, NoneType)):
                    result[name] = encode_nested_example(feature, result[name])
            return result if refs is None else refs.row(result)

        pool = Pool("threads", self.threads, ahead_of_each=2) if self.threads else None
        return RowNode(upstream, state, number, decoded, indexed=False, pool=pool)

    def __repr__(self) -> str:
        """Return a text that is the same in every process, with any number of threads."""
        return f"Decode({list(self.features)})"
