"""`map`, `filter` and `flat_map`: users' functions on rows or batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.features.rows import Typing
from rowstream.formatting.streams import TABLES, formatter
from rowstream.ops.apply import (
    Call,
    check_lengths,
    columns_of,
    length_of,
    merged,
    rows_of,
    table_of,
    truth,
    truths,
)
from rowstream.ops.base import Position, Stage, Whole
from rowstream.ops.pool import Ahead, Pool
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


class RowNode:
    """A node that calls a function on one item at a time.

    Its state is that of the node before; with the index, where the function takes one.
    """

    def __init__(
        self,
        upstream: Upstream,
        state: Any,
        number: int,
        call: Callable[[Any, int], Any],
        *,
        indexed: bool,
        pool: Pool | Ahead | None,
    ) -> None:
        self._indexed, self._pool, self._call = indexed, pool, call
        self._index: int
        before, self._index = (state or (None, 0)) if indexed else (state, 0)
        self._upstream = upstream(before, number)
        self._behind: Any = None

    def state(self) -> Position:
        """Return the position, as the class says."""
        before = self._upstream.state() if self._behind is None else self._behind
        return [before, self._index] if self._indexed else before

    def reached(self, state: Any) -> None:
        """Note how far the items go that are given: what is read ahead of them is not this one's.

        Args:
            state: The state after the last of them.
        """
        note = getattr(self._upstream, "reached", None)
        if note is not None:
            note(state[0] if self._indexed else state)

    def __iter__(self) -> Iterator[Any]:
        if self._pool is not None:
            yield from self._beside(self._pool)
            return
        call = self._call
        for item in self._upstream:
            try:
                result = call(item, self._index)
            except SchemaError as error:
                error.add_note(f"row {self._index} since the iteration began")
                raise
            self._index += 1
            if result is not None:
                yield result

    def _beside(self, pool: Pool | Ahead) -> Iterator[Any]:
        """Yield results of a pool, which runs ahead; the state is that of the last yielded item."""
        queue: deque[tuple[Any, Any]] = deque()
        self._behind, index = self._upstream.state(), self._index
        note = getattr(self._upstream, "reached", lambda _: None)
        note(self._behind)
        with pool.running(self._call) as submit:
            items = iter(self._upstream)
            while True:
                while len(queue) < getattr(submit, "ahead", pool.ahead):
                    try:
                        item = next(items)
                    except StopIteration:
                        break
                    queue.append((submit(item, index), self._upstream.state()))
                    index += 1
                if not queue:
                    break
                future, after = queue.popleft()
                result = future.result()
                self._behind, self._index = after, self._index + 1
                note(after)
                if result is not None:
                    yield result


@dataclass(frozen=True)
class _Function:
    """What `map` and `filter` share: a function of a row, or of batches of `size` rows.

    A subclass processes its result: `_row_made` for a row, `_batch_made` for columns.
    """

    call: Call
    size: int | None = None
    format: str | None = None
    pool: Pool | None = None
    drop_last: bool = False
    counted = False
    python = True
    keeps_types = True

    @property
    def rowwise(self) -> bool:
        """Whether the step has no state."""
        return self.size is None and not self.call.indices

    def fresh(self, state: Any) -> Position:
        """Return the state before the first item."""
        if self.size is not None:
            return [state, 0, 0]
        return [state, 0] if self.call.indices else state

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        if self.size is not None:
            make: Callable[[Any, int], Any] = (
                self._batch_later if self.call.is_async else self._batch
            )
            return Stage(upstream, self.size, make, state, number, self.pool)
        call = self._row_later if self.call.is_async else self._row
        return RowNode(upstream, state, number, call, indexed=self.call.indices, pool=self.pool)

    def _row_made(self, row: Any, kept: Any, made: Any) -> Any:
        raise NotImplementedError

    def _batch_made(self, columns: Any, kept: Any, made: Any) -> Iterable[Any]:
        raise NotImplementedError

    def _before(self, row: Any) -> Any:
        """Return a copy of a row from before the function, which may change its argument."""
        return dict(row) if isinstance(row, dict) else row

    def _kept(self, rows: Any, columns: Any) -> Any:
        """Return a copy of a batch from before the function: its rows or its columns."""
        return self._before(columns)

    def _row(self, row: Any, index: int) -> Any:
        kept = self._before(row)
        return self._row_made(row, kept, self.call(row, index))

    async def _row_later(self, row: Any, index: int) -> Any:
        kept = self._before(row)
        return self._row_made(row, kept, await self.call.awaited(row, index))

    def _batch(self, rows: Any, index: int) -> Iterable[Any]:
        columns, indices = self._columns(rows, index)
        if columns is None:
            return []
        kept = self._kept(rows, columns)
        return self._batch_made(columns, kept, self.call(columns, indices))

    async def _batch_later(self, rows: Any, index: int) -> Iterable[Any]:
        columns, indices = self._columns(rows, index)
        if columns is None:
            return []
        kept = self._kept(rows, columns)
        return self._batch_made(columns, kept, await self.call.awaited(columns, indices))

    def _columns(self, rows: Any, index: int) -> tuple[Any, list[int]]:
        """Return the columns or table of a batch, and the positions of its rows.

        There are no columns where a short batch is left out.
        """
        columns = columns_of(rows) if isinstance(rows, list) else rows
        result = isinstance(columns, dict) and (self.format in TABLES or columns is not rows)
        if result and self.format is not None:
            columns = formatter(self.format).columns(columns)
        n, size = length_of(columns), self.size or 0
        if self.drop_last and n < size:
            return None, []
        return columns, list(range(index * size, index * size + n)) if self.call.indices else []


@dataclass(frozen=True)
class Map(_Function):
    """A step that calls a function on each row or batch and adds the columns that it returns.

    Attributes:
        remove: The columns to remove.
        features: The types of the result, if known. They are not part of a state.
    """

    remove: tuple[str, ...] = ()
    features: Any = field(default=None, compare=False)
    keeps_types = False

    @cached_property
    def _typing(self) -> Any:
        """The conversion of rows and columns to the features."""
        return Typing(self.features)

    @property
    def one_to_one(self) -> bool:
        """Whether each row becomes one row."""
        return self.rowwise

    def _row_made(self, row: Any, kept: Any, made: Any) -> Any:
        whole = merged(self.call.what, row, kept, made, self.remove)
        if isinstance(row, dict):
            return whole if self.features is None else self._typing.row(whole)
        check_lengths(self.call.what, whole, whole)
        rows = list(rows_of(whole))
        if len(rows) != 1:
            raise InvalidArgumentError(
                f"{self.call.what}: a function of one row returns a table of one row, it returned"
                f" {len(rows)}: batched=True may change the number of rows"
            )
        return rows[0] if self.features is None else self._typing.row(rows[0])

    def _batch_made(self, columns: Any, kept: Any, made: Any) -> Iterable[Any]:
        what = self.call.what
        whole = merged(what, columns, kept, made, self.remove)
        check_lengths(what, made if isinstance(columns, dict) else whole, whole)
        whole = whole if self.features is None else self._typing.columns(whole)
        return rows_of(whole) if self.pool is None else list(rows_of(whole))

    def __repr__(self) -> str:
        return (
            f"Map({self.call!r}, remove={list(self.remove)}, size={self.size},"
            f" drop_last={self.drop_last})"
        )


@dataclass(frozen=True)
class Filter(_Function):
    """A step that keeps the rows for which a function is true.

    On a batch of `size` rows the function returns a list.
    """

    one_to_one = False

    def _row(self, row: Any, index: int) -> Any:
        return self._row_made(row, row, self.call(row, index))

    async def _row_later(self, row: Any, index: int) -> Any:
        return self._row_made(row, row, await self.call.awaited(row, index))

    def _row_made(self, row: Any, kept: Any, made: Any) -> Any:
        if isinstance(row, dict):
            return (
                row if made is True or (made is not False and truth(self.call.what, made)) else None
            )
        return next(rows_of(columns_of(row))) if truth(self.call.what, made) else None

    def _kept(self, rows: Any, columns: Any) -> Any:
        """Return the rows, if they are available, since those that stay do not change."""
        return rows if isinstance(rows, list) else self._before(columns)

    def _batch_made(self, columns: Any, kept: Any, made: Any) -> Iterable[Any]:
        mask = truths(self.call.what, made, length_of(columns))
        if not isinstance(kept, (dict, list)):
            kept = columns_of(kept)
        return [
            row
            for row, keep in zip(
                rows_of(kept) if isinstance(kept, dict) else kept, mask, strict=True
            )
            if keep
        ]

    def __repr__(self) -> str:
        return f"Filter({self.call!r}, size={self.size})"


@dataclass(frozen=True)
class FlatMap(Whole):
    """A step that replaces each row by the rows that a function returns for it."""

    call: Call
    format: str | None = None
    python = True
    keeps_types = False

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""

        def make(rows: Any, index: int) -> Iterable[Any]:
            row = (
                rows[0]
                if isinstance(rows, list)
                else next(rows_of(rows))
                if isinstance(rows, dict)
                else rows
            )
            return _rows_only(self.call(row, index))

        return Stage(upstream, 1, make, state, number)

    def __repr__(self) -> str:
        return f"FlatMap({self.call!r})"


def _rows_only(rows: Any) -> Iterator[Any]:
    """Yield the rows that a function of `flat_map` returned.

    Raises:
        InvalidArgumentError: It returned something else.
    """
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise InvalidArgumentError(
            "flat_map: the function must return an iterable of rows, such as a list of dicts; it"
            f" returned {type(rows).__name__}"
        )
    for row in rows:
        if not isinstance(row, Mapping) and table_of(row) is None:
            raise InvalidArgumentError(
                "flat_map: the function must return an iterable of dicts, one a row; it returned"
                f" one of {type(row).__name__}"
            )
        yield row


def worker_pool(call: Call, num_threads: int | None, num_proc: int | None) -> Pool | None:
    """Return the pool that a function runs in; `None` for the iterating thread."""
    if call.is_async:
        return Pool("async", 1)
    if num_threads:
        return Pool("threads", num_threads)
    return Pool("processes", num_proc) if num_proc else None
