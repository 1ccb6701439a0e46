"""`map`: rows, or batches of them, through a function."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.ops.apply import Call, check_lengths, columns_of, length_of, merged, rows_of
from rowstream.ops.base import Stage, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rowstream.ops.base import Node, Upstream, World
    from rowstream.ops.pool import Pool


class Each:
    """One item at a time. Its state is that of what is before it; with it the index, where the function has one."""

    def __init__(
        self, upstream: Upstream, state: Any, number: int, call: Callable[[Any, int], Any], *, indexed: bool, pool: Pool | None
    ) -> None:
        self._indexed, self._pool, self._call = indexed, pool, call
        self._index: int
        before, self._index = (state or (None, 0)) if indexed else (state, 0)
        self._upstream = upstream(before, number)
        self._behind: Any = None

    def state(self) -> Any:
        """See the class."""
        before = self._upstream.state() if self._behind is None else self._behind
        return [before, self._index] if self._indexed else before

    def __iter__(self) -> Iterator[Any]:
        """The items that are left."""
        if self._pool is not None:
            yield from self._beside(self._pool)
            return
        call = self._call
        for item in self._upstream:
            made = call(item, self._index)
            self._index += 1
            if made is not None:
                yield made

    def _beside(self, pool: Pool) -> Iterator[Any]:
        """Runs ahead of what is given: the state is that of the last item given, kept beside each."""
        queue: deque[tuple[Any, Any]] = deque()
        self._behind, index = self._upstream.state(), self._index
        with pool.running(self._call) as submit:
            items = iter(self._upstream)
            while True:
                while len(queue) < pool.ahead:
                    try:
                        item = next(items)
                    except StopIteration:
                        break
                    queue.append((submit(item, index), self._upstream.state()))
                    index += 1
                if not queue:
                    break
                future, after = queue.popleft()
                made = future.result()
                self._behind, self._index = after, self._index + 1
                if made is not None:
                    yield made


def _fresh(size: int | None, call: Call, state: Any) -> Any:
    if size is not None:
        return [state, 0, 0]
    return [state, 0] if call.indices else state


@dataclass(frozen=True)
class Map:
    """Each row, or batch of `size` rows, through a function; its columns are added to those there are."""

    call: Call
    remove: tuple[str, ...] = ()
    size: int | None = None
    drop_last: bool = False
    format: str | None = None
    pool: Pool | None = None
    counted = False
    python = True

    @property
    def rowwise(self) -> bool:
        """Whether it has no state."""
        return self.size is None and not self.call.indices

    @property
    def one_to_one(self) -> bool:
        """Whether each row becomes one."""
        return self.rowwise

    def fresh(self, state: Any) -> Any:
        """Its state before its first item."""
        return _fresh(self.size, self.call, state)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work."""
        if self.size is not None:
            make: Callable[[Any, int], Any] = self._batch_later if self.call.is_async else self._batch
            return Stage(upstream, self.size, make, state, number, self.pool)
        call = self._row_later if self.call.is_async else self._row
        return Each(upstream, state, number, call, indexed=self.call.indices, pool=self.pool)

    def _row(self, row: dict[str, Any], index: int) -> Any:
        kept = dict(row)
        return merged(self.call.what, row, kept, self.call(row, index), self.remove)

    async def _row_later(self, row: dict[str, Any], index: int) -> Any:
        kept = dict(row)
        return merged(self.call.what, row, kept, await self.call.awaited(row, index), self.remove)

    def _batch(self, rows: Any, index: int) -> Iterable[Any]:
        columns, indices = self._columns(rows, index)
        if columns is None:
            return []
        return self._made(columns, dict(columns), self.call(columns, indices))

    async def _batch_later(self, rows: Any, index: int) -> Iterable[Any]:
        columns, indices = self._columns(rows, index)
        if columns is None:
            return []
        return self._made(columns, dict(columns), await self.call.awaited(columns, indices))

    def _columns(self, rows: Any, index: int) -> tuple[dict[str, Any] | None, list[int]]:
        columns = rows if isinstance(rows, dict) else columns_of(rows)
        n = length_of(columns)
        if self.drop_last and n < (self.size or 0):
            return None, []
        start = index * (self.size or 0)
        return columns, list(range(start, start + n)) if self.call.indices else []

    def _made(self, columns: dict[str, Any], kept: dict[str, Any], made: Any) -> Iterable[Any]:
        what = self.call.what
        whole = merged(what, columns, kept, made, self.remove)
        check_lengths(what, made, whole)
        return rows_of(whole) if self.pool is None else list(rows_of(whole))

    def __repr__(self) -> str:
        """The same in every process."""
        return f"Map({self.call!r}, remove={list(self.remove)}, size={self.size}, drop_last={self.drop_last})"


