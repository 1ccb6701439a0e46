"""Selecting, removing and renaming columns of rows that functions returned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.formatting.streams import formatted, formatter
from rowstream.ops.base import RowWise
from rowstream.ops.map import RowNode

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


@dataclass(frozen=True)
class Project(RowWise):
    """A step that selects, removes or renames columns.

    Attributes:
        kind: `"select"`, `"remove"` or `"rename"`.
        names: Pairs of the name before and the name after.
    """

    kind: str
    names: tuple[tuple[str, str], ...]

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        return RowNode(upstream, state, number, self._row, indexed=False, pool=None)

    def _row(self, row: dict[str, Any], index: int) -> dict[str, Any]:
        missing = [name for name, _ in self.names if name not in row]
        if missing:
            raise InvalidArgumentError(
                f"there is no column {', '.join(map(repr, missing))} to {self.kind}; the columns"
                f" are {list(row)}"
            )
        if self.kind == "select":
            return {name: row[name] for name, _ in self.names}
        if self.kind == "remove":
            gone = {name for name, _ in self.names}
            return {name: value for name, value in row.items() if name not in gone}
        renamed = dict(self.names)
        result = {renamed.get(name, name): value for name, value in row.items()}
        if len(result) < len(row):
            raise InvalidArgumentError(
                f"renaming {renamed} would give two columns one name; the columns are {list(row)}"
            )
        return result


@dataclass(frozen=True)
class As(RowWise):
    """A step that formats batches, or rows that a function returned, for the function that follows.

    Attributes:
        format: The name of the format.
        batched: Whether the function takes batches, whose columns it formats itself. States are the
            same for both.
    """

    format: str | None
    batched: bool = field(default=False, repr=False)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        if self.batched:
            return upstream(state, number)
        make = formatter(self.format)
        return RowNode(
            upstream, state, number, lambda item, _: formatted(make, item), indexed=False, pool=None
        )
