"""What `filter` and `batch` do with batches of rows."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowstream.dataset.map_style import Dataset
    from rowstream.expr import Expr


@dataclass(frozen=True)
class Kept:
    """A function of truth values, as one of batches that gives the numbers of rows that stay."""

    function: Callable[..., Any]
    batched: bool
    with_indices: bool
    with_rank: bool
    input_columns: list[str] | None

    def of(self, function: Callable[..., Any]) -> Any:
        """What `map` calls."""
        return self.later if inspect.iscoroutinefunction(function) else self

    def _calls(self, args: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        *inputs, indices, rank = args
        if self.batched:
            yield (*inputs, *([indices] if self.with_indices else []), *([rank] if self.with_rank else []))
            return
        for i, row in enumerate(indices):
            if self.input_columns is None:
                (batch,) = inputs
                given: tuple[Any, ...] = ({name: batch[name][i] for name in batch},)
            else:
                given = tuple(column[i] for column in inputs)
            yield (*given, *([row] if self.with_indices else []), *([rank] if self.with_rank else []))

    def _rows(self, args: tuple[Any, ...], answers: list[Any]) -> dict[str, Any]:
        mask = answers[0] if self.batched else answers
        if isinstance(mask, (pa.Array, pa.ChunkedArray)):
            mask = mask.to_pylist()
        return {"indices": [row for row, keep in zip(args[-2], mask, strict=False) if keep]}

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The numbers of rows that stay."""
        return self._rows(args, [self.function(*one, **kwargs) for one in self._calls(args)])

    async def later(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As a call, of an async function: the rows of a batch at the same time."""
        return self._rows(args, list(await asyncio.gather(*(self.function(*one, **kwargs) for one in self._calls(args)))))


def kept_rows(
    rows: Any,
    n: int,
    function: Callable[..., Any],
    names: list[str] | None,
    with_indices: bool,
    with_rank: bool,
    kwargs: dict[str, Any],
    desc: str,
) -> Any:
    """The numbers of rows for which a function is true, called row by row."""
    from rowstream import progress

    kept: list[int] = []
    plain = names is None and not with_indices and not with_rank and not kwargs
    with progress.bar(n, desc) as bar:
        for i, row in enumerate(rows):
            if plain:
                keep = function(row)
            else:
                given = [row] if names is None else [row[name] for name in names]
                keep = function(*given, *([i] if with_indices else []), *([None] if with_rank else []), **kwargs)
            if keep:
                kept.append(i)
            if i % 1000 == 999:
                bar.update(1000)
        bar.update(n % 1000)
    return np.asarray(kept, dtype=np.int64)


def chosen(ds: Dataset, condition: Expr) -> Any:
    """The rows for which an expression is true, found in the core, column by column."""
    from rowstream.dataset.fast import matching

    names = sorted(condition.columns())
    ds._known(names)
    return matching(ds, condition, names)


def batched(table: Any) -> Any:
    """A table as one row, whose columns are lists."""
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        columns[name] = pa.ListArray.from_arrays(pa.array([0, len(array)], pa.int32()), array)
    return pa.table(columns)


def runs_of(ds: Dataset, names: list[str], batch_size: int | None) -> Iterator[Any]:
    """Neighbouring rows that are alike in some columns, each run as one row of lists."""
    table = ds._query(slice(None))
    if not table.num_rows:
        return
    changes = np.zeros(table.num_rows, dtype=bool)
    changes[0] = True
    for name in names:
        column = table.column(name)
        differs = pc.fill_null(pc.not_equal(column[1:], column[:-1]), False).to_numpy(zero_copy_only=False)
        nulls = column.is_null().to_numpy(zero_copy_only=False)
        changes[1:] |= differs.astype(bool) | (nulls[1:] != nulls[:-1])
    starts = np.flatnonzero(changes)
    for start, end in zip(starts, [*starts[1:], table.num_rows], strict=True):
        step = batch_size or end - start
        for at in range(start, end, step):
            yield batched(table.slice(at, min(step, end - at)))