@dataclass(frozen=True)
class Filter:
    """The rows for which a function is true; of a batch of `size` rows it gives a list."""

    call: Call
    size: int | None = None
    format: str | None = None
    pool: Pool | None = None
    one_to_one = False
    counted = False
    python = True

    @property
    def rowwise(self) -> bool:
        """Whether it has no state."""
        return self.size is None and not self.call.indices

    def fresh(self, state: Any) -> Any:
        """Its state before its first item."""
        return _fresh(self.size, self.call, state)

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work."""
        if self.size is not None:
            make: Callable[[Any, int], Any] = self._batch_later if self.call.is_async else self._batch
            return Stage(upstream, self.size, make, state, number, self.pool)
        call = self._row_later if self.call.is_async else self._row
        return Each(upstream, state, number, call, indexed=self.call.indices, pool=self.pool)

    def _row(self, row: dict[str, Any], index: int) -> Any:
        return row if self.call(row, index) else None

    async def _row_later(self, row: dict[str, Any], index: int) -> Any:
        return row if await self.call.awaited(row, index) else None

    def _batch(self, rows: Any, index: int) -> Iterable[Any]:
        columns, indices = self._columns(rows, index)
        return self._kept(columns, self.call(dict(columns), indices))

    async def _batch_later(self, rows: Any, index: int) -> Iterable[Any]:
        columns, indices = self._columns(rows, index)
        return self._kept(columns, await self.call.awaited(dict(columns), indices))

    def _columns(self, rows: Any, index: int) -> tuple[dict[str, Any], list[int]]:
        columns = rows if isinstance(rows, dict) else columns_of(rows)
        start = index * (self.size or 0)
        return columns, list(range(start, start + length_of(columns))) if self.call.indices else []

    def _kept(self, columns: dict[str, Any], mask: Any) -> Iterable[Any]:
        check_lengths(self.call.what, {"the result": mask}, columns)
        return [row for row, keep in zip(rows_of(columns), mask, strict=True) if keep]

    def __repr__(self) -> str:
        """The same in every process."""
        return f"Filter({self.call!r}, size={self.size})"


@dataclass(frozen=True)
class FlatMap(Whole):
    """The rows that a function gives for each row, one after another."""

    call: Call
    format: str | None = None
    python = True

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """The step at work."""

        def make(rows: Any, index: int) -> Iterable[Any]:
            row = next(rows_of(rows)) if isinstance(rows, dict) else rows[0]
            made: Iterable[Any] = self.call(row, index)
            return made

        return Stage(upstream, 1, make, state, number)

    def __repr__(self) -> str:
        """The same in every process."""
        return f"FlatMap({self.call!r})"


def beside(call: Call, num_threads: int | None, num_proc: int | None) -> Pool | None:
    """Where a function runs, if not in the loop."""
    from rowstream.ops.pool import Pool

    if call.is_async:
        return Pool("async", 1)
    if num_threads:
        return Pool("threads", num_threads)
    return Pool("processes", num_proc) if num_proc else None
