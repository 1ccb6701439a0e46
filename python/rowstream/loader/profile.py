"""What limits a loader, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rowstream.loader.watch import Watch

_LITTLE = 0.02
"""The share of time that a loop may wait without a reason to change anything."""
_ADVICE = {
    "nothing": "No batch was given yet: look again after some.",
    "step": "The loop waits for little: its own work is what takes the time.",
    "read": (
        "Reading takes most of the time in which batches are made: read fewer columns"
        " (select_columns), filter by col(…), keep files of other machines in the cache; run slow"
        " functions of map in threads or processes (num_threads=, num_proc=)."
    ),
    "collate": (
        "Making batches of rows takes most of the time: run collate= in threads or processes"
        " (num_threads=, num_proc=), tokenize in the core (ds.tokenize), or pack rows to one length"
        " (ds.pack)."
    ),
    "copy": (
        "Copies to the device take most of the time: give narrower types or fewer columns, and"
        " larger batches."
    ),
}


@dataclass(frozen=True)
class Profile:
    """What limits a loader.

    Attributes:
        limit: The stage that takes most of the time in which the loop waits: `"read"` (files,
            decoding, shuffling and functions of the dataset), `"collate"` or `"copy"`; `"step"` if
            the loop hardly waits, `"nothing"` before the first batch.
        waited_share: The share of time in which the loop waited for batches.
        seconds: How long each stage took, in whichever thread it ran.
        advice: What to change.
    """

    limit: str
    waited_share: float
    seconds: dict[str, float]
    advice: str

    def __str__(self) -> str:
        """Return a few lines for people."""
        stages = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.seconds.items())
        return (
            f"The loop waited for {self.waited_share:.1%} of its time. Batches were made by:"
            f" {stages}.\n{self.advice}"
        )


def profile_of(watch: Watch) -> Profile:
    """Return what limits the loader of a watch."""
    read = watch.stages.get("read", 0.0)
    seconds = {
        "read": read,
        "collate": max(0.0, watch.stages.get("made", 0.0) - read) + watch.stages.get("rows", 0.0),
        "copy": watch.stages.get("copy", 0.0),
    }
    share = watch.stats()["waited_share"]
    if not watch.batches:
        limit = "nothing"
    elif share <= _LITTLE:
        limit = "step"
    else:
        limit = max(seconds, key=lambda name: seconds[name])
    return Profile(limit, share, seconds, _ADVICE[limit])
