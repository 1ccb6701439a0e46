"""One table of type names: whatever `Value` takes, every reader and writer takes, streams and map-style alike. To tests/features/."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    ClassLabel,
    Dataset,
    Features,
    IterableDataset,
    Json,
    List,
    Value,
    col,
    load_dataset,
)
from rowstream.arrow.dtypes import core_name, core_type
from rowstream.arrow.dtypes import dtype_of as _arrow_to_datasets_dtype
from rowstream.exceptions import InvalidArgumentError, SchemaError

AT = dt.datetime(2024, 5, 6, 7, 8, 9)
VALUES = {
    "null": None,
    "bool": True,
    "int8": -5,
    "uint16": 500,
    "int64": 2**62,
    "float16": 0.5,
    "float64": 0.1,
    "string": "é",
    "large_string": "é",
    "string_view": "é",
    "binary": b"\xff",
    "large_binary": b"\xff",
    "binary_view": b"\xff",
    "date32": dt.date(2024, 1, 2),
    "date64": dt.date(2024, 1, 2),
    "timestamp[s]": AT,
    "timestamp[ns]": AT,
    "timestamp[us, tz=UTC]": AT,
    "timestamp[ms, tz=Europe/Paris]": AT,
    "timestamp[us, tz=+05:30]": AT,
    "timestamp[s, tz=Etc/GMT+5]": AT,
    "time32[s]": dt.time(1, 2, 3),
    "time32[ms]": dt.time(1, 2, 3),
    "time64[us]": dt.time(1, 2, 3, 4),
    "time64[ns]": dt.time(1, 2, 3, 4),
    "duration[s]": dt.timedelta(seconds=5),
    "duration[us]": dt.timedelta(seconds=5),
    "decimal32(5, 2)": Decimal("1.25"),
    "decimal64(12, 2)": Decimal("1.25"),
    "decimal128(10, 2)": Decimal("1.25"),
    "decimal128(38, -3)": Decimal(5000),
    "decimal256(50, 2)": Decimal("1.25"),
    "fixed_size_binary[4]": b"abcd",
}
SPELLINGS = {
    "float": "float32",
    "double": "float64",
    "bool_": "bool",
    "utf8": "string",
    "decimal128(10,2)": "decimal128(10, 2)",
    "decimal256(10,  -2)": "decimal256(10, -2)",
    "timestamp[us,tz=UTC]": "timestamp[us, tz=UTC]",
    "timestamp[ns,  tz=America/New_York]": "timestamp[ns, tz=America/New_York]",
    "timestamp[s,tz=]": "timestamp[s]",
}
NO_TYPES = (
    "str",
    "int",
    "decimal128(39, 2)",
    "decimal128(10)",
    "timestamp",
    "timestamp[m]",
    "time32[us]",
    "time64[s]",
    "fixed_size_binary",
    "list",
    "",
)


@pytest.mark.parametrize("name", VALUES)
def test_the_table_is_its_own_inverse(name):
    assert Value(name).dtype == name
    assert core_name(core_type(name)) == name
    assert json.loads(json.dumps(core_type(name))) == core_type(name)
    assert _arrow_to_datasets_dtype(Value(name).pa_type) == name


@pytest.mark.parametrize("name", SPELLINGS)
def test_other_spellings_are_the_same_type(name):
    assert Value(name) == Value(SPELLINGS[name])
    assert Value(name).dtype == SPELLINGS[name]
    assert Value(name).pa_type == Value(SPELLINGS[name]).pa_type


@pytest.mark.parametrize("name", NO_TYPES)
def test_what_is_no_type_is_refused_at_once(name):
    with pytest.raises((ValueError, TypeError)):
        Value(name)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_a_file_takes_its_own_features(tmp_path, format, name, nested):
    if format == "parquet" and "-" in name:
        pytest.skip("Parquet has no such type")
    kind = Value(name).pa_type
    column = pa.array([VALUES[name], None], kind)
    if nested:
        column = pa.array(
            [{"l": [one]} for one in column.to_pylist()], pa.struct({"l": pa.list_(kind)})
        )
    table = pa.table({"x": column})
    if format == "parquet":
        pq.write_table(table, tmp_path / "a.parquet")
    else:
        with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as writer:
            writer.write_table(table)

    def load(**options):
        return load_dataset(
            format, data_files=str(tmp_path / f"a.{format}"), split="train", **options
        )

    ds = load(streaming=True)
    again = load(streaming=True, features=ds.features)
    assert again.features == ds.features
    # Parquet has no seconds.
    assert format == "parquet" or ds.features == {
        "x": {"l": List(Value(name))} if nested else Value(name)
    }
    assert list(again) == list(ds) == list(load()) == list(load(features=ds.features))
    assert list(ds.cast(ds.features)) == list(ds)


@pytest.mark.parametrize("name", [name for name in VALUES if name != "null"])
def test_streams_of_memory_take_it(name):
    features, data = Features({"x": Value(name)}), {"x": [VALUES[name], None]}
    expected = list(Dataset.from_dict(data, features=features))
    assert list(IterableDataset.from_dict(data, features=features)) == expected
    assert (
        list(Dataset.from_dict(data, features=features).to_iterable_dataset().cast(features))
        == expected
    )


TEXTS = {
    "decimal128(10,2)": ("1.25", Decimal("1.25")),
    "decimal32(5,2)": ("1.25", Decimal("1.25")),
    "decimal64(12, 2)": ("-1.25", Decimal("-1.25")),
    "fixed_size_binary[4]": ("abcd", b"abcd"),
    "duration[s]": ("5", dt.timedelta(seconds=5)),
    "duration[ms]": ("-5000", dt.timedelta(seconds=-5)),
    "time32[s]": ("07:08:09", dt.time(7, 8, 9)),
    "time64[us]": ("07:08:09.000001", dt.time(7, 8, 9, 1)),
    "timestamp[us,tz=UTC]": ("2024-05-06T07:08:09Z", AT.replace(tzinfo=ZoneInfo("UTC"))),
    "timestamp[ms, tz=Europe/Paris]": (
        "2024-05-06T07:08:09+00:00",
        AT.replace(hour=9, tzinfo=ZoneInfo("Europe/Paris")),
    ),
    "timestamp[s,tz=America/New_York]": (
        "2024-01-06 07:08:09-05:00",
        dt.datetime(2024, 1, 6, 7, 8, 9, tzinfo=ZoneInfo("America/New_York")),
    ),
    # Without an offset it is the time of the zone, in summer and in winter.
    "timestamp[us, tz=Asia/Tokyo]": (
        "2024-05-06 07:08:09",
        AT.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
    ),
    "timestamp[us, tz=Europe/Berlin]": (
        "2024-07-06T07:08:09",
        dt.datetime(2024, 7, 6, 7, 8, 9, tzinfo=ZoneInfo("Europe/Berlin")),
    ),
}


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_read_as_it(tmp_path, name, format, streaming):
    text, value = TEXTS[name]
    if format == "json":
        (tmp_path / "a.json").write_text(
            f'{{"x": {text if "duration" in name else json.dumps(text)}, "y": 1}}\n{{"x": null, "y": 2}}\n'
        )
    else:
        (tmp_path / "a.csv").write_text(f"x,y\n{text},1\n,2\n")
    features = Features({"x": Value(name), "y": Value("int8")})
    ds = load_dataset(
        format,
        data_files=f"{tmp_path}/a.{format}",
        split="train",
        streaming=streaming,
        features=features,
    )
    assert list(ds) == [{"x": value, "y": 1}, {"x": None, "y": 2}]
    assert ds.features == features


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("unit", "zone"), [("us", "UTC"), ("ms", "Europe/Paris"), ("us", "+05:30")]
)
def test_a_time_without_a_zone_is_utc(tmp_path, unit, zone, streaming):
    """As pyarrow casts it, so that streams and map-style data sets are the same."""
    pq.write_table(
        pa.table(
            {
                "x": pa.array([AT, None], pa.timestamp("us")),
                "d": pa.array([AT.date()] * 2, pa.date32()),
            }
        ),
        tmp_path / "a.parquet",
    )
    dtype = f"timestamp[{unit}, tz={zone}]"
    ds = load_dataset(
        "parquet",
        data_files=f"{tmp_path}/*",
        split="train",
        streaming=streaming,
        features=Features({"x": Value(dtype), "d": Value(dtype)}),
    )
    first, second = list(ds)
    assert first["x"] == AT.replace(tzinfo=dt.UTC)
    assert first["d"] == dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    assert second["x"] is None


def test_filters_of_named_zones(tmp_path):
    times = [AT, AT + dt.timedelta(hours=1)]
    pq.write_table(
        pa.table({"x": pa.array(times, pa.timestamp("us", "Europe/Paris"))}), tmp_path / "a.parquet"
    )
    ds = load_dataset("parquet", data_files=f"{tmp_path}/*", split="train", streaming=True)
    assert len(list(ds.filter(col("x") > AT.replace(tzinfo=dt.UTC)))) == 1


def test_filters_of_small_decimals():
    ds = IterableDataset.from_dict(
        {"x": [Decimal("1.25"), Decimal("2.5")]}, features=Features({"x": Value("decimal32(5, 2)")})
    )
    assert len(list(ds.filter(col("x") > 2))) == 1
    assert len(list(ds.filter(col("x") == Decimal("1.25")))) == 1


def test_bytes_of_another_length_are_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": "abcd"}\n{"x": "abc"}\n')
    ds = load_dataset(
        "json",
        data_files=f"{tmp_path}/*",
        split="train",
        streaming=True,
        features=Features({"x": Value("fixed_size_binary[4]")}),
    )
    with pytest.raises(SchemaError, match="x"):
        list(ds)


def test_a_type_that_files_do_not_have_is_refused_with_its_name():
    with pytest.raises(InvalidArgumentError, match="the type 'uuid'"):
        IterableDataset.from_dict({"x": ["a"]}, features=Features({"x": Value("uuid")}))


# ------------------------------------------------------------------------------------------- what CSV is declared as


CSV = {
    "zeros": ("007", Value("string"), "007"),
    "a large string": ("007", Value("large_string"), "007"),
    "decimals": ("1.10", Value("string"), "1.10"),
    "words": ("True", Value("string"), "True"),
    "exponents": ("1e3", Value("string"), "1e3"),
    "large": ("12345678901234567890123", Value("string"), "12345678901234567890123"),
    "an integer": ("007", Value("int32"), 7),
    "an integer with a point": ("2.0", Value("int64"), 2),
    "a float": ("7", Value("float32"), 7.0),
    "a label": ("dog", ClassLabel(names=["cat", "dog"]), 1),
    "the number of a label": ("1", ClassLabel(names=["cat", "dog"]), 1),
    "JSON": ('"{""a"": 1}"', Json(), {"a": 1}),
}


@pytest.mark.parametrize("what", CSV)
def test_map_style_csv_is_read_as_it_is_declared(tmp_path, what):
    """Not as what it looks like, cast afterwards: that would have changed texts."""
    text, feature, value = CSV[what]
    (tmp_path / "a.csv").write_text(f"x,zip\n{text},00701\n,\n")
    features = Features({"x": feature, "zip": Value("string")})
    ds = load_dataset("csv", data_files=f"{tmp_path}/a.csv", split="train", features=features)
    assert list(ds) == [{"x": value, "zip": "00701"}, {"x": None, "zip": None}]
    assert ds.features == features
