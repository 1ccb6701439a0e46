"""Fingerprints, which identify data by how it was computed and by which cached results are found.

A fingerprint is a hash of the fingerprint of the data before, of the transform, and of its
arguments. Functions are hashed by what they do: their code, defaults, closures, and the globals
that they use; those of installed packages by name. So the same function has the same hash in every
process and on every machine with the same version of Python, wherever it is defined, and a changed
function has another.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import random
from collections.abc import Callable, Mapping
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
    """Return a random fingerprint, which no other data has."""
    return f"{_random.getrandbits(nbits):0{nbits // 4}x}"


def of_table(table: Any, *more: Any) -> str:
    """Return the fingerprint of a table: of its content in memory, or of the files that it maps."""
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
    """Return a hash of a file's length, its ends, and some blocks between them.

    This distinguishes files without reading long ones completely.
    """
    result = hashlib.blake2b(digest_size=16)
    size = os.path.getsize(path)
    result.update(str(size).encode())
    with open(path, "rb") as file:
        for at in sorted({0, *(size * i // 64 for i in range(64)), max(0, size - (64 << 10))}):
            file.seek(at)
            result.update(file.read(64 << 10 if at in (0, max(0, size - (64 << 10))) else 4 << 10))
    return result.hexdigest()


_warned = False


def _unhashable(what: str, error: Exception) -> str:
    """Return a random fingerprint for what cannot be hashed, and log the reason."""
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
    """Return the fingerprint of the result of a transform.

    Args:
        fingerprint: The fingerprint of the data before.
        transform: The name of the transform, or its function.
        transform_args: Its arguments.
        parts: A dict to which the hash of each argument is added.
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
    """Check that a fingerprint can be part of a file name.

    Args:
        fingerprint: The fingerprint.
        max_length: The maximum number of characters.

    Raises:
        InvalidArgumentError: It is empty, too long, or has characters that file names cannot have.
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


def _bound(signature: inspect.Signature, args: Any, kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """Return the dataset of a method call, and its arguments by name, except those that have their
    default value.
    """
    # What the decorator fills in need not be given.
    bound = signature.bind_partial(*args, **kwargs)
    dataset, *_ = bound.args or (None,)
    own, *_rest = signature.parameters
    result: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = signature.parameters[name]
        if name == own:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            result.update(value)
        else:
            with contextlib.suppress(Exception):
                if parameter.default is value or (
                    type(parameter.default) is type(value) and parameter.default == value
                ):
                    continue
            result[name] = value
    return dataset, result


def fingerprint_transform(
    inplace: bool,
    use_kwargs: list[str] | None = None,
    ignore_kwargs: list[str] | None = None,
    fingerprint_names: list[str] | None = None,
    randomized_function: bool = False,
    version: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for methods of datasets that sets the fingerprint of the result.

    It is computed from the dataset's fingerprint, the method's name and its arguments.

    Args:
        inplace: The method changes its dataset; otherwise it takes `new_fingerprint`.
        use_kwargs: The only arguments that count; all if `None`.
        ignore_kwargs: Arguments that do not count.
        fingerprint_names: The parameters for fingerprints; `["new_fingerprint"]` if `None`.
        randomized_function: The method is random: without a seed, the state of NumPy's generator
            counts.
        version: The version of the method, to change when its results change.
    """
    names = fingerprint_names or ["new_fingerprint"]

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(func)
        transform = f"{hashed_method(func)}{f'@{version}' if version else ''}"

        @functools.wraps(func)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            dataset, given = _bound(signature, args, kwargs)
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
            args_, kwargs_ = _placed(signature, args, kwargs, names if not inplace else [])
            result = func(*args_, **kwargs_)
            if inplace:
                dataset._fingerprint = update_fingerprint(dataset._fingerprint, transform, counted)
            else:
                record_step(dataset, result, func.__name__, history[0] if history else None)
            return result

        return wrapper

    return decorate


def _placed(
    signature: inspect.Signature, args: Any, kwargs: Any, names: list[str]
) -> tuple[Any, Any]:
    """Return arguments with fingerprints by name, even if they were passed by position."""
    order = list(signature.parameters)
    cut = min((order.index(name) for name in names if name in order), default=len(args))
    kept = args[:cut]
    rest = dict(zip(order[cut:], args[cut:], strict=False))
    return kept, {**rest, **kwargs}


def record_step(before: Any, made: Any, name: str, step: Any) -> None:
    """Add a step to the history of how a dataset's fingerprint was computed."""
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
