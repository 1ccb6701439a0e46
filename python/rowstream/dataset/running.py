"""An iteration of a stream: what it gives next, and its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import CheckpointMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowstream.ops import Node
    from rowstream.ops.base import World
    from rowstream.plan import Plan

VERSION = 1
_PASS = 1 << 32  # passes that Python repeats are epochs of the core, beyond those that a user counts


class Rows:
    """The core's own iteration: rows, or batches where the plan batches."""

    def __init__(self, plan: Plan, world: World, state: str | None = None, number: int = 0) -> None:
        cursor = state or plan.core.start(world.epoch + number * _PASS)
        self.stream = _core.Stream(plan.core, world.c, world.of, cursor)
        self._batch = plan.batch or (1, False)

    def state(self) -> str:
        """The core's cursor."""
        return self.stream.cursor()

    def batches(self, size: int, drop_last: bool) -> Iterator[_core.Batch]:
        """Batches of rows."""
        while (batch := self.stream.next_batch(size, drop_last)) is not None:
            yield batch

    def __iter__(self) -> Iterator[_core.Batch]:
        """The plan's own batches; of one row where it has none."""
        return self.batches(*self._batch)


def node(plan: Plan, world: World, state: Any = None) -> Node:
    """The steps of a plan at work, over its batches."""

    def make(depth: int, state: Any, number: int) -> Node:
        if depth == 0:
            return Rows(plan, world, state, number)
        return plan.steps[depth - 1].node(lambda state, number: make(depth - 1, state, number), state, number, world)

    return make(len(plan.steps), state, 0)


@dataclass(frozen=True)
class State:
    """What `state_dict` gives: plain data, the same for every kind of stream."""

    epoch: int
    cursor: str | None
    steps: str = ""
    place: Any = None

    def to_dict(self) -> dict[str, Any]:
        """As users keep it."""
        made: dict[str, Any] = {"rowstream": VERSION, "epoch": self.epoch}
        if self.steps:
            return {**made, "steps": self.steps, "place": self.place}
        return {**made, "cursor": self.cursor}

    @classmethod
    def from_dict(cls, state: Any) -> State:
        """Reads what `to_dict` gave. Raises `CheckpointMismatchError` for anything else."""
        if not isinstance(state, dict) or state.get("rowstream") != VERSION:
            raise CheckpointMismatchError(
                f"not a state that this rowstream wrote: expected a dict with 'rowstream': {VERSION}, "
                f"found {type(state).__name__} {sorted(state) if isinstance(state, dict) else ''}".rstrip()
            )
        epoch, cursor = state.get("epoch"), state.get("cursor")
        if not isinstance(epoch, int) or not (isinstance(cursor, str) or "place" in state):
            raise CheckpointMismatchError("the state is damaged: it has no epoch, or no place")
        return cls(epoch, cursor, str(state.get("steps", "")), state.get("place"))


def signature(plan: Plan) -> str:
    """What a state with Python steps must match; empty where there are none."""
    return f"{plan.core.fingerprint} {', '.join(map(repr, plan.steps))}" if plan.steps else ""
