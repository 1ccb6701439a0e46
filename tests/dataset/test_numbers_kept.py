"""Item 4: numbers that functions, generators and callers give are kept: types that were found widen, types that were given are an error."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import (
    Array2D,
    Dataset,
    Features,
    IterableDataset,
    List,
    Value,
    load_dataset,
    load_from_disk,
)

LOSSES = (ValueError, TypeError, rowstream.exceptions.RowstreamError)
THIRDS = [10 / 3, 20 / 3, 10.0]
FLOATS = Features({"x": Value("float64")})
INTEGERS = Features({"x": Value("int64")})


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


def saved(ds, tmp_path):
    ds.save_to_disk(tmp_path / "saved")
    return load_from_disk(tmp_path / "saved")


# ------------------------------------------------------------------------------------------- functions of a data set

CHANGES = {
    "a row": lambda ds: ds.map(lambda row: {"x": row["x"] / 3}),
    "a row in place": lambda ds: ds.map(lambda row: row.update(x=row["x"] / 3) or row),
    "a row by column": lambda ds: ds.map(lambda x: {"x": x / 3}, input_columns="x"),
    "a batch": lambda ds: ds.map(lambda batch: {"x": [x / 3 for x in batch["x"]]}, batched=True),
    "batches of one": lambda ds: ds.map(
        lambda batch: {"x": [x / 3 for x in batch["x"]]}, batched=True, batch_size=1
    ),
    "a row of the format": lambda ds: (
        ds.with_format("numpy").map(lambda row: {"x": float(row["x"]) / 3}).with_format(None)
    ),
    "in memory": lambda ds: ds.map(lambda row: {"x": row["x"] / 3}, keep_in_memory=True),
    "one row a batch of the file": lambda ds: ds.map(
        lambda row: {"x": row["x"] / 3}, writer_batch_size=1
    ),
    "of a choice of rows": lambda ds: (
        ds.select([2, 1, 0]).map(lambda row: {"x": row["x"] / 3}).select([2, 1, 0])
    ),
    "without other columns": lambda ds: ds.map(
        lambda row: {"x": row["x"] / 3}, remove_columns=["x"]
    ),
}


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize("how", CHANGES)
def test_floats_of_a_function_widen_a_column_of_integers(how, where, tmp_path):
    """A function that divides gives its quotients, whatever the column was."""
    ds = Dataset.from_dict({"x": [10, 20, 30]})
    made = CHANGES[how](saved(ds, tmp_path) if where == "files" else ds)
    assert made["x"][:] == THIRDS
    assert made.features == FLOATS


@pytest.mark.heavy
def test_floats_of_a_function_widen_in_processes():
    """Parts of which only some have floats agree on their type."""
    ds = Dataset.from_dict({"x": list(range(30))})
    made = ds.map(lambda row: {"y": row["x"] if row["x"] < 15 else row["x"] + 0.5}, num_proc=2)
    assert made["y"][13:17] == [13, 14, 15.5, 16.5]
    assert made.features["y"] == Value("float64")
    assert made.map(lambda row: {"x": row["x"] / 3}, num_proc=2)["x"][10] == 10 / 3


NESTED = {
    "lists": ([[10], [20]], lambda x: [v / 3 for v in x], [[10 / 3], [20 / 3]]),
    "structs": (
        [{"a": 10}, {"a": 20}],
        lambda x: {"a": x["a"] / 3},
        [{"a": 10 / 3}, {"a": 20 / 3}],
    ),
    "lists of structs": (
        [[{"a": 10}], []],
        lambda x: [{"a": v["a"] / 3} for v in x],
        [[{"a": 10 / 3}], []],
    ),
}


@pytest.mark.parametrize("kind", NESTED)
def test_nested_floats_widen(kind):
    """Inside lists and structs too."""
    values, change, expected = NESTED[kind]
    assert (
        Dataset.from_dict({"x": values}).map(lambda row: {"x": change(row["x"])})["x"][:]
        == expected
    )


def late(before, after, change_at=1000):
    """A column's values: the first rows of one kind, those after them of another."""
    return lambda i: before(i) if i < change_at else after(i)


