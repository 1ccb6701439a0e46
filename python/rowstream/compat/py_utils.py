"""Helpers for code that imports `datasets.utils.py_utils`."""

from __future__ import annotations

import os
import re
import shutil
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.convert import plain

T = TypeVar("T")
ListLike: Any = list[Any] | tuple[Any, ...]
NestedDataStructureLike: Any = Any | list[Any] | dict[str, Any]
PathLike: Any = str | bytes | os.PathLike[Any]


def size_str(size_in_bytes: float | None) -> str:
    """Return a number of bytes as text, such as `1.50 GiB`; `Unknown size` for 0 and `None`."""
    if not size_in_bytes:
        return "Unknown size"
    for power, unit in ((50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size_in_bytes >= 1 << power:
            return f"{size_in_bytes / (1 << power):.2f} {unit}"
    return f"{int(size_in_bytes)} bytes"


def glob_pattern_to_regex(pattern: str) -> str:
    """Return a pattern of paths as a regular expression."""
    for char in "\\.+()|^$":
        pattern = pattern.replace(char, f"\\{char}")
    return pattern.replace("*", ".*").replace("//", "/").rstrip("/").replace("?", ".")


def string_to_dict(string: str, pattern: str) -> dict[str, str] | None:
    """Return the parts of a text that match the names in a pattern, or `None` if it does not match.

    Example:
        >>> string_to_dict("part-00003", "{stem}-{i:05d}")
        {'stem': 'part', 'i': '00003'}
    """
    pattern = re.sub(r"{([^:}]+)(?::[^}]+)?}", r"{\1}", pattern)
    found = re.search(re.sub(r"{(.+?)}", r"(?P<_\1>.+)", pattern), string)
    return (
        None
        if found is None
        else dict(zip(re.findall(r"{(.+?)}", pattern), found.groups(), strict=False))
    )


@contextmanager
def temporary_assignment(obj: Any, attr: str, value: Any) -> Iterator[None]:
    """Set an attribute to another value for the block."""
    before = getattr(obj, attr, None)
    setattr(obj, attr, value)
    try:
        yield
    finally:
        setattr(obj, attr, before)


def unique_values(values: Iterable[T]) -> Iterator[T]:
    """Yield each value once, in the order of first appearance."""
    yield from dict.fromkeys(values)


def zip_dict(*dicts: Mapping[Any, Any]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield each key with a tuple of its values in all dicts.

    Raises:
        KeyError: A dict lacks a key.
    """
    for key in unique_values(key for one in dicts for key in one):
        yield key, tuple(one[key] for one in dicts)


def no_op_if_value_is_null(func: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that returns `None` for `None`, and else calls the given one."""
    return lambda value: None if value is None else func(value)


def first_non_null_value(iterable: Iterable[Any]) -> tuple[int, Any]:
    """Return the index and value of the first value that is not `None`, or `(-1, None)`."""
    return next(((i, value) for i, value in enumerate(iterable) if value is not None), (-1, None))


def first_non_null_non_empty_value(iterable: Iterable[Any]) -> tuple[int, Any]:
    """Return the index and value of the first value that is not `None` or an empty list or dict.

    If there is none, the result is `(-1, None)`.
    """
    there = (
        (i, value)
        for i, value in enumerate(iterable)
        if value is not None and not (isinstance(value, (dict, list)) and not value)
    )
    return next(there, (-1, None))


def copyfunc(func: Any) -> Any:
    """Return a copy of a function with the same code."""
    result = types.FunctionType(
        func.__code__, func.__globals__, func.__name__, func.__defaults__, func.__closure__
    )
    result.__kwdefaults__ = func.__kwdefaults__
    return result


def has_sufficient_disk_space(needed_bytes: int, directory: str = ".") -> bool:
    """Return whether a disk has more free bytes than needed; `True` if that is unknown."""
    try:
        return needed_bytes < shutil.disk_usage(os.path.abspath(directory)).free
    except OSError:
        return True


def iter_batched(iterable: Iterable[T], n: int) -> Iterator[list[T]]:
    """Yield lists of `n` items; the last one may be shorter.

    Raises:
        InvalidArgumentError: `n` is below 1.
    """
    if n < 1:
        raise InvalidArgumentError(f"Invalid batch size {n}")
    items = iter(iterable)
    while batch := list(islice(items, n)):
        yield batch


class NestedDataStructure:
    """Nested dicts, lists and tuples.

    Args:
        data: The data; an empty list if `None`.
    """

    def __init__(self, data: Any = None) -> None:
        self.data = [] if data is None else data

    def flatten(self, data: Any = None) -> list[Any]:
        """Return a flat list of all items."""
        data = self.data if data is None else data
        if isinstance(data, dict):
            data = list(data.values())
        return (
            [one for item in data for one in self.flatten(item)]
            if isinstance(data, (list, tuple))
            else [data]
        )


def map_nested(
    function: Callable[[Any], Any],
    data_struct: Any,
    dict_only: bool = False,
    map_list: bool = True,
    map_tuple: bool = False,
    map_numpy: bool = False,
    num_proc: int | None = None,
    parallel_min_length: int = 2,
    batched: bool = False,
    batch_size: int | None = 1000,
    types: tuple[type, ...] | None = None,
    disable_tqdm: bool = True,
    desc: str | None = None,
) -> Any:
    """Apply a function to all items of nested dicts, lists, tuples or arrays; keep their structure.

    Args:
        function: The function; it takes a list if `batched`.
        data_struct: The nested data, or a single item.
        dict_only: Treat only dicts as nested.
        map_list: Treat lists as nested.
        map_tuple: Treat tuples as nested.
        map_numpy: Treat NumPy arrays as nested.
        num_proc: The number of threads for the calls.
        parallel_min_length: The number of calls below which no threads are used.
        batched: The function takes and returns lists.
        batch_size: The maximum length of these lists; all items if `None`.
        types: The types to treat as nested besides dicts, instead of the arguments above.
        disable_tqdm: No effect; there is no progress bar.
        desc: No effect.
    """
    import numpy as np

    asked = ((list, map_list), (tuple, map_tuple), (np.ndarray, map_numpy))
    inside = (
        tuple(kind for kind, on in asked if on and not dict_only) if types is None else tuple(types)
    )
    flat: list[Any] = []
    _collect(data_struct, inside, flat)
    size = len(flat) if batch_size is None or batch_size <= 0 else batch_size
    work = list(iter_batched(flat, max(1, size))) if batched else flat
    result = _called(function, work, 1 if len(work) < parallel_min_length else num_proc or 1)
    return _rebuilt(
        data_struct, inside, iter([one for batch in result for one in batch] if batched else result)
    )


def _called(function: Callable[[Any], Any], work: list[Any], threads: int) -> list[Any]:
    if threads in (0, 1):
        return [function(one) for one in work]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads if threads > 1 else None) as pool:
        return list(pool.map(function, work))


def _collect(data: Any, inside: tuple[Any, ...], flat: list[Any]) -> None:
    if not isinstance(data, (dict, *inside)):
        flat.append(data)
        return
    several: Any = data.values() if isinstance(data, dict) else data
    for one in several:
        _collect(one, inside, flat)


def _rebuilt(data: Any, inside: tuple[Any, ...], made: Iterator[Any]) -> Any:
    if isinstance(data, dict):
        return {key: _rebuilt(one, inside, made) for key, one in data.items()}
    if not isinstance(data, inside):
        return next(made)
    several = [_rebuilt(one, inside, made) for one in data]
    if isinstance(data, (list, tuple)):
        return tuple(several) if isinstance(data, tuple) else several
    import numpy as np

    return np.array(several)


def asdict(obj: Any) -> dict[str, Any]:
    """Return a dataclass, or a dict that contains some, as plain data without default values."""
    if not isinstance(obj, dict) and not (is_dataclass(obj) and not isinstance(obj, type)):
        raise TypeError(f"{obj} is not a dict or a dataclass")
    result: dict[str, Any] = plain(obj)
    return result


@contextmanager
def temp_seed(seed: int, set_pytorch: bool = False, set_tensorflow: bool = False) -> Iterator[None]:
    """Seed NumPy's global generator for the block, and torch's if asked, and restore it after."""
    import numpy as np

    state = np.random.get_state()
    np.random.seed(seed)
    torch_state = None
    if set_pytorch:
        import torch

        torch_state = torch.random.get_rng_state()
        torch.random.manual_seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
        if torch_state is not None:
            torch.random.set_rng_state(torch_state)


__all__ = [
    "ListLike",
    "Literal",
    "NestedDataStructure",
    "NestedDataStructureLike",
    "PathLike",
    "asdict",
    "copyfunc",
    "first_non_null_non_empty_value",
    "first_non_null_value",
    "glob_pattern_to_regex",
    "has_sufficient_disk_space",
    "iter_batched",
    "map_nested",
    "no_op_if_value_is_null",
    "size_str",
    "string_to_dict",
    "temp_seed",
    "temporary_assignment",
    "unique_values",
    "zip_dict",
]
