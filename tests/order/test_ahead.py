"""Resume onto other consumers where functions run ahead of what they give, and uneven ranks."""

from __future__ import annotations

from itertools import islice

import pytest
from rowstream import (
    Dataset,
    IterableDataset,
    concatenate_datasets,
    interleave_datasets,
    merge_state_dicts,
    split_dataset_by_node,
)


def given(numbers):
    for i in numbers:
        yield {"a": i}


def same(row):
    return row


async def later(row):
    return row


def stream(numbers):
    return Dataset.from_dict({"a": [*numbers]}).to_iterable_dataset()


def generator(numbers):
    return IterableDataset.from_generator(given, gen_kwargs={"numbers": [*numbers]})


SOURCES = {
    "mixture": lambda: interleave_datasets(
        [stream(range(30)), stream(range(30, 60))],
        stopping_strategy="all_exhausted_without_replacement",
    ),
    "chain": lambda: concatenate_datasets([stream(range(30)), generator(range(30, 60))]),
    "generator": lambda: generator(range(60)),
}
STEPS = {
    "threads": lambda ds: ds.map(same, num_threads=2),
    "numbered": lambda ds: ds.map(lambda row, _: row, with_indices=True, num_threads=2),
    "async": lambda ds: ds.map(later),
    "twice": lambda ds: ds.map(same, num_threads=2).map(same, num_threads=3),
    "then batches": lambda ds: ds.map(same, num_threads=2).map(same, batched=True, batch_size=3),
}


@pytest.mark.filterwarnings("ignore:split_dataset_by_node")
@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 3), (3, 1)])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("source", SOURCES)
def test_no_row_is_lost_behind_what_runs_ahead(source, step, before, after):
    ds = STEPS[step](SOURCES[source]())
    rows, states = [], []
    for c in range(before):
        part = split_dataset_by_node(ds, c, before)
        rows += [row["a"] for row in islice(part, 5)]
        states.append(part.state_dict())
    merged = merge_state_dicts(states)
    for c in range(after):
        part = split_dataset_by_node(ds, c, after)
        part.load_state_dict(merged)
        rows += [row["a"] for row in part]
    assert sorted(rows) == [*range(60)]


@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_ranks_that_are_passes_apart_all_go_on(after):
    ds = Dataset.from_dict({"a": [*range(100)]}).to_iterable_dataset(2)
    ds = ds.shuffle(seed=1, buffer_size=10).repeat(None)
    states = []
    for c, given_rows in enumerate((150, 10)):
        part = split_dataset_by_node(ds, c, 2)
        assert sum(1 for _ in islice(part, given_rows)) == given_rows
        states.append(part.state_dict())
    for c in range(after):
        part = split_dataset_by_node(ds, c, after)
        part.load_state_dict(merge_state_dicts(states))
        assert sum(1 for _ in islice(part, 200)) == 200


@pytest.mark.filterwarnings("ignore:split_dataset_by_node")
@pytest.mark.parametrize("consumers", [1, 2, 3])
@pytest.mark.parametrize("shards", [1, 2])
def test_take_and_skip_of_shards_that_not_all_have(shards, consumers):
    kwargs = {"numbers": [[*range(20)]] if shards == 1 else [[*range(10)], [*range(10, 20)]]}

    def rows(numbers):
        for some in numbers:
            yield from given(some)

    ds = IterableDataset.from_generator(rows, gen_kwargs=kwargs)
    for chosen, n in (
        (ds.take(6), 6),
        (ds.skip(14), 6),
        (ds.map(same).take(6), 6),
        (interleave_datasets([ds, ds]).take(6), 6),
        (ds.batch(2).take(3), 3),
    ):
        parts = [split_dataset_by_node(chosen, c, consumers) for c in range(consumers)]
        assert sum(len([*part]) for part in parts) == n


def test_ranks_beyond_the_shards_of_a_generator():
    ds = IterableDataset.from_generator(lambda: given(range(10)))
    with pytest.warns(UserWarning, match="some have no rows"):
        parts = [split_dataset_by_node(ds, c, 2) for c in range(2)]
    assert [len([*part]) for part in parts] == [10, 0]
    for chosen, counts in ((ds, [5, 5]), (ds.take(7), [4, 3]), (ds.map(same), [5, 5])):
        parts = [split_dataset_by_node(chosen, c, 2, strategy="examples") for c in range(2)]
        assert [len([*part]) for part in parts] == counts
    same_each_time = IterableDataset.from_generator(lambda: given(range(10)), deterministic=True)
    parts = [split_dataset_by_node(same_each_time, c, 2) for c in range(2)]
    assert [len([*part]) for part in parts] == [5, 5]


@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize("read", [3, 4, 6, 8])
def test_shards_that_were_finished_do_not_come_again(read, after):
    def rows(shards):
        for first in shards:
            yield from given(range(first, first + 4))

    def made():
        return IterableDataset.from_generator(
            rows, gen_kwargs={"shards": [0, 10]}, deterministic=True
        )

    ds = made()
    seen = [row["a"] for row in islice(ds, read)]
    merged = merge_state_dicts([ds.state_dict()])
    for c in range(after):
        part = split_dataset_by_node(made(), c, after)
        part.load_state_dict(merged)
        seen += [row["a"] for row in part]
    assert sorted(seen) == [*range(4), *range(10, 14)]


def test_examples_are_every_nth_of_all_shards():
    def rows(shards):
        for first in shards:
            yield from given(range(first, first + 4))

    ds = IterableDataset.from_generator(rows, gen_kwargs={"shards": [0, 10, 20]})
    parts = [split_dataset_by_node(ds, c, 2, strategy="examples") for c in range(2)]
    whole = [row["a"] for row in ds]
    assert [[row["a"] for row in part] for part in parts] == [whole[0::2], whole[1::2]]
