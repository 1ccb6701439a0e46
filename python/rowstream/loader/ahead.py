"""Batches made ahead by a thread, within a number of bytes."""

from __future__ import annotations

import atexit
import copy
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from rowstream.ops.pool import Pool


_MOST = 64  # batches ahead, however small they are
_running: WeakSet[_Queue] = WeakSet()


def ahead(
    items: Iterator[Any], most: int, size: Callable[[Any], int]
) -> Generator[Any, None, None]:
    """Yield items that a thread makes. An error comes where its item would.

    Args:
        items: The items.
        most: The bytes of items that are ready, beside one that is always made.
        size: Return the bytes of an item.
    """
    queue = _Queue(most)
    _running.add(queue)

    def work() -> None:
        try:
            for item in items:
                if not queue.put(item, size(item)):
                    return
            queue.end(None)
        except BaseException as error:
            queue.end(error)

    thread = threading.Thread(target=work, name="rowstream.DataLoader", daemon=True)
    queue.thread = thread
    thread.start()
    try:
        yield from queue
    finally:
        queue.stop()
        thread.join()


@atexit.register
def _stop() -> None:
    """End the threads while the interpreter can still wait for them."""
    for queue in list(_running):
        queue.stop()
        if queue.thread is not None:
            queue.thread.join(timeout=2)


class _Queue:
    """Items between two threads, bounded in bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0
        self._items: deque[tuple[Any, int]] = deque()
        self._changed = threading.Condition()
        self._ended = self._stopped = False
        self._error: BaseException | None = None
        self.thread: threading.Thread | None = None

    def put(self, item: Any, size: int) -> bool:
        """Wait for room and add an item; return whether anybody wants it."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped
                    or not self._items
                    or (self._bytes + size <= self._most and len(self._items) < _MOST)
                )
            )
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return not self._stopped

    def end(self, error: BaseException | None) -> None:
        """Say that no more items come."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that no more items are wanted."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item, size = self._items.popleft()
                self._bytes -= size
                self._changed.notify_all()
            yield item


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
    items: Iterable[tuple[Any, Any]], call: Callable[[Any], Any], pool: Pool | None
) -> Iterator[tuple[Any, Any]]:
    """Yield pairs with the first of each replaced by what a function makes of it, in order.

    Args:
        items: The pairs.
        call: The function.
        pool: Where it runs; the thread that iterates if `None`.
    """
    if pool is None:
        for first, second in items:
            yield call(first), second
        return
    with pool.running(call) as submit:
        queue: deque[tuple[Any, Any]] = deque()
        for first, second in items:
            queue.append((submit(first), second))
            if len(queue) >= getattr(submit, "ahead", pool.ahead):
                future, after = queue.popleft()
                yield future.result(), after
        while queue:
            future, after = queue.popleft()
            yield future.result(), after


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
