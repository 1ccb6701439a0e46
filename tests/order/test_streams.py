"""Streams of real files against the model: the same rows at the same places, through every combination of steps."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import load_dataset, merge_state_dicts, split_dataset_by_node

from tests.conftest import write_lines, write_listing

from . import order_model as model

OPS = st.one_of(
    st.tuples(st.just("shuffle"), st.integers(0, 3), st.sampled_from([1, 5, 40, 1000])),
    st.tuples(st.just("take"), st.integers(0, 150)),
    st.tuples(st.just("skip"), st.integers(0, 60)),
    st.sampled_from([("shard", 3, i, kind) for i in range(3) for kind in (True, False)]),
    # A rank's cut: what the rank has, and then the cut.
    st.tuples(
        st.just("rank"),
        st.sampled_from([(0, 2), (1, 2), (2, 3)]),
        st.sampled_from(["take", "skip"]),
        st.integers(0, 60),
    ),
)
COUNTS = st.lists(st.integers(1, 30), min_size=1, max_size=24)


KINDS = st.sampled_from(["parquet", "json"])
"""Pieces whose rows are counted in the listing, and pieces whose rows are not."""


def opened(folder, counts, kind="parquet"):
    if kind == "json":
        write_lines(Path(folder), counts)
    else:
        write_listing(Path(folder), counts)
    return load_dataset(kind, data_files=f"{folder}/*.{kind}*", split="train", streaming=True)


def applied(ds, ops):
    for op in ops:
        match op:
            case ("shuffle", seed, buffer):
                ds = ds.shuffle(seed=seed, buffer_size=buffer)
            case ("shard", of, index, contiguous):
                ds = ds.shard(of, index, contiguous=contiguous)
            case ("rank", (rank, of), name, n):
                ds = getattr(split_dataset_by_node(ds, rank, of), name)(n)
            case (name, n):
                ds = getattr(ds, name)(n)
    return ds


def modelled(ds, counts, ops, epoch=0, number=0):
    """The model's order of a stream's files, and the id of each row."""
    scan = json.loads(ds._plan.scan)
    sizes = [p[3] for p in scan["pieces"]]
    first = [sum(counts[:i]) for i in range(len(counts))]
    ops = [
        one
        for op in ops
        for one in ([("part", op[1][1], op[1][0]), op[2:]] if op[0] == "rank" else [op])
    ]
    order = model.build(counts, sizes, scan["lanes"], ops, epoch, number)
    return order, lambda rows: [first[piece] + row for piece, row in rows]


def ids(rows):
    return [row["id"] for row in rows]


@given(
    KINDS,
    COUNTS,
    st.lists(OPS, max_size=4),
    st.integers(0, 2),
    st.sampled_from([1, 2, 3, 7]),
    st.data(),
)
def test_the_order_is_the_models(kind, counts, ops, epoch, of, data):
    with TemporaryDirectory() as folder:
        ds = applied(opened(folder, counts, kind), ops)
        ds.set_epoch(epoch)
        order, named = modelled(ds, counts, ops, epoch)
        assert ids(ds) == named(model.whole(order))
        c = data.draw(st.integers(0, of - 1))
        part = split_dataset_by_node(ds, c, of)
        expected = named(model.Consumer(order, c, of, {}))
        assert ids(part) == expected
        size = data.draw(st.integers(1, 40))
        assert [i for batch in part.iter(size) for i in batch["id"]] == expected


@given(
    KINDS,
    COUNTS,
    st.lists(OPS, max_size=3),
    st.lists(st.sampled_from([1, 2, 3, 4, 7]), min_size=1, max_size=3),
    st.data(),
)
def test_a_run_goes_on_with_other_consumers(kind, counts, ops, runs, data):
    with TemporaryDirectory() as folder:
        ds = applied(opened(folder, counts, kind), ops)
        order, named = modelled(ds, counts, ops)
        seen, state, base, alone = [], None, {}, None
        for of in runs:
            parts, modelled_parts = [], []
            for c in range(of):
                part = split_dataset_by_node(ds, c, of)
                if state is not None:
                    part.load_state_dict(state)
                # One consumer after one consumer is the same run.
                consumer = alone if alone and of == 1 else model.Consumer(order, c, of, base)
                n = data.draw(st.integers(0, 25))
                got = ids(islice(part, n))
                assert got == named(islice(consumer, n))
                seen += got
                parts.append(part)
                modelled_parts.append(consumer.cursor())
            state, base = (
                merge_state_dicts(part.state_dict() for part in parts),
                model.merge(consumer.base, modelled_parts),
            )
            alone = consumer if of == 1 else None
        ds.load_state_dict(state)
        rest = ids(ds)
        assert rest == named(alone or model.Consumer(order, 0, 1, base))
        assert Counter(seen + rest) == Counter(named(model.whole(order)))


STEPS = st.lists(
    st.one_of(
        OPS,
        st.tuples(st.just("repeat"), st.integers(0, 3)),
        st.tuples(st.just("batch"), st.integers(1, 6)),
    ),
    max_size=5,
)


def flat(item):
    """The ids of a row, a batch, or a batch of batches."""
    return [i for part in item for i in flat(part)] if isinstance(item, list) else [item]


@settings(max_examples=80)
@given(
    KINDS,
    st.lists(st.integers(1, 12), min_size=1, max_size=8),
    STEPS,
    st.sampled_from([1, 2]),
    st.data(),
)
def test_every_combination_resumes_exactly_at_every_position(kind, counts, steps, of, data):
    with TemporaryDirectory() as folder:
        ds = split_dataset_by_node(
            applied(opened(folder, counts, kind), steps), data.draw(st.integers(0, of - 1)), of
        )
        whole = [row["id"] for row in islice(ds, 100)]
        states, rows = [ds.state_dict()], iter(ds)
        states = []
        for _ in range(len(whole)):
            states.append(ds.state_dict())
            next(rows)
        for i in (
            data.draw(st.lists(st.integers(0, max(0, len(whole) - 1)), max_size=6)) if whole else []
        ):
            ds.load_state_dict(json.loads(json.dumps(states[i])))
            assert [row["id"] for row in islice(ds, 100 - i)] == whole[i:]


@pytest.mark.parametrize("ops", [[], [("shuffle", 7, 20)], [("shuffle", 7, 1000), ("take", 90)]])
def test_a_resume_at_every_position(listing, ops):
    ds = applied(listing([13, 1, 20, 30, 7, 40], files=2), ops)
    whole, states = ids(ds), []
    rows = iter(ds)
    for _ in whole:
        states.append(ds.state_dict())
        next(rows)
    states.append(ds.state_dict())
    for i, state in enumerate(states):
        ds.load_state_dict(state)
        assert ids(ds) == whole[i:]
        assert ids(ds) == whole, "the next iteration begins anew"


def test_ten_resumes_in_a_row(listing):
    ds = listing([500, 1, 900, 40] * 5).shuffle(seed=3, buffer_size=700)
    whole, got = ids(ds), []
    for k in range(10):
        got += ids(islice(ds, 137 + 31 * k))
        ds.load_state_dict(ds.state_dict())
    assert got + ids(ds) == whole


def test_resume_in_batches(listing):
    ds = listing([50, 70, 11] * 4).shuffle(seed=3, buffer_size=100).repeat(2)
    whole = [batch["id"] for batch in ds.iter(32)]
    assert [len(b) for b in whole[:-1]] == [32] * (len(whole) - 1)
    batches, states = ds.iter(32), []
    for _ in whole:
        states.append(ds.state_dict())
        next(batches)
    for i, state in enumerate(states):
        ds.load_state_dict(state)
        assert [batch["id"] for batch in ds.iter(32)] == whole[i:]


def test_the_state_is_small_at_64_lanes_under_any_skew(listing):
    counts = [3000 if i % 9 == 0 else 5 for i in range(640)]
    ds = listing(counts).shuffle(seed=1, buffer_size=64_000)
    rows, most = iter(ds), 0
    for i, _ in enumerate(rows):
        if i % 997 == 0:
            most = max(most, len(json.dumps(ds.state_dict())))
    assert most <= 4096
    state = None
    for of in (8, 3, 16, 1):
        parts = [split_dataset_by_node(ds, c, of) for c in range(of)]
        for c, part in enumerate(parts):
            if state is not None:
                part.load_state_dict(state)
            next(islice(part, 900 + 700 * c, None), None)
        state = merge_state_dicts(part.state_dict() for part in parts)
        assert len(json.dumps(state)) <= 4096, of


ORDER = """
import hashlib, sys
from rowstream import load_dataset
ds = load_dataset("parquet", data_files=sys.argv[1] + "/*.parquet", split="train", streaming=True).shuffle(seed=5, buffer_size=4000)
rows = [row["id"] for row in ds] if sys.argv[2] == "rows" else [i for b in ds.iter(int(sys.argv[2])) for i in b["id"]]
print(hashlib.sha256(str(rows).encode()).hexdigest())
"""


@pytest.mark.heavy
def test_the_order_does_not_depend_on_memory_or_batches(tmp_path):
    write_listing(tmp_path, [2000, 30, 4000, 1] * 12, files=3)

    def order(memory, how):
        run = subprocess.run(
            [sys.executable, "-c", ORDER, tmp_path, how],
            env={**os.environ, "ROWSTREAM_MEMORY": memory},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return run.stdout

    assert (
        len(
            {
                order("16MiB", "rows"),
                order("512MiB", "rows"),
                order("2GiB", "7"),
                order("64MiB", "100000"),
            }
        )
        == 1
    )


def test_the_golden_order_of_files(listing):
    """The order of a published seed: a change of any value here breaks users' checkpoints."""
    ds = listing([100] * 8).shuffle(seed=42, buffer_size=200)
    digest = hashlib.sha256(str(ids(ds)).encode()).hexdigest()
    assert (ids(ds.take(6)), digest[:16]) == GOLDEN


