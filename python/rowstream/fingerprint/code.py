"""The parts of functions, modules and arrays that count for a hash, and a file that feeds one."""

from __future__ import annotations

import contextlib
import dis
import functools
import importlib.util
import os
import sys
import sysconfig
import types
from typing import Any

from rowstream.utils.cached import cached_property


class HashSink:
    """A file object that feeds a hash with what is written to it."""

    closed = False

    def __init__(self, of: Any) -> None:
        self.of = of

    def write(self, data: Any) -> int:
        self.of.update(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing, since nothing is buffered."""

    def close(self) -> None:
        """Do nothing, since no file is open."""


class Unhashable(TypeError):
    """An object whose content cannot be hashed; the message names its place and the reason."""


_LIBRARIES = tuple(
    {
        os.path.realpath(sysconfig.get_paths()[name]) + os.sep
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
)


def is_library(module: str | None) -> bool:
    """Return whether a module is of an installed package; then its name stands for its content."""
    if module in (None, "__main__", "__mp_main__"):
        return False
    if str(module).partition(".")[0] == "rowstream":
        return True
    loaded = sys.modules.get(str(module))
    file = getattr(loaded, "__file__", None)
    if loaded is not None and file is None:
        return True
    return file is not None and os.path.realpath(file).startswith(_LIBRARIES)


def unwrapped(value: Any) -> Any:
    """Return what the standard library or a compiler has wrapped, such as a cached function."""
    if isinstance(value, (functools.cached_property, cached_property)):
        return value.func
    if isinstance(value, functools._lru_cache_wrapper):
        return value.__wrapped__
    if isinstance(value, types.FunctionType) and isinstance(
        there := getattr(value, "registry", None), types.MappingProxyType
    ):
        return [
            there[key]
            for key in sorted(there, key=lambda key: f"{key.__module__}.{key.__qualname__}")
        ]  # of singledispatch
    named = getattr(value, "__dict__", {})
    return named.get("_torchdynamo_orig_callable") or named.get("_modules", {}).get("_orig_mod")


def empty(cell: Any) -> bool:
    """Return whether a cell of a closure has no value yet."""
    try:
        return cell.cell_contents is None
    except ValueError:
        return True


def imported(code: types.CodeType, names: dict[str, Any]) -> list[types.ModuleType]:
    """Import and return the modules that code imports while it runs, except those of libraries."""
    result: list[types.ModuleType] = []
    arguments: list[Any] = []
    for one in dis.get_instructions(code):
        if one.opname == "IMPORT_NAME":
            level, *_ = *[said for said in arguments[-2:-1] if isinstance(said, int)], 0
            wanted = arguments[-1] if isinstance(arguments[-1], tuple) else ()
            result += modules_named("." * level + str(one.argval), wanted, names)
        arguments.append(one.argval)
    for inside in code.co_consts:
        if isinstance(inside, types.CodeType):
            result += imported(inside, names)
    return result


def modules_named(
    name: str, wanted: tuple[str, ...], names: dict[str, Any]
) -> list[types.ModuleType]:
    """Import and return a module that is not of a library, and those of its names that are modules.

    The list is empty if the import fails.
    """
    result = []
    with contextlib.suppress(Exception):
        whole = importlib.util.resolve_name(name, names.get("__package__") or None)
        for one in (whole, *(f"{whole}.{inside}" for inside in wanted)):
            with contextlib.suppress(ModuleNotFoundError):
                spec = importlib.util.find_spec(one)
                if (
                    spec is not None
                    and spec.origin is not None
                    and not os.path.realpath(spec.origin).startswith(_LIBRARIES)
                ):
                    result.append(importlib.import_module(one))
    return result


def names_in(code: types.CodeType) -> set[str]:
    """Return the names of globals that code may use, including the code inside it."""
    result = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            result |= names_in(one)
    return result


def settled(text: str) -> str:
    """Return the JSON of a tokenizer without the settings of its last call."""
    import json

    said = json.loads(text)
    return json.dumps(
        {key: one for key, one in said.items() if key not in ("truncation", "padding")},
        sort_keys=True,
    )


def values_of(array: Any) -> Any:
    """Return what has the bytes of an array of NumPy; numbers, of which are many, as they lie."""
    import numpy as np

    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8) if flat.dtype.kind in "biufcmM" else flat.tobytes()
