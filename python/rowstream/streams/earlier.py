"""The rows that the consumers of an earlier run left, for steps that count what a consumer had.

`take`, `skip` and `repeat` after a batched function divide their number among the consumers that
began. When others resume, the consumers of that run go on as sequences of rows, each with its own
count, and are dealt to those that there are now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import CheckpointMismatchError
from rowstream.ops.base import World
from rowstream.streams.consumer import Consumer, merge, merge_cursors
from rowstream.streams.pipeline import Pipeline

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Position
    from rowstream.plan.plan import Plan
    from rowstream.streams.source import Row, Sequence

_CONSUMERS = "consumers"  # how many there were, in a place


class _Left:
    """The rows that one consumer of the earlier run left."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._items = pipeline, iter(pipeline)

    def pull(self) -> Row:
        row: Row = next(self._items)
        return row

    def state(self) -> Position:
        return self._pipeline.state()


@dataclass(frozen=True)
class EarlierConsumers:
    """A source with one sequence for each consumer of the earlier run.

    Attributes:
        plan: What they read.
        sequences: How many there were.
    """

    plan: Plan
    sequences: int
    turns = True
    shares = True

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:  # noqa: ARG002
        """Return the rows that the `v`-th of them left."""
        return _Left(Pipeline(self.plan, World(v, self.sequences, epoch), state))

    def pieces(self) -> int:
        """Return the number of sequences."""
        return self.sequences

    def key(self) -> str:
        """Return a text that identifies the source."""
        return f"earlier({self.sequences}, {self.plan.core.fingerprint})"


class _Resumed(Consumer):
    """One of the consumers that there are now."""

    def state(self) -> Any:
        return {_CONSUMERS: self._sequences, **super().state()}  # type: ignore[dict-item]


def resumed(plan: Plan, world: World, place: Any = None) -> Node:
    """Return the rows of a consumer from a place on, whichever consumers it was merged of.

    Raises:
        CheckpointMismatchError: It is the place of another consumer, of several.
    """
    if isinstance(place, dict) and place.get("of", [world.c, world.of]) != [world.c, world.of]:
        c, of = place["of"]
        if of > 1:
            raise CheckpointMismatchError(
                f"the state is of consumer {c} of {of}, this one is {world.c} of {world.of}: join"
                f" all {of} states with rowstream.merge_state_dicts(states) and load the result"
            )
        place = merge_places([place])
    if not isinstance(place, dict) or _CONSUMERS not in place:
        return Pipeline(plan, world, place)
    return _Resumed(EarlierConsumers(plan, int(place[_CONSUMERS])), world, place)


def merge_places(places: list[Any]) -> dict[str, Any]:
    """Merge the places of all consumers of a run into one that any number of them resumes at."""
    if any(_is_counted(place) for place in places):
        return _merge_counted(places)
    return Pipeline.merge(places, merge_cursors)


def _is_counted(place: Any) -> bool:
    """Return whether a place is of steps that count what their consumer had."""
    return isinstance(place, dict) and (_CONSUMERS in place or bool(place.get("fixed")))


def _merge_counted(places: list[Any]) -> dict[str, Any]:
    """Merge the places of all consumers of a run whose steps count.

    Raises:
        CheckpointMismatchError: They are not those of all consumers of one run.
    """
    numbers = {place.get(_CONSUMERS) for place in places}
    if len(numbers) > 1:
        raise CheckpointMismatchError(
            "merge_state_dicts: some of the states are of an earlier run than others: take all of"
            " them at one time"
        )
    (number,) = numbers
    if number is not None:
        return {_CONSUMERS: number, **merge(places)}  # type: ignore[dict-item]
    of = places[0]["of"][1]
    if sorted(place["of"] for place in places) != [[c, of] for c in range(of)]:
        raise CheckpointMismatchError(
            f"merge_state_dicts: expected one state of each of {of} consumers, found"
            f" {[place['of'] for place in places]}"
        )
    lanes = {str(place["of"][0]): [0, [], 0, place, False] for place in places}
    return {_CONSUMERS: of, "lanes": lanes}
