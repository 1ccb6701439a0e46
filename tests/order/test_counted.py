"""`take`, `skip` and `repeat` after steps of their own, resumed by other numbers of consumers."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest
from rowstream import (
    Dataset,
    exceptions,
    interleave_datasets,
    merge_state_dicts,
    split_dataset_by_node,
)

ROWS = 180


def doubled(batch):
    return {"n": [n for n in batch["n"] for _ in range(n % 3)]}


def source(begin=0, shards=6):
    return Dataset.from_dict({"n": [*range(begin, begin + ROWS)]}).to_iterable_dataset(shards)


def batched():
    return source().shuffle(seed=4, buffer_size=20).map(doubled, batched=True, batch_size=7)


def mixed():
    parts = [source().shuffle(seed=1, buffer_size=9), source(1000).shuffle(seed=2, buffer_size=9)]
    return interleave_datasets(parts, [0.7, 0.3], seed=3, stopping_strategy="all_exhausted")


STREAMS = {
    "take": lambda: batched().take(100),
    "skip": lambda: batched().skip(50),
    "repeat": lambda: batched().repeat(3),
    "take, then a list": lambda: batched().take(90).map(doubled, batched=True, batch_size=4),
    "repeat, then take": lambda: batched().repeat(2).take(300),
    "mixture": lambda: mixed().take(150),
    "mixture, repeated": lambda: mixed().repeat(2).skip(10),
    "packed": lambda: batched().map(lambda row: {"n": [row["n"]] * 3}).pack(8, "wrapped").repeat(2),
}


def values(items):
    """Return what items have, counted; of packed rows each number."""
    found = [item["n"] for item in items]
    return Counter(n for one in found for n in (one.tolist() if hasattr(one, "tolist") else [one]))


def parts_of(stream, of):
    return [split_dataset_by_node(stream, rank, of) for rank in range(of)]


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("numbers", [(1, 2, 3), (4, 3, 1), (2, 5, 2), (3, 3, 3)])
def test_each_row_once_whoever_resumes(name, numbers):
    make = STREAMS[name]
    expected = sum((values(part) for part in parts_of(make(), numbers[0])), Counter())
    found: Counter = Counter()
    state = None
    for generation, of in enumerate(numbers):
        parts = parts_of(make(), of)
        for rank, part in enumerate(parts):
            if state is not None:
                part.load_state_dict(state)
            rows = iter(part)
            if generation < len(numbers) - 1:
                rows = itertools.islice(rows, (7, 0, 23, 11)[rank % 4])
            found += values(rows)
        state = json.loads(json.dumps(merge_state_dicts(part.state_dict() for part in parts)))
    assert found == expected
    # Nothing is left.
    for part in parts_of(make(), 2):
        part.load_state_dict(state)
        assert list(part) == []


def test_a_consumer_goes_on_in_its_own_order():
    parts = parts_of(batched().take(100), 2)
    iterators = [iter(part) for part in parts]
    for rows in iterators:
        list(itertools.islice(rows, 9))
    state = merge_state_dicts(part.state_dict() for part in parts)
    again = parts_of(batched().take(100), 2)
    for part, rows in zip(again, iterators, strict=True):
        part.load_state_dict(state)
        assert list(part) == list(rows)


def test_states_of_two_runs_are_no_one():
    parts = parts_of(batched().take(100), 2)
    first = [part.state_dict() for part in parts]
    merged = merge_state_dicts(first)
    parts[0].load_state_dict(merged)
    next(iter(parts[0]))
    with pytest.raises(exceptions.CheckpointMismatchError, match="at one time"):
        merge_state_dicts([parts[0].state_dict(), first[1]])
    with pytest.raises(exceptions.CheckpointMismatchError, match="each of 2"):
        merge_state_dicts([first[0]])
