"""Constants that columns are compared with."""

from __future__ import annotations

import datetime as dt
import decimal
from contextlib import suppress
from numbers import Number
from typing import Any

from rowstream.exceptions import InvalidArgumentError, SchemaError


def literal(value: Any) -> dict[str, Any]:
    """Return a value as JSON for the core."""
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return {"int": value}
        if 0 < value < 1 << 64:
            return {"big": value}
        try:
            return {"float": float(value)}
        except OverflowError:
            raise InvalidArgumentError(
                f"a column cannot be compared with an integer of {value.bit_length()} bits: no"
                " column has such numbers"
            ) from None
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise InvalidArgumentError(f"a column cannot be compared with {value}")
        return {"float": value}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": list(value)}
    if isinstance(value, (dt.date, dt.time)):
        return {"other": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"other": str(value)}
    raise InvalidArgumentError(
        f"a column cannot be compared with {value!r}; numbers, strings, bytes, booleans, dates and"
        " decimals are there"
    )


def _kind(value: Any) -> str | None:
    """Return what a value is in words; `None` for what compares itself."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (bytes, bytearray)):
        return "bytes"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, dt.datetime):
        return "a time"
    if isinstance(value, (dt.date, dt.time)):
        return f"a {type(value).__name__}"
    return "a list" if isinstance(value, (list, dict)) else None


def comparable(path: tuple[str, ...], value: Any, other: Any) -> tuple[Any, Any]:
    """Return a value of a column and what it is compared with, as Python compares them.

    Days are times at midnight, texts are read as times beside times, and times without a zone are
    of UTC: as in the core.

    Raises:
        SchemaError: They are of different kinds: here a comparison would be false without a word,
            where the core says so by the types of files.
    """
    if type(value) is type(other) and not isinstance(value, dt.datetime):
        return value, other
    found, wanted = _kind(value), _kind(other)
    if isinstance(value, (dt.date, dt.time)) and isinstance(other, str):
        with suppress(ValueError):
            other = type(value).fromisoformat(other)
            found = wanted = None
    if isinstance(value, dt.date) and isinstance(other, dt.date):
        return _moment(value), _moment(other)
    if found is not None and wanted is not None and found != wanted:
        raise SchemaError(
            f"filter: column {'.'.join(path)!r} has {found}, {value!r:.40}, which {wanted} cannot"
            f" be compared with: {other!r:.40}"
        )
    return value, other


def _moment(day: dt.date) -> dt.datetime:
    """Return a day or a time as a time of UTC."""
    if not isinstance(day, dt.datetime):
        day = dt.datetime(day.year, day.month, day.day)
    return day.replace(tzinfo=dt.UTC) if day.tzinfo is None else day
