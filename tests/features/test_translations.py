"""Translations, from files and cards, as streams and as tables."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rowstream import (
    Dataset,
    Features,
    Translation,
    TranslationVariableLanguages,
    load_dataset,
)

FEATURES = Features(
    {
        "t": Translation(languages=["en", "fr"]),
        "v": TranslationVariableLanguages(languages=["en", "fr"]),
    }
)
ROWS = [{"t": {"en": "a", "fr": "b"}, "v": {"en": "x", "fr": ["y", "z"]}}, {"t": None, "v": None}]
STORED = Dataset.from_list(ROWS, features=FEATURES)


@pytest.mark.parametrize("streaming", [False, True])
def test_they_are_kept_in_parquet(streaming, tmp_path):
    path = str(tmp_path / "t.parquet")
    STORED.to_parquet(path)
    for given in ({}, {"features": FEATURES}):
        ds = load_dataset("parquet", data_files=path, split="train", streaming=streaming, **given)
        assert ds.features == FEATURES
        assert [*ds] == [*STORED]


@pytest.mark.parametrize("streaming", [False, True])
def test_they_are_declared(streaming, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"t": {"en": "a", "fr": "b"}}) + "\n")
    features = Features({"t": FEATURES["t"]})
    given = {"data_files": str(path), "split": "train", "streaming": streaming}
    ds = load_dataset("json", features=features, **given)
    assert ds.features == features
    assert [*ds] == [{"t": {"en": "a", "fr": "b"}}]
    assert load_dataset("json", **given).cast_column("t", features["t"]).features == features


@pytest.mark.parametrize("streaming", [False, True])
def test_a_card_says_what_columns_of_parquet_are(streaming, tmp_path):
    """Column by column: what does not fit, the files say."""
    said = [
        {"name": "t", "dtype": {"translation": {"languages": ["en", "fr"]}}},
        {"name": "im", "dtype": "image"},
        {"name": "label", "dtype": {"class_label": {"names": {"0": "no", "1": "yes"}}}},
        {"name": "named", "dtype": {"class_label": {"names": {"0": "no", "1": "yes"}}}},
        {"name": "n", "dtype": "int32"},
        {"name": "other", "dtype": "string"},
    ]
    card = yaml.safe_dump({"dataset_info": {"features": said}})
    (tmp_path / "README.md").write_text(f"---\n{card}---\n")
    table = pa.table(
        {
            "t": [{"en": "a", "fr": "b"}],
            "im": [{"bytes": b"x", "path": "a.png"}],
            "label": pa.array([1], pa.int8()),
            "named": ["yes"],
            "n": [5],
            "other": [7],
            "more": pa.array(["x"], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "train.parquet")
    ds = load_dataset(str(tmp_path), split="train", streaming=streaming)
    kinds = {name: type(of).__name__ for name, of in ds.features.items()}
    assert kinds == {
        "t": "Translation",
        "im": "Image",
        "label": "ClassLabel",
        "named": "ClassLabel",
        "n": "Value",
        "other": "Value",
        "more": "Value",
    }
    assert (ds.features["n"].dtype, ds.features["other"].dtype) == ("int32", "int64")
    row = next(iter(ds.remove_columns("im")))
    assert (row["label"], row["named"], row["n"], row["other"]) == (1, 1, 5, 7)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_configuration_of_a_card_says_types(streaming, tmp_path):
    said = [
        {"name": "a", "dtype": "string"},
        {"name": "l", "dtype": {"class_label": {"names": {"0": "no", "1": "yes"}}}},
    ]
    config = {"config_name": "default", "data_files": "a.csv", "features": said}
    (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': [config]})}---\n")
    (tmp_path / "a.csv").write_text("a,l\n007,1\n")
    ds = load_dataset(str(tmp_path), split="train", streaming=streaming)
    assert ds.features["l"].names == ["no", "yes"]
    assert [*ds] == [{"a": "007", "l": 1}]
