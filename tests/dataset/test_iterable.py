from __future__ import annotations

import pickle
import sys
from itertools import islice
from subprocess import run

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from rowstream import exceptions


def ids(rows):
    return [row["id"] for row in rows]


def test_columns(listing):
    ds = listing([3])
    assert ds.column_names == ["id", "text"]
    assert list(ds.select_columns("id")) == [{"id": 0}, {"id": 1}, {"id": 2}]
    assert ds.remove_columns(["id"]).column_names == ["text"]
    renamed = ds.rename_column("id", "n").rename_columns({"text": "t"}).select_columns(["t", "n"])
    assert list(renamed) == [{"t": "", "n": 0}, {"t": "row 1", "n": 1}, {"t": "row 2row 2", "n": 2}]
    assert list(renamed.features) == ["t", "n"]
    assert list(ds.select_columns([])) == [{}, {}, {}]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds: ds.select_columns("x"), "no column 'x'; the columns are"),
        (lambda ds: ds.remove_columns("x"), "no column 'x'"),
        (lambda ds: ds.rename_column("x", "y"), "no column 'x' to rename"),
        (lambda ds: ds.rename_column("id", "text"), "two columns the name 'text'"),
        (lambda ds: ds.take(-1), "n must be at least 0"),
        (lambda ds: ds.take(1.5), "n must be an integer"),
        (lambda ds: ds.shuffle(seed=-1), "seed must be at least 0"),
        (lambda ds: ds.shuffle(buffer_size=0), "buffer_size must be at least 1"),
        (lambda ds: ds.shard(2, 2), r"index must be in 0\.\.1"),
        (lambda ds: ds.iter(0), "batch_size must be at least 1"),
        (lambda ds: ds.with_format("no"), "no format 'no'"),
    ],
)
def test_arguments_that_make_no_sense(listing, call, message):
    with pytest.raises(exceptions.RowstreamError, match=message):
        call(listing([3]))


def test_columns_do_not_change_the_order_or_the_state(listing):
    ds = listing([50, 60, 70]).shuffle(seed=1, buffer_size=40)
    whole, narrow = ids(ds), ds.select_columns(["id"])
    assert ids(narrow) == whole
    next(islice(ds, 70, None))
    narrow.load_state_dict(ds.state_dict())
    assert ids(narrow) == whole[71:]


def test_seed(listing):
    ds = listing([50] * 4)
    assert ids(ds.shuffle(seed=1)) == ids(ds.shuffle(seed=np.int64(1)))
    assert ids(ds.shuffle(seed=1)) != ids(ds.shuffle(seed=2))
    unseeded = ds.shuffle()
    assert ids(unseeded) == ids(unseeded), "the seed that was drawn is kept"
    generator = np.random.default_rng(3)
    assert ids(ds.shuffle(generator=generator)) == ids(
        ds.shuffle(generator=np.random.default_rng(3))
    )


def test_epochs(listing):
    ds = listing([50] * 4).shuffle(seed=1)
    first = ids(ds)
    ds.set_epoch(1)
    assert ids(ds) != first
    assert sorted(ids(ds)) == sorted(first)
    ds.set_epoch(0)
    assert ids(ds) == first


def test_a_state_sets_the_epoch_and_another_epoch_puts_it_aside(listing):
    ds = listing([50] * 4).shuffle(seed=1)
    ds.set_epoch(3)
    whole = ids(ds)
    next(islice(ds, 9, None))
    state = ds.state_dict()
    fresh = listing([50] * 4).shuffle(seed=1)
    fresh.load_state_dict(state)
    assert fresh.epoch == 3
    assert ids(fresh) == whole[10:]
    fresh.load_state_dict(state)
    fresh.set_epoch(4)
    assert len(ids(fresh)) == 200


def test_states_of_other_data_are_refused(listing):
    ds = listing([50] * 4)
    state = ds.shuffle(seed=1).state_dict()
    for other in (
        ds,
        ds.shuffle(seed=2),
        ds.shuffle(seed=1).take(5),
        listing([49] * 4).shuffle(seed=1),
        ds.shuffle(seed=1).batch(2),
    ):
        with pytest.raises(exceptions.CheckpointMismatchError, match="of another stream"):
            other.load_state_dict(state)
    for wrong in (
        None,
        {},
        {"epoch": 0},
        {"rowstream": 1, "epoch": 0},
        {"rowstream": 1, "epoch": 0, "cursor": "{}"},
        {"rowstream": 9},
    ):
        with pytest.raises(exceptions.CheckpointMismatchError):
            ds.load_state_dict(wrong)


