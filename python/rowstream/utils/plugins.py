"""What other packages offer by their entry points."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def offered(group: str) -> Iterator[tuple[str, Any]]:
    """Yield the names and objects of the entry points of a group.

    Raises:
        InvalidArgumentError: One cannot be loaded; the message names it.
    """
    for point in entry_points(group=group):
        try:
            found = point.load()
        except Exception as e:
            raise InvalidArgumentError(
                f"the entry point {point.name!r} = {point.value!r} of the group {group!r} cannot be"
                f" loaded: {type(e).__name__}: {e}"
            ) from e
        yield point.name, found
