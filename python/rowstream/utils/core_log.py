"""What the core does, as messages of Python's `logging`: requests, repetitions, files opened.

They come below the logger `rowstream` at the level DEBUG, if it is enabled when a dataset is loaded
or iterated.
"""

from __future__ import annotations

import atexit
import logging
import threading

from rowstream import _core

_WAIT = 0.2  # seconds between two looks at whether messages are still wanted


class _Follower:
    """A thread that passes messages on while they are wanted."""

    def __init__(self) -> None:
        self.ended = False
        self.thread = threading.Thread(target=self._work, name="rowstream.log", daemon=True)
        _core.tell_messages(on=True)
        self.thread.start()

    def _work(self) -> None:
        while True:
            message = _core.next_message(_WAIT)
            if message is not None:
                logger, text = message
                logging.getLogger(logger).debug(text)
            elif self.ended or not _wanted():
                # Only now, when all that was said before is passed on.
                _core.tell_messages(on=False)
                return

    def end(self) -> None:
        """End the thread, after the messages that wait."""
        self.ended = True
        self.thread.join(2)


_follower: _Follower | None = None
_lock = threading.Lock()


def _wanted() -> bool:
    return logging.getLogger("rowstream").isEnabledFor(logging.DEBUG)


def follow() -> None:
    """Begin to pass on the core's messages, if they are wanted and it was not begun."""
    global _follower
    if not _wanted():
        return
    with _lock:
        # The thread of a process that was forked is gone.
        if _follower is None or not _follower.thread.is_alive():
            _follower = _Follower()


@atexit.register
def _end() -> None:
    if _follower is not None and _follower.thread.is_alive():
        _follower.end()
