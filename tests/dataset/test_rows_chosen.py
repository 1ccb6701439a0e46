"""Rows by number from the end, filters over lists of rows, runs by columns, and batches of streams as they come."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pyarrow as pa
import pytest
import rowstream
from rowstream import Array2D, Dataset, Features, Image, IterableDataset, Value, load_from_disk

ROWS = list(range(10))


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


@pytest.fixture(params=["memory", "files", "list of rows", "parquet"])
def ds(request, tmp_path):
    """Ten rows, wherever they lie."""
    if request.param == "list of rows":
        return Dataset.from_dict({"id": ROWS[::-1], "k": [0] * 10}).select(ROWS[::-1])
    made = Dataset.from_dict({"id": ROWS, "k": [0] * 10})
    if request.param == "files":
        made.save_to_disk(tmp_path / "ds")
        return load_from_disk(tmp_path / "ds")
    if request.param == "parquet":
        made.to_parquet(tmp_path / "ds.parquet")
        return Dataset.from_parquet(str(tmp_path / "ds.parquet"))
    return made


# ---------------------------------------------------------------------------------------------------------- from the end


@pytest.mark.parametrize(
    "rows",
    [
        [-1],
        [-1, 0],
        [3, -3, 3],
        [-10, -9],
        (-1,),
        range(-3, 0),
        range(-3, 3),
        range(-1, -4, -1),
        range(2, 9, 3),
        np.array([-1, -2]),
        np.array([-1], np.int8),
        np.array([3], np.uint64),
        pa.array([-1, 1]),
        pa.chunked_array([[-1], [-5]]),
        [np.int64(-1)],
        [],
        range(-1, -1),
    ],
    ids=str,
)
def test_rows_are_counted_from_the_end(ds, rows):
    numbers = (
        rows.to_pylist()
        if isinstance(rows, (pa.Array, pa.ChunkedArray))
        else [int(i) for i in rows]
    )
    made = ds.select(rows)
    assert made["id"][:] == [ROWS[i] for i in numbers]
    assert made.map(lambda row: {"id": row["id"]})["id"][:] == [ROWS[i] for i in numbers]
    assert [row["id"] for row in made] == [ROWS[i] for i in numbers]
    assert ds.select(iter(numbers), new_fingerprint="abc")["id"][:] == [ROWS[i] for i in numbers]


@pytest.mark.parametrize(
    "rows",
    [
        [10],
        [-11],
        range(-11, 0),
        range(8, 12),
        np.array([2**64 - 1], np.uint64),
        np.array([2**63], np.uint64),
    ],
    ids=str,
)
def test_rows_that_are_not_there(ds, rows):
    with pytest.raises(IndexError, match="out of range for dataset of size 10"):
        ds.select(rows)


@pytest.mark.parametrize(
    "rows", [[0.5], [True, False], pa.array([1.5]), pa.array([1, None]), ["a"], [None]], ids=str
)
def test_what_is_no_number_of_a_row(ds, rows):
    with pytest.raises(ValueError, match="expects integers"):
        ds.select(rows)


def test_no_fewer_rows_than_none_are_left_out(ds):
    with pytest.raises(ValueError, match="number of rows"):
        ds.skip(-1)
    assert ds.skip(10)["id"][:] == ds.skip(99)["id"][:] == []
    assert ds.take(99)["id"][:] == ROWS


# ------------------------------------------------------------------------------------------------ filters, lists of rows


def odd(row):
    return row["id"] % 2 == 1


def odds(batch):
    return [i % 2 == 1 for i in batch["id"]]


FILTERS = {
    "rows": lambda ds, **named: ds.filter(odd, **named),
    "batches": lambda ds, **named: ds.filter(odds, batched=True, batch_size=3, **named),
    "columns": lambda ds, **named: ds.filter(lambda i: i % 2 == 1, input_columns="id", **named),
    "formatted": lambda ds, **named: ds.with_format("numpy").filter(odd, **named).with_format(None),
    "a process": lambda ds, **named: ds.filter(odd, num_proc=1, **named),
}


@pytest.mark.heavy
@pytest.mark.parametrize("again", FILTERS)
@pytest.mark.parametrize("first", FILTERS)
def test_filters_over_a_list_of_rows_share_their_files(ds, tmp_path, first, again):
    mixed = ds.shuffle(seed=1)
    kept = [i for i in mixed["id"][:] if i % 2]
    assert FILTERS[first](mixed)["id"][:] == FILTERS[again](mixed)["id"][:] == kept
    some = ds.select([9, 3, 5, 4, 1, 0, 7])
    assert FILTERS[first](some)["id"][:] == FILTERS[again](some)["id"][:] == [9, 3, 5, 1, 7]
    file = str(tmp_path / "kept.arrow")
    assert FILTERS[first](some, cache_file_name=file)["id"][:] == [9, 3, 5, 1, 7]
    assert FILTERS[first](some, cache_file_name=file)["id"][:] == [9, 3, 5, 1, 7]
    assert FILTERS[again](FILTERS[first](some).filter(lambda row: row["id"] > 1))["id"][:] == [
        9,
        3,
        5,
        7,
    ]


@pytest.mark.heavy
def test_filters_of_several_processes_over_a_list_of_rows(ds):
    mixed = ds.shuffle(seed=1)
    kept = [i for i in mixed["id"][:] if i % 2]
    assert mixed.filter(odd)["id"][:] == mixed.filter(odd, num_proc=2)["id"][:] == kept
    assert (
        mixed.filter(odds, batched=True, num_proc=2)["id"][:]
        == mixed.filter(odds, batched=True)["id"][:]
        == kept
    )
    assert mixed.filter(lambda row: row["id"] > 20, num_proc=2)["id"][:] == []


# --------------------------------------------------------------------------------------------------------- runs by columns


def runs(columns, by, features=None, **named):
    ds = Dataset.from_dict(
        {**columns, "n": list(range(len(next(iter(columns.values())))))}, features=features
    )
    return ds.batch(by_column=by, **named)["n"][:]


@pytest.mark.parametrize(
    ("columns", "by", "ends"),
    [
        ({"k": [1, 1, 2, 2, 2, 3]}, "k", [2, 5, 6]),
        ({"k": [1, 1, 1]}, "k", [3]),
        ({"k": [1]}, "k", [1]),
        ({"k": [1, 2, 1]}, "k", [1, 2, 3]),
        ({"k": [None, None, 1, None, 1, 1]}, "k", [2, 3, 4, 6]),
        ({"k": [None, None]}, "k", [2]),
        ({"k": ["a", "a", "b"]}, ["k"], [2, 3]),
        ({"k": [1, 1, 1, 2], "j": ["a", "b", "b", "b"]}, ["k", "j"], [1, 3, 4]),
        ({"k": [1, 1, 1, 2], "j": ["a", "b", "b", "b"]}, ("k",), [3, 4]),
        ({"k": [True, False, False]}, "k", [1, 3]),
        ({"k": [[1], [1], [2], None, None]}, "k", [2, 3, 5]),
        ({"k": [{"a": 1, "b": [1]}, {"a": 1, "b": [1]}, {"a": 1, "b": [2]}]}, "k", [2, 3]),
        ({"k": np.array(["2020-01-01", "2020-01-01", "2020-01-02"], "M8[ns]")}, "k", [2, 3]),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [None, 1, 2, 3, 100])
def test_runs_are_whole_however_many_rows_are_looked_at_together(columns, by, ends, size):
    starts = [0, *ends[:-1]]
    expected = [list(range(start, end)) for start, end in zip(starts, ends, strict=True)]
    assert runs(columns, by, batch_size=size) == expected
    assert runs(columns, by, batch_size=size, drop_last_batch=True) == expected


def test_runs_of_arrays_and_media():
    same = np.zeros((2, 2, 3), np.uint8)
    features = Features({"k": Array2D((1, 2), "int32"), "n": Value("int64")})
    assert runs({"k": [[[1, 2]], [[1, 2]], [[3, 4]]]}, "k", features) == [[0, 1], [2]]
    assert runs(
        {"k": [same, same, same + 1]}, "k", Features({"k": Image(), "n": Value("int64")})
    ) == [[0, 1], [2]]


def test_runs_are_those_of_a_stream_and_kept_in_a_file(tmp_path):
    made = Dataset.from_dict({"k": [i // 700 for i in range(5000)], "n": list(range(5000))})
    made.save_to_disk(tmp_path / "ds")
    ds = load_from_disk(tmp_path / "ds")
    grouped = ds.batch(by_column="k")
    assert [len(one) for one in grouped["n"][:]] == [700] * 7 + [100]
    assert grouped[:] == made.batch(by_column="k", batch_size=9)[:]
    assert list(grouped) == list(ds.to_iterable_dataset().batch(by_column="k"))
    assert len(grouped.cache_files) == 1
    mixed = ds.sort("n", reverse=True).batch(by_column="k")
    assert mixed["n"][0] == list(range(4999, 4899, -1))
    assert (
        grouped.features
        == ds.batch(3).features
        == ds.select([]).batch(by_column="k").features
        == ds.select([]).batch(3).features
    )


def test_runs_are_by_columns_that_are_there():
    ds = Dataset.from_dict({"k": [1, 1]})
    with pytest.raises(ValueError, match="not in the dataset"):
        ds.batch(by_column="none")
    with pytest.raises(ValueError, match="at least one column"):
        ds.batch(by_column=[])
    with pytest.raises(ValueError, match="misses"):
        ds.batch()
    with pytest.raises(NotImplementedError):
        ds.batch(by_column="k", num_proc=2)
    assert ds.with_format("numpy").batch(by_column="k").format["type"] == "numpy"


# ------------------------------------------------------------------------------------------------- batches as they come


class Seen(list):
    """What a generator gave; no part of its hash, and not copied."""

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return Seen, ()


SEEN = Seen()


def endless():
    for i in range(10**9):
        SEEN.append(i)
        yield {"id": i, "text": f"row {i}"}


STREAMS = {
    "generator": lambda ds: ds,
    "map": lambda ds: ds.map(lambda row: {"twice": row["id"] * 2}),
    "map of batches": lambda ds: ds.map(
        lambda batch: {"twice": batch["id"]}, batched=True, batch_size=5
    ),
    "typed": lambda ds: ds.map(
        lambda row: {"twice": row["id"] * 2},
        features=Features({"id": Value("int64"), "text": Value("string"), "twice": Value("int32")}),
    ),
    "formatted": lambda ds: ds.with_format("numpy"),
    "filter": lambda ds: ds.filter(lambda row: True),
    "groups": lambda ds: ds.batch(1),
}


@pytest.mark.parametrize("to", ["to_dict", "to_pandas", "to_polars"])
@pytest.mark.parametrize("step", STREAMS)
@pytest.mark.parametrize("size", [10, 3000, None])
def test_batches_of_a_stream_come_as_soon_as_they_are_read(step, to, size):
    SEEN.clear()
    batches = getattr(STREAMS[step](IterableDataset.from_generator(endless)), to)(
        batch_size=size, batched=True
    )
    assert not SEEN
    first = next(iter(batches))
    assert len(first["id"]) == (size or 1000)
    assert len(SEEN) <= (size or 1000) + 5


def test_batches_of_a_stream_have_the_types_that_are_known():
    def rows():
        yield from ({"a": i} for i in range(4))
        yield {"a": 0.5, "b": "x"}

    made = IterableDataset.from_generator(rows)
    assert list(made.to_dict(batch_size=2, batched=True)) == [
        {"a": [0, 1]},
        {"a": [2, 3]},
        {"a": [0.5], "b": ["x"]},
    ]
    typed = IterableDataset.from_generator(
        rows, features=Features({"a": Value("float32"), "b": Value("string")})
    )
    assert [str(frame["a"].dtype) for frame in typed.to_pandas(batch_size=2, batched=True)] == [
        "float32"
    ] * 3
    assert [frame.columns for frame in typed.to_polars(batch_size=2, batched=True)] == [
        ["a", "b"]
    ] * 3
    assert list(IterableDataset.from_generator(lambda: iter(())).to_dict(batched=True)) == []
    held = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
    assert list(held.to_dict(batch_size=2, batched=True)) == [{"a": [1, 2]}, {"a": [3]}]
    assert list(
        islice(Dataset.from_dict({"a": [1, 2, 3]}).to_dict(batch_size=2, batched=True), 1)
    ) == [{"a": [1, 2]}]
