"""What the stages of a pipeline do with samples, in the habits of the package `webdataset`."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from itertools import islice
from typing import Any

from rowstream.exceptions import FileFormatError
from rowstream.utils.optional import import_optional
from rowstream.webdataset.reader import KEY, MEMBERS, URL

Handler = Callable[[Exception], bool]


def reraise_exception(error: Exception) -> bool:
    """Raise the error: the default of all handlers."""
    raise error


def ignore_and_continue(error: Exception) -> bool:  # noqa: ARG001 - handlers take it
    """Leave out what failed."""
    return True


def warn_and_continue(error: Exception) -> bool:
    """Leave out what failed, with a warning."""
    warnings.warn(repr(error), stacklevel=2)
    return True


def ignore_and_stop(error: Exception) -> bool:  # noqa: ARG001 - handlers take it
    """Stop at what failed."""
    return False


def warn_and_stop(error: Exception) -> bool:
    """Stop at what failed, with a warning."""
    warnings.warn(repr(error), stacklevel=2)
    return False


class Stopped(Exception):  # noqa: N818 - it is no error
    """What ends a pipeline whose handler does not go on."""


def told(handler: Handler, error: Exception) -> None:
    """Tell a handler of an error, and raise `Stopped` unless it goes on."""
    if not handler(error):
        raise Stopped from error


def sample_of(
    keep: Callable[[str], Any] | None, rename: Callable[[str], str] | None, row: dict[str, Any]
) -> dict[str, Any]:
    """Return a sample as bytes by the names of members, in lower case."""
    result = {KEY: row[KEY], URL: row[URL]}
    for member in row[MEMBERS]:
        name = member["name"]
        full = f"{row[KEY]}.{name}"
        if keep is not None and not keep(full):
            continue
        if rename is not None:
            name = rename(full).rpartition("/")[2].partition(".")[2]
        if name.lower() in result:
            raise FileFormatError(
                f"the member {name!r} of the sample {row[KEY]!r} in {row[URL]} is there in upper"
                " and in lower case, which the package webdataset does not tell apart"
            )
        result[name.lower()] = member["content"]
    return result


def mapped(function: Callable[[Any], Any], handler: Handler, items: Iterator[Any]) -> Iterator[Any]:
    """Yield what a function makes of each item, but for `None`."""
    for item in items:
        try:
            result = function(item)
        except Exception as error:
            if not handler(error):
                return
            continue
        if result is None:
            continue
        yield result


def keyed(function: Callable[[Any], Any], item: Any) -> Any:
    """Call a function on a sample; what it makes of one keeps its key."""
    result = function(item)
    if isinstance(item, dict) and isinstance(result, dict) and KEY in item:
        result.setdefault(KEY, item[KEY])
    return result


def selected(predicate: Callable[[Any], Any], items: Iterator[Any]) -> Iterator[Any]:
    """Return the items for which a function is true."""
    return (item for item in items if predicate(item))


def each_of_dict(functions: dict[str, Callable[[Any], Any]], sample: dict[str, Any]) -> Any:
    """Return a sample with values replaced by what functions return."""
    return {**sample, **{name: function(sample[name]) for name, function in functions.items()}}


def each_of_tuple(functions: Sequence[Any], sample: Sequence[Any]) -> tuple[Any, ...]:
    """Return a tuple with values replaced by what functions return."""
    padded = [*functions, *[None] * (len(sample) - len(functions))]
    return tuple(
        value if function is None else function(value)
        for value, function in zip(sample, padded, strict=False)
    )


def _first(sample: dict[str, Any], names: str, *, must: bool) -> Any:
    """Return the first value that is there, of names that `;` separates."""
    several = names.split(";")
    for name in several:
        if name in sample:
            return sample[name]
    if must:
        raise ValueError(
            f"didn't find {several} in the sample {sample.get(KEY)!r}, which has {list(sample)}"
        )
    return None


def renamed(names: dict[str, str], keep: bool, sample: dict[str, Any]) -> dict[str, Any]:
    """Return a sample with other names for values."""
    found = {new: _first(sample, old, must=True) for new, old in names.items()}
    if not keep:
        return found
    gone = {name for old in names.values() for name in old.split(";")}
    return {name: value for name, value in sample.items() if name not in gone} | found


def as_tuple(
    names: tuple[str, ...], must: bool, strict: bool, sample: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the values of a sample as a tuple."""
    result = tuple(_first(sample, name, must=must) for name in names)
    if strict and any(value is None for value in result):
        raise ValueError(f"to_tuple {names}: a value of the sample {sample.get(KEY)!r} is None")
    return result


