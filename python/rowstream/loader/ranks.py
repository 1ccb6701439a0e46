"""The ranks of a run: which one this process is, and how all of them end an epoch together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.utils.arguments import check_number

ON_UNEVEN = ("ignore", "stop", "pad")
"""What ranks do when one of them has no more batches."""


@dataclass(frozen=True)
class Ranks:
    """Rank `rank` of `size`; each `replicate` ranks that follow one another have the same rows."""

    rank: int = 0
    size: int = 1
    replicate: int = 1

    @property
    def part(self) -> tuple[int, int]:
        """The number of the part of the rows that this rank has, and of all parts."""
        return self.rank // self.replicate, self.size // self.replicate


def ranks(world: Any, replicate: int, on_uneven: str) -> Ranks:
    """Return the ranks that an argument names.

    Args:
        world: `None` for one rank, `(rank, size)`, or `"auto"`: those of `torch.distributed` where
            it was initialized, else of the environment, as torchrun sets it.
        replicate: The number of ranks with the same rows.
        on_uneven: One of `ON_UNEVEN`.

    Raises:
        InvalidArgumentError: It is nothing of these.
    """
    check_number("replicate", replicate, least=1)
    if on_uneven not in ON_UNEVEN:
        raise InvalidArgumentError(
            f"DataLoader: on_uneven is one of {', '.join(map(repr, ON_UNEVEN))}, not {on_uneven!r}"
        )
    if world is None:
        rank, size = 0, 1
    elif isinstance(world, str) and world == "auto":
        rank, size = _found()
    elif isinstance(world, (tuple, list)) and len(world) == 2:
        rank, size = check_number("rank", world[0]), check_number("size", world[1], least=1)
    else:
        raise InvalidArgumentError(
            f"DataLoader: world is 'auto' or a pair (rank, number of ranks), not {world!r}"
        )
    if rank >= size:
        raise InvalidArgumentError(f"DataLoader: rank must be in 0..{size - 1}, found {rank}")
    if size % replicate:
        raise InvalidArgumentError(
            f"DataLoader: replicate={replicate} does not divide the number of ranks, {size}"
        )
    return Ranks(rank, size, replicate)


def _found() -> tuple[int, int]:
    distributed = initialized()
    if distributed is not None:
        return distributed.get_rank(), distributed.get_world_size()
    rank, size = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if (rank is None) != (size is None):
        there, missing = ("RANK", "WORLD_SIZE") if size is None else ("WORLD_SIZE", "RANK")
        raise InvalidArgumentError(
            f"DataLoader: world='auto' found {there} in the environment, but no {missing}:"
            " torchrun sets both"
        )
    try:
        return int(rank or 0), int(size or 1)
    except ValueError as error:
        raise InvalidArgumentError(
            f"DataLoader: world='auto' found RANK={rank!r} and WORLD_SIZE={size!r} in the"
            " environment, which are no numbers"
        ) from error


def initialized() -> Any:
    """Return the module `torch.distributed` where a process group is there, else `None`."""
    module = sys.modules.get("torch.distributed")
    if module is None or not module.is_available() or not module.is_initialized():
        return None
    return module


def gathered(value: Any) -> list[Any]:
    """Return the values of all ranks, in their order. It is an operation of all of them."""
    distributed = initialized()
    if distributed is None or distributed.get_world_size() == 1:
        return [value]
    result: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(result, value)
    return result


class Agreement:
    """The end of an epoch, on which all ranks agree by one sum of two numbers a step.

    It has a process group of its own, on the CPU, so that it waits for no work of a GPU. Making it
    is an operation of all ranks.
    """

    def __init__(self, distributed: Any) -> None:
        self._distributed = distributed
        backend = str(distributed.get_backend())
        self._group = None if "gloo" in backend else distributed.new_group(backend="gloo")

    def sum(self, *numbers: int) -> list[int]:
        """Return the sums of numbers over all ranks."""
        import torch

        given = torch.tensor(numbers, dtype=torch.int64)
        self._distributed.all_reduce(given, group=self._group)
        result: list[int] = given.tolist()
        return result

    def evenly(
        self, batches: Iterator[Any], on_uneven: str, spare: Callable[[], Any] | None = None
    ) -> Iterator[tuple[Any, bool]]:
        """Yield batches, and whether each is a repetition, as many on every rank.

        Args:
            batches: The batches of this rank.
            on_uneven: `"stop"` or `"pad"`.
            spare: Return a batch to repeat where there was none, if there is one.

        Raises:
            InvalidArgumentError: A rank has no batch at all that it could repeat.
        """
        size = self._distributed.get_world_size()
        last: Any = None
        while True:
            item = next(batches, None)
            if item is None and last is None and on_uneven == "pad" and spare is not None:
                last = spare()
            ended, empty = self.sum(item is None, item is None and last is None)
            if ended == size or (ended and on_uneven == "stop"):
                return
            if empty:
                raise InvalidArgumentError(
                    f"DataLoader: {empty} of {size} ranks have no batch in this epoch, so there is"
                    " none to repeat for on_uneven='pad': use fewer ranks, or on_uneven='stop'"
                )
            again = item is None
            last = last if again else item
            yield last, again


def evenly_by_count(
    batches: Iterator[Any], counts: list[int | None], own: int, on_uneven: str
) -> Iterator[tuple[Any, bool]]:
    """Yield batches, and whether each is a repetition, where the numbers of all ranks are known.

    Args:
        batches: The batches of this rank.
        counts: How many each rank has.
        own: The number of this rank.
        on_uneven: `"stop"` or `"pad"`.

    Raises:
        UnsupportedError: A number is not known.
        InvalidArgumentError: A rank has no batch at all that it could repeat.
    """
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        raise UnsupportedError(
            f"DataLoader: on_uneven={on_uneven!r} needs torch.distributed to be initialized"
            " (torch.distributed.init_process_group): how many batches each rank has is known only"
            " by reading, as after a shuffle, a filter or a loaded state, and the ranks have no"
            " other way to agree. Otherwise use on_uneven='ignore', or epoch_size="
        )
    if on_uneven == "pad" and min(known) == 0 < max(known):
        raise InvalidArgumentError(
            "DataLoader: a rank has no batch in this epoch, so there is none to repeat for"
            " on_uneven='pad': use fewer ranks, or on_uneven='stop'"
        )
    steps = min(known) if on_uneven == "stop" else max(known)
    last: Any = None
    for step in range(steps):
        again = step >= known[own]
        last = last if again else next(batches)
        yield last, again
