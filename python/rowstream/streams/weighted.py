"""Mixtures by weights: of rows or of what a column counts, which may change from a row on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.streams.mixture import Mixture
from rowstream.streams.source import PeekableRows, Row, Sequence, with_all_columns

if TYPE_CHECKING:
    from rowstream.ops.base import Position

_DRAWN = 1000  # draws that are made at once
Weights = tuple[float, ...]


@dataclass(frozen=True)
class WeightedMixture(Mixture):
    """A source of rows of parts, by weights.

    Attributes:
        schedule: Weights, and from which row of the mixture on they hold.
        by: The column that counts, such as token ids; each row counts as 1 if `None`.
        repeat: Whether each part begins again; where one does not, the mixture ends with the last
            that does not. As the strategy says if empty.
        unit: The number of rows of one part that follow each other.
        changes: What was added to the schedule since the mixture was made.
    """

    schedule: tuple[tuple[int, Weights], ...] = ()
    by: str | None = None
    repeat: tuple[bool, ...] = ()
    unit: int = 1
    changes: list[tuple[int, Weights]] = field(default_factory=list, compare=False, repr=False)
    # Up to which row of it this process has read.
    read: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)

    @property
    def described(self) -> dict[str, Any]:
        """The description of the mixture in a state, with the changes."""
        return {**super().described, "changes": [[row, list(of)] for row, of in self.changes]}

    def adopt(self, described: dict[str, Any]) -> None:
        """Take over the changes that a state has."""
        self.changes[:] = [(row, tuple(of)) for row, of in described.get("changes", ())]

    def period(self, step: int) -> tuple[int, Weights]:
        """Return which weights hold for a draw of a sequence, and the weights.

        A row of the mixture is one of all sequences, which take turns.
        """
        found = 0, self.schedule[0][1]
        if len(self.schedule) == 1 and not self.changes:
            return found
        # Of those of one row the last one counts.
        entries = sorted([*self.schedule, *self.changes], key=lambda entry: entry[0])
        for i, (row, weights) in enumerate(entries):
            if row <= step * self.sequences:
                found = i, weights
        return found

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        return _WeightedRows(self, v, epoch, number, state)

    def key(self) -> str:
        return (
            f"weighted({[part.key() for part in self.parts]}, {self.schedule}, {self.by},"
            f" {self.repeat}, {self.unit}, {self.strategy}, {self.seed})"
        )


class _WeightedRows:
    """The rows of one sequence. Its state is `[draws, ended, parts, counts, period, part]`."""

    def __init__(
        self, source: WeightedMixture, v: int, epoch: int, number: int, state: Any
    ) -> None:
        n = len(source.parts)
        self._source, self._seed = source, (source.seed or 0, epoch, number, v)
        self._step: int
        self._period: int
        self._part: int | None
        self._step, ended, parts, counts, self._period, self._part = state or (
            0, None, [None] * n, [0] * n, 0, None,
        )  # fmt: skip
        self._parts = [
            PeekableRows(part, v, source.sequences, epoch, number, one)
            for part, one in zip(source.parts, parts, strict=True)
        ]
        if not self._step:
            source.read[0] = 0  # another iteration begins
        self._ended, self._counts = list(ended or [False] * n), list(counts)
        again = source.strategy == "all_exhausted"
        self._repeats = source.repeat or (again,) * n
        self._block: tuple[int, list[float]] | None = None

    def _over(self, weights: Weights) -> bool:
        """Return whether the mixture has ended."""
        # A part that is never drawn is no reason to go on, nor to end.
        drawn = [d for d, weight in enumerate(weights) if weight > 0]
        if self._source.repeat:
            last = [d for d in drawn if not self._repeats[d]]
            return bool(last) and all(self._ended[d] for d in last)
        enough = any if self._source.strategy == "first_exhausted" else all
        return enough(self._ended[d] for d in drawn)

    def pull(self) -> Row:
        source = self._source
        while True:
            period, weights = source.period(self._step)
            if period != self._period:
                # Shares are those since the weights changed.
                self._counts, self._period, self._part = [0] * len(self._counts), period, None
            if self._over(weights):
                raise StopIteration
            d = self._chosen(weights)
            source.read[0] = max(source.read[0], (self._step + 1) * source.sequences)
            part = self._parts[d]
            if not part.more:
                if self._repeats[d]:
                    if part.restart():
                        continue
                    raise InvalidArgumentError(
                        f"mix_datasets: part {d} has no rows, and is to be repeated"
                    )
                self._ended[d], self._part = True, None
                continue
            row, more = part.take()
            self._step += 1
            self._counts[d] += self._counted(row)
            if not more:
                self._ended[d] = True
                if self._repeats[d] and not self._over(weights):
                    part.restart()
                else:
                    self._part = None
            return with_all_columns(row, source.names)

    def _chosen(self, weights: Weights) -> int:
        """Return the part that the next row is of."""
        there = [
            d
            for d, weight in enumerate(weights)
            if weight > 0 and (self._repeats[d] or not self._ended[d])
        ]
        if self._part is None or self._step % self._source.unit == 0 or self._part not in there:
            self._part = (
                min(there, key=lambda d: (self._counts[d] / weights[d], -weights[d], d))
                if self._source.by is not None
                else self._drawn(there, weights)
            )
        return int(self._part)

    def _drawn(self, there: list[int], weights: Weights) -> int:
        import numpy as np

        number = self._step // self._source.unit
        block, at = divmod(number, _DRAWN)
        if self._block is None or self._block[0] != block:
            rng = np.random.default_rng([*self._seed, block])
            self._block = block, rng.random(_DRAWN).tolist()
        left = self._block[1][at] * sum(weights[d] for d in there)
        for d in there:
            left -= weights[d]
            if left < 0:
                return d
        return there[-1]

    def _counted(self, row: Row) -> int:
        by = self._source.by
        if by is None:
            return 1
        if by not in row:
            raise InvalidArgumentError(
                f"mix_datasets: by={by!r} is no column; the columns are {list(row)}"
            )
        value = row[by]
        if value is None:
            return 0
        if hasattr(value, "__len__") and not isinstance(value, (dict, str, bytes)):
            return len(value)
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__int__"):
            raise SchemaError(
                f"mix_datasets: the column {by!r} has {type(value).__name__}, where a number or a"
                " list counts"
            )
        return int(value)

    def state(self) -> Position:
        return [
            self._step,
            list(self._ended),
            [part.state() for part in self._parts],
            list(self._counts),
            self._period,
            self._part,
        ]


def weights_of(weights: Any, parts: int) -> Weights:
    """Return the weights of an argument.

    Raises:
        InvalidArgumentError: They are not as many as the parts, or below 0, or all 0.
    """
    try:
        given = tuple(float(weight) for weight in weights)
    except (TypeError, ValueError):
        given = ()
    if len(given) != parts or not all(weight >= 0 for weight in given) or not sum(given) < 1e300:
        raise InvalidArgumentError(
            f"mix_datasets: weights are {parts} numbers of 0 or more, not {weights!r}"
        )
    if not sum(given):
        raise InvalidArgumentError(
            f"mix_datasets: at least one weight must be above 0, found {weights!r}"
        )
    return given


def shares(source: WeightedMixture) -> Iterator[str]:
    """Yield what each part gives, as text."""
    weights = source.schedule[0][1]
    rows = [part.plan.rows for part in source.parts]
    whole = sum(weights)
    known = (
        source.by is None and len(source.schedule) == 1 and None not in rows and not source.repeat
    )
    total = None
    if known and source.strategy != "all_exhausted_without_replacement":
        ends = min if source.strategy == "first_exhausted" else max
        drawn = zip(rows, weights, strict=True)
        total = ends((n * whole / weight for n, weight in drawn if weight and n), default=None)
    for n, weight in zip(rows, weights, strict=True):
        text = f"{weight / whole:.1%} of the {'rows' if source.by is None else source.by}"
        if n is not None and source.strategy == "all_exhausted_without_replacement":
            text += f", all {n:,} rows"
        elif n and total is not None:
            gives = total * weight / whole
            text += f", about {gives:,.0f} rows: {gives / n:.2f} passes over {n:,}"
        yield text
