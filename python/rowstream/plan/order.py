"""The order of a plan: its segments, and where passes are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

Op = tuple[tuple[str, Any], ...]
"""One transform of the order: the items of its JSON object."""

MOST_SEGMENTS = 100_000
DESCRIBED = 200  # characters of an order in a state
UNROLLED = 64  # passes that are divided each for itself
FILE, ROW = "\0file", "\0row"
"""What the core calls the file of a row, and its number there."""
ALL_ROWS = 1 << 62
"""More rows than there are."""
CHOOSES = ("take", "skip", "pieces", "shard", "stride", "part")  # transforms that leave rows out


def op_of(name: str, **values: Any) -> Op:
    """Return an op with a name and values."""
    return (("op", name), *values.items())


@dataclass(frozen=True)
class Segment:
    """Transforms of `times` passes; with `flush`, a batch ends where a pass does."""

    ops: tuple[Op, ...] = ()
    times: int = 1
    flush: bool = False

    def then(self, op: Op) -> Segment:
        """Return this segment with one more transform."""
        return replace(self, ops=(*self.ops, op))

    def to_json(self) -> dict[str, Any]:
        """Return the segment as JSON for the core."""
        return {"ops": [dict(op) for op in self.ops], "times": self.times, "flush": self.flush}


def order_of(segment: Segment) -> str:
    """Return the transforms of a pass as text for users."""
    ops = [_shown(dict(op)) for op in segment.ops] or ["as the files have it"]
    return ", ".join(ops) + (f", {segment.times} times" if segment.times != 1 else "")


def _shown(op: dict[str, Any]) -> str:
    name = {"global": "all rows permuted"}.get(op["op"], op["op"])
    values = [f"{key}={value}" for key, value in op.items() if key not in ("op", "at", "pass")]
    return f"{name}({', '.join(values)})"


def balanced(pieces: list[int | None], of: int, *, contiguous: bool) -> bool:
    """Return whether `of` subsets of whole shards differ by at most one row."""
    counts = [rows or 0 for rows in pieces]
    n = len(counts)
    if n < of:
        return False
    if contiguous:
        ends = [i * (n // of) + min(i, n % of) for i in range(of + 1)]
        sizes = [sum(counts[start:end]) for start, end in pairwise(ends)]
    else:
        sizes = [sum(counts[i::of]) for i in range(of)]
    return max(sizes) - min(sizes) <= 1


def flushed(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return the passes of a batched plan for repetition: no batch spans two repetitions.

    A batch may span the passes that were there before the batching; it ends with the last of them.
    """
    if len(segments) == 1 and segments[0].times == 1:
        return (replace(segments[0], flush=True),)
    if not segments or segments[-1].flush:
        return tuple(segments)
    *first, last = segments
    rest = [replace(last, times=last.times - 1)] if last.times > 1 else []
    return (*first, *rest, replace(last, times=1, flush=True))
