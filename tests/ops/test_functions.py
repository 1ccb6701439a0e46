"""Users' functions in a stream: what they are given, what becomes of what they return, and every place to go on from."""

from __future__ import annotations

import asyncio
import json
import threading
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from rowstream import (
    Dataset,
    Features,
    Image,
    IterableColumn,
    IterableDataset,
    List,
    Value,
    concatenate_datasets,
    exceptions,
    interleave_datasets,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
)

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


def apart(batch):
    return [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]


def test_a_row_keeps_its_columns_and_gets_more(listing):
    ds = listing([5])
    rows = list(ds)
    assert list(ds.map(doubled)) == [{**row, "twice": row["id"] * 2} for row in rows]
    assert list(ds.map(doubled, remove_columns="text")) == [
        {"id": i, "twice": 2 * i} for i in range(5)
    ]
    assert list(ds.map(lambda row: {"text": "new"}, remove_columns=["text"])) == [
        {"id": i, "text": "new"} for i in range(5)
    ]
    assert (
        list(
            ds.map(
                lambda i, text, more: {"sum": i + more},
                input_columns=["id", "text"],
                fn_kwargs={"more": 7},
            )
        )[2]["sum"]
        == 9
    )
    assert [row["at"] for row in ds.skip(2).map(lambda row, i: {"at": i}, with_indices=True)] == [
        0,
        1,
        2,
    ]
    assert list(ds.map()) == rows


def test_a_batch_may_become_another_number_of_rows(listing):
    ds = listing([7, 6])
    assert ids(ds.map(copies, batched=True, batch_size=4, remove_columns="text")) == [
        i for i in range(13) for _ in range(i % 3)
    ]
    seen = []
    list(
        ds.map(
            lambda batch, at: seen.append((len(batch["id"]), at)) or {},
            batched=True,
            batch_size=5,
            with_indices=True,
        )
    )
    assert seen == [(5, [0, 1, 2, 3, 4]), (5, [5, 6, 7, 8, 9]), (3, [10, 11, 12])]
    assert ids(ds.map(lambda batch: {}, batched=True, batch_size=5, drop_last_batch=True)) == list(
        range(10)
    )
    assert ids(ds.map(lambda batch: {}, batched=True, batch_size=None)) == list(range(13))


@pytest.mark.parametrize("returned", [None, 5, "text", {"a": 1}, [1], [{"a": 1}, None], ["text"]])
def test_flat_map_refuses_what_are_no_rows(returned):
    ds = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset()
    with pytest.raises(ValueError, match="flat_map: the function must return an iterable of"):
        list(ds.flat_map(lambda row: returned))


def test_filter_and_flat_map(listing):
    ds = listing([9])
    assert ids(ds.filter(odd)) == [1, 3, 5, 7]
    assert ids(
        ds.filter(lambda batch: [i > 6 for i in batch["id"]], batched=True, batch_size=4)
    ) == [7, 8]
    assert ids(ds.filter(lambda i: i < 2, input_columns="id")) == [0, 1]
    assert [(row["id"], row["k"]) for row in ds.flat_map(several)] == [
        (i, k) for i in range(9) for k in range(i % 4)
    ]
    assert ids(ds.filter(odd).take(3)) == [1, 3, 5]
    assert ids(ds.filter(odd).skip(3)) == [7]
    assert list(ds.filter(odd).batch(3)) == [
        {"id": [1, 3, 5], "text": [f"row {i}" * i for i in (1, 3, 5)]},
        {"id": [7], "text": [""]},
    ]


def test_what_orders_rows_commutes_with_functions_of_a_row(listing):
    ds = listing([20, 30])
    assert ids(ds.map(doubled).shuffle(seed=1, buffer_size=9)) == ids(
        ds.shuffle(seed=1, buffer_size=9)
    )
    assert ids(ds.filter(odd).shuffle(seed=1, buffer_size=9)) == [
        i for i in ids(ds.shuffle(seed=1, buffer_size=9)) if i % 2
    ]
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
    with pytest.raises(
        exceptions.InvalidArgumentError,
        match=r"no column 'none' to select; the columns are \['id', 'text', 'twice'\]",
    ):
        list(ds.select_columns("none"))
    added = listing([3]).add_column("new", [5, 6, 7])
    assert [row["new"] for row in added] == [5, 6, 7]


