"""`batch` of batches, and of rows by the values of columns: each item is a group of items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.ops.base import Position, Stage, Whole

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World

_ANCHOR = 256  # rows between two states that are kept of what is before


class _Runs:
    """A node that groups consecutive rows with equal values.

    Its state is `[state of the node before, rows since]`.
    """

    def __init__(
        self,
        upstream: Upstream,
        state: Any,
        number: int,
        columns: tuple[str, ...],
        *,
        drop_last: bool,
    ) -> None:
        self._anchor: Any
        self._since: int
        self._anchor, self._since = state or (None, 0)
        self._upstream = upstream(self._anchor, number)
        if self._anchor is None:
            self._anchor = self._upstream.state()
        self._columns, self._drop_last = columns, drop_last

    def state(self) -> Position:
        return [self._anchor, self._since]

    def _value(self, row: dict[str, Any]) -> list[Any]:
        if missing := [name for name in self._columns if name not in row]:
            raise InvalidArgumentError(
                f"batch: there is no column {', '.join(map(repr, missing))} in by_column; the"
                f" columns are {list(row)}"
            )
        return [row[name] for name in self._columns]

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self._upstream)
        for _ in range(self._since):
            next(rows)
        anchor, since = self._anchor, self._since
        group: list[Any] = []
        value: list[Any] = []
        for row in rows:
            found = self._value(row)
            if group and found != value:
                # The row at hand is the first of the next group: it is read again.
                self._anchor, self._since = anchor, since
                yield tuple(group)
                group = []
            since += 1
            if since >= _ANCHOR:
                anchor, since = self._upstream.state(), 0
            group.append(row)
            value = found
        self._anchor, self._since = anchor, since
        if group and not self._drop_last:
            yield tuple(group)


@dataclass(frozen=True)
class Rebatch(Whole):
    """A step that groups `size` items, or consecutive rows with equal values in the columns `by`.

    A last group that is shorter, or that might continue, is left out if `drop_last`.
    """

    size: int | None
    drop_last: bool
    by: tuple[str, ...] = ()

    def fresh(self, state: Any) -> Position:
        """Return the state before the first item."""
        return [state, 0] if self.size is None else super().fresh(state)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        size = self.size
        if size is None:
            return _Runs(upstream, state, number, self.by, drop_last=self.drop_last)

        def group(items: list[Any], index: int) -> list[Any]:
            return [] if self.drop_last and len(items) < size else [tuple(items)]

        return Stage(upstream, size, group, state, number)
