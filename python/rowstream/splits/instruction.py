"""Slices of splits as text: `train[:10%]`, `train[100:200]+test`, `train[-5:]`.

They mean the same as in `datasets`.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from typing import Any

from rowstream.exceptions import InvalidArgumentError

_PART = re.compile(
    r"""
    (?P<split>\w+(?:\.\w+)*)
    (?P<slice>\[
        (?:(?P<from>-?[\d_]+)(?P<from_pct>%)?)?
        :
        (?:(?P<to>-?[\d_]+)(?P<to_pct>%)?)?
    \])?
    (?:\((?P<rounding>[^)]*)\))?
    """,
    re.VERBOSE,
)
_ROUNDINGS = ("closest", "pct1_dropremainder")


@dataclass(frozen=True)
class Instruction:
    """A slice of a split.

    Attributes:
        split: The name of the split.
        start: The first row, or per cent; counted from the end if it is negative; `None` for the
            first of all.
        stop: The row or per cent after the last; `None` for the end.
        percent: Whether these are per cent.
        rounding: `"closest"`, or `"pct1_dropremainder"`, with which each per cent has the same
            number of rows.
        sliced: Whether this is a slice at all, not the whole split.
    """

    split: str
    start: int | None = None
    stop: int | None = None
    percent: bool = False
    rounding: str = "closest"
    sliced: bool = False

    def __post_init__(self) -> None:
        if self.rounding not in _ROUNDINGS:
            raise InvalidArgumentError(
                f"split {self.split!r}: rounding is one of {', '.join(_ROUNDINGS)}, found"
                f" {self.rounding!r}"
            )

    def rows(self, n: int) -> tuple[int, int]:
        """Return the first row of the slice and the one after its last, in a split of `n` rows."""

        def row(boundary: int | None, default: int) -> int:
            if boundary is None:
                return default
            if self.percent and self.rounding == "closest":
                boundary = round(boundary * n / 100)
            elif self.percent:
                if n < 100:
                    raise InvalidArgumentError(
                        f"split {self.split!r} has {n} rows: pct1_dropremainder of fewer than 100"
                        " rows is always nothing"
                    )
                boundary = boundary * math.trunc(n / 100)
            return min(max(n + boundary, 0) if boundary < 0 else boundary, n)

        return row(self.start, 0), row(self.stop, n)

    def of(self, stream: Any) -> Any:
        """Return the slice of a stream, whose rows are only counted where that is needed."""
        if not self.sliced:
            return stream
        ends = [one for one in (self.start, self.stop) if one is not None]
        counted = self.percent or any(one < 0 for one in ends)
        start, stop = self.rows(stream.count() if counted else sys.maxsize)
        rest = stream.skip(start) if start else stream
        return rest.take(max(0, stop - start)) if counted or self.stop is not None else rest


def instructions(split: str) -> list[Instruction] | None:
    """Return the slices that a text lists; `None` if it has none.

    Raises:
        InvalidArgumentError: The text has brackets, but is malformed.
    """
    if "[" not in split and "(" not in split:
        return None
    result = []
    for text in re.split(r"\s*\+\s*", split.strip()):
        found = _PART.fullmatch(text)
        if found is None:
            raise InvalidArgumentError(
                f"split {split!r}: expected a name with a slice, as train[:10%] or train[100:200],"
                f" found {text!r}"
            )
        rounding = found["rounding"] or "closest"
        start, stop = (None if found[name] is None else int(found[name]) for name in ("from", "to"))
        percent = bool(found["from_pct"] or found["to_pct"])
        result.append(
            Instruction(found["split"], start, stop, percent, rounding, found["slice"] is not None)
        )
    return result
