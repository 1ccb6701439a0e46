"""Users' functions in a stream: what they are given, what becomes of what they return, and every place to go on from."""

from __future__ import annotations

import asyncio
import json
import threading
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import exceptions, load_dataset, merge_state_dicts, split_dataset_by_node

from tests.conftest import write_lines


def ids(rows):
    return [row["id"] for row in rows]


def doubled(row):
    return {"twice": row["id"] * 2}


async def doubled_later(row):
    await asyncio.sleep(0)
    return {"twice": row["id"] * 2}


def odd(row):
    return row["id"] % 2


def copies(batch):
    return {"id": [i for i in batch["id"] for _ in range(i % 3)]}


def several(row):
    return ({"id": row["id"], "k": k} for k in range(row["id"] % 4))


def test_a_row_keeps_its_columns_and_gets_more(listing):
    ds = listing([5])
    rows = list(ds)
    assert list(ds.map(doubled)) == [{**row, "twice": row["id"] * 2} for row in rows]
    assert list(ds.map(doubled, remove_columns="text")) == [{"id": i, "twice": 2 * i} for i in range(5)]
    assert list(ds.map(lambda row: {"text": "new"}, remove_columns=["text"])) == [{"id": i, "text": "new"} for i in range(5)]
    assert list(ds.map(lambda i, text, more: {"sum": i + more}, input_columns=["id", "text"], fn_kwargs={"more": 7}))[2]["sum"] == 9
    assert [row["at"] for row in ds.skip(2).map(lambda row, i: {"at": i}, with_indices=True)] == [0, 1, 2]
    assert list(ds.map()) == rows


def test_a_batch_may_become_another_number_of_rows(listing):
    ds = listing([7, 6])
    assert ids(ds.map(copies, batched=True, batch_size=4, remove_columns="text")) == [i for i in range(13) for _ in range(i % 3)]
    seen = []
    list(ds.map(lambda batch, at: seen.append((len(batch["id"]), at)) or {}, batched=True, batch_size=5, with_indices=True))
    assert seen == [(5, [0, 1, 2, 3, 4]), (5, [5, 6, 7, 8, 9]), (3, [10, 11, 12])]
    assert ids(ds.map(lambda batch: {}, batched=True, batch_size=5, drop_last_batch=True)) == list(range(10))
    assert ids(ds.map(lambda batch: {}, batched=True, batch_size=None)) == list(range(13))


def test_filter_and_flat_map(listing):
    ds = listing([9])
    assert ids(ds.filter(odd)) == [1, 3, 5, 7]
    assert ids(ds.filter(lambda batch: [i > 6 for i in batch["id"]], batched=True, batch_size=4)) == [7, 8]
    assert ids(ds.filter(lambda i: i < 2, input_columns="id")) == [0, 1]
    assert [(row["id"], row["k"]) for row in ds.flat_map(several)] == [(i, k) for i in range(9) for k in range(i % 4)]
    assert ids(ds.filter(odd).take(3)) == [1, 3, 5]
    assert ids(ds.filter(odd).skip(3)) == [7]
    assert list(ds.filter(odd).batch(3)) == [
        {"id": [1, 3, 5], "text": [f"row {i}" * i for i in (1, 3, 5)]},
        {"id": [7], "text": [""]},
    ]


def test_what_orders_rows_commutes_with_functions_of_a_row(listing):
    ds = listing([20, 30])
    assert ids(ds.map(doubled).shuffle(seed=1, buffer_size=9)) == ids(ds.shuffle(seed=1, buffer_size=9))
    assert ids(ds.filter(odd).shuffle(seed=1, buffer_size=9)) == [i for i in ids(ds.shuffle(seed=1, buffer_size=9)) if i % 2]
    assert ids(ds.map(doubled).take(7)) == list(range(7))
    assert ids(ds.filter(odd).repeat(2)) == [i for i in range(50) if i % 2] * 2


