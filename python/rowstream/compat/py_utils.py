"""`datasets.utils.py_utils`."""

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
    """Return a number of bytes for people: `1.50 GiB`; `Unknown size` of none."""
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
    """Return what stands for the names in braces of a pattern; `None` where the text does not fit
    it.

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
    """Give an attribute another value for a while."""
    before = getattr(obj, attr, None)
    setattr(obj, attr, value)
    try:
        yield
    finally:
        setattr(obj, attr, before)


def unique_values(values: Iterable[T]) -> Iterator[T]:
    """Each value once, where it comes first."""
    yield from dict.fromkeys(values)


def zip_dict(*dicts: Mapping[Any, Any]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Each key with its values in all dicts.

    Raises:
        KeyError: one has a key that another lacks.
    """
    for key in unique_values(key for one in dicts for key in one):
        yield key, tuple(one[key] for one in dicts)


def no_op_if_value_is_null(func: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that gives `None` for `None`."""
    return lambda value: None if value is None else func(value)


def first_non_null_value(iterable: Iterable[Any]) -> tuple[int, Any]:
    """Return the first value that is not `None`, and where; `(-1, None)` if there is none."""
    return next(((i, value) for i, value in enumerate(iterable) if value is not None), (-1, None))


def first_non_null_non_empty_value(iterable: Iterable[Any]) -> tuple[int, Any]:
    """Return the first value that is not `None` or an empty list or dict, and where; `(-1, None)`
    if there is none.
    """
    there = (
        (i, value)
        for i, value in enumerate(iterable)
        if value is not None and not (isinstance(value, (dict, list)) and not value)
    )
    return next(there, (-1, None))


def copyfunc(func: Any) -> Any:
    """Return a function with the same code, that is another object."""
    made = types.FunctionType(
        func.__code__, func.__globals__, func.__name__, func.__defaults__, func.__closure__
    )
    made.__kwdefaults__ = func.__kwdefaults__
    return made


def has_sufficient_disk_space(needed_bytes: int, directory: str = ".") -> bool:
    """Return whether a disk has so many bytes left; `True` where nobody knows."""
    try:
        return needed_bytes < shutil.disk_usage(os.path.abspath(directory)).free
    except OSError:
        return True


def iter_batched(iterable: Iterable[T], n: int) -> Iterator[list[T]]:
    """List of so many items, the last of those that are left.

    Raises:
        ValueError: the number is below 1.
    """
    if n < 1:
        raise InvalidArgumentError(f"Invalid batch size {n}")
    items = iter(iterable)
    while batch := list(islice(items, n)):
        yield batch


class NestedDataStructure:
    """Dicts, lists and tuples inside each other.

    Args:
        data: the outermost.
    """

    def __init__(self, data: Any = None) -> None:
        self.data = [] if data is None else data

    def flatten(self, data: Any = None) -> list[Any]:
        """Return what is in them, one after another."""
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
    """Apply a function to what is in nested dicts, and lists, tuples or arrays as asked; gives the
    same nest of its results.

    Args:
        function: the function; of lists if `batched`.
        data_struct: the nest, or one thing.
        dict_only: only dicts are gone into.
        map_list: lists are gone into.
        map_tuple: tuples are gone into.
        map_numpy: arrays are gone into.
        num_proc: so many calls at once, on threads.
        parallel_min_length: calls that are made one after another if they are fewer.
        batched: the function takes a list, and gives one.
        batch_size: the most that it is given at once; all if `None`.
        types: what is gone into beside dicts, in place of what the others say.
        disable_tqdm: not used: nothing is drawn.
        desc: not used.
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
    made = _called(function, work, 1 if len(work) < parallel_min_length else num_proc or 1)
    return _rebuilt(
        data_struct, inside, iter([one for batch in made for one in batch] if batched else made)
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
    """Return a dataclass, or a dict that has some inside, as plain data without what is a
    default.
    """
    if not isinstance(obj, dict) and not (is_dataclass(obj) and not isinstance(obj, type)):
        raise TypeError(f"{obj} is not a dict or a dataclass")
    made: dict[str, Any] = plain(obj)
    return made


@contextmanager
def temp_seed(seed: int, set_pytorch: bool = False, set_tensorflow: bool = False) -> Iterator[None]:
    """NumPy's global generator, and that of torch if asked, begins at a seed, and afterwards goes
    on as before.
    """
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
