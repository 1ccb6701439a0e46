"""Records that could not be read and were left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rowstream.exceptions import InvalidArgumentError

_MOST = 1000


class BadRecords:
    """The records that `on_error="skip"` left out, and why the first 1000 could not be read.

    Each process counts the records that it met, again in another epoch or after a resume.

    Attributes:
        count: The number of records.
        errors: The errors of the first 1000, each with file and position.
    """

    def __init__(self, on_error: Callable[[Exception], object] | None = None) -> None:
        self.count = 0
        self.errors: list[Exception] = []
        self._on_error = on_error

    def __call__(self, error: Exception) -> None:
        """Record an error. An exception of the user's own function ends the stream."""
        if self._on_error is not None:
            self._on_error(error)
        self.count += 1
        if len(self.errors) < _MOST:
            self.errors.append(error)

    def clear(self) -> None:
        """Reset the count and the errors."""
        self.count, self.errors = 0, []

    def __repr__(self) -> str:
        return f"BadRecords(count={self.count}{f', first={self.errors[0]}' if self.errors else ''})"


def from_argument(on_error: Any) -> BadRecords | None:
    """Return the record of errors for `on_error=`; `None` where a bad record is an error."""
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
