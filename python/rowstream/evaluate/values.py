"""Predictions and references as plain values of Python, whatever they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN = frozenset([str, int, float, bool, bytes, type(None)])


def plain(value: Any) -> Any:
    """Return a value as Python has it: numbers and arrays of NumPy, torch and Arrow as such.

    Of messages it is the content of the last one.
    """
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "as_py"):
        value = value.as_py()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)) and value and all(map(_is_message, value)):
        return value[-1]["content"]
    return value


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and {"role", "content"} <= value.keys()
