"""Fingerprints: names of data by what it was made of, which caches go by.

A fingerprint is a hash of the data's own fingerprint, of what is done with it, and of the
arguments. Functions are hashed by what they do: their code, defaults, closures, and the globals
that they use; those of installed packages by name. So the same function gives the same key in
every process and on every machine with the same version of Python, and a changed one another,
wherever it stands.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from rowstream.exceptions import InvalidArgumentError
from rowstream.fingerprint.caching import is_caching_enabled
from rowstream.fingerprint.hasher import Hasher, Walk
from rowstream.fingerprint.names import hashed_method
from rowstream.utils import logging

_logger = logging.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


_random = random.Random()


def generate_random_fingerprint(nbits: int = 64) -> str:
    """Return a fingerprint of nothing: no two are the same."""
    return f"{_random.getrandbits(nbits):0{nbits // 4}x}"


def of_table(table: Any, *more: Any) -> str:
    """Return the fingerprint of a table: of its content in memory, or of the files that it is
    mapped from.
    """
    walk = Walk()
    files = getattr(table, "files", ())
    if hasattr(table, "said"):
        walk.walk(table.said())
        for file in table.plan.listing["files"]:
            walk.feed("file", sampled(file["path"]))
    elif files:
        walk.feed("schema", str(table.table.schema))
        walk.feed("replays", repr([name for name, _, _ in table.replays]))
        walk.walk([(args, kwargs) for _, args, kwargs in table.replays])
        for file in files:
            walk.feed("file", sampled(file))
    else:
        walk.table(table)
    walk.walk(list(more))
    return walk.hash.hexdigest()


def sampled(path: str) -> str:
    """Return a file's length, its ends, and some blocks between: enough to tell it from others,
    however long it is.
    """
    made = hashlib.blake2b(digest_size=16)
    size = os.path.getsize(path)
    made.update(str(size).encode())
    with open(path, "rb") as file:
        for at in sorted({0, *(size * i // 64 for i in range(64)), max(0, size - (64 << 10))}):
            file.seek(at)
            made.update(file.read(64 << 10 if at in (0, max(0, size - (64 << 10))) else 4 << 10))
    return made.hexdigest()


_warned = False


def _unhashable(what: str, error: Exception) -> str:
    """Return a fingerprint where there is none, and why."""
    global _warned
    text = (
        f"{what} couldn't be hashed properly, a random hash was used instead: the result is"
        f" computed anew each time. Reason: {error}. Pass new_fingerprint= to name it yourself."
    )
    if is_caching_enabled() and not _warned:
        _warned = True
        _logger.warning(
            f"{text} This warning is only shown once. Subsequent hashing failures won't be shown."
        )
    else:
        _logger.info(text)
    return generate_random_fingerprint()


def update_fingerprint(
    fingerprint: str,
    transform: Any,
    transform_args: Mapping[str, Any],
    parts: dict[str, str] | None = None,
) -> str:
    """Return the fingerprint of what a transform makes of data of another.

    Args:
        fingerprint: that of the data.
        transform: the name of the transform, or its function.
        transform_args: what it is given.
        parts: filled in with the hash of each argument.
    """
    parts = {} if parts is None else parts
    hasher = Hasher()
    hasher.update(fingerprint)
    try:
        hasher.update(transform)
    except Exception as error:
        return _unhashable(f"Transform {transform}", error)
    for name in sorted(transform_args):
        try:
            parts[name] = Hasher.hash(transform_args[name])
        except Exception as error:
            return _unhashable(
                f"Parameter '{name}'={transform_args[name]!r:.200} of the transform {transform}",
                error,
            )
        hasher.update(name)
        hasher.update(parts[name])
    return hasher.hexdigest()


def validate_fingerprint(fingerprint: str, max_length: int = 64) -> None:
    """Check that a fingerprint can be part of a file's name.

    Raises:
        InvalidArgumentError: it cannot.
    """
    if not isinstance(fingerprint, str) or not fingerprint:
        raise InvalidArgumentError(
            f"Invalid fingerprint '{fingerprint}': it should be a non-empty string."
        )
    if bad := sorted(set(fingerprint) & set('<>:/\\|?*"')):
        raise InvalidArgumentError(
            f"Invalid fingerprint '{fingerprint}': it has characters that file names cannot have:"
            f" {bad}."
        )
    if len(fingerprint) > max_length:
        raise InvalidArgumentError(
            f"Invalid fingerprint. Maximum length is {max_length} but '{fingerprint}' has length"
            f" {len(fingerprint)}."
        )


def _bound(func: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """Return the data set that a method is called on, and its arguments by name, but for those that
    have their default.
    """
    bound = inspect.signature(func).bind(*args, **kwargs)
    dataset, *_ = bound.args or (None,)
    own, *_rest = inspect.signature(func).parameters
    made: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = inspect.signature(func).parameters[name]
        if name == own:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            made.update(value)
        else:
            with contextlib.suppress(Exception):
                if parameter.default is value or (
                    type(parameter.default) is type(value) and parameter.default == value
                ):
                    continue
            made[name] = value
    return dataset, made


def fingerprint_transform(
    inplace: bool,
    use_kwargs: list[str] | None = None,
    ignore_kwargs: list[str] | None = None,
    fingerprint_names: list[str] | None = None,
    randomized_function: bool = False,
    version: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator of methods of data sets: the result gets a fingerprint of the data's, the
    method's name and its arguments.

    Args:
        inplace: whether the method changes the data set that it is called on; else it takes
            `new_fingerprint`.
        use_kwargs: the only arguments that count.
        ignore_kwargs: arguments that do not.
        fingerprint_names: the parameters that take fingerprints, where there are several.
        randomized_function: whether it draws: without a seed, the state of NumPy's generator
            counts.
        version: of the method, to change when what it makes changes.
    """
    names = fingerprint_names or ["new_fingerprint"]

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        transform = f"{hashed_method(func)}{f'@{version}' if version else ''}"

        @functools.wraps(func)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            dataset, given = _bound(func, args, kwargs)
            counted = {
                name: value
                for name, value in given.items()
                if (use_kwargs is None or name in use_kwargs)
                and name not in (ignore_kwargs or ())
                and name not in names
            }
            if randomized_function and given.get("seed") is None and given.get("generator") is None:
                import numpy as np

                state: Any = np.random.get_state()
                drawn, at = state[1:3]
                counted["generator"] = np.random.default_rng(drawn[at] if at < 624 else drawn[0])
            history = []
            for name in [] if inplace else names:
                if given.get(name) is None:
                    parts: dict[str, str] = {}
                    kwargs[name] = update_fingerprint(
                        dataset._fingerprint,
                        transform,
                        {**counted, "fingerprint_name": name},
                        parts,
                    )
                    history.append((transform, counted, parts))
                else:
                    validate_fingerprint(given[name])
            args_, kwargs_ = _placed(func, args, kwargs, names if not inplace else [])
            made = func(*args_, **kwargs_)
            if inplace:
                dataset._fingerprint = update_fingerprint(dataset._fingerprint, transform, counted)
            else:
                record_step(dataset, made, func.__name__, history[0] if history else None)
            return made

        return wrapper

    return decorate


def _placed(func: Callable[..., Any], args: Any, kwargs: Any, names: list[str]) -> tuple[Any, Any]:
    """Arguments with fingerprints by name, though they were given by place."""
    order = list(inspect.signature(func).parameters)
    cut = min((order.index(name) for name in names if name in order), default=len(args))
    kept = args[:cut]
    rest = dict(zip(order[cut:], args[cut:], strict=False))
    return kept, {**rest, **kwargs}


def record_step(before: Any, made: Any, name: str, step: Any) -> None:
    """Note in a data set how its fingerprint came to be."""
    for one in made.values() if isinstance(made, dict) else [made]:
        if step is None or one is before or not hasattr(one, "_steps"):
            continue
        _, given, parts = step
        shown = {key: (_text(value), parts.get(key, "")) for key, value in given.items()}
        one._steps = (*before._steps, (name, before._fingerprint, shown))


def _text(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    text = f"{value.__module__}.{name}" if name and hasattr(value, "__module__") else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def written_path(path: str | os.PathLike[str]) -> Path:
    """Return a path, with `~` as what it stands for."""
    return Path(os.fspath(path)).expanduser()
