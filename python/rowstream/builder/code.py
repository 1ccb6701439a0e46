"""The code of a builder, on which the validity of its cached files depends."""

from __future__ import annotations

import inspect
from typing import Any

from rowstream.fingerprint.hasher import Hasher

CODE = ".rowstream-builder"
# What Python adds to a class.
NOT_CODE = frozenset(
    {
        "__module__",
        "__dict__",
        "__weakref__",
        "__doc__",
        "__abstractmethods__",
        "_abc_impl",
        "__annotations__",
        "__parameters__",
        "__static_attributes__",
        "__firstlineno__",
        "__qualname__",
        "__orig_bases__",
    }
)


def saved_code(value: Any) -> Any:
    """Return the source of an attribute that is a function, or else a hash of its value."""
    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    if inspect.isfunction(function):
        try:
            return inspect.getsource(function)
        except (OSError, TypeError):
            return function.__code__.co_code
    try:
        return Hasher.hash(value)
    except Exception:
        return type(value).__qualname__
