"""The same calls on `datasets` and here: the same rows, columns and types. Order under a shuffle is our own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compat")
    for f in range(3):
        n = 40
        ids = range(f * n, f * n + n)
        table = pa.table(
            {
                "id": list(ids),
                "half": pa.array([i / 2 for i in ids], pa.float64()),
                "small": pa.array([i % 100 for i in ids], pa.int8()),
                "text": [f"row {i}" for i in ids],
                "maybe": [None if i % 7 == 0 else i for i in ids],
                "messages": [[{"role": "user", "content": "x" * (i % 5)}] * (i % 3) for i in ids],
                "vector": pa.FixedSizeListArray.from_arrays(
                    pa.array(np.arange(4 * n, dtype="f4")), 4
                ),
                "matrix": [[[i, 1], [2, 3]] for i in ids],
                "when": pa.array([i * 10**6 for i in ids], pa.timestamp("us")),
                "flag": [i % 2 == 0 for i in ids],
                "inner": [{"a": i, "b": [str(i)]} for i in ids],
            }
        )
        name = ["train-0", "train-1", "test"][f]
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=16)
    return folder


@pytest.fixture
def both(folder):
    def load(**kwargs):
        return [
            module.load_dataset("parquet", streaming=True, **kwargs)
            for module in (datasets, rowstream)
        ]

    return lambda **kwargs: (
        load(data_files=str(folder / "*.parquet"), split="train", **kwargs)
        if "data_files" not in kwargs
        else load(**kwargs)
    )


PIPELINES = {
    "rows": lambda ds: ds,
    "take": lambda ds: ds.take(7),
    "skip": lambda ds: ds.skip(113),
    "take of skip": lambda ds: ds.skip(10).take(5),
    "select": lambda ds: ds.select_columns(["text", "id"]),
    "remove": lambda ds: ds.remove_columns(["matrix", "id"]),
    "rename": lambda ds: ds.rename_column("id", "n").rename_columns({"text": "t"}),
    "batch": lambda ds: ds.select_columns(["id", "messages"]).batch(7),
    "batch, dropping": lambda ds: ds.select_columns(["id"]).batch(7, drop_last_batch=True),
    "repeat": lambda ds: ds.select_columns(["id"]).repeat(2),
    "numpy": lambda ds: ds.with_format("numpy"),
}


def plain(value):
    """A value with its type, comparable."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case np.ndarray():
            return (
                "array",
                str(value.dtype),
                [plain(item) for item in value] if value.ndim else value.item(),
            )
        case float() if value != value:
            return "nan"
        case _:
            return (type(value).__name__, value if value == value else "nan")


@pytest.mark.parametrize("name", PIPELINES)
def test_rows(both, name):
    theirs, ours = both()
    make = PIPELINES[name]
    assert plain(list(make(ours))) == plain(list(make(theirs)))


@pytest.mark.parametrize("format", [None, "numpy"])
@pytest.mark.parametrize("drop", [False, True])
def test_batches(both, format, drop):
    theirs, ours = (
        ds.with_format(format).iter(batch_size=32, drop_last_batch=drop) for ds in both()
    )
    assert plain(list(ours)) == plain(list(theirs))


def test_features(both):
    theirs, ours = both()
    assert repr(dict(ours.features)) == repr(dict(theirs.features))
    assert ours.column_names == theirs.column_names
    assert repr(dict(ours.batch(2).features)) == repr(dict(theirs.batch(2).features))


def test_splits(folder, both):
    theirs, ours = (
        module.load_dataset(str(folder), streaming=True) for module in (datasets, rowstream)
    )
    assert {name: [row["id"] for row in ds] for name, ds in ours.items()} == {
        name: [row["id"] for row in ds] for name, ds in theirs.items()
    }


def test_shuffle_gives_the_same_rows(both):
    theirs, ours = (ds.shuffle(seed=3, buffer_size=50) for ds in both())
    assert sorted(row["id"] for row in ours) == sorted(row["id"] for row in theirs)


def test_signatures(both):
    import inspect

    for name in (
        *(
            "__iter__",
            "iter",
            "batch",
            "shuffle",
            "take",
            "skip",
            "shard",
            "repeat",
            "select_columns",
            "remove_columns",
            "rename_column",
        ),
        *("rename_columns", "with_format", "set_epoch", "state_dict", "load_state_dict"),
    ):
        theirs, ours = (
            inspect.signature(getattr(module.IterableDataset, name)).parameters
            for module in (datasets, rowstream)
        )
        # A mixture may go on with other weights.
        more = ["strict"] if name == "load_state_dict" else []
        assert list(ours) == [*theirs, *more], name
        for parameter, value in theirs.items():
            assert ours[parameter].default == value.default or name == "repeat", (name, parameter)
    theirs, ours = (
        list(inspect.signature(module.load_dataset).parameters) for module in (datasets, rowstream)
    )
    assert ours == theirs
