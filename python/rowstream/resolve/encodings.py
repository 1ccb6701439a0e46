"""Encodings of text, with Python's names, for the core."""

from __future__ import annotations

import codecs
from functools import cache
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError

ERRORS = ("strict", "replace", "ignore", "backslashreplace")
"""What may become of bytes that are no text."""

_UNITS: dict[str, Any] = {
    "utf-8": "utf8",
    "utf-8-sig": "utf8sig",
    "utf-16": {"utf16": None},
    "utf-16-le": {"utf16": False},
    "utf-16-be": {"utf16": True},
    "utf-32": {"utf32": None},
    "utf-32-le": {"utf32": False},
    "utf-32-be": {"utf32": True},
}
# Python's names of encodings of several bytes, and those of https://encoding.spec.whatwg.org.
_SEVERAL = {
    "gb18030": "gb18030",
    "gbk": "gbk",
    "gb2312": "gb2312",
    "big5": "big5",
    "big5hkscs": "big5-hkscs",
    "shift_jis": "shift_jis",
    "cp932": "windows-31j",
    "euc_jp": "euc-jp",
    "iso2022_jp": "iso-2022-jp",
    "euc_kr": "euc-kr",
    "cp949": "windows-949",
}
_OTHER_LETTERS = "éЖאあ中한"  # one of them takes more than a byte, wherever characters do


def option(format: str, encoding: Any, errors: Any) -> dict[str, Any] | None:
    """Return the encoding of files for the core; `None` for UTF-8 with strict errors.

    Raises:
        InvalidArgumentError: There is no such encoding or no such way to handle errors.
        UnsupportedError: The encoding is not supported.
    """
    how = "strict" if errors is None else str(errors)
    if how not in ERRORS:
        raise InvalidArgumentError(
            f"encoding_errors is one of {', '.join(ERRORS)}, found {errors!r}"
        )
    try:
        name = codecs.lookup("utf-8" if encoding is None else encoding).name
    except (LookupError, TypeError):
        raise InvalidArgumentError(f"unknown encoding: {encoding!r}") from None
    # The mark at the start of CSV and JSON is left out always.
    if how == "strict" and name in (("utf-8",) if format == "text" else ("utf-8", "utf-8-sig")):
        return None
    if name in _SEVERAL:
        return {"name": _SEVERAL[name], "errors": how, "units": "several"}
    units = _UNITS.get(name)
    if units is None and (table := _table(name, how)) is not None:
        units = {"table": [*table]}
    if units is None:
        known = ", ".join((*_UNITS, *_SEVERAL))
        raise UnsupportedError(
            f"the encoding {encoding!r} is not read: {known} are, and all that have a byte a"
            " character"
        )
    return {"name": name, "errors": how, "units": units}


@cache
def _table(name: str, errors: str) -> tuple[str | None, ...] | None:
    """Return the character of each byte; `None` if some characters have several bytes."""
    try:
        if any(len(letter.encode(name, "ignore")) > 1 for letter in _OTHER_LETTERS):
            return None
        # A byte that is no text is an error, which the core tells, or what Python makes of it.
        return tuple(_character(byte, name, errors) for byte in range(256))
    except (LookupError, UnicodeError, TypeError, ValueError):
        return None  # no encoding of text, as rot13


def _character(byte: int, name: str, errors: str) -> str | None:
    try:
        return bytes([byte]).decode(name, errors)
    except UnicodeDecodeError:
        return None
