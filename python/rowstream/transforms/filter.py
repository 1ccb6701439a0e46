"""The functions that `filter` and `batch` apply to batches of rows."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.ops.apply import truth, truths
from rowstream.utils import progress

if TYPE_CHECKING:
    from rowstream.plan.expr import Expr


@dataclass(frozen=True)
class FilterMask:
    """A filter function, wrapped as a `map` function that returns the positions of the kept rows.

    Attributes:
        function, batched, with_indices, with_rank, input_columns: As in `filter`.
        listed: The row indices over the table, if there are any.
    """

    function: Callable[..., Any]
    batched: bool
    with_indices: bool
    with_rank: bool
    input_columns: list[str] | None
    listed: Any = None

    def of(self, function: Callable[..., Any]) -> Any:
        """Return the function for `map` to call, which is async if the filter is."""
        return self.later if inspect.iscoroutinefunction(function) else self

    def _calls(self, args: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        *inputs, indices, rank = args
        if self.batched:
            yield (
                *inputs,
                *([indices] if self.with_indices else []),
                *([rank] if self.with_rank else []),
            )
            return
        for i, row in enumerate(indices):
            if self.input_columns is None:
                (batch,) = inputs
                given: tuple[Any, ...] = ({name: batch[name][i] for name in batch},)
            else:
                given = tuple(column[i] for column in inputs)
            yield (
                *given,
                *([row] if self.with_indices else []),
                *([rank] if self.with_rank else []),
            )

    def _rows(self, args: tuple[Any, ...], answers: list[Any]) -> dict[str, Any]:
        mask = (
            truths("filter", answers[0], len(args[-2]))
            if self.batched
            else [truth("filter", answer) for answer in answers]
        )
        rows = pa.array(
            [row for row, keep in zip(args[-2], mask, strict=True) if keep], pa.uint64()
        )
        if self.listed is not None:
            self.listed.check()
        return {
            "indices": rows if self.listed is None else pc.take(self.listed.table.column(0), rows)
        }

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the positions in the table of the kept rows."""
        return self._rows(args, [self.function(*one, **kwargs) for one in self._calls(args)])

    async def later(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the same for an async function, which runs on the rows of a batch concurrently."""
        return self._rows(
            args,
            list(
                await asyncio.gather(*(self.function(*one, **kwargs) for one in self._calls(args)))
            ),
        )


def kept_rows(
    rows: Any,
    n: int,
    function: Callable[..., Any],
    names: list[str] | None,
    with_indices: bool,
    with_rank: bool,
    kwargs: dict[str, Any],
    desc: str,
) -> np.ndarray[Any, Any]:
    """Return the positions of the rows for which a function, called row by row, is true."""
    kept: list[int] = []
    plain = not with_indices and not with_rank and not kwargs
    with progress.bar(n, desc) as bar:
        for i, given in enumerate(zip(rows, strict=True) if names is None else rows.values(names)):
            if plain:
                keep = function(*given)
            else:
                keep = function(
                    *given, *([i] if with_indices else []), *([None] if with_rank else []), **kwargs
                )
            if keep is True or (keep is not False and truth("filter", keep)):
                kept.append(i)
            if i % 1000 == 999:
                bar.update(1000)
        bar.update(n % 1000)
    return np.asarray(kept, dtype=np.int64)


def rows_where(ds: Any, condition: Expr) -> np.ndarray[Any, Any]:
    """Return the positions of the rows for which an expression is true, evaluated in the core."""
    from rowstream.table.rows import matching

    names = sorted(condition.columns())
    ds._known(names)
    return matching(ds, condition, names)


def batched(table: Any, ends: Sequence[int] | None = None) -> pa.Table:
    """Return a table whose rows are lists of rows: one of all rows, or one up to each of `ends`."""
    offsets = pa.array([0, *([table.num_rows] if ends is None else ends)], pa.int32())
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        columns[name] = pa.ListArray.from_arrays(offsets, array)
    return pa.table(columns)


class Batches:
    """Batches of a size, each as one row of lists.

    Args:
        size: The number of rows in a batch.
        drop_last: Whether to leave out a last batch that is shorter.
        row_bytes: The bytes of a row, on average.

    Attributes:
        rows: How many rows to call it with, except at the end: several batches.
    """

    def __init__(self, size: int, drop_last: bool, row_bytes: int) -> None:
        self._size, self._drop_last = size, drop_last
        self.rows = size * max(1, min(1000, _BYTES // max(1, row_bytes)) // size)

    def __call__(self, table: Any) -> pa.Table:
        """Return the batches of a part of the rows."""
        n = table.num_rows
        ends = [*range(self._size, n + 1, self._size)]
        if n % self._size and not self._drop_last:
            ends.append(n)
        try:
            return batched(table, ends)
        except pa.ArrowInvalid:
            # Rows that are much larger than others: a column of them all has no offsets.
            if len(ends) < 2:
                raise
            parts = [batched(table.slice(a, b - a)) for a, b in pairwise([0, *ends])]
            return pa.concat_tables(parts)


_BYTES = 16 << 20  # of the rows that are put into batches at a time


class Runs:
    """The runs of consecutive rows with equal values in some columns, each as one row of lists.

    The table arrives in parts. A run ends when a row differs or at the last row; its rows are
    buffered until then.
    """

    def __init__(self, names: list[str], length: int) -> None:
        self._names, self._length = names, length
        self._buffer: list[Any] = []

    def __call__(self, table: Any, at: list[int]) -> dict[str, Any] | pa.Table:
        """Return the runs that end in a part, whose rows have the positions `at`."""
        buffered = sum(part.num_rows for part in self._buffer)
        if self._buffer:
            seam = pa.concat_tables([self._buffer[-1].slice(self._buffer[-1].num_rows - 1), table])
            ends = np.flatnonzero(self._changes(seam)) + buffered
        else:
            ends = np.flatnonzero(self._changes(table)) + 1
        self._buffer.append(table)
        if at[-1] + 1 == self._length:
            ends = np.append(ends, buffered + table.num_rows)
        if not len(ends):
            return batched(table.slice(0, 0), [])
        whole = pa.concat_tables(self._buffer)
        self._buffer = [whole.slice(int(ends[-1]))]
        return batched(whole.slice(0, int(ends[-1])), ends.tolist())

    def _changes(self, table: Any) -> np.ndarray[Any, Any]:
        """Return where rows differ from the row before them: a bool for each row but the first."""
        result = np.zeros(max(0, table.num_rows - 1), dtype=bool)
        for name in self._names:
            result |= _differs(table.column(name))
        return result


def _differs(column: Any) -> Any:
    """Return where values differ from the value before them; two nulls are equal."""
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    try:
        differs = (
            pc.fill_null(pc.not_equal(column[1:], column[:-1]), False)
            .to_numpy(zero_copy_only=False)
            .astype(bool)
        )
    except pa.ArrowNotImplementedError:
        # Lists and structs.
        values = column.to_pylist()
        differs = np.fromiter(
            (a != b for a, b in zip(values[1:], values, strict=False)), bool, len(values) - 1
        )
    return differs | (nulls[1:] != nulls[:-1])