def test_formats_before_and_after_functions(listing):
    ds = listing([6])
    seen = []
    list(
        ds.with_format("numpy").map(
            lambda batch: seen.append(batch["id"]) or {}, batched=True, batch_size=4
        )
    )
    assert [type(column) for column in seen] == [np.ndarray, np.ndarray]
    batch = next(ds.map(doubled).with_format("numpy").iter(4))
    assert batch["twice"].tolist() == [0, 2, 4, 6]
    assert next(iter(ds.map(doubled).with_format("arrow"))).to_pylist() == [
        {"id": 0, "text": "", "twice": 0}
    ]


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
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("rowstream-map") and thread.daemon
    ]


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
        (
            lambda ds: ds.map(lambda row: None),
            "must return a dict of columns, it returned NoneType .is a return missing",
        ),
        (
            lambda ds: ds.map(lambda batch: {"x": [1]}, batched=True),
            "Column lengths mismatch: expected length",
        ),
        (
            lambda ds: ds.with_format("arrow").map(lambda table: None),
            "must return a table, a frame or a dict of columns; it returned None",
        ),
        (
            lambda ds: ds.with_format("arrow").map(lambda table: table.slice(1)),
            "a table of one row, it returned 0",
        ),
        (lambda ds: ds.batch(by_column="none"), "no column 'none' in by_column"),
        (lambda ds: ds.map(doubled).batch(by_column="none"), "no column 'none' in by_column"),
        (lambda ds: ds.batch(2).batch(by_column="id"), "is of rows"),
        (lambda ds: ds["none"], "no column 'none'; the columns are"),
        (lambda ds: ds[0], "a stream has no row 0"),
        (
            lambda ds: ds.map(lambda batch: {"x": 1}, batched=True),
            "a list for each column, 'x' is a int",
        ),
        (
            lambda ds: ds.map(doubled, input_columns=["none"]),
            "no column 'none' in input_columns; the columns are",
        ),
        (lambda ds: ds.filter(lambda batch: [True], batched=True), "lengths differ"),
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
        st.just(("runs",)),
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
                ds = ds.map(
                    copies,
                    batched=True,
                    batch_size=size,
                    remove_columns=["text", "twice", "at", "k", "third"],
                )
            case ("several",):
                ds = ds.flat_map(several)
            case ("runs",):
                ds = (
                    ds.map(lambda row: {"third": row["id"] // 3})
                    .batch(by_column="third")
                    .flat_map(apart)
                )
            case ("shuffle", buffer):
                ds = ds.shuffle(seed=3, buffer_size=buffer)
            case (name, n):
                ds = getattr(ds, name)(n)
    return ds


@settings(max_examples=80)
@given(
    st.sampled_from(["json", "parquet"]),
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    STEPS,
    st.data(),
)
def test_every_combination_goes_on_at_every_place(kind, counts, steps, data):
    with TemporaryDirectory() as folder:
        if kind == "json":
            write_lines(Path(folder), counts)
        else:
            from tests.conftest import write_listing

            write_listing(Path(folder), counts)
        ds = applied(
            load_dataset(kind, data_files=f"{folder}/*", split="train", streaming=True), steps
        )
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
        st.just(("runs",)),
        st.tuples(st.just("shuffle"), st.sampled_from([1, 4, 30])),
    ),
    max_size=3,
)


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    MERGED,
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.data(),
)
def test_steps_go_on_with_other_consumers(counts, steps, runs, data):
    """Every source row enters exactly one batch; which rows share one depends on the number of consumers."""
    with TemporaryDirectory() as folder:
        write_lines(Path(folder), counts)
        ds = applied(
            load_dataset("json", data_files=f"{folder}/*", split="train", streaming=True), steps
        )
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
    assert [batch["n"] for batch in batches.map(lambda batch: {"n": len(batch["id"])})] == [
        3,
        3,
        3,
        2,
    ]
    assert [batch["id"] for batch in batches.filter(lambda batch: len(batch["id"]) < 3)] == [
        [9, 10]
    ]
    assert [
        row["id"] for row in batches.flat_map(lambda batch: [{"id": i} for i in batch["id"]])
    ] == list(range(11))
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


FRAMES = {
    "arrow": (
        lambda t: t.append_column("twice", pc.multiply(t["id"], 2)),
        lambda t: pc.greater(t["id"], 3),
    ),
    "pandas": (lambda df: df.assign(twice=df["id"] * 2), lambda df: df["id"] > 3),
    "polars": (lambda df: df.with_columns(twice=df["id"] * 2), lambda df: df["id"] > 3),
}


