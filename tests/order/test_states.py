"""States at the edges of an iteration: at its end, before its first row, while it runs, before a step that is added, of many shards."""

from __future__ import annotations

import json
from itertools import chain, islice

import pytest
from rowstream import (
    IterableDataset,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
)
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError

from tests.conftest import write_lines, write_listing

# Generators of one shard are split over ranks on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:split_dataset_by_node")

N = 30


def held(n=N, name="id"):
    return IterableDataset.from_dict({name: list(range(n))})


def rows_of_a_generator():
    yield from ({"id": i} for i in range(N))


STREAMS = {
    "memory": held,
    "pieces": lambda: IterableDataset.from_dict({"id": list(range(N))}, num_shards=7),
    "shuffled": lambda: held().shuffle(seed=1, buffer_size=10),
    "permuted": lambda: held().shuffle(seed=1, buffer_size=None),
    "map": lambda: held().map(lambda row: {"y": row["id"]}),
    "batched map": lambda: held().map(lambda batch: {"y": batch["id"]}, batched=True, batch_size=7),
    "filter": lambda: held().filter(lambda row: row["id"] % 3),
    "flat_map": lambda: held().flat_map(lambda row: [row] * 2),
    "repeat": lambda: held().repeat(2),
    "numpy": lambda: held().with_format("numpy"),
    "mixture": lambda: interleave_datasets(
        [held(), held().shuffle(seed=2)], stopping_strategy="all_exhausted_without_replacement"
    ),
    "chain": lambda: concatenate_datasets([held(), held().map(lambda row: row)]),
    "generator": lambda: IterableDataset.from_generator(rows_of_a_generator),
    "shuffled generator": lambda: IterableDataset.from_generator(rows_of_a_generator).shuffle(
        seed=3, buffer_size=8
    ),
}


@pytest.fixture(params=[*STREAMS, "parquet", "json"])
def make(request, tmp_path):
    if request.param in STREAMS:
        return STREAMS[request.param]
    if request.param == "parquet":
        write_listing(tmp_path, [4, 9, 1, 16])
    else:
        write_lines(tmp_path, [4, 9, 0, 17])
    return lambda: load_dataset(
        request.param, data_files=f"{tmp_path}/*", split="train", streaming=True
    ).shuffle(seed=1, buffer_size=9)


def ids(rows):
    return [int(row["id"]) for row in rows]


def through_json(state):
    return json.loads(json.dumps(state))


def test_a_state_of_the_end_ends_one_epoch_and_no_other(make):
    ds = make()
    n = len(list(ds))
    state = through_json(ds.state_dict())
    for new in (make(), ds):
        new.load_state_dict(state)
        assert [len(list(new)) for _ in range(4)] == [0, n, n, n]
    new = make()
    new.load_state_dict(state)
    got = []
    for epoch in range(3):
        new.set_epoch(epoch)
        got.append(len(list(new)))
    assert got == [0, n, n]


def test_an_iteration_that_runs_goes_on_from_a_state(make):
    whole = ids(make())
    ds = make()
    list(islice(ds, 5))
    state = through_json(ds.state_dict())
    for given in (0, 1, 8):
        new = make()
        rows = iter(new)
        list(islice(rows, given))
        new.load_state_dict(state)
        assert ids(islice(rows, 2)) == whole[5:7]
        after = new.state_dict()
        assert ids(rows) == whole[7:]
        assert ids(new) == whole  # the next begins anew
        new.load_state_dict(after)
        assert ids(new) == whole[7:]


def test_a_state_is_of_the_first_iteration_that_gives_rows(make):
    ds = make()
    whole = ids(islice(ds, 5))
    state = ds.state_dict()
    new = make()
    new.load_state_dict(state)
    assert new.state_dict()["epoch"] == 0
    iter(new)
    iter(new)
    rest = ids(new)
    assert whole + rest == ids(make()) == ids(new)


@pytest.mark.parametrize("given", [1, 5, 11])
def test_a_state_that_is_saved_as_it_was_loaded_is_the_same_place(make, given):
    """Whoever goes on from it: the one that it is of, or others, once it was merged."""
    whole = ids(make())
    ds = make()
    list(islice(ds, given))
    state = ds.state_dict()
    for _ in range(2):
        new = make()
        new.load_state_dict(through_json(state))
        state = new.state_dict()
    new.load_state_dict(state)
    assert ids(new) == whole[given:]
    for count in (1, 3):
        parts = [split_dataset_by_node(make(), c, count) for c in range(count)]
        for part in parts:
            part.load_state_dict(through_json(merge_state_dicts([state])))
        assert sorted(chain.from_iterable(map(ids, parts))) == sorted(whole[given:])


