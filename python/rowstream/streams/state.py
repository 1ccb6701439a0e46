"""The states that `state_dict` returns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import CheckpointMismatchError

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


VERSION = 1
_OTHERS = {
    frozenset(("_snapshot", "_sampler_iter_yielded", "_num_yielded", "_steps_since_snapshot")): (
        "this is what a StatefulDataLoader saved: load it into one, or join what it has of its"
        " workers with merge_state_dicts([state])"
    ),
    frozenset(("examples_iterable",)): (
        "this is a state of datasets, which counts the rows of another order: begin anew,"
        " without it"
    ),
}


@dataclass(frozen=True)
class State:
    """What `state_dict` returns, for every kind of stream."""

    epoch: int
    cursor: str | None
    steps: str = ""
    place: Any = None
    of: Any = field(default=None, compare=False)

    def to_dict(self, of: Any = None) -> dict[str, Any]:
        """Return the state as plain data for users.

        Args:
            of: The description of the stream, for errors.
        """
        result: dict[str, Any] = {"rowstream": VERSION, "epoch": self.epoch}
        if (of := of or self.of) is not None:
            result["of"] = of
        if self.steps:
            return {**result, "steps": self.steps, "place": self.place}
        return {**result, "cursor": self.cursor}

    def of_plan(self, plan: Plan) -> bool:
        """Return whether it is a position in this plan, as far as is known without its files."""
        return self.steps == signature(plan) and (
            self.cursor is None or json.loads(self.cursor)["plan"] == plan.core.fingerprint
        )

    @classmethod
    def from_dict(cls, state: Any) -> State:
        """Read a result of `to_dict`.

        Raises:
            CheckpointMismatchError: It is anything else, or damaged.
        """
        if not isinstance(state, dict) or state.get("rowstream") != VERSION:
            for names, what in _OTHERS.items():
                if isinstance(state, dict) and names & state.keys():
                    raise CheckpointMismatchError(what)
            raise CheckpointMismatchError(
                "not a state that this rowstream wrote: expected a dict with 'rowstream':"
                f" {VERSION}, found {type(state).__name__}"
                f" {sorted(state) if isinstance(state, dict) else ''}".rstrip()
            )
        epoch, cursor = state.get("epoch"), state.get("cursor")
        if not isinstance(epoch, int) or not (isinstance(cursor, str) or "place" in state):
            raise CheckpointMismatchError("the state is damaged: it has no epoch, or no place")
        return cls(epoch, cursor, str(state.get("steps", "")), state.get("place"), state.get("of"))


def signature(plan: Plan) -> str:
    """Return what a state with Python steps has to match; empty where steps have no state."""
    return "" if plan.rowwise else f"{plan.core.fingerprint} {', '.join(map(repr, plan.steps))}"