@pytest.mark.parametrize("made", [False, True], ids=["files", "a function"])
@pytest.mark.parametrize("format", FRAMES)
def test_functions_of_tables_and_frames(listing, format, made):
    change, keep = FRAMES[format]
    ds = listing([5, 4])
    if made:
        ds = ds.map(lambda row: {"text": row["text"] + "!"})
    rows = list(ds)
    expected = [{**row, "twice": row["id"] * 2} for row in rows]
    framed = ds.with_format(format)
    for how in ({}, {"batched": True, "batch_size": 4}):
        assert list(framed.map(change, **how).with_format(None)) == expected
        assert list(framed.filter(keep, **how).with_format(None)) == rows[4:]
        assert framed.filter(keep, **how).features == framed.features
        one = framed.map(change, remove_columns=["text"], **how).filter(keep, **how)
        assert list(one.with_format(None)) == [{"id": i, "twice": 2 * i} for i in range(4, 9)]
    # What a function of tables returns is all that there is then; it may have another number of rows.
    assert ids(framed.map(lambda table: table[2:] if format != "arrow" else table.slice(2), batched=True, batch_size=4).with_format(None)) == [
        2, 3, 6, 7,
    ]  # fmt: skip
    assert list(
        framed.map(lambda table: {"n": [len(table)]}, batched=True, batch_size=4).with_format(None)
    ) == [
        {"n": 4},
        {"n": 4},
        {"n": 1},
    ]