@pytest.mark.parametrize("given", [1, 5, 11])
def test_the_state_of_one_process_goes_on_on_several_ranks(make, given):
    whole = ids(make())
    ds = make()
    list(islice(ds, given))
    state = through_json(ds.state_dict())
    parts = [split_dataset_by_node(make(), c, 3) for c in range(3)]
    for part in parts:
        part.load_state_dict(state)
    assert sorted(chain.from_iterable(map(ids, parts))) == sorted(whole[given:])


def test_a_cut_behind_batches_that_one_process_began():
    """Several would have chosen other rows from the beginning on."""

    def cut():
        return held().map(lambda batch: batch, batched=True, batch_size=7).skip(3).take(20)

    for given in (1, 5, 11):
        test_a_state_that_is_saved_as_it_was_loaded_is_the_same_place(cut, given)
        test_the_state_of_one_process_goes_on_on_several_ranks(cut, given)


def test_the_state_of_a_rank_is_refused_on_another(make):
    part = split_dataset_by_node(make(), 1, 2)
    list(islice(part, 2))
    state = through_json(part.state_dict())
    with pytest.raises(CheckpointMismatchError, match=r"consumer 1 of 2.*join all 2 states"):
        split_dataset_by_node(make(), 0, 3).load_state_dict(state)


def test_states_join_whoever_has_begun(make):
    """Also right after a restart: ranks that loaded a state and gave nothing since, beside ranks that did."""
    whole = sorted(ids(make()))
    given, state = [], None
    for counts in ([0, 0], [2, 0], [0, 0, 0], [0, 1, 0], [0], [3]):
        parts = [split_dataset_by_node(make(), c, len(counts)) for c in range(len(counts))]
        for part, n in zip(parts, counts, strict=True):
            if state is not None:
                part.load_state_dict(state)
            if n:
                given += ids(islice(part, n))
        state = through_json(merge_state_dicts([part.state_dict() for part in parts]))
    for count in (1, 2):
        rest = []
        for c in range(count):
            part = split_dataset_by_node(make(), c, count)
            part.load_state_dict(state)
            rest += ids(part)
        assert sorted(given + rest) == whole


def test_states_that_an_earlier_version_wrote_before_the_first_row():
    """Those had no place; the places that are missing are theirs."""
    parts = [split_dataset_by_node(held(), c, 3) for c in range(3)]
    early = {**parts[0].state_dict(), "cursor": held()._plan.core.start(0)}
    got = ids(islice(parts[1], 4))
    merged = merge_state_dicts([early, parts[1].state_dict(), early])
    ds = held()
    ds.load_state_dict(merged)
    assert sorted(got + ids(ds)) == list(range(N))
    assert ids(_loaded(held(), merge_state_dicts([early, early]))) == list(range(N))
    with pytest.raises(CheckpointMismatchError, match="more states than the 3 consumers"):
        merge_state_dicts([early, early, early, parts[1].state_dict()])


def _loaded(ds, state):
    ds.load_state_dict(state)
    return ds


def test_a_state_that_was_loaded_stays_where_it_fits_or_the_step_is_refused():
    ds = held()
    list(islice(ds, 5))
    state = ds.state_dict()
    for step in (
        lambda ds: ds.map(lambda row: {"y": 1}),
        lambda ds: ds.filter(lambda row: True),
        lambda ds: ds.select_columns(["id"]),
        lambda ds: ds.with_format("numpy"),
        lambda ds: split_dataset_by_node(ds, 0, 1),
    ):
        assert ids(step(_loaded(held(), state))) == list(range(5, N))
    for step in (
        lambda ds: ds.map(lambda batch: batch, batched=True),
        lambda ds: ds.batch(2),
        lambda ds: ds.take(3),
        lambda ds: ds.skip(3),
        lambda ds: ds.shuffle(seed=1),
        lambda ds: ds.repeat(2),
    ):
        with pytest.raises(CheckpointMismatchError, match="add all steps first"):
            step(_loaded(held(), state))
    # A state that is behind is in nobody's way.
    ds = _loaded(held(), state)
    list(ds)
    assert len(list(ds.batch(2))) == N // 2


