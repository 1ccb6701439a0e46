"""Casts of streams, which the core makes: the values of those of map-style datasets, which pyarrow makes, or an error."""

from __future__ import annotations

import datetime as dt
import decimal

import pyarrow as pa
import pytest
from rowstream import (
    Array2D,
    ClassLabel,
    Dataset,
    Features,
    Json,
    List,
    Translation,
    Value,
    load_dataset,
)

NOON = dt.datetime(2020, 1, 1, 12, 0, 0, 5)
VALUES = {
    "int64": pa.array([1, 0, -5]),
    "int32": pa.array([1, 7], pa.int32()),
    "int8": pa.array([1], pa.int8()),
    "uint64": pa.array([1, 2**64 - 1], pa.uint64()),
    "float64": pa.array([1.5, 2.0, 1e20, 1e-5, 1e-7, -0.0, 1e9, 1e10, 12345678901.0]),
    "float32": pa.array([0.1, 2.0, 1e10], pa.float32()),
    "float16": pa.array([0.1, 2.0], pa.float16()),
    "whole": pa.array([1.0, 0.0]),
    "bool": pa.array([True, False]),
    "texts": pa.array(["1", "abc"]),
    "numbers": pa.array(["1", "0"]),
    "floats": pa.array(["1.5", "2"]),
    "truths": pa.array(["true", "False", "1"]),
    "spaces": pa.array([" 1"]),
    "plus": pa.array(["+1"]),
    "yes": pa.array(["yes"]),
    "day as text": pa.array(["2020-01-01"]),
    "time as text": pa.array(["2020-01-01T10:00:00"]),
    "nothing": pa.array([""]),
    "date": pa.array([dt.date(2020, 1, 1)]),
    "date64": pa.array([dt.date(2020, 1, 1)], pa.date64()),
    "second": pa.array([NOON.replace(microsecond=0)], pa.timestamp("s")),
    "micro": pa.array([NOON], pa.timestamp("us")),
    "nano": pa.array([1577836800000000001], pa.timestamp("ns")),
    "utc": pa.array([NOON], pa.timestamp("us", "UTC")),
    "berlin": pa.array([NOON], pa.timestamp("us", "Europe/Berlin")),
    "clock": pa.array([dt.time(1, 2, 3)], pa.time32("s")),
    "fine clock": pa.array([dt.time(1, 2, 3, 4)], pa.time64("us")),
    "duration": pa.array([dt.timedelta(seconds=5)], pa.duration("us")),
    "decimal": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.00")]),
    "bytes": pa.array([b"ab", b"1"]),
    "no text": pa.array([b"\xff"]),
    "fixed bytes": pa.array([b"ab"], pa.binary(2)),
    "null": pa.array([None]),
    "category": pa.array(["a", "1"]).dictionary_encode(),
    "list": pa.array([[1, 2], []]),
    "list of texts": pa.array([["1"]]),
    "list of words": pa.array([["abc"]]),
    "pairs": pa.array([[1, 2]], pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"x": "1"}]),
    "list of structs": pa.array([[{"x": 1.5}]]),
    "list with null": pa.array([[None, 1]]),
    "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
}
TYPES = {
    **{
        name: Value(name)
        for name in (
            *("int64", "int32", "int8", "uint64", "float64", "float32", "string", "large_string"),
            *("bool", "date32", "date64", "timestamp[s]", "timestamp[us]", "timestamp[us, tz=UTC]"),
            *("time32[s]", "time64[us]", "duration[us]", "binary", "decimal128(10, 2)"),
        )
    },
    "label": ClassLabel(names=["0", "1", "abc"]),
    "list of int64": List(Value("int64")),
    "list of strings": List(Value("string")),
    "two": List(Value("int32"), length=2),
    "struct": {"x": Value("int64")},
    "list of structs": List({"x": Value("string")}),
    "json": Json(),
    "array": Array2D((1, 2), "int32"),
    "translation": Translation(["a", "b"]),
}
# Values that a stream takes and pyarrow does not: none of them is changed.
MORE = {
    "decimal128(10, 2)": {"int64", "int32", "float16", "plus"},
    "json": {"duration", "decimal"},
    "timestamp[us, tz=UTC]": {"day as text", "time as text"},
    "date64": {"time as text", "day as text"},
    "int64": {"date64"},
    "float64": {"plus"},
    "float32": {"plus"},
}
# And the other way round: a time of day of a time, which loses its day; strings that are partly JSON.
TIMES = {"second", "micro", "nano", "utc", "berlin"}
LESS = {"time32[s]": TIMES, "time64[us]": TIMES, "date32": {"berlin"}, "date64": {"berlin"}}
OTHERWISE = {("texts", "json"), ("truths", "json"), ("category", "json"), ("bytes", "json")}


