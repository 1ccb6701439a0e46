"""Batches made ahead by a thread, within a number of bytes."""

from __future__ import annotations

import atexit
import copy
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from rowstream.loader.tuning import Tuning
    from rowstream.ops.pool import Pool


_MOST = 64  # batches ahead, however small they are
# A step that is shorter, in seconds, is not worth another thread: to wake it takes about as long.
_SHORT = 100e-6
_running: WeakSet[Ahead] = WeakSet()


@atexit.register
def _stop() -> None:
    """End the threads while the interpreter can still wait for them."""
    for made in list(_running):
        made.close(timeout=2)


class Ahead:
    """Items that a thread makes while the consumer does something else.

    If both threads may make items, who waits for one that nobody is making makes it: a consumer
    that does nothing between two items pays for no other thread. An error comes where its item
    would.

    Args:
        items: The items.
        most: The bytes of items that are ready, beside one that is always made.
        size: Return the bytes of an item.
        count: The most items that are ready, however small they are.
        shared: Whether both threads may make items; else only the thread does.
        grow: The bytes that `most` may become, where the consumer waits although there was no room
            for more; 0 if it stays.
    """

    def __init__(
        self,
        items: Iterator[Any],
        most: int,
        size: Callable[[Any], int],
        count: int = _MOST,
        *,
        shared: bool = False,
        grow: int = 0,
    ) -> None:
        self._grow, self._full = grow, False
        self._items, self._most, self._size, self._count = items, most, size, count
        self._shared = shared
        self._ready: deque[tuple[Any, int]] = deque()
        self.bytes = 0
        """The bytes of the items that are ready."""
        self._changed = threading.Condition()
        self._making = self._ended = self._stopped = False
        self._error: BaseException | None = None
        # Whether the consumer does something between two items.
        self._busy = True
        self.thread = threading.Thread(target=self._work, name="rowstream.DataLoader", daemon=True)

    def __len__(self) -> int:
        """Return the number of items that are ready."""
        return len(self._ready)

    def start(self) -> None:
        """Begin to make items."""
        _running.add(self)
        self.thread.start()

    def items(self) -> Generator[Any, None, None]:
        """Yield the items; the thread, which is started if it was not, ends with it."""
        if self.thread.ident is None:
            self.start()
        try:
            while (item := self._next()) is not None:
                began = perf_counter()
                yield item
                self._busy = not self._shared or perf_counter() - began > _SHORT
        finally:
            self.close()

    def _next(self) -> Any:
        """Return the next item, `None` after the last; it is made here if no other thread does."""
        with self._changed:
            if not self._ready and not self._ended:
                self._more()
            while not self._ready and (self._making or not (self._shared or self._ended)):
                self._changed.wait()
            if self._ready:
                item, size = self._ready.popleft()
                self.bytes -= size
                if self._busy and self._few():
                    self._changed.notify()
                return item
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._making = True
        item = self._make()
        with self._changed:
            self._making = False
            if item is None and self._error is not None:
                raise self._error
            if self._busy:
                self._changed.notify()
        return item

    def _make(self) -> Any:
        """Return an item that only this thread makes; `None` after the last, and at an error."""
        try:
            item = next(self._items, None)
        except BaseException as error:
            self._error, item = error, None
        if item is None:
            self._ended = True
        return item

    def _room(self) -> bool:
        room = not self._ready or (self.bytes < self._most and len(self._ready) < self._count)
        self._full |= not room
        return room

    def _more(self) -> None:
        """Have room for more, where what was ready was as much as may be and was not enough."""
        if self._full and self._most < self._grow:
            self._most, self._count = min(2 * self._most, self._grow), 2 * self._count
        self._full = False

    def _few(self) -> bool:
        """Return whether the thread is to be woken, which takes longer than to take an item."""
        return 2 * len(self._ready) <= self._count and 2 * self.bytes <= self._most

    def _work(self) -> None:
        """Make items while the consumer is busy and there is room."""
        while True:
            with self._changed:
                while not (self._stopped or self._ended) and (
                    self._making or not self._busy or not self._room()
                ):
                    self._changed.wait()
                if self._stopped or self._ended:
                    return
                self._making = True
            item = self._make()
            with self._changed:
                self._making = False
                if item is not None:
                    size = self._size(item)
                    self._ready.append((item, size))
                    self.bytes += size
                self._changed.notify()

    def close(self, timeout: float | None = None) -> None:
        """Say that no more items are wanted, and wait for the thread to end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self.thread.ident is not None:
            self.thread.join(timeout)
        self._ready.clear()
        self.bytes = 0


def begun(rows: Iterable[Any], batches: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Yield batches of rows that are repeated endlessly, if there are any.

    Raises:
        InvalidArgumentError: There are none, which would be looked for endlessly.
    """
    if next(iter(copy.copy(rows)), None) is None:
        raise InvalidArgumentError(
            "DataLoader: epoch_size repeats the rows, and this rank has none: use fewer ranks, or"
            " look at what the filters leave"
        )
    yield from batches


def called(
    items: Iterable[tuple[Any, Any]],
    call: Callable[[Any], Any],
    pool: Pool | None,
    handed: Callable[[int], object] = lambda _: None,
    tuning: Tuning | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Yield pairs with the first of each replaced by what a function makes of it, in order.

    Args:
        items: The pairs.
        call: The function.
        pool: Where it runs; the thread that iterates if `None`.
        handed: It is called with the number of calls that the pool has, when that changes.
        tuning: Says how many it may have; as many as it says itself if `None`.
    """
    if pool is None:
        for first, second in items:
            yield call(first), second
        return
    with pool.running(call) if tuning is None else tuning.running(pool, call) as submit:
        queue: deque[tuple[Any, Any]] = deque()
        try:
            for first, second in items:
                queue.append((submit(first), second))
                handed(len(queue))
                most = tuning.ahead(pool) if tuning else getattr(submit, "ahead", pool.ahead)
                while len(queue) >= most:
                    future, after = queue.popleft()
                    if tuning is not None:
                        tuning.given(waited=not future.done())
                    yield future.result(), after
            while queue:
                future, after = queue.popleft()
                handed(len(queue))
                yield future.result(), after
        finally:
            handed(0)


def bytes_of(batch: Any) -> int:
    """Return about how many bytes a batch has."""
    if isinstance(batch, dict):
        return sum(map(bytes_of, batch.values()))
    if isinstance(batch, (list, tuple)):
        return sum(map(bytes_of, batch))
    size = getattr(batch, "nbytes", None)
    if isinstance(size, int):
        return size
    return len(batch) + 50 if isinstance(batch, (str, bytes)) else 32


def marked(items: Iterator[Any], number: int) -> Iterator[tuple[Any, int, bool]]:
    """Yield items with their numbers, from the one after a number on, and whether each is the last.

    An error comes where its item would.
    """
    held = next(items, None)
    while held is not None:
        number += 1
        try:
            following = next(items, None)
        except Exception:
            yield held, number, False
            raise
        yield held, number, following is None
        held = following