def as_dict(names: tuple[str, ...], values: Sequence[Any]) -> dict[str, Any]:
    """Return the values of a tuple as a dict."""
    return dict(zip(names, values, strict=True))


def extracted(
    patterns: tuple[str, ...], once: bool, lenient: bool, sample: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the values whose names match a pattern each."""
    result = []
    for pattern in patterns:
        some = pattern.split(";")
        found = [n for n in sample if any(fnmatch(n, p) or fnmatch(f".{n}", p) for p in some)]
        if not found and not lenient:
            raise ValueError(f"Cannot find {some} in sample keys {list(sample)}.")
        if len(found) > 1 and once:
            raise ValueError(f"Multiple sample keys {found} match {some}.")
        if found:
            result.append(sample[found[0]])
    return tuple(result)


def shuffled(
    size: int, initial: int, seed: int, items: Iterator[Any], epoch: int = 0
) -> Iterator[Any]:
    """Yield items in another order, from a buffer."""
    rng = random.Random(f"{seed} {epoch}")  # noqa: S311 - an order
    buffer: list[Any] = []
    for item in items:
        buffer.append(item)
        if len(buffer) < size:
            buffer.extend(islice(items, 1))
        if len(buffer) >= min(initial, size):
            yield _picked(buffer, rng)
    while buffer:
        yield _picked(buffer, rng)


def _picked(buffer: list[Any], rng: random.Random) -> Any:
    i = rng.randrange(len(buffer))
    buffer[i], buffer[-1] = buffer[-1], buffer[i]
    return buffer.pop()


def batched(
    size: int, collate: Callable[[list[Any]], Any], short: bool, items: Iterator[Any]
) -> Iterator[Any]:
    """Yield batches of items."""
    while batch := list(islice(items, size)):
        if len(batch) == size or short:
            yield collate(batch)


def unlisted(items: Iterator[Any]) -> Iterator[Any]:
    """Return the items of lists, one after another."""
    return (item for batch in items for item in batch)


def unbatched(items: Iterator[Any]) -> Iterator[Any]:
    """Yield the samples of batches."""
    for batch in items:
        if isinstance(batch, dict):
            for i in range(len(next(iter(batch.values())))):
                yield {name: values[i] for name, values in batch.items()}
        else:
            for i in range(len(batch[0])):
                yield tuple(values[i] for values in batch)


def sliced(args: tuple[int, ...], items: Iterator[Any]) -> Iterator[Any]:
    """Return a range of the items."""
    return islice(items, *args)


def collate(samples: list[Any]) -> Any:
    """Join samples to a batch: arrays and tensors of one shape are stacked, numbers are an array.

    Args:
        samples: Tuples, or dicts, of the same values each.
    """
    if isinstance(samples[0], dict):
        return {name: _joined([one[name] for one in samples]) for name in samples[0]}
    return tuple(_joined(list(values)) for values in zip(*samples, strict=True))


def _joined(values: list[Any]) -> Any:
    import numpy as np

    first = values[0]
    if isinstance(first, (int, float)):
        return np.array(values)
    alike = all(getattr(one, "shape", None) == getattr(first, "shape", ()) for one in values)
    if isinstance(first, np.ndarray) and alike:
        return np.stack(values)
    if type(first).__module__ == "torch" and alike:
        torch = import_optional("torch", "tensors", "torch")
        return torch.stack(values)
    return values
