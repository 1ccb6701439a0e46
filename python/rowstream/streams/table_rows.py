"""Streams of the rows of a table by number: in its order, or in another one in each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from rowstream import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowstream.ops.base import Position
    from rowstream.streams.source import Row, Sequence

_BLOCK = 100  # rows that are read at once


class Numbered(Protocol):
    """A table whose rows are read by their numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, numbers: list[int]) -> Any:
        """Return some rows as an Arrow table."""
        ...


class TableRows:
    """The rows of a table from a place on. Its state is the number of those that were returned."""

    def __init__(self, table: Numbered, order: list[int] | None, state: Any) -> None:
        self._table, self._order, self._count = table, order, state or 0
        self._rows = self._read()

    def _read(self) -> Iterator[Row]:
        for start in range(self._count, len(self._table), _BLOCK):
            stop = min(start + _BLOCK, len(self._table))
            numbers = list(range(start, stop)) if self._order is None else self._order[start:stop]
            yield from self._table[numbers].to_pylist()

    def pull(self) -> Row:
        row = next(self._rows)
        self._count += 1
        return row

    def state(self) -> Position:
        return self._count


@dataclass(frozen=True)
class TableSource:
    """A source of the rows of a table.

    Attributes:
        table: The table.
        seed: The seed of a permutation of all rows, another one in each epoch and pass; the order
            of the table if `None`.
    """

    table: Any
    seed: int | None = None
    shares = True
    sequences = 1
    turns = False

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:  # noqa: ARG002 — there is one
        order = None if self.seed is None else _order(self.seed, epoch, number, len(self.table))
        return TableRows(self.table, order, state)

    def pieces(self) -> int:
        return 1

    def key(self) -> str:
        return f"table({len(self.table)} rows, {self.table.column_names}, {self.seed})"


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, number: int, n: int) -> list[int]:
    """Return the order of `n` rows in an epoch and a pass."""
    return _core.permutation([seed, epoch, number, 4], n)
