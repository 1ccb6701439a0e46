from __future__ import annotations

import gc
import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset

TABLE = pa.table(
    {
        "i": pa.array([1, 2, 3], pa.int32()),
        "n": pa.array([1, None, 3], pa.int64()),
        "f": pa.array([0.5, 1.5, 2.5], pa.float64()),
        "b": [True, False, True],
        "s": ["a", "bb", None],
        "v": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype="f4")), 2),
        "l": [[1], [2, 3], []],
        "t": pa.array([0, 1, 2], pa.timestamp("us")),
        "d": [{"x": 1}, {"x": 2}, {"x": 3}],
        "e": pa.array([[[1], [2]], [[3], [4]], [[5], [6]]]),
    }
)


@pytest.fixture
def ds(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    return load_dataset(str(tmp_path), split="train", streaming=True)


def test_numpy_batches(ds):
    (batch,) = ds.with_format("numpy").iter(5)
    assert batch["i"].dtype == np.int64
    assert batch["f"].dtype == np.float32
    assert np.array_equal(batch["n"], [1, np.nan, 3], equal_nan=True)
    assert batch["b"].tolist() == [True, False, True]
    assert batch["s"].tolist() == ["a", "bb", None]
    assert batch["v"].shape == (3, 2)
    assert batch["v"].dtype == np.float32
    assert [x.tolist() for x in batch["l"]] == [[1], [2, 3], []]
    assert batch["t"].dtype == np.dtype("datetime64[us]")
    assert batch["e"].shape == (3, 2, 1)
    assert [x["x"] for x in batch["d"]] == [1, 2, 3]


def test_numpy_rows(ds):
    row = next(iter(ds.with_format("numpy")))
    assert (row["i"], type(row["i"])) == (1, np.int32)
    assert row["f"] == 0.5
    assert row["v"].tolist() == [0, 1]
    assert row["s"] == "a"


def test_numpy_views_are_of_the_batch_and_read_only(tmp_path):
    pq.write_table(
        pa.table(
            {
                "n": np.arange(1000),
                "v": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(4000, dtype="f4")), 4),
            }
        ),
        tmp_path / "a.parquet",
    )
    batches = list(
        load_dataset(str(tmp_path), split="train", streaming=True).with_format("numpy").iter(100)
    )
    for k, batch in enumerate(batches):
        for array in batch.values():
            assert not array.flags.owndata
            assert not array.flags.writeable
        assert batch["n"].tolist() == list(range(100 * k, 100 * k + 100))
    address = [batch["n"].ctypes.data for batch in batches]
    assert address[1] - address[0] == 800, "slices of what was decoded, not copies"
    kept = weakref.ref(
        batches[3]["v"].base.base if batches[3]["v"].base.base is not None else batches[3]["v"].base
    )
    view = batches[3]["v"]
    del batches, batch, array
    gc.collect()
    assert kept() is not None
    assert view[0, 0] == 1200


def test_arrow(ds):
    (table,) = ds.with_format("arrow").iter(5)
    assert table.equals(TABLE)
    assert next(iter(ds.with_format("arrow"))).equals(TABLE.slice(0, 1))
    assert pa.table(ds).equals(TABLE)
    assert pa.table(ds.shuffle(seed=1)).sort_by("i").equals(TABLE)


def test_batches_in_each_format(ds):
    assert next(iter(ds.batch(2)))["l"] == [[1], [2, 3]]
    assert next(iter(ds.batch(2).with_format("numpy")))["i"].tolist() == [1, 2]
    table = next(iter(ds.select_columns(["i", "s"]).batch(2).with_format("arrow")))
    assert table.to_pylist() == [{"i": [1, 2], "s": ["a", "bb"]}]
    table = next(ds.select_columns(["i"]).batch(2).with_format("arrow").iter(2))
    assert table.to_pylist() == [{"i": [1, 2]}, {"i": [3]}]
    assert next(ds.batch(2).iter(2))["i"] == [[1, 2], [3]]