def test_pickle_goes_on_where_it_was(listing):
    ds = listing([50] * 4).shuffle(seed=1).with_format("numpy")
    whole = ids(ds)
    next(islice(ds, 20, None))
    other = pickle.loads(pickle.dumps(ds))
    assert ids(other) == whole[21:]
    assert ids(other) == whole
    assert len(pickle.dumps(ds)) < 5000


def test_iter(listing):
    ds = listing([5, 5, 1])
    assert [batch["id"] for batch in ds.iter(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert [batch["id"] for batch in ds.iter(4, drop_last_batch=True)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]
    assert list(ds.take(0).iter(4)) == []


def test_facts(listing):
    ds = listing([5, 5])
    assert repr(ds) == "IterableDataset({\n    features: ['id', 'text'],\n    num_shards: 2\n})"
    assert (ds.num_columns, ds.n_shards, ds.builder_name) == (2, 2, "parquet")
    assert ds.info.features == ds.features
    assert ds.info.splits["train"].num_examples == 10
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ds.nothing


def test_arrow_streams_can_be_read_again(listing):
    ds = listing([5, 5]).shuffle(seed=1)
    tables = [pa.table(ds), pa.table(ds)]
    assert tables[0] == tables[1]
    assert tables[0]["id"].to_pylist() == ids(ds)
    assert tables[0].schema == pa.schema({"id": pa.int64(), "text": pa.string()})
    assert pl.DataFrame(ds)["id"].to_list() == ids(ds)
    stream = ds  # noqa: F841 - DuckDB finds it by name
    assert duckdb.sql("select sum(id), count(*) from stream").fetchall() == [(45, 10)]


def test_two_iterations_at_once(listing):
    ds = listing([5, 5])
    assert [(a["id"], b["id"]) for a, b in zip(ds, ds, strict=True)] == [(i, i) for i in range(10)]


@pytest.mark.heavy
def test_streaming_rows_imports_little(listing, tmp_path):
    listing([5])
    script = (
        "import sys, rowstream\n"
        "assert not {'numpy', 'pyarrow', 'pandas', 'torch'} & set(sys.modules), 'import'\n"
        f"ds = rowstream.load_dataset('parquet', data_files={str(tmp_path / '*' / '*.parquet')!r}, split='train', streaming=True)\n"
        "assert len(list(ds.shuffle(seed=1))) == 5\n"
        "assert not {'numpy', 'pyarrow', 'pandas', 'torch', 'huggingface_hub'} & set(sys.modules), 'rows'\n"
    )
    run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_state_is_kept_until_a_row_was_given(listing):
    ds = listing([5, 5])
    next(islice(ds, 3, None))
    ds.load_state_dict(ds.state_dict())
    iter(ds)
    assert ids(ds) == [4, 5, 6, 7, 8, 9]
    assert ids(ds) == list(range(10))


def test_a_copy_begins_anew(listing):
    import copy

    ds = listing([5, 5])
    next(iter(ds))
    assert ids(copy.copy(ds)) == ids(copy.deepcopy(ds)) == list(range(10))


def test_generators_of_both_kinds(listing):
    ds = listing([50])
    assert sorted(ids(ds.shuffle(generator=np.random.RandomState(0)))) == list(range(50))
    with pytest.raises(exceptions.InvalidArgumentError, match="generator must be"):
        ds.shuffle(generator=5)


def test_damaged_states_of_steps_are_refused(listing):
    ds = listing([5, 5]).batch(2).shuffle(seed=1, buffer_size=2).repeat(2)
    state = ds.state_dict()
    for place in (5, [1], ["a", "b"]):
        with pytest.raises(exceptions.CheckpointMismatchError, match="damaged"):
            ds.load_state_dict({**state, "place": place})


def test_empty_lists_as_arrays(tmp_path):
    import pyarrow.parquet as pq
    from rowstream import load_dataset

    pq.write_table(pa.table({"x": pa.array([[1], [], [2]])}), tmp_path / "a.parquet")
    ds = load_dataset(str(tmp_path), split="train", streaming=True).with_format("numpy")
    assert [row["x"].tolist() for row in ds] == [[1], [], [2]]
    assert next(ds.skip(1).take(1).iter(1))["x"].shape == (1, 0)
