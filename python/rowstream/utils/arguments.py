"""Checks of arguments, and sizes given as text."""

from __future__ import annotations

import re
from typing import Any

from rowstream.exceptions import InvalidArgumentError

_UNITS = {"P": 50, "T": 40, "G": 30, "M": 20, "K": 10}


def convert_file_size_to_int(size: int | str) -> int:
    """Return a size in bytes, given as text: `"500MB"` (500 · 10⁶) or `"1GiB"` (2³⁰).

    Args:
        size: The text, or a number, which is returned as it is.

    Raises:
        InvalidArgumentError: The text is not a size.
    """
    if isinstance(size, int):
        return size
    found = re.fullmatch(r"\s*(\d+)\s*([PTGMK])(i?)B?\s*", size, re.IGNORECASE)
    if found is None:
        raise InvalidArgumentError(
            f"`size={size}` is not in a valid format. Use an integer followed by the unit, e.g.,"
            " '5GB'."
        )
    number, unit, binary = int(found[1]), found[2].upper(), found[3]
    result = number * (1 << _UNITS[unit] if binary else 1000 ** (_UNITS[unit] // 10))
    return result // 8 if size.rstrip().endswith("b") and not binary else result


def check_number(name: str, value: Any, least: int | None = 0) -> int:
    """Return an argument as an `int`; NumPy integers and the like are accepted.

    Args:
        name: The name of the argument, for the error.
        value: Its value.
        least: The smallest value that is allowed; any if `None`.

    Raises:
        InvalidArgumentError: The value is not an integer, is too small, or is 2⁶⁴ or more.
    """
    try:
        number = int(value.__index__())
    except (AttributeError, TypeError):
        raise InvalidArgumentError(f"{name} must be an integer, not {value!r}") from None
    if (least is not None and number < least) or number >= 1 << 64:
        raise InvalidArgumentError(
            f"{name} must be {'at least ' + str(least) if number < 1 << 64 else 'below 2**64'},"
            f" found {number}"
        )
    return number