def _rows(make):
    try:
        return [repr(row["a"]) for row in make()]
    except Exception as error:
        assert isinstance(error, (ValueError, TypeError, NotImplementedError)), error
        return None


@pytest.mark.parametrize("to", TYPES)
@pytest.mark.parametrize("values", VALUES)
def test_a_stream_casts_as_a_table_does(values, to):
    features = Features({"a": TYPES[to]})
    ds = Dataset(pa.table({"a": VALUES[values]}))
    stream = _rows(lambda: ds.to_iterable_dataset().cast(features))
    table = _rows(lambda: ds.cast(features))
    if stream is None:
        assert table is None or values in LESS.get(to, ())
    elif table is None:
        assert values in MORE.get(to, ())
    elif (values, to) not in OTHERWISE:
        assert stream == table


@pytest.mark.parametrize("streaming", [False, True])
def test_json_that_is_of_another_type_than_declared(streaming, tmp_path):
    path = tmp_path / "a.jsonl"

    def rows(line, feature):
        path.write_text(f'{{"a": {line}}}\n')
        features = Features({"a": feature})
        given = {"data_files": str(path), "split": "train", "cache_dir": str(tmp_path)}
        return [
            row["a"]
            for row in load_dataset("json", features=features, streaming=streaming, **given)
        ]

    assert rows('"007"', Value("int64")) == [7]
    assert rows('"-3"', Value("int8")) == [-3]
    assert rows('"18446744073709551615"', Value("uint64")) == [2**64 - 1]
    assert rows('"1.5"', Value("float64")) == [1.5]
    assert rows("true", Value("int64")) == [1]
    assert rows("false", Value("float32")) == [0.0]
    assert rows('"True"', Value("bool")) == rows("1", Value("bool")) == [True]
    assert rows("1700000000", Value("timestamp[s]")) == [dt.datetime(2023, 11, 14, 22, 13, 20)]
    assert rows("-5", Value("timestamp[us]")) == [dt.datetime(1969, 12, 31, 23, 59, 59, 999995)]
    assert rows("5", Value("time64[us]")) == [dt.time(0, 0, 0, 5)]
    assert rows("[1, 2]", List(Value("timestamp[s]")))[0][1] == dt.datetime(1970, 1, 1, 0, 0, 2)
    assert rows('["1", "2"]', List(Value("int64"))) == [[1, 2]]
    assert rows('{"x": "1"}', {"x": Value("int64")}) == [{"x": 1}]
    for line, feature in [
        ('"x"', Value("int64")),
        ('" 1"', Value("int64")),
        ('"1.5"', Value("int64")),
        ('"300"', Value("int8")),
        ('"yes"', Value("bool")),
        ("2", Value("bool")),
        ("[1]", Value("int64")),
        ("{}", Value("float64")),
        ('"1700000000"', Value("timestamp[s]")),
        ("1.5", Value("timestamp[s]")),
        ("5", Value("date32")),
        ("1" + "0" * 18, Value("timestamp[s]")),
    ]:
        with pytest.raises((ValueError, TypeError, NotImplementedError)):
            rows(line, feature)


def test_values_as_json():
    table = pa.table(
        {"a": pa.array([[["x", None], ["1"]], None]), "b": [{"k": [1.0, float("nan")]}, {"k": []}]}
    )
    ds = Dataset(table).to_iterable_dataset().cast_column("a", Json()).cast_column("b", Json())
    rows = list(ds)
    assert [row["a"] for row in rows] == [[["x", None], ["1"]], None]
    assert repr([row["b"] for row in rows]) == "[{'k': [1.0, nan]}, {'k': []}]"
    words = pa.table({"a": ["1", '{"x": [1]}', "word", None]})
    stream = Dataset(words).to_iterable_dataset().cast_column("a", Json())
    assert [row["a"] for row in stream] == [1, {"x": [1]}, "word", None]
