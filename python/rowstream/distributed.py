"""More consumers than one: each has its part of the order, and their states join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.dataset.running import State
from rowstream.exceptions import InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rowstream.dataset import IterableDataset


def split_dataset_by_node(dataset: IterableDataset, rank: int, world_size: int) -> IterableDataset:
    """The part of a stream that rank `rank` of `world_size` has: disjoint, balanced, all rows over all ranks.

    Args:
        dataset: the whole stream, or a part of it that is divided further.
        rank: which part.
        world_size: how many parts.
    """
    if not 0 <= rank < world_size:
        raise InvalidArgumentError(f"rank must be in 0..{world_size - 1}, found {rank}")
    c, of = dataset._consumer
    return dataset._with(_consumer=(c * world_size + rank, of * world_size))


def merge_state_dicts(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The states of all consumers of one run as one, that any number of consumers goes on from, each row once.

    Args:
        states: the `state_dict()` of every part, in any order.

    Example:
        >>> merged = merge_state_dicts(part.state_dict() for part in parts)
        >>> for rank in range(3):
        ...     part = split_dataset_by_node(ds, rank, 3)
        ...     part.load_state_dict(merged)

    Raises:
        CheckpointMismatchError: the states are not those of all consumers of one run of one data set.
    """
    read = [State.from_dict(state) for state in states]
    if any(state.steps for state in read):
        raise UnsupportedError(
            "states of batches that were shuffled or grouped again belong to their consumers: go on with as many as there were"
        )
    cursors = [state.cursor for state in read if state.cursor is not None]
    return State(read[0].epoch if read else 0, _core.merge_cursors(cursors)).to_dict()
