"""Datasets split over ranks, and the states of all workers and ranks merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rowstream import _core
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError
from rowstream.streams.earlier import merge_places
from rowstream.streams.state import State

D = TypeVar("D")


def split_dataset_by_node(dataset: D, rank: int, world_size: int, strategy: str = "auto") -> D:
    """Return the part of a dataset for one rank: about the same number of rows for each.

    The parts of all ranks are disjoint and together have all rows. Workers of a `DataLoader` share
    the rows of their rank by themselves.

    Args:
        dataset: A stream, or a part of one to split further; or a map-style dataset, of which each
            rank gets a contiguous range of rows.
        rank: The number of this rank, from 0.
        world_size: The number of ranks.
        strategy: How a stream is split. `"auto"` splits by shards, or by rows where there are few
            shards; the states of all ranks merge, and resume with any number of ranks. `"shards"`
            gives each rank whole shards. `"examples"` gives each every `world_size`-th row, so that
            their numbers of rows differ by one at most. To know the number of rows, files that do
            not store it are read first, or, if they are remote, read by every rank; a generator is
            run by every rank, and has to give the same rows each time.

    Returns:
        A dataset of the same class.

    Raises:
        InvalidArgumentError: `rank` is not in `range(world_size)`, there are fewer shards than
            ranks for `"shards"`, or the stream is already split with another strategy.

    Example:
        >>> ds = IterableDataset.from_dict({"a": [1, 2, 3, 4]})
        >>> part = split_dataset_by_node(ds, rank=0, world_size=2)
        >>> list(split_dataset_by_node(ds, rank=0, world_size=2, strategy="examples"))
        [{'a': 1}, {'a': 3}]
    """
    if not 0 <= rank < world_size:
        raise InvalidArgumentError(f"rank must be in 0..{world_size - 1}, found {rank}")
    if strategy not in ("auto", "shards", "examples"):
        raise InvalidArgumentError(
            f"Invalid strategy {strategy!r}: it is one of 'auto', 'shards' and 'examples'"
        )
    ds: Any = dataset
    if hasattr(ds, "_indices"):
        if strategy != "auto":
            raise InvalidArgumentError(
                f"Map-style datasets only support strategy='auto', found {strategy!r}"
            )
        part: D = ds.shard(num_shards=world_size, index=rank, contiguous=True)
    else:
        part = ds._of_rank(rank, world_size, strategy)
    return part


def merge_state_dicts(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge the states of all workers and ranks of a run, to resume with any number of them.

    Every row comes exactly once over both runs. States of a `StatefulDataLoader`, and those of our
    `DataLoader`, can be merged, too; of streams that were split, not of map-style datasets, whose
    parts are datasets of their own.

    Args:
        states: The `state_dict()` of every part, in any order.

    Returns:
        A state for `load_state_dict` of every part of the new run.

    Raises:
        CheckpointMismatchError: The states are not those of all workers and ranks of one run.

    Example:
        >>> ds = IterableDataset.from_dict({"a": [1, 2, 3, 4]})
        >>> parts = [split_dataset_by_node(ds, rank, 2) for rank in range(2)]
        >>> [next(iter(part)) for part in parts]
        [{'a': 1}, {'a': 2}]
        >>> merged = merge_state_dicts(part.state_dict() for part in parts)
        >>> ds.load_state_dict(merged)  # one rank from here on
        >>> list(ds)
        [{'a': 3}, {'a': 4}]
    """
    given = list(states)
    if given and all(isinstance(one, dict) and "rowstream.loader" in one for one in given):
        return _of_loaders(given)
    read = [State.from_dict(state) for whole in given for state in list(_found(whole)) or [whole]]
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
    return State(epoch, None, steps, merge_places(places)).to_dict(read[0].of)


def _of_loaders(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the state of a `DataLoader` for those of all ranks; some may have ended the epoch."""
    if len({state["epoch"] for state in states}) > 1:
        raise CheckpointMismatchError(
            "merge_state_dicts: the loaders are in the epochs"
            f" {sorted({state['epoch'] for state in states})}: save all in one"
        )
    merged = {
        **states[0],
        "dataset": merge_state_dicts(state["dataset"] for state in states),
        "ended": all(state.get("ended") for state in states),
    }
    if "rows" in merged:
        # Each counts those of all ranks, as if all were as far.
        merged["rows"] = sum(state["rows"] for state in states) // len(states)
    return merged


def _found(state: Any) -> Iterator[Any]:
    """Yield the states in the state of a loader, or the state itself if it is one of a stream."""
    if isinstance(state, dict) and "rowstream" in state:
        yield state
        return
    if isinstance(state, dict) and (since := state.get("_steps_since_snapshot")):
        raise CheckpointMismatchError(
            f"merge_state_dicts: the state of the StatefulDataLoader is {since} batches after what"
            " its workers said last: take it after a multiple of snapshot_every_n_steps, or set"
            " that to 1"
        )
    if isinstance(state, (dict, list)):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _found(value)
