"""Records that could not be read and were left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rowstream.exceptions import InvalidArgumentError

_MOST = 1000


class BadRecords:
    """What `on_error="skip"` left out: how many records, and why the first thousand of them could
    not be read.

    It counts what this process came across, each time it did: again in another epoch, or after a
    resume.

    Attributes:
        count: how many.
        errors: the errors of the first thousand, each with file and place.
    """

    def __init__(self, told: Callable[[Exception], object] | None = None) -> None:
        self.count = 0
        self.errors: list[Exception] = []
        self._told = told

    def __call__(self, error: Exception) -> None:
        """Take in one. What the user's function raises ends the stream."""
        if self._told is not None:
            self._told(error)
        self.count += 1
        if len(self.errors) < _MOST:
            self.errors.append(error)

    def clear(self) -> None:
        """Begins to count anew."""
        self.count, self.errors = 0, []

    def __repr__(self) -> str:
        """Return how many, and the first."""
        return f"Skipped(count={self.count}{f', first={self.errors[0]}' if self.errors else ''})"


def from_argument(on_error: Any) -> BadRecords | None:
    """Return what `on_error=` says: `None` where a bad record is an error."""
    if on_error in (None, "raise", "error"):
        return None
    if on_error in ("skip", "warn"):
        return BadRecords(_warn if on_error == "warn" else None)
    if callable(on_error):
        return BadRecords(on_error)
    raise InvalidArgumentError(
        'on_error is "raise", "skip" or a function that is called with the error, found'
        f" {on_error!r}"
    )


def _warn(error: Exception) -> None:
    import warnings

    warnings.warn(f"a record was left out: {error}", stacklevel=2)
