"""Files of one data set whose objects have other fields: values stay with their names, and what a file lacks is null."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset

WRAPS = {
    "plain": (lambda kind: kind, lambda value: value),
    "list": (pa.list_, lambda value: [value]),
    "large list": (pa.large_list, lambda value: [value]),
    "array": (lambda kind: pa.list_(kind, 1), lambda value: [value]),
    "struct": (lambda kind: pa.struct([("s", kind)]), lambda value: {"s": value}),
    "struct of large lists": (
        lambda kind: pa.struct([("s", pa.large_list(kind))]),
        lambda value: {"s": [value]},
    ),
    "list of arrays": (lambda kind: pa.list_(pa.list_(kind, 1)), lambda value: [[value]]),
}
FIRST = {"x": 1, "y": 2}
SECOND = {
    "another order": {"y": 20, "x": 10},
    "another name": {"x": 10, "z": 30},
    "another first name": {"z": 30, "y": 20},
    "other names": {"p": 30, "q": 20},
    "fewer": {"y": 20},
    "more": {"x": 10, "y": 20, "z": 30},
    "between": {"x": 10, "z": 30, "y": 20},
}


def write(path, table):
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)


def kind_of(value):
    return pa.struct([(name, pa.int64()) for name in value])


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "map-style"])
@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("wrap", WRAPS)
def test_values_stay_with_their_names(tmp_path, wrap, second, backwards, format, streaming):
    kind, wrapped = WRAPS[wrap]
    values = [SECOND[second], FIRST] if backwards else [FIRST, SECOND[second]]
    for i, value in enumerate(values):
        write(
            tmp_path / f"{i}.{format}",
            pa.table({"a": pa.array([wrapped(value)], kind(kind_of(value)))}),
        )
    cache = None if streaming else str(tmp_path / "cache")
    ds = load_dataset(
        format,
        data_files=f"{tmp_path}/*.{format}",
        split="train",
        streaming=streaming,
        cache_dir=cache,
    )
    names = set(values[0]) | set(values[1])
    assert [row["a"] for row in ds] == [
        wrapped({name: value.get(name) for name in names}) for value in values
    ]


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "map-style"])
@pytest.mark.parametrize("second", ["another name", "other names", "fewer", "more"])
def test_lines_of_files_stay_with_their_names(tmp_path, second, streaming):
    """Whether their objects become objects with all fields, or JSON that is given as it was."""
    values = [FIRST, SECOND[second]]
    for i, value in enumerate(values):
        (tmp_path / f"{i}.jsonl").write_text(json.dumps({"a": value}) + "\n")
    cache = None if streaming else str(tmp_path / "cache")
    ds = load_dataset(
        "json",
        data_files=f"{tmp_path}/*.jsonl",
        split="train",
        streaming=streaming,
        cache_dir=cache,
    )
    assert [
        {name: one for name, one in row["a"].items() if one is not None} for row in ds
    ] == values


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "map-style"])
@pytest.mark.parametrize("second", ["another name", "other names", "fewer"])
def test_maps_of_other_objects_are_right_or_an_error(tmp_path, second, streaming):
    for i, value in enumerate([FIRST, SECOND[second]]):
        write(
            tmp_path / f"{i}.parquet",
            pa.table({"a": pa.array([[("k", value)]], pa.map_(pa.string(), kind_of(value)))}),
        )
    cache = None if streaming else str(tmp_path / "cache")
    try:
        rows = list(
            load_dataset(
                "parquet",
                data_files=f"{tmp_path}/*.parquet",
                split="train",
                streaming=streaming,
                cache_dir=cache,
            )
        )
    except Exception as error:
        assert "1.parquet" in str(error) or "map" in str(error)
    else:
        found = [
            dict(row["a"])["k"] if isinstance(row["a"][0], tuple) else row["a"][0]["value"]
            for row in rows
        ]
        assert [
            {name: one for name, one in value.items() if one is not None} for value in found
        ] == [FIRST, SECOND[second]]