KINDS = {
    "floats after integers": (late(int, lambda i: i + 0.5), "float64"),
    "floats after integers in lists": (lambda i: [late(int, lambda k: k + 0.5)(i)], None),
    "floats after integers in structs": (lambda i: {"a": late(int, lambda k: k + 0.5)(i)}, None),
    "integers after floats": (late(lambda i: i + 0.5, int), "float64"),
    "values after nulls": (late(lambda i: None, int), "int64"),
    "text after nulls": (late(lambda i: None, str), "string"),
    "nulls after values": (late(int, lambda i: None), "int64"),
    "values after empty lists": (late(lambda i: [], lambda i: [i]), None),
}
ROADS = {
    "map": lambda value, n: Dataset.from_dict({"i": range(n)}).map(
        lambda row: {"y": value(row["i"])}
    ),
    "map in memory": lambda value, n: Dataset.from_dict({"i": range(n)}).map(
        lambda row: {"y": value(row["i"])}, keep_in_memory=True
    ),
    "batched map": lambda value, n: Dataset.from_dict({"i": range(n)}).map(
        lambda b: {"y": list(map(value, b["i"]))}, batched=True
    ),
    "generator": lambda value, n: Dataset.from_generator(
        lambda: ({"y": value(i)} for i in range(n))
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("road", ROADS)
def test_rows_after_the_first_thousand_widen_what_the_first_showed(road, kind):
    """The type of a column is that of all its rows, not of those that were written first."""
    value, dtype = KINDS[kind]
    made = ROADS[road](value, 1500)
    assert made["y"][:] == [value(i) for i in range(1500)]
    if dtype is not None:
        assert made.features["y"].dtype == dtype


@pytest.mark.parametrize("name", ["input_ids", "attention_mask"])
def test_columns_of_tokenizers_widen_too(name):
    """They are stored in fewer bytes only as far as their integers fit."""
    ds = Dataset.from_dict({"i": range(1500)})
    made = ds.map(lambda row: {name: [1 if row["i"] < 1000 else 1 << 40]})
    assert made[name][998:1002] == [[1], [1], [1 << 40], [1 << 40]]


@pytest.mark.parametrize("after", ["text", 0.5, [1], {"a": 1}])
def test_what_has_no_wider_type_is_kept_or_an_error_never_changed(after):
    """Values that have no type in common with those before are stored as Json, or refused: text never becomes a number."""
    ds = Dataset.from_dict({"i": range(1200)})
    try:
        made = ds.map(lambda row: {"y": True if row["i"] < 1000 else after})
    except LOSSES as error:
        assert "'y'" in str(error)
    else:
        assert made["y"][998:1002] == [True, True, after, after]


def test_integers_beyond_those_that_a_float_has():
    """Widening loses nothing either: an error names the row, the column and the value."""
    large = (1 << 53) + 1
    ds = Dataset.from_dict({"i": range(1200)})
    with pytest.raises(LOSSES, match=rf"(?s)'y'.*{large}|{large}.*'y'"):
        ds.map(lambda row: {"y": large if row["i"] < 1000 else 0.5})


KEPT = {
    "whole floats in a column of integers": ([10, 20], lambda x: x / 10, [1, 2], "int64"),
    "floats in a column of float32": (
        pa.array([1, 2], pa.float32()),
        lambda x: x / 2,
        [0.5, 1.0],
        "float32",
    ),
    "integers in a column of int8": (pa.array([1, 2], pa.int8()), lambda x: x + 1, [2, 3], "int8"),
    "integers beyond int8": (pa.array([1, 2], pa.int8()), lambda x: x + 300, [301, 302], "int64"),
    "numbers in a column of truth values": ([True, False], lambda x: 5, [5, 5], "int64"),
    "times in a column of dates": (
        [dt.date(2020, 1, 1)],
        lambda x: dt.datetime(2020, 1, 1, 5),
        [dt.datetime(2020, 1, 1, 5)],
        "timestamp[us]",
    ),
    "decimals": (
        [decimal.Decimal("1.0")],
        lambda x: decimal.Decimal("1.25"),
        [decimal.Decimal("1.25")],
        "decimal128(3, 2)",
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_column_keeps_its_type_only_where_nothing_is_lost(kind):
    """The type that a column had is a hint: of what it does not hold exactly, the values say the type."""
    values, change, expected, dtype = KEPT[kind]
    made = Dataset.from_dict({"x": values}).map(lambda row: {"x": change(row["x"])})
    assert made["x"][:] == expected
    assert made.features["x"].dtype == dtype


# ------------------------------------------------------------------------------------------------- types that are given

GIVEN = {
    "map": lambda values, of: Dataset.from_dict({"i": range(len(values))}).map(
        lambda row: {"x": values[row["i"]]}, remove_columns="i", features=Features({"x": of})
    ),
    "batched map": lambda values, of: Dataset.from_dict({"i": range(len(values))}).map(
        lambda batch: {"x": [values[i] for i in batch["i"]]},
        batched=True,
        remove_columns="i",
        features=Features({"x": of}),
    ),
    "from_dict": lambda values, of: Dataset.from_dict({"x": values}, features=Features({"x": of})),
    "from_list": lambda values, of: Dataset.from_list(
        [{"x": value} for value in values], features=Features({"x": of})
    ),
    "from_generator": lambda values, of: Dataset.from_generator(
        lambda: ({"x": value} for value in values), features=Features({"x": of})
    ),
    "add_column": lambda values, of: (
        Dataset.from_dict({"i": range(len(values))})
        .add_column("x", values, feature=of)
        .select_columns("x")
    ),
    "cast": lambda values, of: Dataset.from_dict({"x": values}).cast(Features({"x": of})),
    "stream from_dict": lambda values, of: IterableDataset.from_dict(
        {"x": values}, features=Features({"x": of})
    ),
    "stream from_list": lambda values, of: IterableDataset.from_list(
        [{"x": value} for value in values], features=Features({"x": of})
    ),
    "stream cast": lambda values, of: (
        Dataset.from_dict({"x": values}).to_iterable_dataset().cast(Features({"x": of}))
    ),
    "stream generator": lambda values, of: IterableDataset.from_generator(
        lambda: ({"x": value} for value in values), features=Features({"x": of})
    ),
    "stream map": lambda values, of: (
        Dataset.from_dict({"i": range(len(values))})
        .to_iterable_dataset()
        .map(lambda row: {"x": values[row["i"]]}, remove_columns="i", features=Features({"x": of}))
    ),
}
LOST = {
    "fractions": ([1.0, 2.5, 3.0], Value("int64"), "2.5"),
    "fractions in lists": ([[1.0], [2.5], []], List(Value("int32")), "2.5"),
    "fractions in structs": ([{"a": 1.0}, {"a": 2.5}, None], {"a": Value("int64")}, "2.5"),
    "integers that do not fit": ([1, 300, 3], Value("int8"), "300"),
    "integers that floats do not have": (
        [1, (1 << 53) + 1, 3],
        Value("float64"),
        str((1 << 53) + 1),
    ),
    "decimals": (
        [decimal.Decimal("1.0"), decimal.Decimal("2.5"), decimal.Decimal("3.0")],
        Value("int64"),
        "2.5",
    ),
    "parts of a second": (
        [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 0, 0, 0, 7), dt.datetime(2020, 1, 2)],
        Value("timestamp[s]"),
        "000007",
    ),
}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("road", GIVEN)
def test_what_a_given_type_would_lose_is_an_error(road, kind):
    """`features=` is a promise. Nothing is cut to fit it: the error names the column and the value."""
    values, of, shown = LOST[kind]
    with pytest.raises(LOSSES) as caught:
        list(GIVEN[road](values, of))
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert re.search("""['"]x['"]""", text)
    assert shown in text


@pytest.mark.parametrize(
    "road",
    [
        "map",
        "batched map",
        "from_dict",
        "from_list",
        "from_generator",
        "add_column",
        "stream generator",
        "stream map",
    ],
)
def test_the_error_names_row_column_and_value(road):
    """The row is counted over all rows, not within a batch of the file."""
    values = [*range(1234), 0.5]
    with pytest.raises(LOSSES) as caught:
        list(GIVEN[road](values, Value("int64")))
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    for part in ("1234", "'x'", "0.5"):
        assert part in text


@pytest.mark.parametrize("road", GIVEN)
def test_what_fits_a_given_type_is_taken(road):
    """Whole floats are integers, and integers are floats."""
    assert [row["x"] for row in GIVEN[road]([1.0, 2.0, None], Value("int64"))] == [1, 2, None]
    assert [row["x"] for row in GIVEN[road]([1, 2, None], Value("float32"))] == [1.0, 2.0, None]


@pytest.mark.parametrize("make", [np.asarray, np.ndarray.tolist])
def test_arrays_of_several_dimensions_lose_nothing(make):
    """Lists of lists as arrays of NumPy."""
    values = [make(np.array([[1.0, 2.5]]))]
    with pytest.raises(LOSSES, match=r"2\.5"):
        Dataset.from_dict(
            {"x": values}, features=Features({"x": Array2D(shape=(1, 2), dtype="int64")})
        )


def test_text_is_no_truth_value():
    """`bool("False")` is true: what is given as `bool` has to be one, or 0 or 1."""
    assert Dataset.from_dict({"x": [True, 0, None]}, features=Features({"x": Value("bool")}))["x"][
        :
    ] == [True, False, None]
    for value in ("False", 5, 0.5):
        with pytest.raises(LOSSES):
            Dataset.from_dict({"x": [value]}, features=Features({"x": Value("bool")}))


# --------------------------------------------------------------------------------------------- files, read and written


def file_of(kind, values, folder):
    path = folder / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"x": values}), path)
    elif kind == "arrow":
        table = pa.table({"x": values})
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    elif kind == "json":
        path.write_text("".join(json.dumps({"x": value}) + "\n" for value in values))
    else:
        path.write_text("x\n" + "".join(f"{value}\n" for value in values))
    return str(path)


