"""Streams concatenated: the rows of one after those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.streams.source import (
    Part,
    PeekableRows,
    Row,
    Sequence,
    sequences_of,
    with_all_columns,
)

if TYPE_CHECKING:
    from rowstream.ops.base import Position


class ChainRows:
    """The rows of parts one after another. Its state is `[number of the part, its state]`."""

    def __init__(self, source: Chain, v: int, epoch: int, number: int, state: Any) -> None:
        self._source = source
        self._at: int
        self._at, inner = state or (0, None)
        self._place = (v, source.sequences, epoch, number)
        self._part = self._made(inner)

    def _made(self, state: Any) -> PeekableRows:
        return PeekableRows(self._source.parts[self._at], *self._place, state)

    def pull(self) -> Row:
        while not self._part.more:
            if self._at + 1 == len(self._source.parts):
                raise StopIteration
            self._at += 1
            self._part = self._made(None)
        return with_all_columns(self._part.take()[0], self._source.names)

    def state(self) -> Position:
        return [self._at, self._part.state()]


@dataclass(frozen=True)
class Chain:
    """A source of the rows of parts, one part after another."""

    parts: tuple[Part, ...]
    names: tuple[str, ...] | None = None
    turns = True

    @property
    def shares(self) -> bool:
        return all(part.plan.shares for part in self.parts)

    @property
    def sequences(self) -> int:
        return sequences_of(self.parts)

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        return ChainRows(self, v, epoch, number, state)

    def pieces(self) -> int:
        return sum(part.pieces() for part in self.parts)

    def key(self) -> str:
        return f"chained({[part.key() for part in self.parts]})"
