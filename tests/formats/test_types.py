"""Every type as Python objects, against pyarrow."""

from __future__ import annotations

import datetime as dt
import decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset
from rowstream.exceptions import UnsupportedError

D, T = dt.date, dt.datetime
ARRAYS = {
    "null": pa.nulls(2),
    "bool": pa.array([True, None]),
    **{
        f"int{8 << i}": pa.array([-(2 ** ((8 << i) - 1)), 2 ** ((8 << i) - 1) - 1]).cast(
            f"int{8 << i}"
        )
        for i in range(4)
    },
    **{f"uint{8 << i}": pa.array([0, 2 ** (8 << i) - 1], f"uint{8 << i}") for i in range(4)},
    "half": pa.array([0.5, None], pa.float16()),
    "float": pa.array([0.1, float("inf")], pa.float32()),
    "double": pa.array([0.1, -0.0]),
    "string": pa.array(["é" * 20, ""]),
    "large_string": pa.array(["a", None], pa.large_string()),
    "string_view": pa.array(["a" * 13, None], pa.string_view()),
    "binary": pa.array([b"\0\xff", b""]),
    "large_binary": pa.array([b"a", None], pa.large_binary()),
    "fixed_binary": pa.array([b"ab", None], pa.binary(2)),
    "decimal": pa.array([decimal.Decimal("1.10"), decimal.Decimal("-99.99")], pa.decimal128(6, 2)),
    "decimal256": pa.array([decimal.Decimal(10) ** 50, None], pa.decimal256(60, 0)),
    "date32": pa.array([D(1, 1, 1), D(9999, 12, 31)]),
    "time32": pa.array([dt.time(23, 59, 59), None], pa.time32("ms")),
    "time64": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
    "timestamp": pa.array([T(1, 1, 1), T(9999, 12, 31, 23, 59, 59, 999999)], pa.timestamp("us")),
    "timestamp_ms": pa.array([T(1969, 12, 31, 23, 59, 59), None], pa.timestamp("ms")),
    "timestamp_ns": pa.array([1, -1], pa.timestamp("ns")),
    "timestamp_utc": pa.array([T(2024, 2, 29), None], pa.timestamp("us", "UTC")),
    "timestamp_zone": pa.array([T(2024, 7, 1), T(2024, 1, 1)], pa.timestamp("us", "Europe/Berlin")),
    "timestamp_offset": pa.array([T(2024, 7, 1), None], pa.timestamp("us", "+05:30")),
    "duration": pa.array([dt.timedelta(days=-1, microseconds=3), None], pa.duration("us")),
    "list": pa.array([[1, None], []]),
    "large_list": pa.array([["a"], None], pa.large_list(pa.string())),
    "fixed_list": pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)),
    "struct": pa.array([{"a": 1, "b": {"c": ["x"]}}, None]),
    "list_of_structs": pa.array([[{"a": 1}, {"a": None}], [None]]),
    "map": pa.array([[("k", 1), ("l", None)], []], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["red", "red"]).dictionary_encode(),
    "nested_dictionary": pa.ListArray.from_arrays(
        [0, 2, 2], pa.array(["a", "b"]).dictionary_encode()
    ),
}


def typed(value):
    """A value with the types of all that is in it."""
    match value:
        case dict():
            return {key: typed(item) for key, item in value.items()}
        case list():
            return [typed(item) for item in value]
        case _:
            return (type(value), value)


@pytest.mark.parametrize("name", ARRAYS)
def test_rows_are_what_pyarrow_gives(tmp_path, name):
    table = pa.table({"x": ARRAYS[name]})
    pq.write_table(table, tmp_path / "a.parquet")
    ds = load_dataset(str(tmp_path), split="train", streaming=True)
    expected = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert typed(list(ds)) == typed(expected)
    assert typed(next(ds.iter(2))["x"]) == typed([row["x"] for row in expected])
    if "dictionary" not in name:
        assert pa.table(ds).equals(table)


def test_what_datetime_cannot_hold(tmp_path):
    pq.write_table(pa.table({"x": pa.array([2**60], pa.timestamp("ms"))}), tmp_path / "a.parquet")
    ds = load_dataset(str(tmp_path), split="train", streaming=True)
    with pytest.raises(UnsupportedError, match="with_format"):
        list(ds)
    assert next(ds.with_format("arrow").iter(1))["x"].cast("int64").to_pylist() == [2**60]