GOLDEN = ([223, 504, 418, 316, 615, 16], "8c76ed62da6b659c")


def test_a_take_is_the_same_rows_in_every_epoch(listing):
    ds = listing([40] * 10).shuffle(seed=1, buffer_size=50)
    held, rest = ds.take(100), ds.skip(100)
    chosen = sorted(ids(held))
    for epoch in range(3):
        held.set_epoch(epoch)
        rest.set_epoch(epoch)
        assert sorted(ids(held)) == chosen
        assert sorted(ids(rest) + chosen) == list(range(400))
    assert ids(held) != ids(ds.take(100)), "another epoch permutes within"


def test_repeat_shuffles_each_pass_anew(listing):
    rows = ids(listing([40] * 4).shuffle(seed=1, buffer_size=50).repeat(3))
    passes = [rows[i : i + 160] for i in (0, 160, 320)]
    assert all(sorted(p) == list(range(160)) for p in passes)
    assert passes[0] != passes[1] != passes[2]


def test_repeat_for_ever(listing):
    ds = listing([5, 5]).repeat()
    assert ids(islice(ds, 37)) == [*range(10), *range(10), *range(10), *range(7)]
    assert ids(ds.take(25)) == [*range(10), *range(10), *range(5)]
    assert ids(islice(ds.skip(25), 7)) == [5, 6, 7, 8, 9, 0, 1]
    assert list(listing([5]).take(0).repeat()) == []


