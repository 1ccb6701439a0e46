"""Conversion of Python values to JSON text."""

from __future__ import annotations

import json
from typing import Any


def dumps(value: Any) -> str:
    """Return a value as JSON text; times and the like become strings."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
