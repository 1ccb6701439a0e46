"""A mark for code that produces rows of a stream: streams that it reads itself are read whole.

A worker of a loader has a part of the stream that the loader reads. A generator, or a function of a
step, may read other streams, and each worker wants all rows of those. The mark follows the call,
also into threads and coroutines that it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_inside: ContextVar[bool] = ContextVar("rowstream_undivided", default=False)


def is_undivided() -> bool:
    """Return whether a stream that begins now is read whole, although the process is a worker."""
    return _inside.get()


@contextmanager
def undivided() -> Iterator[None]:
    """Read streams that begin in the block whole, although the process is a worker."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def undivided_items(items: Iterator[Any]) -> Iterator[Any]:
    """Yield items; the streams that are read to produce them are read whole."""
    while True:
        token = _inside.set(True)
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            _inside.reset(token)
        yield item


def stay_undivided() -> None:
    """Read every stream of this process whole, since it only runs the functions of a step."""
    _inside.set(True)
