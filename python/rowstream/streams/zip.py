"""Streams side by side: their columns joined row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.streams.source import Part, PeekableRows, Row, Sequence, with_all_columns

if TYPE_CHECKING:
    from rowstream.ops.base import Position


class ZipRows:
    """The rows of the parts joined into one. Its state is the list of their states."""

    def __init__(self, source: Zip, v: int, epoch: int, number: int, state: Any) -> None:
        self._source = source
        parts = state or [None] * len(source.parts)
        self._parts = [
            PeekableRows(part, v, source.sequences, epoch, number, one)
            for part, one in zip(source.parts, parts, strict=True)
        ]

    def pull(self) -> Row:
        ended = [i for i, part in enumerate(self._parts) if not part.more]
        if len(ended) == len(self._parts):
            raise StopIteration
        if ended:
            raise InvalidArgumentError(
                "concatenate_datasets(axis=1): the number of rows must match for all data sets:"
                f" those at {ended} end while others go on"
            )
        row: Row = {}
        for part in self._parts:
            for name, value in part.take()[0].items():
                if name in row:
                    raise InvalidArgumentError(
                        f"concatenate_datasets(axis=1): two data sets have a column {name!r}"
                    )
                row[name] = value
        return with_all_columns(row, self._source.names)

    def state(self) -> Position:
        return [part.state() for part in self._parts]


@dataclass(frozen=True)
class Zip:
    """A source whose rows have the columns of all parts."""

    parts: tuple[Part, ...]
    names: tuple[str, ...] | None = None
    sequences = 1
    turns = True

    @property
    def shares(self) -> bool:
        return all(part.plan.shares for part in self.parts)

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        return ZipRows(self, v, epoch, number, state)

    def pieces(self) -> int:
        return 1

    def key(self) -> str:
        return f"zipped({[part.key() for part in self.parts]})"