def test_groups_by_column(listing):
    ds = listing([7, 5]).map(lambda row: {"third": row["id"] // 3, "none": None})
    groups = ds.batch(by_column="third")
    assert [batch["id"] for batch in groups] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert [batch["id"] for batch in ds.take(10).batch(by_column=["third", "none"])][-1] == [9]
    assert [batch["id"] for batch in ds.take(10).batch(by_column="third", drop_last_batch=True)][
        -1
    ] == [6, 7, 8]
    assert listing([4]).batch(by_column="id").features == listing([4]).batch(1).features
    # Longer than what is kept between two states; and to go on after each.
    long = listing([300, 300, 300]).map(lambda row: {"half": row["id"] // 400})
    groups, states = long.batch(by_column="half"), []
    sizes = [(len(batch["id"]), states.append(groups.state_dict()))[0] for batch in groups]
    assert sizes == [400, 400, 100]
    for i, state in enumerate(states):
        groups.load_state_dict(json.loads(json.dumps(state)))
        assert [len(batch["id"]) for batch in groups] == sizes[i + 1 :]


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(0, 30),
    st.integers(1, 4),
    st.booleans(),
)
def test_a_rank_takes_of_its_own_part(counts, n, of, filtered):
    with TemporaryDirectory() as folder:
        write_lines(Path(folder), counts)
        ds = load_dataset("json", data_files=f"{folder}/*", split="train", streaming=True).shuffle(
            seed=1, buffer_size=4
        )
        ds = ds.filter(odd) if filtered else ds
        for c in range(of):
            part = split_dataset_by_node(ds, c, of)
            rows = ids(part)
            assert ids(part.take(n)) == rows[:n]
            assert ids(part.skip(n)) == rows[n:]
            # Workers of a rank share what it takes.
            taken = [i for w in range(2) for i in ids(split_dataset_by_node(part.take(n), w, 2))]
            assert len(taken) == len(set(taken)) <= n
            assert set(taken) <= set(rows)


@pytest.mark.parametrize("what", ["generator", "filter"])
def test_what_a_cut_chooses_never_leaks(listing, what):
    """The rows of `take` and `skip` are those of epoch 0, in every epoch and pass, whatever is shuffled before."""
    if what == "generator":
        ds = IterableDataset.from_generator(
            lambda shards: ({"id": 10 * i + k} for i in shards for k in range(10)),
            gen_kwargs={"shards": [*range(5)]},
        )
    else:
        ds = listing([10] * 5).filter(odd)
    shuffled = ds.shuffle(seed=5, buffer_size=7)
    held, rest = shuffled.take(9), shuffled.skip(9)
    chosen = ids(held)
    assert chosen != ids(ds)[:9]
    for epoch in (1, 2, 0):
        held.set_epoch(epoch)
        rest.set_epoch(epoch)
        assert sorted(ids(held)) == sorted(chosen)
        assert not set(ids(held)) & set(ids(rest))
    assert sorted(ids(held.repeat(3))) == sorted(chosen * 3)


def test_shards_of_what_is_in_memory_and_of_generators():
    held = IterableDataset.from_dict({"id": range(23)}, num_shards=5)
    made = IterableDataset.from_generator(
        lambda shards: ({"id": i} for shard in shards for i in shard),
        gen_kwargs={"shards": [[0, 1], [2], [3, 4]]},
    )
    assert (held.num_shards, made.num_shards) == (5, 3)
    assert [ids(held.shard(5, i)) for i in range(5)] == [
        [*range(5)],
        [*range(5, 10)],
        [*range(10, 15)],
        [*range(15, 19)],
        [*range(19, 23)],
    ]
    for ds in (held, made):
        n = ds.num_shards
        whole = sorted(ids(ds))
        for after in (
            ds,
            ds.shuffle(seed=1, buffer_size=3),
            ds.map(doubled).shuffle(seed=1, buffer_size=3).filter(odd),
        ):
            parts = [after.shard(n, i, contiguous=False) for i in range(n)]
            assert sum(part.num_shards for part in parts) == n
            assert sorted(i for part in parts for i in ids(part)) == [
                i for i in whole if after is not ds.filter and i in set(ids(after))
            ]
    # Parts of what a cut left are parts of that, and of nothing that it left out.
    for ds in (made, held, held.filter(odd)):
        for cut in (ds.take(4), ds.skip(2), ds.shuffle(seed=1, buffer_size=3).skip(1)):
            assert sorted(i for c in range(3) for i in ids(cut.shard(3, c))) == sorted(ids(cut))
    with pytest.raises(exceptions.InvalidArgumentError, match="exceeds the number of samples"):
        IterableDataset.from_dict({"id": [1]}, num_shards=2)


def test_a_column(listing):
    ds = listing([4, 3])
    column = ds["id"]
    assert list(column) == list(column) == list(range(7))
    assert list(ds.map(lambda row: {"inner": {"a": row["id"]}})["inner"]["a"]) == list(range(7))
    assert next(iter(ds.with_format("numpy")["id"])) == 0
    assert isinstance(ds["text"], IterableColumn)


class Upper:
    """A feature of a user's own."""

    decode = True
    calls = 0

    def __call__(self):
        return pa.string()

    def decode_example(self, value, token_per_repo_id=None):
        type(self).calls += 1
        return value.upper()


def _letters():
    yield from ({"letter": letter} for letter in "abcdefgh")


def test_decoding(listing):
    ds = IterableDataset.from_generator(_letters, features=Features({"letter": Upper()}))
    upper = [{"letter": letter} for letter in "ABCDEFGH"]
    for decoded in (
        ds,
        ds.decode(num_threads=3),
        ds.decode(False).decode(True),
        ds.decode(num_threads=2).decode(num_threads=0),
    ):
        assert list(decoded) == upper
    assert (
        list(ds.decode(False)) == list(ds.decode(num_threads=2).decode(False)) == list(_letters())
    )
    # Functions are given what is decoded, once; what is written is what is stored.
    Upper.calls = 0
    assert next(
        iter(ds.map(lambda row: {"more": row["letter"] * 2}).filter(lambda row: row["more"] > "C"))
    ) == {
        "letter": "C",
        "more": "CC",
    }
    assert [row["letter"] for row in ds.filter(lambda row: row["letter"] > "F")] == ["G", "H"]
    assert Upper.calls == 3 + 8
    assert ds.to_dict() == {"letter": list("abcdefgh")}
    # A state is of the rows, however they are decoded.
    threaded = ds.decode(num_threads=2)
    rows = iter(threaded)
    first = [next(rows) for _ in range(3)]
    rows.close()
    ds.load_state_dict(threaded.state_dict())
    assert first + list(ds) == upper
    with pytest.raises(exceptions.InvalidArgumentError, match="features are Unknown"):
        listing([3]).map(doubled).decode()


def test_images_of_a_map_style_data_set_as_a_stream():
    rows = Dataset.from_dict(
        {"image": [Pillow.new("RGB", (2, 3), (i, 0, 0)) for i in range(4)]},
        features=Features({"image": Image()}),
    )
    ds = rows.to_iterable_dataset()
    for stream in (ds, ds.decode(num_threads=2)):
        assert [row["image"].getpixel((0, 0))[0] for row in stream] == [0, 1, 2, 3]
        assert set(next(iter(stream.decode(False)))["image"]) == {"bytes", "path"}
        assert next(iter(stream.with_format("numpy")))["image"].shape == (3, 2, 3)
    assert next(ds.iter(3))["image"][2].size == (2, 3)
    assert ds.to_map_style()[2]["image"].getpixel((0, 0)) == (2, 0, 0)


def test_a_database(listing):
    import sqlite3

    with sqlite3.connect(":memory:") as connection:
        assert listing([5, 3]).to_sql("rows", connection, batch_size=3) == 8
        assert connection.execute("select id from rows order by id").fetchall() == [
            (i,) for i in range(8)
        ]


def test_columns_of_functions_keep_their_types(listing, tmp_path):
    ds = listing([4]).filter(odd)
    assert ds.rename_column("id", "k").features == Features(
        {"k": Value("int64"), "text": Value("string")}
    )
    assert ds.remove_columns("text").column_names == ["id"]
    assert ds.select_columns(["text", "id"]).column_names == ["text", "id"]
    ds.rename_column("id", "k").to_parquet(tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet")["k"].to_pylist() == [1, 3]
    mixed = interleave_datasets([ds.remove_columns("text")] * 2)
    assert list(mixed) == [{"id": 1}, {"id": 1}, {"id": 3}]
    assert mixed.features == Features({"id": Value("int64")})
    assert ds.batch(2).features == Features(
        {"id": List(Value("int64")), "text": List(Value("string"))}
    )
    with pytest.raises(exceptions.InvalidArgumentError, match="no column 'none' to remove"):
        ds.remove_columns("none")


def test_types_of_tables_that_functions_gave():
    table = pa.table({"s": ["x", None, "z"], "n": pa.array([1, 2, 3], pa.int32())})
    ds = IterableDataset.from_dict(
        {"s": ["x", None, "z"], "n": [1, 2, 3]},
        features=Features({"s": Value("string"), "n": Value("int32")}),
    )
    framed = ds.with_format("arrow")
    assert next(framed.filter(lambda t: [True] * len(t), batched=True).iter(3)) == table
    assert next(framed.map(lambda t: t, batched=True, features=ds.features).iter(3)) == table
    assert next(framed.map(lambda t: t, batched=True).iter(3))["s"].to_pylist() == ["x", None, "z"]
    assert list(
        framed.map(lambda n: pa.table({"m": n}), input_columns="n", batched=True).with_format(None)
    ) == [{"m": i} for i in (1, 2, 3)]


def test_what_a_rank_took_is_mixed_as_it_is(listing):
    ds = listing([20])
    part = split_dataset_by_node(ds, 1, 2)
    both = interleave_datasets([part.take(3), part.take(3)])
    assert ids(both) == [i for i in ids(part)[:3] for _ in range(2)][:-1]
    assert ids(concatenate_datasets([part.skip(8), part.take(2)])) == ids(part)[8:] + ids(part)[:2]


def test_decoding_of_mixtures_and_batches():
    ds = IterableDataset.from_generator(_letters, features=Features({"letter": Upper()}))
    mixed = interleave_datasets([ds, ds])
    assert [row["letter"] for row in mixed] == [letter for letter in "ABCDEFGH" for _ in range(2)][
        :-1
    ]
    assert [row["letter"] for row in mixed.decode(False)][:3] == ["a", "a", "b"]
    half = interleave_datasets([ds, ds.filter(lambda row: True)])
    assert [row["letter"] for row in half] == [letter for letter in "ABCDEFGH" for _ in range(2)][
        :-1
    ]
    assert next(iter(ds.batch(3))) == {"letter": ["A", "B", "C"]}
    assert next(iter(ds.batch(by_column="letter"))) == {"letter": ["A"]}
    assert next(iter(ds.rename_column("letter", "x"))) == {"x": "A"}
    pictures = IterableDataset.from_generator(_pictures, features=Features({"image": Image()}))
    for stream in (
        pictures,
        interleave_datasets([pictures, pictures]),
        pictures.filter(lambda row: True),
    ):
        assert set(next(iter(stream.cast_column("image", Image(decode=False))))["image"]) == {
            "bytes",
            "path",
        }
        assert next(iter(stream.cast_column("image", Image(mode="L"))))["image"].mode == "L"


def _pictures():
    yield {"image": Pillow.new("RGB", (2, 3))}
    yield {"image": None}
