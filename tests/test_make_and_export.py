"""Streams of what is in memory or generated, casts, parts of splits, and what streams are written to."""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
from itertools import islice

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    ClassLabel,
    Dataset,
    Features,
    IterableDataset,
    Value,
    exceptions,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
    write_jsonl,
)

# Generators of one shard are split over ranks on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:split_dataset_by_node")

ROWS = [{"id": i, "text": "x" * (i % 40), "n": [i] * (i % 3)} for i in range(3000)]


def shards(names, size, factor=1):
    for name in names:
        yield from ({"shard": name, "id": i * factor} for i in range(size))


def test_what_is_in_memory_is_a_listing():
    ds = IterableDataset.from_list(ROWS)
    assert list(ds) == ROWS
    assert ds.num_shards > 1
    assert [row["id"] for row in ds.filter(lambda row: row["id"] > 2990)] == list(range(2991, 3000))
    shuffled = ds.shuffle(seed=1, buffer_size=500)
    whole = [row["id"] for row in shuffled]
    assert sorted(whole) == list(range(3000))
    head = [row["id"] for row in islice(shuffled, 700)]
    again = IterableDataset.from_list(list(ROWS)).shuffle(seed=1, buffer_size=500)
    again.load_state_dict(shuffled.state_dict())
    assert head + [row["id"] for row in again] == whole
    assert list(pickle.loads(pickle.dumps(IterableDataset.from_list(ROWS)))) == ROWS
    rows = iter(IterableDataset.from_list(ROWS))
    assert [next(rows)["id"] for _ in range(5)] == [0, 1, 2, 3, 4]  # the data set itself is gone


def test_constructors():
    assert list(IterableDataset.from_dict({"a": np.arange(3), "b": ["x", None, "z"]})) == [
        {"a": 0, "b": "x"},
        {"a": 1, "b": None},
        {"a": 2, "b": "z"},
    ]
    assert list(IterableDataset.from_list([{"a": 1}, {"b": "x"}])) == [
        {"a": 1, "b": None},
        {"a": None, "b": "x"},
    ]
    ds = IterableDataset.from_dict(
        {"label": [0, 1]}, features=Features({"label": ClassLabel(names=["n", "y"])})
    )
    assert ds.features["label"].names == ["n", "y"]
    assert list(IterableDataset.from_pandas(pd.DataFrame({"a": [1, 2]}))) == [{"a": 1}, {"a": 2}]
    assert list(IterableDataset.from_polars(pl.DataFrame({"a": ["x"]}).lazy())) == [{"a": "x"}]
    assert list(IterableDataset.from_list([])) == []
    with pytest.raises(exceptions.InvalidArgumentError, match="one length"):
        IterableDataset.from_dict({"a": [1], "b": []})
    with pytest.raises(exceptions.InvalidArgumentError, match="column 'a'"):
        IterableDataset.from_dict({"a": [1, "x"]})


def test_a_generator_has_shards_states_and_workers():
    make = lambda: IterableDataset.from_generator(
        shards, gen_kwargs={"names": ["a", "b", "c", "d", "e"], "size": 20}
    )
    ds = make()
    whole = list(ds)
    assert whole == [{"shard": name, "id": i} for name in "abcde" for i in range(20)]
    assert ds.num_shards == 5
    for build in (make, lambda: make().shuffle(seed=3, buffer_size=15)):
        whole = list(build())
        for cut in (0, 3, 37, 99, 100):
            ds = build()
            head = list(islice(ds, cut))
            again = build()
            again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
            assert head + list(again) == whole
        for counts in ([2, 3], [8, 1], [5, 4]):
            seen, merged = [], None
            for i, n in enumerate(counts):
                states = []
                for c in range(n):
                    part = split_dataset_by_node(build(), c, n)
                    if merged is not None:
                        part.load_state_dict(merged)
                    seen += list(part) if i else list(islice(part, 4))
                    states.append(part.state_dict())
                merged = merge_state_dicts(states)
            assert sorted(map(str, seen)) == sorted(map(str, whole))
    assert len(list(make().shard(5, 2))) == 20
    assert {row["shard"] for row in make().shard(2, 0)} == {"a", "b", "c"}
    ds = make().shuffle(seed=1)
    first = list(ds)
    ds.set_epoch(1)
    assert sorted(map(str, first)) == sorted(map(str, ds))
    assert list(ds) != first
    with pytest.raises(exceptions.InvalidArgumentError, match="one length"):
        IterableDataset.from_generator(shards, gen_kwargs={"names": ["a"], "size": [1, 2]})
    with pytest.raises(exceptions.InvalidArgumentError, match="must yield dicts"):
        list(IterableDataset.from_generator(lambda: iter([1])))


