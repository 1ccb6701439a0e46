"""Streams of the rows of users' generators."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.features.rows import Typing
from rowstream.ops.apply import name_of

if TYPE_CHECKING:
    from rowstream.ops.base import Position
    from rowstream.streams.source import Row, Sequence


_NAMED = 100  # shards of a generator that a key names one by one


class GeneratorRows:
    """The rows that a user's generator yields for one shard.

    Its state is their number; to resume, the generator is run again.
    """

    def __init__(self, source: Generator, shard: int, state: Any) -> None:
        self._count = state or 0
        self._typing = None if source.features is None else Typing(source.features)
        self._rows = iter(source.function(**source.shard_kwargs(shard)))
        for _ in islice(self._rows, self._count):
            pass

    def pull(self) -> Row:
        row = next(self._rows)
        if not isinstance(row, dict):
            raise InvalidArgumentError(
                f"from_generator: the generator must yield dicts, it yielded {type(row).__name__}"
            )
        self._count += 1
        if self._typing is None:
            return row
        try:
            return self._typing.row(row)
        except SchemaError as error:
            error.add_note(f"row {self._count - 1} that the generator gave")
            raise

    def state(self) -> Position:
        return self._count


@dataclass(frozen=True)
class Generator:
    """A source of the rows of a generator function, which is called once for each shard.

    Each item of the lists in its arguments is a shard.

    Attributes:
        order: The numbers of the shards, in order.
        shuffled: The seed of the order of the shards, if they are shuffled.
        shares: Whether each run of a shard yields the same rows in the same order, so that several
            consumers may each run it and take their part of its rows.
        features: The types of its rows, if known. They are not part of a state.
    """

    function: Callable[..., Any]
    kwargs: Mapping[str, Any]
    order: tuple[int, ...]
    shuffled: int | None = None
    shares: bool = False
    features: Any = field(default=None, compare=False)
    turns = False

    @property
    def sequences(self) -> int:
        return len(self.order)

    def shard_kwargs(self, shard: int) -> dict[str, Any]:
        """Return the arguments of the function for a shard."""
        return {
            name: [value[shard]] if isinstance(value, list) else value
            for name, value in self.kwargs.items()
        }

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        if self.shuffled is not None:
            v = _permutation(self.shuffled, epoch, number, len(self.order))[v]
        return GeneratorRows(self, self.order[v], state)

    def pieces(self) -> int:
        return len(self.order)

    def key(self) -> str:
        # Thousands of shards are named by a hash: the key is in every state.
        order = (
            str(self.order)
            if len(self.order) <= _NAMED
            else f"{len(self.order)} shards {zlib.crc32(repr(self.order).encode()):08x}"
        )
        return (
            f"generated({name_of(self.function)}, {sorted(self.kwargs)}, {order}, {self.shuffled})"
        )


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, number: int, n: int) -> list[int]:
    """Return the order of `n` shards in an epoch and a pass."""
    return _core.permutation([seed, epoch, number, 3], n)


def generator_source(
    function: Callable[..., Any],
    kwargs: Mapping[str, Any] | None,
    *,
    deterministic: bool = False,
    features: Any = None,
) -> Generator:
    """Return a source of a generator function.

    Each item of the lists in its arguments is a shard; the lists have one length.
    """
    if not callable(function):
        raise TypeError(f"the generator must be callable, found {type(function).__name__}")
    kwargs = dict(kwargs or {})
    lengths = {name: len(value) for name, value in kwargs.items() if isinstance(value, list)}
    if len(set(lengths.values())) > 1:
        raise InvalidArgumentError(
            "from_generator: the lists in gen_kwargs are shards, so they have one length; found"
            f" {lengths}. What is no list of shards is passed as a tuple"
        )
    return Generator(
        function,
        kwargs,
        tuple(range(next(iter(lengths.values()), 1))),
        shares=deterministic,
        features=features,
    )
