"""JSON Lines, as users meet them: types, errors that help, and what `datasets` gives."""

from __future__ import annotations

import gzip
import json

import pytest
from rowstream import exceptions, load_dataset
from rowstream.features import Features, Json, List, Value


@pytest.fixture
def lines(tmp_path):
    def make(*rows, name="data.jsonl", **kwargs):
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return load_dataset("json", data_files=str(path), split="train", streaming=True, **kwargs)

    return make


def test_types_widen_over_the_lines_and_the_files(lines, tmp_path):
    lines({"a": None, "b": 1}, name="0.jsonl")
    lines({"a": "text", "b": 2.5, "c": [None]}, name="1.jsonl.gz")
    lines({"c": [{"x": 1}], "d": True}, name="2.ndjson")
    ds = load_dataset(str(tmp_path), split="train", streaming=True)
    assert ds.features == Features(
        {
            "a": Value("string"),
            "b": Value("float64"),
            "c": List({"x": Value("int64")}),
            "d": Value("bool"),
        }
    )
    assert list(ds) == [
        {"a": None, "b": 1.0, "c": None, "d": None},
        {"a": "text", "b": 2.5, "c": [None], "d": None},
        {"a": None, "b": None, "c": [{"x": 1}], "d": True},
    ]
    assert ds.info.splits["train"].num_examples is None


def test_what_does_not_fit_names_file_line_and_field(lines):
    rows = [{"id": i, "text": "x" * 10_000} for i in range(1500)]
    with pytest.raises(
        exceptions.SchemaError,
        match=r"data\.jsonl: line 1501 \(byte \d+\): field \"id\": expected Int64, found 0\.5; pass features",
    ):
        list(lines(*rows, {"id": 0.5}))
    with pytest.raises(
        exceptions.SchemaError,
        match=r"line 1501 .*field \"new\.x\".*|line 1501 .*field \"new\": a field that the schema does not have.*int64",
    ):
        list(lines(*rows, {"new": {"x": 1}}))
    assert lines(*rows, {"id": 0.5}, infer="all").features["id"] == Value("float64")
    features = Features({"id": Value("float32"), "text": Value("string")})
    assert list(lines(*rows, {"id": 0.5}, features=features))[-1] == {"id": 0.5, "text": None}
    mixed = lines({"x": 1}, {"x": "a"}, {"x": {"y": [1]}}, features={"x": Value("string")})
    assert [row["x"] for row in mixed] == ["1", "a", '{"y": [1]}']


def test_fields_of_mixed_types_are_json(lines, tmp_path):
    values = [1, "x", {"b": 2}, None, [1, "z"], 3.5, {"b": "c", "d": [{}]}, True, 'a "quoted" é']
    rows = [{"id": i, "a": value, "l": [{"c": value}]} for i, value in enumerate(values)]
    ds = lines(*rows)
    assert ds.features == Features({"id": Value("int64"), "a": Json(), "l": List({"c": Json()})})
    assert list(ds) == rows
    assert sorted(row["id"] for row in ds.shuffle(seed=1, buffer_size=3)) == list(range(len(rows)))
    assert [row["a"] for row in ds.filter(lambda row: isinstance(row["a"], dict))] == [
        {"b": 2},
        {"b": "c", "d": [{}]},
    ]
    assert [json.loads(row["a"]) for row in ds.decode(False).take(3)] == values[:3]
    rows_again = iter(ds)
    first = [next(rows_again) for _ in range(4)]
    ds.load_state_dict(ds.state_dict())
    assert first + list(ds) == rows
    ds.to_parquet(tmp_path / "mixed.parquet")
    assert (
        list(
            load_dataset(
                "parquet",
                data_files=str(tmp_path / "mixed.parquet"),
                split="train",
                streaming=True,
                features=ds.features,
            )
        )
        == rows
    )
    with pytest.raises(exceptions.SchemaError, match='column "x" has values of mixed types'):
        list(lines({"x": 1}, {"x": "a"}, filters=[("x", "==", "a")]))


def test_features_that_json_has_no_values_for(lines):
    features = Features(
        {
            "at": Value("timestamp[s]"),
            "n": Value("int8"),
            "raw": Value("binary"),
            "l": List(Value("float32"), length=2),
        }
    )
    ds = lines(
        {"at": "2020-01-02T03:04:05", "n": 7, "raw": "bytes", "l": [1, 2.5]}, features=features
    )
    assert ds.features == features
    (row,) = ds
    assert (row["at"].year, row["n"], row["raw"], row["l"]) == (2020, 7, b"bytes", [1.0, 2.5])
    with pytest.raises(exceptions.SchemaError, match="1000"):
        list(lines({"n": 1000}, features={"n": Value("int8")}))
    with pytest.raises(ValueError, match="no type 'int7'"):
        Value("int7")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": 2', r"line 2 \(byte 9\): column 9.*ends in the middle"),
        ('{"a": 1}\n[1]', r"line 2.*expected an object, found '\['"),
        ('{"a": 1}\n{"a": 1, "a": 2}', "twice in one object"),
        ('{"a": tru}', "column 7"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": 12345678901234567890123}', "more than 64 bits"),
    ],
)
def test_malformed_lines(lines, text, message):
    with pytest.raises(exceptions.RowstreamError, match=message):
        list(lines(text))


def test_columns_are_chosen_before_they_are_read(lines):
    ds = lines({"a": 1, "b": [1, 2], "c": "x"}, {"b": [3], "a": 2}, columns=["c", "a"])
    assert list(ds) == [{"c": "x", "a": 1}, {"c": None, "a": 2}]


def test_one_large_file_is_many_pieces(tmp_path):
    path = tmp_path / "large.jsonl"
    path.write_text(
        "".join(json.dumps({"id": i, "text": "x" * (i % 900)}) + "\n" for i in range(12_000))
    )
    ds = load_dataset(str(path), split="train", streaming=True)
    assert ds.num_shards > 4
    assert [row["id"] for row in ds] == list(range(12_000))
    assert sorted(row["id"] for row in ds.shuffle(seed=1)) == list(range(12_000))
    assert [row["id"] for row in ds.skip(11_990)] == list(range(11_990, 12_000))


def test_options_that_there_are_not(lines):
    with pytest.raises(NotImplementedError):
        lines({"a": 1}, encoding="utf-7")
    with pytest.raises(exceptions.InvalidArgumentError, match="encoding_errors is one of"):
        lines({"a": 1}, encoding_errors="surrogateescape")
    with pytest.raises(exceptions.InvalidArgumentError, match='infer must be "all"'):
        lines({"a": 1}, infer="some")
    assert list(lines({"a": 1}, chunksize=5)) == [{"a": 1}]
