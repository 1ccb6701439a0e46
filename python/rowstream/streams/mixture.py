"""Streams interleaved: rows drawn from several parts."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.streams.source import (
    Part,
    PeekableRows,
    Row,
    Sequence,
    sequences_of,
    with_all_columns,
)
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.ops.base import Position

_DRAWS = 1000  # draws that `datasets` makes at once
STRATEGIES = ("first_exhausted", "all_exhausted", "all_exhausted_without_replacement")
"""When a mixture ends."""


class MixtureRows:
    """The rows drawn from parts. Its state is `[draws, ended, parts]`."""

    def __init__(self, source: Mixture, v: int, epoch: int, number: int, state: Any) -> None:
        of = source.sequences
        self._source = source
        self._step: int
        self._step, ended, parts = state or (0, None, [None] * len(source.parts))
        self._parts = [
            PeekableRows(part, v, of, epoch, number, one)
            for part, one in zip(source.parts, parts, strict=True)
        ]
        # A part that is never drawn is no reason to go on, nor to end.
        chances = source.probabilities or (1.0,) * len(parts)
        self._drawn = [d for d, chance in enumerate(chances) if chance > 0]
        self._ended = list(ended) if ended is not None else [False] * len(parts)
        self._enough = any if source.strategy == "first_exhausted" else all
        self._over = self._enough([self._ended[d] for d in self._drawn])
        self._draws = islice(source.draws(v, epoch, number), self._step, None)

    def pull(self) -> Row:
        source, ended = self._source, self._ended
        while not self._over:
            d = next(self._draws)
            self._step += 1
            part = self._parts[d]
            if ended[d] and source.strategy == "all_exhausted_without_replacement":
                continue
            if not part.more:
                self._end(d)
                continue
            row, more = part.take()
            if not more:
                self._end(d)
                if source.strategy != "all_exhausted_without_replacement" and not self._over:
                    part.restart()
            return with_all_columns(row, source.names)
        raise StopIteration

    def _end(self, d: int) -> None:
        self._ended[d] = True
        self._over = self._enough([self._ended[d] for d in self._drawn])

    def state(self) -> Position:
        return [self._step, list(self._ended), [part.state() for part in self._parts]]


@dataclass(frozen=True)
class Mixture:
    """A source of rows drawn from parts, in turn or with probabilities.

    With one sequence the draws are those of `datasets`.
    """

    parts: tuple[Part, ...]
    probabilities: tuple[float, ...] | None
    strategy: str
    seed: int | None
    names: tuple[str, ...] | None = None
    lanes: int | None = None
    turns = True

    @property
    def shares(self) -> bool:
        return all(part.plan.shares for part in self.parts)

    @property
    def sequences(self) -> int:
        """The number of sequences. A run that resumes with other parts keeps its number."""
        return self.lanes or sequences_of(self.parts)

    @cached_property
    def described(self) -> dict[str, Any]:
        """The description of the mixture in a state, with a hash of each part."""
        return {
            "parts": [f"{zlib.crc32(part.key().encode()):08x}" for part in self.parts],
            "probabilities": None if self.probabilities is None else list(self.probabilities),
            "strategy": self.strategy,
            "seed": self.seed,
            "sequences": self.sequences,
        }

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        return MixtureRows(self, v, epoch, number, state)

    def draws(self, v: int, epoch: int, number: int) -> Iterator[int]:
        """Yield the number of the part that each row is drawn from."""
        n = len(self.parts)
        if self.probabilities is None:
            d = v % n
            while True:
                yield d
                d = (d + 1) % n
        import numpy as np

        first = self.sequences == 1 and not number
        rng = np.random.default_rng(self.seed if first else [self.seed or 0, epoch, number, v])
        while True:
            yield from rng.choice(n, size=_DRAWS, p=self.probabilities).tolist()

    def pieces(self) -> int:
        return min(part.pieces() for part in self.parts)

    def key(self) -> str:
        return (
            f"mixed({[part.key() for part in self.parts]}, {self.probabilities}, {self.strategy},"
            f" {self.seed})"
        )