@pytest.fixture
def files(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet", row_group_size=700)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "rows.csv").write_text(
        "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in ROWS)
    )
    return tmp_path


@pytest.mark.parametrize("format", ["parquet", "json", "csv"])
def test_casts_are_made_by_the_decoder(files, format):
    path = str(files / f"rows.{'jsonl' if format == 'json' else format}")
    ds = load_dataset(format, data_files=path, split="train", streaming=True)
    cast = ds.cast_column("id", Value("float32"))
    assert cast.features["id"] == Value("float32")
    assert [row["id"] for row in cast.take(3)] == [0.0, 1.0, 2.0]
    assert next(iter(ds.cast_column("id", Value("string"))))["id"] == "0"
    assert ds.rename_column("id", "number").cast_column("number", Value("int16")).features[
        "number"
    ] == Value("int16")
    with pytest.raises(exceptions.SchemaError, match="id"):
        list(ds.cast_column("id", Value("int8")))
    features = Features({**ds.features, "id": Value("uint16")})
    assert ds.cast(features).features == features
    assert (
        load_dataset(
            format, data_files=path, split="train", streaming=True, features=features
        ).features
        == features
    )
    mapped = ds.map(lambda row: {"id": row["id"] + 1}).cast_column("id", Value("float64"))
    assert next(iter(mapped))["id"] == 1.0
    state = ds.shuffle(seed=1).state_dict()
    ds.cast_column("id", Value("float32")).shuffle(seed=1).load_state_dict(
        state
    )  # a type moves no row


def test_strings_become_labels():
    ds = IterableDataset.from_dict({"label": ["yes", "no", None, "yes"]})
    labels = ds.cast_column("label", ClassLabel(names=["no", "yes"]))
    assert [row["label"] for row in labels] == [1, 0, None, 1]
    assert labels.features["label"].names == ["no", "yes"]
    with pytest.raises(exceptions.SchemaError, match='"yes" is no label'):
        list(ds.cast_column("label", ClassLabel(names=["no"])))


@pytest.mark.parametrize("format", ["parquet", "json", "csv"])
def test_parts_of_splits(files, format):
    path = str(files / f"rows.{'jsonl' if format == 'json' else format}")
    part = lambda split: [
        row["id"]
        for row in load_dataset(
            format, data_files={"train": path, "test": path}, split=split, streaming=True
        )
    ]
    for split, expected in [
        ("train[:10]", range(10)),
        ("train[10:12]", [10, 11]),
        ("train[-3:]", [2997, 2998, 2999]),
        ("train[:1%]", range(30)),
        ("train[33%:34%](pct1_dropremainder)", range(990, 1020)),
        ("train[99%:]", range(2970, 3000)),
        ("train[:2]+test[-2:]", [0, 1, 2998, 2999]),
        ("train[5:3]", []),
        ("train[2998:5000]", [2998, 2999]),
    ]:
        assert part(split) == list(expected), split
    both = load_dataset(
        format, data_files=path, split=["train[:50%]", "train[50%:]"], streaming=True
    )
    assert [len(list(ds)) for ds in both] == [1500, 1500]
    with pytest.raises(exceptions.InvalidArgumentError, match=r"expected a name with a slice"):
        part("train[1:2:3]")


