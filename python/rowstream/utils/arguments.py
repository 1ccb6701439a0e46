"""Checks of arguments, and sizes of text."""

from __future__ import annotations

import re
from typing import Any

from rowstream.exceptions import InvalidArgumentError

_UNITS = {"P": 50, "T": 40, "G": 30, "M": 20, "K": 10}


def convert_file_size_to_int(size: int | str) -> int:
    """Return the bytes that a text says: `"500MB"` (of 10⁶), `"1GiB"` (of 2³⁰).

    Raises:
        InvalidArgumentError: it says none.
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
    made = number * (1 << _UNITS[unit] if binary else 1000 ** (_UNITS[unit] // 10))
    return made // 8 if size.rstrip().endswith("b") and not binary else made


def check_number(name: str, value: Any, least: int | None = 0) -> int:
    """Return an integer argument, as any integer type gives it."""
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
