"""A thread that says which stage is at work when a loop waits for a batch for too long."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rowstream.utils import logging

if TYPE_CHECKING:
    from rowstream.loader.watch import Watch

_logger = logging.get_logger(__name__)
SECONDS = 60.0
"""After how long a loop is told, and again after each such time."""
STAGES = {
    "read": "reading (files, decoding, shuffling, functions of the dataset)",
    "made": "collating (collate= and what runs it)",
    "copy": "the copy to the device",
}
"""What each stage of a loader is, for people."""


class Watchdog:
    """Looks at loops that wait now and then, from the first one on, until none is left."""

    def __init__(self) -> None:
        # With how often each was told of its wait of now.
        self._loops: WeakKeyDictionary[Watch, tuple[float, int]] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, loop: Watch) -> None:
        """Look at a loop, too."""
        with self._lock:
            self._loops[loop] = (0.0, 0)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, name="rowstream.watchdog", daemon=True
                )
                self._thread.start()

    def remove(self, loop: Watch) -> None:
        """Look at a loop no more."""
        with self._lock:
            self._loops.pop(loop, None)

    def _work(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(SECONDS / 4)
            with self._lock:
                loops = list(self._loops)
                if not loops:
                    self._thread = None
                    return
            for loop in loops:
                self.look(loop, perf_counter())

    def look(self, loop: Watch, now: float) -> None:
        """Warn if a loop waits for too long.

        Args:
            loop: The loop.
            now: The time, by the clock of the loop.
        """
        asked = loop.asked
        if asked is None:
            return
        since, told = self._loops.get(loop, (0.0, 0))
        told = told if since == asked else 0
        if now - asked >= SECONDS * (told + 1):
            did = loop.activity()
            text = (
                f"DataLoader: no batch for {now - asked:.0f} s. At work is"
                f" {STAGES[loop.own or loop.stage]}. Since the loader was made:"
                f" {loop.batches} batches, {did['requests']} requests, {did['retries']} of them"
                f" made again, {did['bytes_received'] / 1e6:.1f} MB received."
                " logging.getLogger('rowstream').setLevel('DEBUG') shows each request."
            )
            _logger.warning(text)
            told += 1
        with self._lock:
            if loop in self._loops:
                self._loops[loop] = (asked, told)


watchdog = Watchdog()