def test_exports(files, tmp_path):
    ds = IterableDataset.from_list(ROWS)
    ds.to_parquet(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == ROWS
    ds.shuffle(seed=1).to_json(tmp_path / "out.jsonl")
    assert (
        sorted(
            (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()),
            key=lambda row: row["id"],
        )
        == ROWS
    )
    ds.remove_columns("n").to_csv(tmp_path / "out.csv")
    assert pd.read_csv(tmp_path / "out.csv", keep_default_na=False).to_dict("records") == [
        {"id": row["id"], "text": row["text"]} for row in ROWS
    ]
    assert ds.to_pandas()["id"].tolist() == list(range(3000))
    assert ds.to_polars()["text"].to_list() == [row["text"] for row in ROWS]
    assert ds.to_list() == ROWS
    assert ds.to_dict()["id"] == list(range(3000))
    assert [len(frame) for frame in ds.to_pandas(batch_size=1000, batched=True)] == [1000] * 3
    mapped = ds.map(lambda row: {"double": row["id"] * 2})
    mapped.to_parquet(tmp_path / "mapped.parquet")
    assert pq.read_table(tmp_path / "mapped.parquet")["double"].to_pylist() == [
        2 * i for i in range(3000)
    ]
    assert IterableDataset.from_list([{"a": 1}]).take(0).to_pandas().columns.tolist() == ["a"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.parquet"
    path.write_text("before")

    def fails(row):
        if row["id"] == 2500:
            raise RuntimeError("no")
        return row

    for write in ("to_parquet", "to_json", "to_csv"):
        with pytest.raises(RuntimeError, match="no"):
            getattr(IterableDataset.from_list(ROWS).map(fails), write)(path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]
    with pytest.raises(exceptions.InvalidArgumentError, match="no folder"):
        IterableDataset.from_list(ROWS).to_json(tmp_path / "nowhere" / "x.jsonl")


@pytest.mark.parametrize("streaming", [False, True])
def test_integers_beside_nulls_are_written_as_they_are(tmp_path, streaming):
    """Also inside lists and structs: as floats, those beyond 2^53 would be others."""
    big = 2**53 + 1
    rows = [{"n": big, "l": [big, None], "s": {"a": big}}, {"n": None, "l": [], "s": {"a": None}}]
    ds = Dataset.from_list(rows)
    ds = ds.to_iterable_dataset() if streaming else ds
    ds.to_json(str(tmp_path / "a.jsonl"))
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == rows
    ds.to_csv(str(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_text().count(str(big)) == 3


MIXED = [{"a": 1, "m": {"x": 1}}, {"a": 2, "m": [1, "s"]}, {"a": 3, "m": None}]


@pytest.mark.parametrize("streaming", [False, True])
def test_mixed_json_is_written_as_it_is(tmp_path, streaming):
    """A stream and a map-style data set are written by the same code: objects, not their text."""
    write_jsonl(tmp_path / "in.jsonl", MIXED)
    ds = load_dataset(
        "json", data_files=str(tmp_path / "in.jsonl"), split="train", streaming=streaming
    )
    assert ds.to_dict()["m"] == [row["m"] for row in MIXED]
    assert ds.to_pandas()["m"].tolist() == [row["m"] for row in MIXED]
    assert next(iter(ds.to_pandas(batched=True)))["m"].tolist() == [row["m"] for row in MIXED]
    for name in ("out.jsonl", "out.jsonl.gz", "out.parquet"):
        write = ds.to_parquet if name.endswith("parquet") else ds.to_json
        write(tmp_path / name)
        kind = "parquet" if name.endswith("parquet") else "json"
        again = load_dataset(kind, data_files=str(tmp_path / name), split="train")
        assert again.to_list() == MIXED
    ds.to_json(tmp_path / "out.json", lines=False)
    assert json.loads((tmp_path / "out.json").read_text()) == MIXED
    with pytest.raises(NotImplementedError):
        ds.to_json(tmp_path / "out.json", lines=False, batch_size=1)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("format", ["parquet", "csv", "json"])
def test_files_of_urls_are_written(streaming, format):
    ds = Dataset.from_dict({"a": [1, 2, 3], "b": ["x", None, "z"]})
    ds = ds.to_iterable_dataset() if streaming else ds
    url = f"memory://written-{streaming}/rows.{format}"
    getattr(ds, f"to_{format}")(url, storage_options={"skip_instance_cache": True})
    again = load_dataset(format, data_files=url, split="train")
    assert again.to_list() == ds.to_list()


def test_values_without_a_common_type_are_an_error_that_names_the_column(tmp_path):
    ds = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset()
    mixed = ds.map(lambda row: {"m": [1] if row["a"] == 1 else "text"})
    with pytest.raises(exceptions.SchemaError, match=r"column 'm': its values have no common type"):
        mixed.to_json(tmp_path / "out.jsonl")
    by_batch = ds.map(lambda row: {"m": [1] if row["a"] == 1 else "text"}, batched=False)
    with pytest.raises(exceptions.SchemaError, match=r"no types in common|no common type"):
        by_batch.to_parquet(tmp_path / "out.parquet", batch_size=1)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("format", ["csv", "json"])
def test_text_is_compressed_as_its_name_says(tmp_path, streaming, ending, format):
    """`datasets` writes CSV as it is under such a name."""
    ds = Dataset.from_dict({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    ds = ds.to_iterable_dataset() if streaming else ds
    path = tmp_path / f"rows.{format}.{ending}"
    getattr(ds, f"to_{format}")(path)
    assert not path.read_bytes().startswith((b"a,b", b"{"))
    again = load_dataset(format, data_files=str(path), split="train")
    assert again.to_list() == ds.to_list()
    with pytest.raises(NotImplementedError, match="'zip'"):
        getattr(ds, f"to_{format}")(tmp_path / f"rows.{format}.zip")
    assert not (tmp_path / f"rows.{format}.zip").exists()


def test_results_of_map_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ds = Dataset.from_dict({"a": [1, 2]}).map(lambda row: row, cache_file_name="mine.arrow")
    assert ds.to_list() == [{"a": 1}, {"a": 2}]
    write_jsonl("in.jsonl", [{"a": 1}])
    rows = load_dataset("json", data_files="in.jsonl", split="train")
    assert rows.map(lambda row: row, cache_file_name="other.arrow").to_list() == [{"a": 1}]
    assert (tmp_path / "other.arrow").exists()


def test_a_query_of_a_connection_does_not_warn(tmp_path, caplog):
    con = sqlite3.connect(tmp_path / "rows.db")
    Dataset.from_dict({"a": [1, 2]}).to_sql("numbers", con)
    assert Dataset.from_sql("select * from numbers", con).to_list() == [{"a": 1}, {"a": 2}]
    assert not caplog.records


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_a_file_that_is_open_is_written_into(form, streamed, tmp_path):
    ds = Dataset.from_dict({"a": [1, 2, 3], "b": ["x", None, "é,"]})
    path = tmp_path / f"rows.{form}"
    getattr(ds, f"to_{form}")(path)
    rows = ds.to_iterable_dataset() if streamed else ds
    buffer = io.BytesIO()
    getattr(rows, f"to_{form}")(buffer)
    with (tmp_path / "other").open("w+b") as file:
        getattr(rows, f"to_{form}")(file)
    if form == "parquet":
        assert pq.read_table(io.BytesIO(buffer.getvalue())).equals(pq.read_table(path))
    else:
        assert buffer.getvalue() == (tmp_path / "other").read_bytes() == path.read_bytes()


def test_nested_json_and_arrays_are_written(tmp_path):
    text = '{"a":[1,"x"],"b":{"q":[1,"y"]}}\n{"a":[2],"b":{"q":[]}}\n'
    (tmp_path / "rows.jsonl").write_text(text)
    ds = load_dataset("json", data_files=str(tmp_path / "rows.jsonl"), split="train")
    buffer = io.BytesIO()
    ds.to_json(buffer)
    assert buffer.getvalue().decode() == text
    ds.to_parquet(tmp_path / "rows.parquet")
    assert Dataset.from_parquet(str(tmp_path / "rows.parquet")).to_list() == ds.to_list()
    for rows in (ds.select([]), ds.to_iterable_dataset().take(0)):
        none = io.BytesIO()
        rows.to_json(none)
        assert none.getvalue() == b""