def test_take_and_skip_after_repeat(listing):
    ds = listing([5, 5]).shuffle(seed=2, buffer_size=4).repeat(3)
    whole = ids(ds)
    for n in range(33):
        assert ids(ds.take(n)) == whole[:n]
        assert ids(ds.skip(n)) == whole[n:]
    assert ids(ds.skip(7).take(11).skip(3)) == whole[10:18]


def test_a_batch_ends_with_a_pass_that_was_repeated_after_it(listing):
    ds = listing([5])
    assert [b["id"] for b in ds.batch(3).repeat(2)] == [[0, 1, 2], [3, 4], [0, 1, 2], [3, 4]]
    assert [b["id"] for b in ds.repeat(2).batch(3)] == [[0, 1, 2], [3, 4, 0], [1, 2, 3], [4]]
    assert [b["id"] for b in ds.batch(3, drop_last_batch=True).repeat(2)] == [[0, 1, 2], [0, 1, 2]]
    assert [b["id"] for b in ds.batch(3).repeat(3).take(3)] == [[0, 1, 2], [3, 4], [0, 1, 2]]
    assert [b["id"] for b in ds.batch(3).repeat(2).skip(1)] == [[3, 4], [0, 1, 2], [3, 4]]


def test_shuffled_batches_stay_whole(listing):
    ds = listing([6, 6, 6, 6])
    batches = [b["id"] for b in ds.batch(3).shuffle(seed=1, buffer_size=4)]
    assert sorted(batches) == [[i, i + 1, i + 2] for i in range(0, 24, 3)]
    assert batches != sorted(batches)
    grouped = [b["id"] for b in ds.batch(3).batch(2)]
    assert grouped[0] == [[0, 1, 2], [3, 4, 5]]