def read_as_integers(kind, path, how, streaming):
    given = {"features": INTEGERS} if how == "features" else {}
    ds = load_dataset(kind, data_files=path, split="train", streaming=streaming, **given)
    return list(ds if given else ds.cast_column("x", Value("int64")))


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("how", ["features", "cast_column"])
@pytest.mark.parametrize("kind", ["parquet", "arrow", "json", "csv"])
def test_files_are_not_cut_to_given_types(kind, how, streaming, tmp_path):
    """In the core as in pyarrow: a column of floats is no column of integers, unless all are whole."""
    path = file_of(kind, [2.5, 1.0], tmp_path)
    with pytest.raises(LOSSES, match=r"2\.5"):
        read_as_integers(kind, path, how, streaming)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("kind", ["parquet", "arrow", "json", "csv"])
def test_whole_floats_of_files_are_integers_where_types_are_given(kind, streaming, tmp_path):
    """As `datasets` reads them, and as map-style data sets do."""
    path = file_of(kind, [1.0, 2.0], tmp_path)
    ds = load_dataset(kind, data_files=path, split="train", streaming=streaming, features=INTEGERS)
    assert list(ds) == [{"x": 1}, {"x": 2}]


CUT = {
    "floats": (pa.array([1.5]), Value("uint8")),
    "floats in lists": (pa.array([[1.5]]), List(Value("int64"))),
    "floats in lists of one length": (
        pa.array([[1.5]], pa.list_(pa.float64(), 1)),
        List(Value("int64")),
    ),
    "floats in structs": (pa.array([{"a": 1.5}]), {"a": Value("int64")}),
    "integers": (pa.array([(1 << 24) + 1]), Value("float32")),
    "timestamps": (pa.array([1_500_000], pa.timestamp("us")), Value("timestamp[s]")),
    "nanoseconds": (pa.array([1500], pa.timestamp("ns")), Value("timestamp[us]")),
    "durations": (pa.array([1500], pa.duration("ms")), Value("duration[s]")),
    "times": (pa.array([1500], pa.time32("ms")), Value("time32[s]")),
    "decimals": (pa.array([decimal.Decimal("1.239")]), Value("decimal128(5, 2)")),
    "decimals as integers": (pa.array([decimal.Decimal("1.5")]), Value("int64")),
    "floats as times": (pa.array([1.5]), Value("timestamp[s]")),
}


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("kind", CUT)
def test_casts_lose_nothing(kind, streaming):
    """A cast that would lose something is an error that names the column, in streams as in map-style data sets."""
    column, of = CUT[kind]
    ds = Dataset.from_arrow(pa.table({"x": column}))
    with pytest.raises((*LOSSES, NotImplementedError)):
        list((ds.to_iterable_dataset() if streaming else ds).cast_column("x", of))


@pytest.mark.parametrize("at", [200, 1200, 12_000])
def test_what_a_stream_writes_is_not_cut(at, tmp_path):
    """Types are found in the first batches: a later value that does not fit is an error that names it, or widens the column."""
    ds = (
        Dataset.from_dict({"x": range(13_000)})
        .to_iterable_dataset()
        .map(lambda row: {"x": row["x"] if row["x"] < at else row["x"] + 0.5})
    )
    try:
        ds.to_parquet(tmp_path / "a.parquet")
    except LOSSES as error:
        assert f"{at}.5" in str(error)
        assert "'x'" in str(error)
    else:
        assert pq.read_table(tmp_path / "a.parquet")["x"][at].as_py() == at + 0.5


@pytest.mark.parametrize("format", ["arrow", "pandas", "polars"])
def test_tables_of_a_stream_are_not_cut(format):
    """Rows that a function made, in a format of tables, with types that were given."""
    ds = (
        Dataset.from_dict({"x": [1]})
        .to_iterable_dataset()
        .map(lambda row: {"x": row["x"] / 2}, features=INTEGERS)
    )
    with pytest.raises(LOSSES, match=r"0\.5"):
        list(ds.with_format(format))
