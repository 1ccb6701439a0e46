"""Where a loader is, and how a state says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rowstream.distributed import merge_state_dicts
from rowstream.exceptions import CheckpointMismatchError


class Place(NamedTuple):
    """Where a loader is.

    Attributes:
        epoch: The epoch.
        stream: The state of the stream; `None` at its beginning.
        rows: The rows that all ranks had of the epoch, where it has a size.
        ended: Whether the epoch ended, for this rank.
        batches: The batches that were given of the epoch.
        unit: The rows that all ranks have of a batch.
    """

    epoch: int
    stream: Any = None
    rows: int = 0
    ended: bool = False
    batches: int = 0
    unit: int = 0

    def after(self, *, goes_on: bool) -> Place:
        """Return the beginning of the next epoch; of rows that go on, or begin anew."""
        return Place(self.epoch + 1, self.stream if goes_on else None)

    def counted(self, unit: int, group: int) -> Place:
        """Return the place for batches of another size, or of other ranks.

        Args:
            unit: The rows that all ranks have of a batch now.
            group: The number of batches of one step of the optimizer, which begins anew then.
        """
        if self.unit in (0, unit):
            return self._replace(unit=unit)
        batches = self.batches * self.unit // unit
        return self._replace(batches=batches - batches % group, unit=unit)

    def to_dict(self, *, sized: bool) -> dict[str, Any]:
        """Return the state for users.

        Args:
            sized: Whether the epoch has a size.
        """
        state = {"rowstream.loader": 1, "epoch": self.epoch, "dataset": self.stream}
        if self.batches:
            state |= {"batches": self.batches, "rows_of_batch": self.unit}
        if sized:
            state["rows"] = self.rows
        return {**state, "ended": True} if self.ended else state

    @classmethod
    def from_dict(cls, state: Any) -> Place:
        """Read a result of `to_dict`.

        Raises:
            CheckpointMismatchError: It is anything else.
        """
        if not isinstance(state, dict) or state.get("rowstream.loader") != 1:
            raise CheckpointMismatchError(
                "this is not the state of a DataLoader of rowstream: load it into what made it"
            )
        try:
            epoch, rows = int(state["epoch"]), int(state.get("rows", 0))
            batches, unit = (int(state.get(name, 0)) for name in ("batches", "rows_of_batch"))
            return cls(epoch, state["dataset"], rows, bool(state.get("ended")), batches, unit)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointMismatchError(
                f"the state of the DataLoader is damaged: {type(error).__name__}: {error}"
            ) from error


def of_rank(states: Sequence[dict[str, Any]], c: int, of: int) -> dict[str, Any]:
    """Return the state of a rank in those of all ranks, which may be others now."""
    if len(states) != of:
        return merge_state_dicts(states)
    own = states[c]
    # One that has ended waits for those that have not; others may be in the next epoch already.
    ended = all(state.get("ended") or state["epoch"] > own["epoch"] for state in states)
    return {**own, "ended": bool(own.get("ended") and ended)}
