"""Item 5: columns that a function did not return keep their Arrow data: types, nanoseconds, large integers, empty objects."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import Array2D, ClassLabel, Dataset, Features, Json, Value, load_from_disk

NS = 1_577_840_461_000_000_007
LARGE = (1 << 64) - 1
COLUMNS = {
    "nanoseconds": pa.array([1, NS, None], pa.timestamp("ns")),
    "nanoseconds of a zone": pa.array([1, NS, None], pa.timestamp("ns", "UTC")),
    "durations": pa.array([1, NS, None], pa.duration("ns")),
    "times": pa.array([1, 7, None], pa.time64("ns")),
    "seconds beyond the year 9999": pa.array([-(1 << 40), 1 << 40, None], pa.timestamp("s")),
    "dates beyond the year 9999": pa.array([-(1 << 30), 1 << 30, None], pa.date32()),
    "large integers": pa.array([1 << 63, LARGE, None], pa.uint64()),
    "small integers": pa.array([1, 255, None], pa.uint8()),
    "half floats": pa.array([0.5, 1, None], pa.float16()),
    "not numbers": pa.array([float("nan"), 0.1, None], pa.float32()),
    "decimals": pa.array([decimal.Decimal("1.20"), decimal.Decimal("3.00"), None], pa.decimal128(10, 2)),
    "dates": pa.array([dt.date(2020, 1, 1), None, dt.date(1, 1, 1)]),
    "milliseconds as dates": pa.array([86_400_000, 0, None], pa.date64()),
    "bytes of one length": pa.array([b"ab", b"cd", None], pa.binary(2)),
    "large text": pa.array(["a", "", None], pa.large_string()),
    "nulls": pa.nulls(3),
    "empty objects": pa.array([{}, {}, {}], pa.struct([])),
    "empty objects and nulls": pa.array([{}, None, {}], pa.struct([])),
    "lists of nanoseconds": pa.array([[1, NS], [], None], pa.list_(pa.timestamp("ns"))),
    "lists of large integers": pa.array([[LARGE, None], [], None], pa.list_(pa.uint64())),
    "lists of empty objects": pa.array([[{}, None], [], None], pa.list_(pa.struct([]))),
    "large lists": pa.array([[1], [], None], pa.large_list(pa.int8())),
    "lists of one length": pa.array([[1, 2], [3, None], None], pa.list_(pa.int8(), 2)),
    "objects with nanoseconds": pa.array(
        [{"a": NS, "b": [1]}, {"a": None, "b": None}, None], pa.struct({"a": pa.timestamp("ns"), "b": pa.list_(pa.int8())})
    ),
    "objects with large integers": pa.array([{"a": LARGE}, {"a": 1}, None], pa.struct({"a": pa.uint64()})),
    "objects of empty objects": pa.array([{"a": {}}, {"a": {}}, {"a": {}}], pa.struct({"a": pa.struct([])})),
    "lists of objects": pa.array([[{"a": LARGE, "b": NS}], [], None], pa.list_(pa.struct({"a": pa.uint64(), "b": pa.duration("ns")}))),
}  # fmt: skip


async def later(row):
    return {"j": row["i"] * 2}


ROADS = {
    "rows": lambda ds: ds.map(lambda row: {"j": row["i"] * 2}),
    "rows of a column": lambda ds: ds.map(lambda i: {"j": i * 2}, input_columns="i"),
    "rows with their numbers": lambda ds: ds.map(lambda row, i: {"j": i * 2}, with_indices=True),
    "rows without a column": lambda ds: ds.map(lambda row: {"j": row["i"] * 2}, remove_columns="i").add_column("i", [0, 1, 2]),
    "rows in memory": lambda ds: ds.map(lambda row: {"j": row["i"] * 2}, keep_in_memory=True),
    "rows, later": lambda ds: ds.map(later),
    "one row a batch of the file": lambda ds: ds.map(lambda row: {"j": row["i"] * 2}, writer_batch_size=1),
    "rows set in place": lambda ds: ds.map(lambda row: row.update(j=row["i"] * 2) or row),
    "rows put together": lambda ds: ds.map(lambda row: {**row, "j": row["i"] * 2}),
    "rows joined": lambda ds: ds.map(lambda row: row | {"j": row["i"] * 2}),
    "another column set, another given": lambda ds: ds.map(lambda row: row.__setitem__("i", row["i"]) or {"j": row["i"] * 2}),
    "types given": lambda ds: ds.map(lambda row: {"j": row["i"] * 2}, features=Features({**ds.features, "j": Value("int64")})),
    "batches": lambda ds: ds.map(lambda batch: {"j": [i * 2 for i in batch["i"]]}, batched=True),
    "batches in memory": lambda ds: ds.map(lambda batch: {"j": [i * 2 for i in batch["i"]]}, batched=True, keep_in_memory=True),
    "batches, all looked at": lambda ds: ds.map(
        lambda batch: (batch["c"], {"j": [i * 2 for i in batch["i"]]})[1], batched=True
    ),
    "rows of an array format": lambda ds: (
        ds.with_format("numpy", columns=["i"]).map(lambda row: {"j": int(row["i"]) * 2}).with_format(None)
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


def placed(column, where, tmp_path):
    ds = Dataset.from_arrow(pa.table({"c": column, "i": [0, 1, 2]}))
    if where == "files":
        ds.save_to_disk(tmp_path / "saved")
        ds = load_from_disk(tmp_path / "saved")
    elif where == "a choice":
        ds = Dataset.from_arrow(
            pa.table({"c": pa.concat_arrays([column] * 2), "i": [9, 0, 9, 9, 1, 2]})
        ).select([3, 1, 5])
        ds = ds.remove_columns("i").add_column("i", [0, 1, 2])
    return ds


def arrow(ds, name="c"):
    column = ds.with_format("arrow")[:][name]
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def same(one, other):
    # Two arrays of floats that are no numbers are not equal.
    return one.type == other.type and (one.equals(other) or str(one) == str(other))


FEW = ("nanoseconds", "large integers", "empty objects", "lists of objects")


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(
    ("kind", "where"), [*((kind, "memory") for kind in COLUMNS), *((kind, "files") for kind in FEW)]
)
def test_a_column_that_a_function_does_not_return_keeps_its_data(kind, road, where, tmp_path):
    """Its type and each value are those of before, whatever Python has for them."""
    ds = placed(COLUMNS[kind], where, tmp_path)
    beyond_python = "beyond" in kind or kind == "times"
    if kind == "times" and road == "rows of an array format":
        pytest.skip("NumPy's times of a day have no nanoseconds either")
    if beyond_python and road not in (
        "rows of a column",
        "batches",
        "batches in memory",
        "rows of an array format",
    ):
        pytest.skip("the function is given a row, which Python cannot have")
    made = ROADS[road](ds)
    assert same(arrow(made), COLUMNS[kind])
    assert made.features["c"] == ds.features["c"]
    assert made["j"][:] == [0, 2, 4]


@pytest.mark.heavy
@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize(
    "kind",
    [
        "nanoseconds",
        "large integers",
        "empty objects",
        "lists of empty objects",
        "objects with nanoseconds",
    ],
)
def test_processes_keep_the_data_of_columns_too(kind, where, tmp_path):
    """Parts of a column that look different by their values are of one type still."""
    made = placed(COLUMNS[kind], where, tmp_path).map(lambda row: {"j": row["i"] * 2}, num_proc=2)
    assert same(arrow(made), COLUMNS[kind])
    assert made["j"][:] == [0, 2, 4]


def test_a_choice_of_rows_keeps_its_data(tmp_path):
    """Through a list of rows."""
    column = pa.array([1, NS, 3, 4], pa.timestamp("ns"))
    ds = Dataset.from_arrow(pa.table({"c": column, "i": [0, 1, 2, 3]}))
    made = ds.select([3, 1, 0]).map(lambda row: {"j": row["i"]})
    assert same(arrow(made), column.take(pa.array([3, 1, 0])))
    made = ds.shuffle(seed=1).map(lambda row: {"j": row["i"]})
    assert same(arrow(made), column.take(pa.array(made["i"][:])))


def test_rows_beyond_a_batch_of_the_file():
    """More rows than are written at once, some of whose nested values a function changed where they were."""
    n = 2500
    column = pa.array([[i] for i in range(n)], pa.list_(pa.uint64()))
    times = pa.array([NS + i for i in range(n)], pa.timestamp("ns"))
    ds = Dataset.from_arrow(pa.table({"c": column, "t": times, "i": range(n)}))

    def change(row):
        if row["i"] == 1500:
            row["c"].append(5)
        return {"j": row["i"]}

    made = ds.map(change)
    assert same(arrow(made, "t"), times)
    assert made["c"][1499:1502] == [[1499], [1500, 5], [1501]]
    assert made.features["c"] == ds.features["c"]


def test_what_a_function_sets_in_its_row_is_set():
    """Also where it gives something else, as before."""
    ds = Dataset.from_dict({"a": [1, 2], "b": [[1], [2]]})

    def change(row):
        row["a"] += 10
        return {"j": row["a"]}

    assert ds.map(change)[:] == {"a": [11, 12], "b": [[1], [2]], "j": [11, 12]}
    assert ds.map(lambda row: row["b"].append(0) or {"j": 1})["b"][:] == [[1, 0], [2, 0]]


def test_features_that_are_more_than_types_stay():
    """Labels, arrays, JSON."""
    features = Features(
        {
            "y": ClassLabel(names=["no", "yes"]),
            "x": Array2D((1, 2), "int8"),
            "z": Json(),
            "i": Value("int64"),
        }
    )
    ds = Dataset.from_dict(
        {"y": [1, None], "x": [[[1, 2]], [[3, 4]]], "z": [{"a": [1, "x"]}, None], "i": [0, 1]},
        features=features,
    )
    for made in (
        ds.map(lambda row: {"j": row["i"]}),
        ds.map(lambda i: {"j": i}, input_columns="i"),
    ):
        assert made.features == Features({**features, "j": Value("int64")})
        assert made.remove_columns("j")[:] == ds[:]
        assert arrow(made, "z").type == arrow(ds, "z").type


# ------------------------------------------------------------------------------------------------- what is returned

VALUES = {
    "a time with nanoseconds": (pd.Timestamp(NS), pa.timestamp("ns"), "timestamp[ns]"),
    "a time of a zone": (
        pd.Timestamp(NS, tz="UTC"),
        pa.timestamp("ns", "UTC"),
        "timestamp[ns, tz=UTC]",
    ),
    "a duration with nanoseconds": (pd.Timedelta(7), pa.duration("ns"), "duration[ns]"),
    "a large integer": (LARGE, pa.uint64(), "uint64"),
}
MADE = {
    "map": lambda value: Dataset.from_dict({"i": [0]}).map(lambda row: {"x": value}),
    "batched map": lambda value: Dataset.from_dict({"i": [0]}).map(
        lambda batch: {"x": [value]}, batched=True
    ),
    "from_dict": lambda value: Dataset.from_dict({"x": [value]}),
    "from_list": lambda value: Dataset.from_list([{"x": value}]),
    "from_generator": lambda value: Dataset.from_generator(lambda: iter([{"x": value}])),
    "add_column": lambda value: Dataset.from_dict({"i": [0]}).add_column("x", [value]),
}


@pytest.mark.parametrize("nested", ["plain", "list", "object"])
@pytest.mark.parametrize("road", MADE)
@pytest.mark.parametrize("kind", VALUES)
def test_values_of_more_than_microseconds_and_63_bits_are_kept(kind, road, nested):
    """What a function or a caller gives has a type that holds it."""
    value, stored, _ = VALUES[kind]
    given, of = {
        "plain": (value, stored),
        "list": ([value], pa.list_(stored)),
        "object": ({"a": value}, pa.struct({"a": stored})),
    }[nested]
    made = MADE[road](given)
    assert arrow(made, "x").equals(pa.array([given], of))
    assert made[0]["x"] == given


@pytest.mark.parametrize("kind", VALUES)
def test_a_column_of_them_is_changed(kind):
    """The type that a column had is found again."""
    value, stored, dtype = VALUES[kind]
    ds = Dataset.from_arrow(pa.table({"x": pa.array([value], stored)}))
    step = -1 if kind == "a large integer" else pd.Timedelta(1)
    made = ds.map(lambda row: {"x": row["x"] + step})
    assert made.features["x"].dtype == dtype
    assert made[0]["x"] == value + step


@pytest.mark.parametrize(
    "kind",
    [
        "nanoseconds",
        "durations",
        "large integers",
        "lists of nanoseconds",
        "objects with large integers",
    ],
)
def test_streams_through_functions_keep_them_in_files_and_tables(kind, tmp_path):
    """A function of rows, and one of tables: what it did not touch is stored as it was."""
    ds = Dataset.from_arrow(pa.table({"c": COLUMNS[kind], "i": [0, 1, 2]})).to_iterable_dataset()
    mapped = ds.map(lambda row: {"j": row["i"]})
    mapped.to_parquet(tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet")["c"].combine_chunks().equals(COLUMNS[kind])
    (table,) = mapped.with_format("arrow").iter(3)
    assert table["c"].combine_chunks().equals(COLUMNS[kind])
    tables = ds.with_format("arrow").map(lambda t: t.append_column("j", t["i"]), batched=True)
    (table,) = tables.iter(3)
    assert table["c"].combine_chunks().equals(COLUMNS[kind])


def test_numpy_times_are_kept():
    """NumPy's own times say their unit."""
    values = [np.datetime64(NS, "ns"), np.datetime64(1, "ns")]
    made = Dataset.from_dict({"i": [0, 1]}).map(lambda row: {"x": values[row["i"]]})
    assert arrow(made, "x").equals(pa.array([NS, 1], pa.timestamp("ns")))
