"""Values of runs as JSON: predictions and metadata can be anything that has a form in it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def dumps(value: Any, what: str) -> str:
    """Return a value as JSON.

    NumPy's numbers and arrays, dates, sets and dataclasses become what JSON has for them.

    Args:
        value: The value.
        what: What it is, for the error.

    Raises:
        InvalidArgumentError: It has something that JSON has not.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain)
        # Half a pair of surrogates, which models can write, has no bytes in UTF-8.
        return text if _has_bytes(text) else json.dumps(value, default=_plain)
    except (TypeError, ValueError) as e:
        raise InvalidArgumentError(
            f"{what} cannot be stored as JSON: {e}; give text, numbers, lists and dicts"
        ) from e


def _has_bytes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_nan(value: Any) -> Any:
    """Return a value with `None` for what is no number, which other readers of JSON refuse."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: without_nan(one) for key, one in value.items()}
    return [*map(without_nan, value)] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "tolist"):  # of NumPy and torch
        return value.tolist()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"it has a {type(value).__name__}")
