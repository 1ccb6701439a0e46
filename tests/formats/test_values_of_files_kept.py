"""Values of files in types that are given: as they are, or an error that names file, row, column and value."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import Features, LargeList, List, Value, load_dataset
from rowstream.exceptions import SchemaError

DAY, NOON = dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 12)
CUT = {
    "floats": (pa.array([1.0, 1.5]), Value("int64"), "1.5"),
    "floats, small integers": (pa.array([1.0, 1.5]), Value("uint8"), "1.5"),
    "floats that are no number": (pa.array([1.0, float("nan")]), Value("int64"), "NaN"),
    "floats as truth": (pa.array([1.0, 0.5]), Value("bool"), "0.5"),
    "floats as decimals": (pa.array([1.25, 1.239]), Value("decimal128(5, 2)"), "1.239"),
    "floats that are too large": (pa.array([1.0, 1e300]), Value("float32"), "1e300"),
    "large integers": (pa.array([1, 300]), Value("int8"), "300"),
    "integers as floats": (pa.array([1, (1 << 24) + 1]), Value("float32"), "16777217"),
    "integers as truth": (pa.array([1, 5]), Value("bool"), "5"),
    "timestamps": (
        pa.array([1_000_000, 1_500_000], pa.timestamp("us")),
        Value("timestamp[s]"),
        "1970-01-01T00:00:01.500",
    ),
    "nanoseconds": (
        pa.array([1000, 1500], pa.timestamp("ns")),
        Value("timestamp[us]"),
        "1970-01-01T00:00:00.000001500",
    ),
    "timestamps as dates": (pa.array([DAY, NOON]), Value("date32"), "2020-01-01T12:00:00"),
    "durations": (pa.array([1000, 1500], pa.duration("ms")), Value("duration[s]"), "PT1.5S"),
    "times": (pa.array([1000, 1500], pa.time32("ms")), Value("time32[s]"), "00:00:01.500"),
    "decimals": (
        pa.array([decimal.Decimal("1.230"), decimal.Decimal("1.239")]),
        Value("decimal128(5, 2)"),
        "1.239",
    ),
    "decimals as integers": (
        pa.array([decimal.Decimal("1.0"), decimal.Decimal("1.5")]),
        Value("int64"),
        "1.5",
    ),
    "texts as integers": (pa.array(["1", "1.5"]), Value("int64"), '"1.5"'),
    "texts as decimals": (pa.array(["1.230", "1.239"]), Value("decimal128(5, 2)"), '"1.239"'),
    "texts as times": (
        pa.array(["2020-01-01T00:00:00.0", "2020-01-01T00:00:00.5"]),
        Value("timestamp[s]"),
        '"2020-01-01T00:00:00.5"',
    ),
    "texts as dates": (
        pa.array(["2020-01-01", "2020-01-01T12:00:00"]),
        Value("date32"),
        '"2020-01-01T12:00:00"',
    ),
    "words": (pa.array(["1", "one"]).dictionary_encode(), Value("int64"), '"one"'),
}
WRAPS = {
    "plain": (lambda array: array, lambda feature: feature),
    "lists": (lambda array: pa.ListArray.from_arrays([0, 1, 2], array), List),
    "large lists": (lambda array: pa.LargeListArray.from_arrays([0, 1, 2], array), LargeList),
    "arrays": (lambda array: pa.FixedSizeListArray.from_arrays(array, 1), List),
    "structs": (
        lambda array: pa.StructArray.from_arrays([array], ["a"]),
        lambda feature: {"a": feature},
    ),
    "lists of structs": (
        lambda array: pa.ListArray.from_arrays(
            [0, 1, 2], pa.StructArray.from_arrays([array], ["a"])
        ),
        lambda feature: List({"a": feature}),
    ),
}


def write(path, table):
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=4)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("kind", CUT)
def test_a_value_that_does_not_fit_is_named(tmp_path, kind, wrap, format):
    """The first of the two values fits, and stands alone in rows before."""
    array, feature, shown = CUT[kind]
    array, feature = WRAPS[wrap][0](array), WRAPS[wrap][1](feature)
    good, bad = pa.table({"x": array.slice(0, 1)}), pa.table({"x": array.slice(1)})
    path = tmp_path / f"a.{format}"
    write(path, pa.concat_tables([good] * 6 + [bad]))
    ds = load_dataset(
        format,
        data_files=str(path),
        split="train",
        streaming=True,
        features=Features({"x": feature}),
    )
    assert len(list(ds.take(4))) == 4
    with pytest.raises(SchemaError) as caught:
        list(ds)
    for part in (f"a.{format}", "row 6", '"x"', shown):
        assert part in str(caught.value)


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("fixed", [False, True])
def test_what_lies_beneath_nulls_is_no_value(tmp_path, fixed, format):
    """A list that is null may have items in its file, which mean nothing; so may what is not part of a slice."""
    items, nulls = pa.array([1.0, 0.5, 2.0]), pa.array([False, True, False])
    if fixed:
        lists = pa.FixedSizeListArray.from_arrays(items, 1, mask=nulls)
    else:
        lists = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), items, mask=nulls)
    structs = pa.StructArray.from_arrays([items], ["a"], mask=nulls)
    write(tmp_path / f"a.{format}", pa.table({"x": lists, "y": structs}))
    features = Features({"x": List(Value("int64")), "y": {"a": Value("int64")}})
    ds = load_dataset(
        format, data_files=f"{tmp_path}/*", split="train", streaming=True, features=features
    )
    assert list(ds) == [
        {"x": [1], "y": {"a": 1}},
        {"x": None, "y": None},
        {"x": [2], "y": {"a": 2}},
    ]


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_row_is_one_of_the_file(tmp_path, shuffled):
    """Not of a batch or a piece, also where only some rows are read."""
    write(
        tmp_path / "a.parquet", pa.table({"x": [*map(float, range(10)), 0.5, 11.0], "n": range(12)})
    )
    ds = load_dataset(
        "parquet", data_files=f"{tmp_path}/*", split="train", streaming=True
    ).cast_column("x", Value("int64"))
    ds = ds.shuffle(seed=1, buffer_size=5) if shuffled else ds.skip(9)
    with pytest.raises(
        SchemaError, match=r'a\.parquet: row 10: column "x": 0\.5 is not exact as Int64'
    ):
        list(ds)


def test_fields_that_the_type_does_not_have_are_an_error_if_they_have_values(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"x": [{"a": 1, "b": None}, {"a": 2, "b": 3}]}))
    ds = load_dataset(
        "parquet",
        data_files=f"{tmp_path}/*",
        split="train",
        streaming=True,
        features=Features({"x": {"a": Value("int64")}}),
    )
    assert list(ds.take(1)) == [{"x": {"a": 1}}]
    with pytest.raises(SchemaError, match=r'row 1: column "x".*"b"'):
        list(ds)


@pytest.mark.parametrize("kind", ["int64", "int8", "uint64"])
@pytest.mark.parametrize("format", ["json", "csv"])
def test_whole_floats_in_texts_are_integers_where_these_are_asked_for(tmp_path, format, kind):
    values = ["1.0", "2", "3e0", "0.0"]
    text = (
        "".join(f'{{"x": {value}}}\n' for value in values)
        if format == "json"
        else "x\n" + "".join(f"{value}\n" for value in values)
    )
    (tmp_path / "a").write_text(text)
    features = Features({"x": Value(kind)})
    ds = load_dataset(
        format, data_files=f"{tmp_path}/a", split="train", streaming=True, features=features
    )
    assert [row["x"] for row in ds] == [1, 2, 3, 0]


@pytest.mark.parametrize("value", ["1.5", "9007199254740993.0", "1e300"])
@pytest.mark.parametrize("format", ["json", "csv"])
def test_other_floats_in_texts_are_no_integers(tmp_path, format, value):
    """Nor those of which a float has not all digits."""
    (tmp_path / "a").write_text(
        json.dumps({"x": 1}) + f'\n{{"x": {value}}}\n' if format == "json" else f"x\n1\n{value}\n"
    )
    ds = load_dataset(
        format,
        data_files=f"{tmp_path}/a",
        split="train",
        streaming=True,
        features=Features({"x": Value("int64")}),
    )
    with pytest.raises(SchemaError, match=value.replace("+", r"\+")):
        list(ds)
