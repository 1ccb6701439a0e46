"""How many calls of a function run at once, found by trying."""

from __future__ import annotations

from time import perf_counter

_WINDOW = 16  # results between two looks
_BETTER = 1.03  # how much faster it has to be for more calls to stay
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
        # Two processors have work while the loop takes a result.
        self.limit = min(4, most)
        self._most = most
        # The fastest rate so far, and the number of calls that gave it.
        self._best, self._at = 0.0, self.limit
        self._rest = 0
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
        if self._results < _WINDOW:
            return
        rate = self._results / max(perf_counter() - self._began, 1e-9)
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
