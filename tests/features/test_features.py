from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import ClassLabel, Features, LargeList, List, Value, load_dataset


def features(tmp_path, table):
    pq.write_table(table, tmp_path / "a.parquet")
    return load_dataset(str(tmp_path), split="train", streaming=True).features


def test_types(tmp_path):
    schema = pa.schema(
        {
            "a": pa.int64(),
            "b": pa.list_(pa.string()),
            "c": pa.large_list(pa.float32()),
            "d": pa.list_(pa.float32(), 3),
            "e": pa.struct({"x": pa.bool_(), "y": pa.list_(pa.struct({"z": pa.date32()}))}),
            "f": pa.timestamp("us", "UTC"),
            "g": pa.decimal128(10, 2),
            "h": pa.time64("us"),
            "i": pa.duration("ms"),
            "j": pa.map_(pa.string(), pa.int8()),
        }
    )
    found = features(tmp_path, schema.empty_table())
    assert found == {
        "a": Value("int64"),
        "b": List(Value("string")),
        "c": LargeList(Value("float32")),
        "d": List(Value("float32"), length=3),
        "e": {"x": Value("bool"), "y": List({"z": Value("date32")})},
        "f": Value("timestamp[us, tz=UTC]"),
        "g": Value("decimal128(10, 2)"),
        "h": Value("time64[us]"),
        "i": Value("duration[ms]"),
        "j": List({"key": Value("string"), "value": Value("int8")}),
    }
    assert isinstance(found, Features)
    assert repr(found["d"]) == "List(Value('float32'), length=3)"


def test_class_labels_that_datasets_wrote(tmp_path):
    written = {
        "info": {
            "features": {
                "label": {"names": ["no", "yes"], "_type": "ClassLabel"},
                "t": {"dtype": "string", "_type": "Value"},
            }
        }
    }
    table = pa.table({"label": [0, 1], "t": ["a", "b"]}).replace_schema_metadata(
        {"huggingface": json.dumps(written)}
    )
    found = features(tmp_path, table)
    assert found["label"] == ClassLabel(names=["no", "yes"])
    assert (found["label"].str2int("yes"), found["label"].int2str([0, 1])) == (1, ["no", "yes"])


def test_class_label():
    assert ClassLabel(num_classes=2).names == ["0", "1"]
    with pytest.raises(ValueError, match="3 classes has 2 names"):
        ClassLabel(num_classes=3, names=["a", "b"])
    with pytest.raises(ValueError, match="Invalid string class label c"):
        ClassLabel(names=["a", "b"]).str2int("c")