@pytest.mark.parametrize("shards", [1, 7, 10_000])
def test_the_state_of_a_generator_is_small(shards):
    def rows(names):
        for name in names:
            yield from ({"id": 3 * name + i} for i in range(3))

    def make():
        return IterableDataset.from_generator(rows, gen_kwargs={"names": list(range(shards))})

    states, given, total = [], [], 3 * shards
    for c in range(3):
        part = split_dataset_by_node(make(), c, 3)
        given += ids(islice(part, total // 6))
        states.append(part.state_dict())
        assert len(json.dumps(states[-1])) <= 4096
    merged = through_json(merge_state_dicts(states))
    assert len(json.dumps(merged)) <= 4096
    rest = ids(_loaded(make(), merged))
    assert sorted(given + rest) == list(range(total))
    for count in (2, 5):
        parts = [_loaded(split_dataset_by_node(make(), c, count), merged) for c in range(count)]
        assert sorted([*given, *(i for part in parts for i in ids(part))]) == list(range(total))


def test_a_shard_of_a_generator_is_run_by_one_consumer_unless_it_is_deterministic():
    calls = []

    def rows(names):
        calls.append(names)
        yield from ({"id": len(calls) * 1000 + i} for i in range(10))

    ds = IterableDataset.from_generator(rows, gen_kwargs={"names": ["a"]})
    counts = [len(list(split_dataset_by_node(ds, c, 3))) for c in range(3)]
    assert counts == [10, 0, 0]
    assert len(calls) == 1

    def same(names):
        yield from ({"id": i} for i in range(10))

    ds = IterableDataset.from_generator(same, gen_kwargs={"names": ["a"]}, deterministic=True)
    parts = [ids(split_dataset_by_node(ds, c, 3)) for c in range(3)]
    assert sorted(i for part in parts for i in part) == list(range(10))
    assert all(parts)
    for shards in (2, 3, 5, 8):
        ds = IterableDataset.from_generator(rows, gen_kwargs={"names": list(range(shards))})
        calls.clear()
        assert sum(len(list(split_dataset_by_node(ds, c, 3))) for c in range(3)) == 10 * shards
        assert len(calls) == shards


@pytest.mark.parametrize("kind", ["parquet", "json", "memory"])
@pytest.mark.parametrize("steps", [[], ["shuffle"], ["map"], ["shuffle", "map"], ["batch"]])
def test_a_rank_takes_as_many_rows_whatever_its_workers(kind, steps, tmp_path):
    """And they are the first of the rank's part, in epoch 0; other epochs permute them."""
    counts = [50, 50, 50, 50, 3, 80]
    if kind == "parquet":
        write_listing(tmp_path, counts)
    elif kind == "json":
        write_lines(tmp_path, counts)
    if kind == "memory":
        ds = IterableDataset.from_dict({"id": list(range(sum(counts)))}, num_shards=6)
    else:
        ds = load_dataset(kind, data_files=f"{tmp_path}/*", split="train", streaming=True)
    for step in steps:
        ds = {
            "shuffle": lambda ds=ds: ds.shuffle(seed=1, buffer_size=40),
            "map": lambda ds=ds: ds.map(lambda row: row),
        }.get(step, lambda ds=ds: ds.batch(4))()
    n = 10 if "batch" in steps else 60

    def flat(items):
        return [
            i
            for item in items
            for i in (item["id"] if isinstance(item["id"], list) else [item["id"]])
        ]

    for rank in range(2):
        part = split_dataset_by_node(ds, rank, 2)
        first = list(part)[:n]
        for cut, expected in ((part.take(n), flat(first)), (part.skip(n), flat(list(part)[n:]))):
            for workers in (1, 2, 5):
                seen = [
                    i for w in range(workers) for i in flat(split_dataset_by_node(cut, w, workers))
                ]
                assert sorted(seen) == sorted(expected), workers
            cut.set_epoch(1)
            assert sorted(flat(cut)) == sorted(expected)
        assert flat(part.take(n)) == flat(first)


def test_a_mixture_goes_on_with_other_weights_or_one_more_part():
    def part(name, shuffled):
        ds = IterableDataset.from_dict({"id": [f"{name}{i}" for i in range(40)]}, num_shards=4)
        return ds.shuffle(seed=5, buffer_size=10) if shuffled else ds

    def mixed(names, weights, seed, *, shuffled):
        parts = [part(name, shuffled) for name in names]
        return interleave_datasets(
            parts,
            probabilities=weights,
            seed=seed,
            stopping_strategy="all_exhausted_without_replacement",
        )

    def names(rows):
        return [row["id"] for row in rows]

    for shuffled in (False, True):
        whole = sorted(f"{name}{i}" for name in "abc" for i in range(40))
        for counts in ([0], [21], [80], [3, 11], [0, 7], [5, 5, 20]):
            given, states = [], []
            for c, n in enumerate(counts):
                one = split_dataset_by_node(
                    mixed("ab", [0.5, 0.5], 1, shuffled=shuffled), c, len(counts)
                )
                given += names(islice(one, n))
                states.append(one.state_dict())
            state = through_json(merge_state_dicts(states))
            for count in (1, 2, 3):
                rest = []
                for c in range(count):
                    other = split_dataset_by_node(
                        mixed("acb", [0.8, 0.1, 0.1], 2, shuffled=shuffled), c, count
                    )
                    with pytest.raises(CheckpointMismatchError, match="strict=False"):
                        other.load_state_dict(state)
                    other.load_state_dict(state, strict=False)
                    rest += names(islice(other, 9))
                    # And on from there, as any run.
                    again = split_dataset_by_node(
                        mixed("acb", [0.8, 0.1, 0.1], 2, shuffled=shuffled), c, count
                    )
                    again.load_state_dict(through_json(other.state_dict()))
                    rest += names(again)
                assert sorted(given + rest) == whole, (shuffled, counts, count)
    with pytest.raises(
        CheckpointMismatchError, match=r"strict=False is for mixtures|another stream"
    ):
        mixed("ab", [0.5, 0.5], 1, shuffled=False).load_state_dict(
            held().state_dict(), strict=False
        )


def test_a_part_that_is_never_drawn():
    parts = [held(), held(name="id")]
    for strategy, n in (("first_exhausted", N), ("all_exhausted_without_replacement", N)):
        assert (
            len(list(interleave_datasets(parts, probabilities=[1, 0], stopping_strategy=strategy)))
            == n
        )
        assert (
            len(list(interleave_datasets(parts, probabilities=[0, 1], stopping_strategy=strategy)))
            == n
        )
    with pytest.raises(InvalidArgumentError, match="never sampled"):
        interleave_datasets(parts, probabilities=[1, 0], stopping_strategy="all_exhausted")


@pytest.mark.parametrize(
    ("taken", "loaded", "words"),
    [
        (
            lambda: held().map(str, batched=True),
            lambda: held(),
            r"with what this stream does not have: Map\(builtins.str",
        ),
        (
            lambda: held(),
            lambda: held().map(str, batched=True),
            r"without what this stream has: Map\(builtins.str",
        ),
        (
            lambda: held().map(str, batched=True).filter(print),
            lambda: held().map(str, batched=True).filter(len),
            r"step 2 was Filter\(builtins.print.*it is Filter\(builtins.len",
        ),
        (
            lambda: held().map(str, batched=True),
            lambda: held().map(str, batched=True).filter(len),
            "before the step Filter",
        ),
        (
            lambda: held().map(str, batched=True),
            lambda: held(29).map(str, batched=True),
            "of other files",
        ),
        (
            lambda: interleave_datasets([held(), held()]),
            lambda: concatenate_datasets([held(), held().map(dict)]),
            "of a mixture, this",
        ),
        (
            lambda: interleave_datasets([held(), held()]),
            lambda: interleave_datasets([held(), held(9)]),
            "part 1 differs",
        ),
        (
            lambda: IterableDataset.from_generator(rows_of_a_generator),
            lambda: IterableDataset.from_generator(iter),
            "the generator was",
        ),
    ],
)
def test_a_state_of_other_steps_is_refused_in_words(taken, loaded, words):
    with pytest.raises(CheckpointMismatchError, match=words):
        loaded().load_state_dict(taken().state_dict())
