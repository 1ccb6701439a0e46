"""Item 29: functions under tensor formats are given arrays; features of a stream are its rows' types; arrays of objects go to Arrow."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import (
    Array2D,
    ClassLabel,
    Dataset,
    Features,
    IterableDataset,
    Json,
    LargeList,
    List,
    Translation,
    Value,
    concatenate_datasets,
    interleave_datasets,
)

ERRORS = (ValueError, TypeError, rowstream.exceptions.RowstreamError)


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


# ------------------------------------------------------------------------------------------- functions under formats

TABLE = {
    "i": list(range(7)),
    "f": [i / 2 for i in range(7)],
    "l": [[i, i + 1] for i in range(7)],
    "r": [list(range(i % 3)) for i in range(7)],
    "s": [f"row {i}" for i in range(7)],
    "b": [i % 2 == 0 for i in range(7)],
}


def stream():
    return Dataset.from_dict(TABLE).to_iterable_dataset()


SOURCES = {
    "map-style": lambda: Dataset.from_dict(TABLE),
    "through a list of rows": lambda: Dataset.from_dict(TABLE).select([*range(6, -1, -1)]),
    "held": stream,
    "after a function": lambda: stream().map(lambda row: row),
    "after a batched function": lambda: stream().map(
        lambda batch: batch, batched=True, batch_size=3
    ),
    "after a filter": lambda: stream().filter(lambda row: True),
    "generator": lambda: IterableDataset.from_generator(
        lambda: iter(Dataset.from_dict(TABLE).to_list())
    ),
    "mixture": lambda: interleave_datasets(
        [stream().take(4), stream().skip(4)], stopping_strategy="all_exhausted_without_replacement"
    ),
    "chain": lambda: concatenate_datasets([stream().map(lambda row: row), stream().take(0)]),
    "shuffled": lambda: stream().map(lambda row: row).shuffle(seed=1, buffer_size=3),
}


def kind(format, value):
    if format == "numpy":
        return isinstance(value, np.ndarray)
    return type(value).__module__.startswith("torch")


@pytest.mark.parametrize("batch_size", [3, 7, None])
@pytest.mark.parametrize("method", ["map", "filter", "map of columns"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("format", ["numpy", "torch"])
def test_a_function_of_batches_is_given_arrays(format, source, method, batch_size):
    """One array a column, of the types that batches have: not a list of scalars, whatever made the rows."""
    pytest.importorskip(format)
    seen = []

    def look(batch):
        seen.append(batch)
        return {"n": batch["i"]} if method == "map" else [True] * len(batch["i"])

    def look_at_columns(i, f, l, b):  # noqa: E741
        return look({"i": i, "f": f, "l": l, "b": b}) and {"n": i}

    ds = SOURCES[source]().with_format(format)
    how = {"batched": True, "batch_size": batch_size}
    made = (
        ds.map(look_at_columns, input_columns=list("iflb"), **how)
        if method == "map of columns"
        else getattr(ds, method)(look, **how)
    )
    rows = list(made.with_format(None))
    assert sorted(int(row["i"]) for row in rows) == list(range(7))
    expected = {"i": "int64", "f": "float32", "l": "int64", "b": "bool"}
    for batch in seen:
        n = len(batch["i"])
        assert n <= (batch_size or 7)
        for name, dtype in expected.items():
            assert kind(format, batch[name])
            assert str(batch[name].dtype).removeprefix("torch.") == dtype
            assert tuple(batch[name].shape) == ((n, 2) if name == "l" else (n,))
    assert sum(len(batch["i"]) for batch in seen) == 7


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("format", ["numpy", "torch"])
def test_arithmetic_of_columns_is_that_of_arrays(format, source):
    """A list of scalars times two would be a list of twice the length: other rows, without an error."""
    pytest.importorskip(format)
    ds = SOURCES[source]().with_format(format)
    made = ds.map(
        lambda batch: {"i": batch["i"] * 2}, batched=True, batch_size=3, remove_columns=list(TABLE)
    )
    assert sorted(int(row["i"]) for row in made.with_format(None)) == [2 * i for i in range(7)]
    made = ds.map(
        lambda batch: {"w": batch["l"].sum(1), "h": batch["f"] / 2}, batched=True, batch_size=3
    )
    rows = sorted(made.with_format(None), key=lambda row: int(row["i"]))
    assert [int(row["w"]) for row in rows] == [2 * i + 1 for i in range(7)]
    assert [float(row["h"]) for row in rows] == [i / 4 for i in range(7)]
    kept = ds.filter(lambda batch: batch["i"] > 3, batched=True, batch_size=3).with_format(None)
    assert sorted(int(row["i"]) for row in kept) == [4, 5, 6]


@pytest.mark.heavy
@pytest.mark.parametrize("how", [{"num_threads": 2}, {"num_proc": 2}])
@pytest.mark.parametrize("source", ["held", "after a function", "generator"])
def test_beside_the_loop_too(source, how):
    """In threads and processes."""
    ds = SOURCES[source]().with_format("numpy")
    made = ds.map(_doubled, batched=True, batch_size=3, remove_columns=list(TABLE), **how)
    assert [int(row["i"]) for row in made.with_format(None)] == [2 * i for i in range(7)]


def _doubled(batch):
    return {"i": batch["i"] * 2}


@pytest.mark.parametrize("format", ["numpy", "torch"])
@pytest.mark.parametrize("source", ["held", "after a function", "generator", "shuffled"])
def test_such_a_stream_goes_on_at_every_row(source, format):
    """States are exact under formats and batched functions."""
    pytest.importorskip(format)

    def made():
        return (
            SOURCES[source]()
            .with_format(format)
            .map(_doubled, batched=True, batch_size=3, remove_columns=list(TABLE))
            .with_format(None)
        )

    whole = [int(row["i"]) for row in made()]
    for n in range(8):
        ds = made()
        first = [int(row["i"]) for row in islice(ds, n)]
        again = made()
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert first + [int(row["i"]) for row in again] == whole


@pytest.mark.parametrize("source", ["held", "after a function", "generator"])
@pytest.mark.parametrize("format", ["numpy", "torch"])
def test_columns_of_several_lengths_and_text_in_a_batch(format, source):
    """As map-style data sets give them."""
    pytest.importorskip(format)
    seen = []
    list(
        SOURCES[source]()
        .with_format(format)
        .map(lambda batch: seen.append(batch) or {}, batched=True)
    )
    (batch,) = seen
    like = Dataset.from_dict(TABLE).with_format(format)[:]
    for name in ("r", "s"):
        assert type(batch[name]) is type(like[name])
        assert [np.asarray(one).tolist() for one in batch[name]] == [
            np.asarray(one).tolist() for one in like[name]
        ]


# ------------------------------------------------------------------------------------------------ features of a stream

DAY, TIME = dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5, 6)
CASTS = {
    "text as integers": ("5", Value("int64"), 5),
    "whole floats as integers": (1.0, Value("int64"), 1),
    "integers as floats": (1, Value("float32"), 1.0),
    "integers as text": (5, Value("string"), "5"),
    "text as dates": ("2020-01-02", Value("date32"), DAY),
    "dates": (DAY, Value("date32"), DAY),
    "text as times": ("2020-01-02T00:00:00", Value("timestamp[s]"), dt.datetime(2020, 1, 2)),
    "times": (TIME, Value("timestamp[us]"), TIME),
    "integers as times": (7, Value("timestamp[s]"), dt.datetime(1970, 1, 1, 0, 0, 7)),
    "times of NumPy": (np.datetime64("2020-01-02"), Value("timestamp[s]"), dt.datetime(2020, 1, 2)),
    "times of pandas": (pd.Timestamp(7), Value("timestamp[ns]"), pd.Timestamp(7)),
    "durations": (dt.timedelta(1), Value("duration[s]"), dt.timedelta(1)),
    "decimals": (decimal.Decimal("1.5"), Value("decimal128(5, 2)"), decimal.Decimal("1.50")),
    "text as bytes": ("a", Value("binary"), b"a"),
    "truth values": (1, Value("bool"), True),
    "numbers of NumPy": (np.float32(0.5), Value("float64"), 0.5),
    "integers of NumPy": (np.int64(5), Value("int8"), 5),
    "labels": ("b", ClassLabel(names=["a", "b"]), 1),
    "arrays": (np.arange(3), List(Value("int32")), [0, 1, 2]),
    "arrays of truth values": (np.array([True]), List(Value("bool")), [True]),
    "arrays of two dimensions": (
        np.ones((2, 2)),
        Array2D((2, 2), "float32"),
        [[1.0, 1.0], [1.0, 1.0]],
    ),
    "arrays as lists of lists": (
        np.ones((2, 2)),
        List(List(Value("float32"))),
        [[1.0, 1.0], [1.0, 1.0]],
    ),
    "arrays of objects": (
        np.array([np.ones(2), np.ones(1)], dtype=object),
        List(List(Value("float32"))),
        [[1.0, 1.0], [1.0]],
    ),
    "tuples": ((1, 2), List(Value("int64")), [1, 2]),
    "large lists": ([1], LargeList(Value("int32")), [1]),
    "objects that lack a field": (
        {"a": 1},
        {"a": Value("string"), "b": Value("int64")},
        {"a": "1", "b": None},
    ),
    "lists of objects": (
        [{"a": 1}],
        List({"a": Value("float64"), "b": Value("int64")}),
        [{"a": 1.0, "b": None}],
    ),
    "anything": ({"a": [1, "x"]}, Json(), {"a": [1, "x"]}),
    "translations": ({"en": "a"}, Translation(languages=["en", "de"]), {"de": None, "en": "a"}),
    "nothing": (None, Value("int64"), None),
}
GIVEN = {
    "generator": lambda values, features: IterableDataset.from_generator(
        lambda: ({"x": v} for v in values), features=features
    ),
    "map": lambda values, features: IterableDataset.from_dict({"i": list(range(len(values)))}).map(
        lambda row: {"x": values[row["i"]]}, remove_columns="i", features=features
    ),
    "batched map": lambda values, features: IterableDataset.from_dict(
        {"i": list(range(len(values)))}
    ).map(
        lambda batch: {"x": [values[i] for i in batch["i"]]},
        batched=True,
        remove_columns="i",
        features=features,
    ),
    "cast": lambda values, features: IterableDataset.from_generator(
        lambda: ({"x": v, "missing": None} for v in values)
    ).cast(features),
    "generator, map-style": lambda values, features: Dataset.from_generator(
        lambda: ({"x": v} for v in values), features=features
    ),
    "map, map-style": lambda values, features: Dataset.from_dict(
        {"i": list(range(len(values)))}
    ).map(lambda row: {"x": values[row["i"]]}, remove_columns="i", features=features),
}


@pytest.mark.parametrize("road", GIVEN)
@pytest.mark.parametrize("kind", CASTS)
def test_rows_have_the_types_that_features_say(kind, road):
    """Those of functions and generators, in streams as in map-style data sets; a column that they lack is null."""
    value, of, expected = CASTS[kind]
    features = Features({"x": of, "missing": Value("string")})
    ds = GIVEN[road]([value, None, value], features)
    rows = list(ds)
    assert rows == [{"x": one, "missing": None} for one in (expected, None, expected)]
    assert type(rows[0]["x"]) is type(expected)
    assert ds.features == features
    assert list(rows[0]) == ["x", "missing"]


@pytest.mark.parametrize("road", [road for road in GIVEN if "map-style" not in road])
@pytest.mark.parametrize("kind", [kind for kind in CASTS if kind not in ("nothing", "anything")])
def test_tables_and_files_have_them(kind, road, tmp_path):
    """In the formats of tables, in batches, and in what is written."""
    value, of, expected = CASTS[kind]
    features = Features({"x": of, "missing": Value("string")})
    ds = GIVEN[road]([value, None], features)
    stored = Dataset.from_generator(
        lambda: ({"x": v} for v in [value, None]), features=features
    ).with_format("arrow")[:]
    tables = [pa.concat_tables(list(ds.with_format("arrow"))), *ds.with_format("arrow").iter(2)]
    ds.to_parquet(tmp_path / "a.parquet")
    for table in [*tables, pq.read_table(tmp_path / "a.parquet")]:
        assert table.column_names == ["x", "missing"]
        assert [row["x"] for row in table.to_pylist()] == [row["x"] for row in stored.to_pylist()]
    assert {str(table.schema.field("missing").type) for table in tables} == {"string"}
    (batch,) = ds.iter(2)
    assert batch == {"x": [expected, None], "missing": [None, None]}
    frame = ds.to_pandas()
    assert list(frame.columns) == ["x", "missing"]


@pytest.mark.parametrize("road", [road for road in GIVEN if "map-style" not in road])
@pytest.mark.parametrize(
    ("value", "of"),
    [
        ("x", Value("int64")),
        (1.5, Value("int64")),
        (300, Value("int8")),
        ([1, 2, 3], List(Value("int32"), length=2)),
        ({"a": 1, "z": 1}, {"a": Value("string")}),
        (np.ones((3, 2)), Array2D((2, 2), "float32")),
        ("c", ClassLabel(names=["a", "b"])),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_where(road, value, of):
    """It names the column."""
    with pytest.raises(ERRORS) as caught:
        list(GIVEN[road]([None, value], Features({"x": of, "missing": Value("string")})))
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert "'x'" in text or '"x"' in text


def test_features_stay_with_what_follows():
    """Filters, cuts, shuffles, groups, projections and mixtures of typed rows have typed rows."""
    features = Features({"x": Value("date32"), "missing": Value("string")})
    ds = GIVEN["generator"](["2020-01-02"] * 9, features)
    for made in (
        ds.filter(lambda row: row["x"] == DAY),
        ds.take(9),
        ds.shuffle(seed=1),
        ds.repeat(1),
        concatenate_datasets([ds, ds]).take(9),
        interleave_datasets([ds, ds]).take(9),
    ):
        assert made.features == features
        assert list(made) == [{"x": DAY, "missing": None}] * 9
    assert next(iter(ds.batch(2))) == {"x": [DAY, DAY], "missing": [None, None]}
    assert list(ds.select_columns("x")) == [{"x": DAY}] * 9
    assert next(iter(ds.rename_column("x", "y"))) == {"y": DAY, "missing": None}
    assert next(iter(ds.map(lambda row: {"year": row["x"].year})))["year"] == 2020


@pytest.mark.parametrize("road", ["generator", "map", "batched map"])
def test_typed_streams_go_on_at_every_row(road):
    """The cast has no state of its own; a state without it still fits."""
    features = Features({"x": Value("date32"), "missing": Value("string")})
    values = [f"2020-01-{i + 1:02}" for i in range(9)]
    whole = list(GIVEN[road](values, features))
    for n in range(10):
        ds = GIVEN[road](values, features)
        first = list(islice(ds, n))
        again = GIVEN[road](values, features)
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert first + list(again) == whole


# -------------------------------------------------------------------------------------------------------- add_column

COLUMNS = {
    "integers": ([3, 4], Value("int64")),
    "floats of NumPy": (np.array([3.0, 4.0]), Value("float64")),
    "text of Arrow": (pa.array(["a", "b"]), Value("string")),
    "objects": ([{"a": 1}, {"a": None}], {"a": Value("int64")}),
    "beside null": ([None, 1], Value("int64")),
    "arrays": ([np.ones(2), np.ones(1)], List(Value("float64"))),
    "two dimensions": (np.ones((2, 2)), List(Value("float64"))),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_that_is_added_has_a_type_and_the_others_keep_theirs(kind):
    """As map-style data sets say it; labels stay labels."""
    values, of = COLUMNS[kind]
    features = Features({"y": ClassLabel(names=["a", "b"]), "i": Value("int8")})
    ds = Dataset.from_dict({"y": [1, 0], "i": [1, 2]}, features=features)
    made = ds.to_iterable_dataset().add_column("z", values)
    assert made.features == Features({**features, "z": of}) == ds.add_column("z", values).features
    assert made.column_names == ["y", "i", "z"]
    assert list(made) == list(ds.add_column("z", values))
    (table,) = made.with_format("arrow").iter(2)
    assert table.schema.field("i").type == pa.int8()
    assert made.filter(lambda row: True).rename_column("z", "q").features == Features(
        {**features, "q": of}
    )


def test_a_column_added_to_rows_whose_types_are_not_known():
    """It stays unknown; what was said with features= is kept."""
    ds = IterableDataset.from_dict({"i": [1, 2]}).map(lambda row: row)
    assert ds.add_column("z", [3, 4]).features is None
    known = IterableDataset.from_dict({"i": [1, 2]}).map(
        lambda row: row, features=Features({"i": Value("int32")})
    )
    assert known.add_column("z", ["a", "b"]).features == Features(
        {"i": Value("int32"), "z": Value("string")}
    )


# ------------------------------------------------------------------------------------------------------ arrays to Arrow

ARRAYS = {
    "of one length": [np.ones(2), np.zeros(2)],
    "of several lengths": [np.ones(2), np.ones(3)],
    "of two dimensions": [np.ones((2, 2)), np.zeros((2, 2))],
    "of two dimensions, several lengths": [np.ones((2, 2)), np.ones((3, 2))],
    "beside null": [np.ones((1, 2)), None],
    "null first": [None, np.ones((1, 2))],
    "without dimensions": [np.array(1), np.array(2)],
    "of objects": np.array([np.ones(2), np.ones(3)], dtype=object),
    "of text objects": np.array(["a", None], dtype=object),
    "of dicts": np.array([{"a": 1}, {"a": 2}], dtype=object),
    "of lists": np.array([[1], [2, 3]], dtype=object),
    "objects in a row": [np.array(["a", None], dtype=object), np.array(["b"], dtype=object)],
    "arrays in objects in a row": [
        np.array([np.ones(2), np.ones(1)], dtype=object),
        np.array([np.ones(1)], dtype=object),
    ],
    "in dicts": [{"a": np.ones(2)}, {"a": np.ones(3)}],
    "of two dimensions in dicts": [{"a": np.ones((2, 2))}, {"a": np.ones((1, 2))}],
    "in lists": [[np.ones(2)], [np.ones(2), np.ones(1)]],
    "times": np.array(["2020-01-01", "NaT"], "datetime64[s]"),
    "days": np.array(["2020-01-01", "NaT"], "datetime64[D]"),
    "a day": [np.datetime64("2020-01-01"), None],
    "text": np.array(["a", "bb"]),
    "bytes": np.array([b"a", b"bb"]),
    "empty": [np.ones(0), np.ones(2)],
}


def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.tolist()] if value.ndim else plain(value.item())
    if isinstance(value, (np.datetime64, np.generic)):
        return value.item()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def batched_stream(values):
    return IterableDataset.from_dict({"i": [0, 1]}).map(
        lambda batch: {"x": values}, batched=True, remove_columns="i"
    )


def row_stream(values):
    return IterableDataset.from_dict({"i": [0, 1]}).map(
        lambda row: {"x": values[row["i"]]}, remove_columns="i"
    )


def written(ds, path):
    ds.to_parquet(path)
    return pq.read_table(path)["x"].to_pylist()


WAYS = {
    "from_dict": lambda values, path: Dataset.from_dict({"x": values})[:]["x"],
    "from_list": lambda values, path: Dataset.from_list([{"x": value} for value in values])[:]["x"],
    "map": lambda values, path: Dataset.from_dict({"i": [0, 1]}).map(
        lambda row: {"x": values[row["i"]]}
    )[:]["x"],
    "batched map": lambda values, path: Dataset.from_dict({"i": [0, 1]}).map(
        lambda batch: {"x": values}, batched=True
    )[:]["x"],
    "generator": lambda values, path: Dataset.from_generator(
        lambda: ({"x": value} for value in values)
    )[:]["x"],
    "add_column": lambda values, path: Dataset.from_dict({"i": [0, 1]}).add_column("x", values)[:][
        "x"
    ],
    "stream from_dict": lambda values, path: [
        row["x"] for row in IterableDataset.from_dict({"x": values})
    ],
    "stream from_list": lambda values, path: [
        row["x"] for row in IterableDataset.from_list([{"x": value} for value in values])
    ],
    "tables of a batched stream": lambda values, path: [
        one
        for table in batched_stream(values).with_format("arrow").iter(2)
        for one in table["x"].to_pylist()
    ],
    "tables of a stream": lambda values, path: [
        table["x"].to_pylist()[0] for table in row_stream(values).with_format("arrow")
    ],
    "frames of a stream": lambda values, path: [
        plain(frame["x"][0]) for frame in row_stream(values).with_format("pandas")
    ],
    "a stream's file": lambda values, path: written(row_stream(values), path),
    "a batched stream's file": lambda values, path: written(batched_stream(values), path),
    "a generator's file": lambda values, path: written(
        IterableDataset.from_generator(lambda: ({"x": value} for value in values)), path
    ),
    "a function of tables": lambda values, path: [
        one
        for table in IterableDataset.from_dict({"i": [0, 1]})
        .with_format("arrow")
        .map(lambda table: {"x": values}, batched=True, remove_columns="i")
        .iter(2)
        for one in table["x"].to_pylist()
    ],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_go_to_arrow(kind, way, tmp_path):
    """In lists and objects, of objects, of any number of dimensions: in every way to Arrow."""
    found = WAYS[way](ARRAYS[kind], tmp_path / "a.parquet")
    expected = [plain(value) for value in ARRAYS[kind]]
    if way == "frames of a stream" and kind in (
        "beside null",
        "null first",
        "times",
        "days",
        "a day",
        "of text objects",
    ):
        found = [
            None
            if one is None or one is pd.NaT or (isinstance(one, float) and np.isnan(one))
            else one
            for one in found
        ]
    if kind in ("days", "a day"):
        found = [one.date() if isinstance(one, dt.datetime) else one for one in found]
    assert plain(found) == expected


@pytest.mark.parametrize(
    "way", ["tables of a stream", "a stream's file", "map", "from_list", "stream from_list"]
)
def test_tensors_go_to_arrow_too(way, tmp_path):
    """Of one and two dimensions, and numbers."""
    torch = pytest.importorskip("torch")
    for values in (
        [torch.ones(2), torch.zeros(2)],
        [torch.ones(2, 2), torch.ones(1, 2)],
        [torch.tensor(1), torch.tensor(2)],
    ):
        found = WAYS[way](values, tmp_path / "a.parquet")
        assert found == [value.tolist() for value in values]