def test_columns_of_what_functions_made(listing):
    ds = listing([3]).map(doubled)
    assert list(ds.select_columns(["twice"])) == [{"twice": 0}, {"twice": 2}, {"twice": 4}]
    assert list(ds.remove_columns("text").rename_column("twice", "two"))[1] == {"id": 1, "two": 2}
    assert ds.features is None
    assert ds.column_names is None
    assert "Unknown" in repr(ds)
    assert listing([3]).filter(odd).column_names == ["id", "text"]
    with pytest.raises(exceptions.InvalidArgumentError, match=r"no column 'none' to select; the columns are \['id', 'text', 'twice'\]"):
        list(ds.select_columns("none"))
    added = listing([3]).add_column("new", [5, 6, 7])
    assert [row["new"] for row in added] == [5, 6, 7]


def test_formats_before_and_after_functions(listing):
    ds = listing([6])
    seen = []
    list(ds.with_format("numpy").map(lambda batch: seen.append(batch["id"]) or {}, batched=True, batch_size=4))
    assert [type(column) for column in seen] == [np.ndarray, np.ndarray]
    batch = next(ds.map(doubled).with_format("numpy").iter(4))
    assert batch["twice"].tolist() == [0, 2, 4, 6]
    assert next(iter(ds.map(doubled).with_format("arrow"))).to_pylist() == [{"id": 0, "text": "", "twice": 0}]


@pytest.mark.parametrize("how", [{"num_threads": 3}, {"num_proc": 2}, {}])
def test_functions_beside_the_loop_keep_the_order(listing, how):
    ds = listing([40] * 5)
    function = doubled if how else doubled_later
    assert [row["twice"] for row in ds.map(function, **how)] == [2 * i for i in range(200)]
    assert ids(ds.filter(odd if how else _odd_later, **how)) == list(range(1, 200, 2))
    if how:
        assert ids(ds.map(copies, batched=True, batch_size=7, remove_columns="text", **how)) == [
            i for i in range(200) for _ in range(i % 3)
        ]
    mapped = ds.map(function, **how)
    rows = iter(mapped)
    first = ids(islice(rows, 17))
    state = mapped.state_dict()
    rows.close()
    again = ds.map(function, **how)
    again.load_state_dict(state)
    assert first + ids(again) == list(range(200))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rowstream-map") and thread.daemon]


async def _odd_later(row):
    return row["id"] % 2


@pytest.mark.parametrize("how", [{}, {"num_threads": 2}, {"num_proc": 1}])
def test_an_error_of_a_function_is_the_users_own(listing, how):
    with pytest.raises(ZeroDivisionError) as caught:
        list(listing([9]).map(lambda row: {"x": 1 // (row["id"] - 4)}, **how))
    (note,) = caught.value.__notes__
    assert "map(tests.ops.test_functions." in note
    assert "'id': 4" in note


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds: ds.map(lambda row: None), "must return a dict of columns, it returned NoneType .is a return missing"),
        (lambda ds: ds.map(lambda batch: {"x": [1]}, batched=True), "one length, found"),
        (lambda ds: ds.map(lambda batch: {"x": 1}, batched=True), "a list for each column, 'x' is a int"),
        (lambda ds: ds.map(doubled, input_columns=["none"]), "no column 'none' in input_columns; the columns are"),
        (lambda ds: ds.filter(lambda batch: [True], batched=True), "one length"),
        (lambda ds: ds.map("text"), "map expects a function, found 'text'"),
        (lambda ds: ds.map(doubled, num_threads=2, num_proc=2), "not both"),
        (lambda ds: ds.map(doubled, num_proc=0), "num_proc must be at least 1"),
        (lambda ds: ds.add_column("id", [1, 2, 3]), "a column 'id' already"),
        (lambda ds: ds.add_column("new", [1]), "the column has 1 values"),
    ],
)
def test_what_a_function_may_not_do(listing, call, message):
    with pytest.raises(exceptions.InvalidArgumentError, match=message):
        list(call(listing([3])))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("map"), st.sampled_from([{}, {"num_threads": 2}])),
        st.just(("filter",)),
        st.just(("index",)),
        st.tuples(st.just("copies"), st.integers(1, 5)),
        st.just(("several",)),
        st.tuples(st.just("shuffle"), st.sampled_from([1, 4, 30])),
        st.tuples(st.just("take"), st.integers(0, 40)),
        st.tuples(st.just("skip"), st.integers(0, 9)),
        st.tuples(st.just("repeat"), st.integers(0, 2)),
    ),
    max_size=4,
)


