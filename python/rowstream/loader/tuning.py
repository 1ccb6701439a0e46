"""How many calls of a function run at once, found by trying."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream.ops.pool import Pool

_WINDOW, _SECONDS = 16, 0.01  # results, and their time, between two looks
_BETTER = 1.05  # how much faster it has to be for more calls to stay
_REST = 20  # looks before more are tried again


class Tuning:
    """The number of calls at once, doubled while the loop waits and results come faster for it.

    The order of results does not depend on it.

    Args:
        most: The most calls.

    Attributes:
        limit: The number of calls now.
    """

    def __init__(self, most: int) -> None:
        # What functions that compute are fastest with.
        self.limit = min(os.cpu_count() or 1, most)
        self._most = most
        # The fastest rate so far, and the number of calls that gave it.
        self._best, self._at = 0.0, self.limit
        self._rest, self._warm = 0, False
        self._begin()

    def _begin(self) -> None:
        self._began, self._results, self._waited = perf_counter(), 0, False

    def given(self, *, waited: bool) -> None:
        """Note that a result was given.

        Args:
            waited: Whether it was not there when it was asked for.
        """
        self._results += 1
        self._waited |= waited
        seconds = perf_counter() - self._began
        if self._results < _WINDOW or seconds < _SECONDS:
            return
        if not self._warm:
            # Threads begin, and what is used first is read.
            self._warm = True
            self._begin()
            return
        rate = self._results / seconds
        if rate > self._best * _BETTER:
            self._best, self._at = rate, self.limit
        elif self.limit > self._at:
            # More calls were of no use.
            self.limit, self._rest = self._at, _REST
        if self._rest:
            self._rest -= 1
            # What was measured once may not be so any more.
            self._best *= 0.99
        elif self._waited:
            self.limit = min(2 * self.limit, self._most)
        self._begin()

    @contextmanager
    def running(self, pool: Pool, call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
        """Run a function in as many workers as it says, as `Pool.running` does.

        Args:
            pool: The pool, whose number of workers is another.
            call: The function.
        """
        # Pools of so many workers; those of another number end what they have begun.
        of: dict[int, Callable[..., Any]] = {}
        with ExitStack() as stack:

            def submit(*args: Any) -> Any:
                if self.limit not in of:
                    workers = replace(pool, workers=self.limit)
                    of[self.limit] = stack.enter_context(workers.running(call))
                return of[self.limit](*args)

            yield submit

    def ahead(self, pool: Pool) -> int:
        """Return the maximum number of submitted calls, done or not."""
        return pool.ahead_of_each * self.limit
