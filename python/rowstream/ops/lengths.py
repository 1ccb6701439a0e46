"""Rows by the lengths of their sequences: of like lengths together, and filled up to a multiple."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.ops.apply import rows_of
from rowstream.ops.base import RowWise, Stage, Whole
from rowstream.ops.map import RowNode

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


def _length(row: Mapping[str, Any], column: str, what: str) -> int:
    """Return the length of a row's sequence; 0 for `None`.

    Raises:
        InvalidArgumentError: There is no such column.
        SchemaError: It has no lengths.
    """
    if column not in row:
        raise InvalidArgumentError(
            f"{what}: there is no column {column!r}; the columns are {list(row)}"
        )
    value = row[column]
    if value is None:
        return 0
    if isinstance(value, dict) or not hasattr(value, "__len__"):
        raise SchemaError(
            f"{what}: the column {column!r} has {type(value).__name__}, which has no length"
        )
    if what == "pad" and isinstance(value, (str, bytes)):
        raise SchemaError(f"pad: the column {column!r} has texts, where lists are filled up")
    return len(value)


@dataclass(frozen=True)
class Bucket(Whole):
    """A step that puts rows of like lengths beside each other, within windows.

    Attributes:
        column: The column whose lengths count.
        batch_size: The number of rows of like lengths.
        window: The number of rows that are ordered together, a multiple of it.
        seed: The seed of the order of the batches within a window.
    """

    column: str
    batch_size: int
    window: int
    seed: int
    python = True
    one_to_one = False

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        epoch = world.epoch

        def ordered(taken: Any, index: int) -> list[Any]:
            import numpy as np

            rows = taken if isinstance(taken, list) else list(rows_of(taken))
            lengths = [_length(row, self.column, "bucket_by_length") for row in rows]
            order = np.argsort(lengths, kind="stable")
            whole = len(rows) // self.batch_size
            rng = np.random.default_rng([self.seed, epoch, number, world.c, index])
            # The last one, which is shorter, is at the end, so that the others stay together.
            starts = rng.permutation(whole) * self.batch_size
            places = [
                *(at for start in starts for at in order[start : start + self.batch_size]),
                *order[whole * self.batch_size :],
            ]
            return [rows[at] for at in places]

        return Stage(upstream, self.window, ordered, state, number)


@dataclass(frozen=True)
class Pad(RowWise):
    """A step that fills up sequences to a multiple.

    Attributes:
        multiple: The multiple.
        columns: The columns, of equal lengths in each row.
        values: What fills each of them up.
        mask: The column that says what is there; none if `None`.
    """

    multiple: int
    columns: tuple[str, ...]
    values: tuple[Any, ...]
    mask: str | None

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:  # noqa: ARG002
        """Return the node of this step."""
        return RowNode(upstream, state, number, self._padded, indexed=False, pool=None)

    def _padded(self, row: Any, index: int) -> dict[str, Any]:  # noqa: ARG002
        lengths = {name: _length(row, name, "pad") for name in self.columns}
        length = max(lengths.values())
        if min(lengths.values()) != length:
            raise SchemaError(f"pad: the columns of a row have other lengths: {lengths}")
        missing = -length % self.multiple
        result = dict(row)
        for name, value in zip(self.columns, self.values, strict=True):
            result[name] = [*(row[name] if row[name] is not None else ()), *[value] * missing]
        if self.mask is not None:
            result[self.mask] = [1] * length + [0] * missing
        return result