def applied(ds, steps):
    for step in steps:
        match step:
            case ("map", how):
                ds = ds.map(doubled, **how)
            case ("filter",):
                ds = ds.filter(odd)
            case ("index",):
                ds = ds.map(lambda row, at: {"at": at}, with_indices=True)
            case ("copies", size):
                ds = ds.map(copies, batched=True, batch_size=size, remove_columns=["text", "twice", "at", "k"])
            case ("several",):
                ds = ds.flat_map(several)
            case ("shuffle", buffer):
                ds = ds.shuffle(seed=3, buffer_size=buffer)
            case (name, n):
                ds = getattr(ds, name)(n)
    return ds


@settings(max_examples=80)
@given(st.sampled_from(["json", "parquet"]), st.lists(st.integers(1, 9), min_size=1, max_size=6), STEPS, st.data())
def test_every_combination_goes_on_at_every_place(kind, counts, steps, data):
    with TemporaryDirectory() as folder:
        if kind == "json":
            write_lines(Path(folder), counts)
        else:
            from tests.conftest import write_listing

            write_listing(Path(folder), counts)
        ds = applied(load_dataset(kind, data_files=f"{folder}/*", split="train", streaming=True), steps)
        whole, states = [], [ds.state_dict()]
        rows = iter(ds)
        for row in islice(rows, 80):
            whole.append(row)
            states.append(json.loads(json.dumps(ds.state_dict())))
        for i in data.draw(st.lists(st.integers(0, len(whole)), max_size=5)):
            ds.load_state_dict(states[i])
            assert list(islice(ds, 80 - i)) == whole[i:]


MERGED = st.lists(
    st.one_of(
        st.just(("map", {})),
        st.just(("filter",)),
        st.tuples(st.just("copies"), st.integers(1, 5)),
        st.just(("several",)),
        st.tuples(st.just("shuffle"), st.sampled_from([1, 4, 30])),
    ),
    max_size=3,
)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), MERGED, st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_steps_go_on_with_other_consumers(counts, steps, runs, data):
    """Every source row enters exactly one batch; which rows share one depends on the number of consumers."""
    with TemporaryDirectory() as folder:
        write_lines(Path(folder), counts)
        ds = applied(load_dataset("json", data_files=f"{folder}/*", split="train", streaming=True), steps)
        expected, got, state = sorted(ids(ds)), [], None
        for of in runs:
            parts = [split_dataset_by_node(ds, c, of) for c in range(of)]
            for part in parts:
                if state is not None:
                    part.load_state_dict(state)
                got += ids(islice(part, data.draw(st.integers(0, 12))))
            state = json.loads(json.dumps(merge_state_dicts([part.state_dict() for part in parts])))
        ds.load_state_dict(state)
        assert sorted(got + ids(ds)) == expected


def test_functions_of_batches(listing):
    """A batch is a dict of lists, or in the data set's format; columns of batches are chosen as those of rows."""
    ds = listing([7, 4])
    batches = ds.batch(3)
    assert [batch["n"] for batch in batches.map(lambda batch: {"n": len(batch["id"])})] == [3, 3, 3, 2]
    assert [batch["id"] for batch in batches.filter(lambda batch: len(batch["id"]) < 3)] == [[9, 10]]
    assert [row["id"] for row in batches.flat_map(lambda batch: [{"id": i} for i in batch["id"]])] == list(range(11))
    seen = []
    list(batches.with_format("numpy").map(lambda batch: seen.append(type(batch["id"])) or {}))
    assert seen == [np.ndarray] * 4
    shuffled = batches.shuffle(seed=1).select_columns(["id"])
    assert sorted(i for batch in shuffled for i in batch["id"]) == list(range(11))
    assert all(list(batch) == ["id"] for batch in shuffled)
    assert next(iter(batches.batch(2).map(lambda group: {"k": len(group["id"])})))["k"] == 2
    again = next(iter(ds.map(doubled).batch(4).map(lambda batch: {"sum": sum(batch["twice"])})))
    assert again["sum"] == 12
    mapped = batches.map(lambda batch: {"n": len(batch["id"])})
    rows = iter(mapped)
    first = [next(rows)["n"] for _ in range(2)]
    mapped.load_state_dict(mapped.state_dict())
    assert first + [batch["n"] for batch in mapped] == [3, 3, 3, 2]
