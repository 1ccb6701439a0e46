"""More consumers than one: each has its part of the order, and their states join."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rowstream import _core
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, UnsupportedError
from rowstream.streams.consumer import merge_cursors
from rowstream.streams.pipeline import Pipeline
from rowstream.streams.state import State


def split_dataset_by_node(dataset: Any, rank: int, world_size: int, strategy: str = "auto") -> Any:
    """Return the part of a data set that rank `rank` of `world_size` has: disjoint, balanced, all
    rows over all ranks.

    Args:
        dataset: a whole stream, or a part of it that is divided further; or a map-style data set,
            of which each rank has a run of rows.
        rank: which part.
        world_size: how many parts.
        strategy: how a stream is divided. `"auto"`: by pieces, and by rows where there are too few
            of them; the states of all ranks join, and go on with any number of them. `"shards"`:
            each rank has whole pieces of the files. `"examples"`: each has every `world_size`-th
            row, so that all have the same number but for one: rows that files do not count, as
            those of lines, are counted first, or read by every rank where they are far away.

    Raises:
        InvalidArgumentError: there are fewer pieces than ranks, or the stream is divided by another
            strategy already.
    """
    if not 0 <= rank < world_size:
        raise InvalidArgumentError(f"rank must be in 0..{world_size - 1}, found {rank}")
    if strategy not in ("auto", "shards", "examples"):
        raise InvalidArgumentError(
            f"Invalid strategy {strategy!r}: it is one of 'auto', 'shards' and 'examples'"
        )
    if hasattr(dataset, "_indices"):
        if strategy != "auto":
            raise InvalidArgumentError(
                f"Map-style datasets only support strategy='auto', found {strategy!r}"
            )
        return dataset.shard(num_shards=world_size, index=rank, contiguous=True)
    return dataset._of_rank(rank, world_size, strategy)


def merge_state_dicts(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the states of all consumers of one run as one, that any number of consumers goes on
    from, each row once.

    Args:
        states: the `state_dict()` of every part, in any order.

    Example:
        >>> merged = merge_state_dicts(part.state_dict() for part in parts)
        >>> for rank in range(3):
        ...     part = split_dataset_by_node(ds, rank, 3)
        ...     part.load_state_dict(merged)

    Raises:
        CheckpointMismatchError: the states are not those of all consumers of one run of one data
            set.
    """
    read = [State.from_dict(state) for whole in states for state in list(_found(whole)) or [whole]]
    if not read:
        raise CheckpointMismatchError("merge_state_dicts: there are no states")
    if len({(state.epoch, state.steps) for state in read}) > 1:
        raise CheckpointMismatchError(
            "merge_state_dicts: the states are not of one run: epoch or steps differ"
        )
    epoch, steps = read[0].epoch, read[0].steps
    if not steps:
        return State(
            epoch, _core.merge_cursors([state.cursor for state in read if state.cursor is not None])
        ).to_dict(read[0].of)
    places = [state.place for state in read]
    if any(place.get("fixed") for place in places if place):
        raise UnsupportedError(
            "take, skip and repeat after a batched map, a flat_map or a batch count the rows of"
            " their consumer: go on with as many as there were"
        )
    return State(epoch, None, steps, Pipeline.merge(places, merge_cursors)).to_dict(read[0].of)


def _found(state: Any) -> Iterator[Any]:
    """Yield the states in what a loader keeps of its workers; or the state itself, if it is one."""
    if isinstance(state, dict) and "rowstream" in state:
        yield state
    elif isinstance(state, (dict, list)):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _found(value)
