"""Parquet files as map-style data sets, without a copy of them: the same as of the Arrow table of their rows."""

from __future__ import annotations

import gc
import os
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import (
    ClassLabel,
    Dataset,
    Features,
    Value,
    col,
    concatenate_datasets,
    config,
    exceptions,
    load_dataset,
    load_from_disk,
)
from rowstream.prepare import row_groups

ROWS = [
    {
        "id": i,
        "text": f"row {i}" if i % 5 else None,
        "score": i / 3,
        "tags": [f"t{j}" for j in range(i % 4)],
        "messages": [{"role": "user", "content": "x" * (i % 9)}] * (i % 3),
    }
    for i in range(100)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("parquet")
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table.slice(0, 61), made / "a.parquet", row_group_size=13)
    pq.write_table(table.slice(61), made / "b.parquet", row_group_size=39)
    return made


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def pair(folder, cache):
    """The files, and the same rows in memory."""
    return loaded(folder, cache), Dataset.from_list(ROWS)


def loaded(folder, cache, **kwargs):
    return load_dataset(
        "parquet", data_files=f"{folder}/*.parquet", split="train", cache_dir=str(cache), **kwargs
    )


def copies(cache):
    """The Arrow files of the rows in the cache, without those of lists of rows and of what `map` made."""
    return [
        name for _, _, names in os.walk(cache) for name in names if not name.startswith("cache-")
    ]


READ = {
    "rows": list,
    "a row": lambda ds: [ds[0], ds[-1], ds[60], ds[61], ds[np.int64(99)]],
    "slices": lambda ds: [ds[:3], ds[10:30], ds[55:75], ds[-3:], ds[::7], ds[5:5]],
    "lists": lambda ds: [
        ds[[99, 0, 61, 60, 0]],
        ds[range(50, 70)],
        ds[[]],
        ds.__getitems__([99, 3, 3]),
    ],
    "columns": lambda ds: [
        list(ds["id"]),
        ds["text"][3:9],
        ds["tags"][-1],
        ds["messages"][[90, 2]],
    ],
    "batches": lambda ds: list(ds.iter(7)),
    "other columns": lambda ds: list(
        ds.select_columns(["score", "id"]).rename_column("score", "s").remove_columns("id")
    ),
    "runs": lambda ds: [
        list(ds.select(range(50, 80)).skip(5).take(15)),
        ds.shard(3, 1)[:],
        list(ds.select([])),
    ],
    "shuffled": lambda ds: [
        list(ds.shuffle(seed=3)),
        ds.shuffle(seed=3)[17],
        ds.shuffle(seed=4).select(range(9))["id"][:],
    ],
    "sorted": lambda ds: list(ds.sort("text", reverse=True)),
    "split": lambda ds: list(ds.train_test_split(0.2, seed=1)["test"]),
    "filtered": lambda ds: [
        list(ds.filter(lambda row: row["id"] % 7 == 0)),
        list(ds.filter(col("score") > 31)),
    ],
    "mapped": lambda ds: [
        list(ds.map(lambda row: {"n": len(row["tags"])})),
        list(ds.map(lambda b: {"k": b["id"]}, batched=True, batch_size=9)),
    ],
    "numpy": lambda ds: [batch["id"].tolist() for batch in ds.with_format("numpy").iter(30)],
    "arrow": lambda ds: [
        ds.with_format("arrow")[5:70].to_pylist(),
        ds.with_format("arrow")[3].to_pylist(),
    ],
    "unique": lambda ds: ds.unique("text"),
    "written": lambda ds: [
        ds.to_dict(),
        ds.to_list(),
        ds.to_pandas().to_json(),
        pa.table(ds.data).to_pylist(),
    ],
    "features": lambda ds: [ds.features, ds.column_names, ds.shape],
    "twice": lambda ds: [
        list(concatenate_datasets([ds, ds])),
        list(ds.repeat(2).select(range(90, 110))),
    ],
    "stream": lambda ds: [
        list(ds.to_iterable_dataset()),
        list(ds.select(range(3, 80)).to_iterable_dataset(num_shards=4)),
    ],
}


@pytest.mark.parametrize("name", READ)
def test_the_same_as_of_a_table(pair, cache, name):
    files, memory = pair
    assert READ[name](files) == READ[name](memory)
    assert not copies(cache)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 99), max_size=20), st.integers(0, 99), st.integers(0, 100))
def test_any_rows(folder, tmp_path_factory, rows, start, length):
    files = loaded(folder, tmp_path_factory.getbasetemp() / "any")
    run = files.select(range(start, min(100, start + length)))
    assert run.to_list() == ROWS[start : start + length]
    assert files.select(rows).to_list() == [ROWS[i] for i in rows]
    some = [i for i in rows if i < len(run)]
    assert run.select(some).to_list() == [ROWS[start + i] for i in some]


CHAINED = {
    "rename": lambda ds: ds.rename_column(ds.column_names[0], ds.column_names[0] + "_"),
    "last column first": lambda ds: ds.select_columns(ds.column_names[::-1]),
    "fewer columns": lambda ds: (
        ds.remove_columns(ds.column_names[-1]) if len(ds.column_names) > 2 else ds
    ),
    "run": lambda ds: ds.select(range(len(ds) // 3, len(ds))),
    "rows": lambda ds: ds.select([i for i in range(len(ds)) if i % 3]),
    "shuffle": lambda ds: ds.shuffle(seed=2),
    "shard": lambda ds: ds.shard(2, 1),
    "twice": lambda ds: concatenate_datasets([ds, ds]),
    "beside": lambda ds: ds.add_column(f"more{len(ds.column_names)}", list(range(len(ds)))),
    "flat": lambda ds: ds.flatten_indices() if len(ds) else ds,
    "pickled": lambda ds: pickle.loads(pickle.dumps(ds)),
    "filter": lambda ds: ds.filter(lambda row, i: i % 5 != 1, with_indices=True),
    "map": lambda ds: ds.map(
        lambda batch: {"n": list(range(len(next(iter(batch.values())))))},
        batched=True,
        batch_size=9,
    ),
}


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(CHAINED)), max_size=5), st.integers(0, 99))
def test_any_chain_of_steps(folder, tmp_path_factory, steps, i):
    files, memory = (
        loaded(folder, tmp_path_factory.getbasetemp() / "chains"),
        Dataset.from_list(ROWS),
    )
    for step in steps:
        files, memory = CHAINED[step](files), CHAINED[step](memory)
    assert files.features == memory.features
    assert files.to_list() == memory.to_list()
    if len(memory):
        assert files[i % len(memory)] == memory[i % len(memory)]
        assert files[:: i + 1] == memory[:: i + 1]


def test_only_what_is_asked_for_is_decoded(tmp_path, cache):
    pq.write_table(pa.table({"id": range(50_000)}), tmp_path / "a.parquet", row_group_size=25_000)
    ds = loaded(tmp_path, cache)
    groups = ds.data._groups
    assert ds[0] == {"id": 0}
    assert ds.data.nbytes < (tmp_path / "a.parquet").stat().st_size
    assert [groups.get(0, 1).table.num_rows, groups.starts] == [8192, [0, 25_000, 50_000]]
    assert ds[10_000] == {"id": 10_000}
    assert groups.get(0, 1).table.num_rows == 25_000
    assert ds[[49_999, 3]]["id"] == [49_999, 3]


def test_more_than_memory_holds_is_copied_once_and_says_so(folder, cache, monkeypatch, caplog):
    monkeypatch.setattr(row_groups.RowGroupCache, "budget", 3000)
    ds = loaded(folder, cache)
    order = random.Random(1).choices(range(100), k=300)
    with caplog.at_level("WARNING", logger="rowstream"):
        assert [ds[i] for i in order] == [ROWS[i] for i in order]
    assert copies(cache) == ["train.arrow"]
    assert list(ds.shuffle(seed=1)) == list(Dataset.from_list(ROWS).shuffle(seed=1))
    assert ds.cache_files
    again = loaded(folder, cache)
    assert type(again.data).__name__ == "Table"
    assert again.to_list() == ROWS
    # Those that were made of it before go on.
    assert pickle.loads(pickle.dumps(ds.select_columns("id")))[5] == {"id": 5}


def test_copies_may_be_refused(folder, cache, monkeypatch):
    monkeypatch.setattr(row_groups.RowGroupCache, "budget", 3000)
    monkeypatch.setattr(config, "ARROW_COPIES", False)
    ds = loaded(folder, cache)
    order = random.Random(1).choices(range(100), k=300)
    assert [ds[i] for i in order] == [ROWS[i] for i in order]
    assert ds.rename_column("id", "k").add_column("more", list(range(100)))[7]["more"] == 7
    assert not copies(cache)


def test_a_step_that_needs_a_table_has_it_copied(folder, cache):
    ds = loaded(folder, cache).select_columns(["id", "score"]).select(range(5, 50))
    beside = ds.add_column("more", list(range(45)))
    assert beside[3] == {"id": 8, "score": 8 / 3, "more": 3}
    assert copies(cache) == ["train.arrow"]
    assert pickle.loads(pickle.dumps(beside))[3] == beside[3]


def test_types_of_the_callers_and_of_the_file(tmp_path, cache):
    features = Features({"id": Value("int32"), "label": ClassLabel(names=["no", "yes"])})
    Dataset.from_dict({"id": [1, 2, 3], "label": [0, 1, 1]}, features=features).to_parquet(
        tmp_path / "a.parquet"
    )
    ds = loaded(tmp_path, cache)
    assert ds.features == features
    assert ds.features["label"].int2str(ds[1]["label"]) == "yes"
    wide = loaded(
        tmp_path,
        cache,
        features=Features({"id": Value("float64"), "label": ClassLabel(names=["no", "yes"])}),
    )
    assert list(wide) == [{"id": 1.0, "label": 0}, {"id": 2.0, "label": 1}, {"id": 3.0, "label": 1}]
    assert wide.with_format("arrow")[:].schema.field("id").type == pa.float64()
    assert wide.filter(col("id") > 2).to_list() == [{"id": 3.0, "label": 1}]
    kept = loaded(tmp_path, cache, keep_in_memory=True)
    assert type(kept.data).__name__ == "Table"
    assert kept[2] == {"id": 3, "label": 1}
    assert not copies(cache)


def test_fingerprints_follow_from_the_content(folder, tmp_path, cache):
    ds = loaded(folder, cache)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("a.parquet", "b.parquet"):
        (elsewhere / name).write_bytes((folder / name).read_bytes())
    assert loaded(elsewhere, cache)._fingerprint == ds._fingerprint
    assert ds.select(range(5))._fingerprint != ds._fingerprint
    assert "a.parquet and 1 more" in ds.explain_fingerprint()
    first = ds.map(lambda row: {"n": 1})
    assert first.cache_files == loaded(folder, cache).map(lambda row: {"n": 1}).cache_files
    assert str(cache) in first.cache_files[0]["filename"]


def test_processes_and_threads(folder, cache):
    ds = loaded(folder, cache)
    assert ds.map(lambda row: {"n": row["id"] + 1}, num_proc=2)["n"][:] == list(range(1, 101))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: ds[i % 100], range(400))) == [
            ROWS[i % 100] for i in range(400)
        ]
    ds.save_to_disk(cache / "saved")
    assert load_from_disk(cache / "saved").to_list() == ROWS
    assert not [name for name in copies(cache) if name == "train.arrow"]


def test_a_file_that_changed_under_its_reader(tmp_path, cache):
    pq.write_table(pa.table({"id": range(30)}), tmp_path / "a.parquet", row_group_size=10)
    ds = loaded(tmp_path, cache)
    assert ds[0] == {"id": 0}
    pq.write_table(pa.table({"id": range(100, 170)}), tmp_path / "a.parquet", row_group_size=10)
    with pytest.raises(exceptions.SourceChangedError, match=r"a\.parquet"):
        ds[25]


def test_a_copy_of_several_is_of_their_files(folder, cache, tmp_path):
    """Whatever columns a concatenation has, and by whatever names, its copy is found by the next."""
    first, second = loaded(folder, cache), loaded(folder, cache).select(range(100))
    swapped = [
        ds.select_columns(["id", "score"]).rename_columns({"id": "score", "score": "id"})
        for ds in (first, second)
    ]
    beside = concatenate_datasets(swapped).add_column("n", list(range(200)))
    assert beside[3] == {"score": 3, "id": 1.0, "n": 3}
    only = concatenate_datasets([ds.select_columns(["id"]) for ds in (first, second)])
    assert only[3] == {"id": 3}
    assert only.add_column("n", list(range(200)))[103] == {"id": 3, "n": 103}
    renamed = concatenate_datasets(
        [ds.rename_column("id", "k") for ds in (first, second)]
    ).add_column("n", list(range(200)))
    assert renamed[7]["k"] == 7
    # Those that do not fit together are tables, and still know their files.
    unlike = concatenate_datasets([first.take(10), second.remove_columns("tags")])
    assert unlike.cache_files
    assert len(pickle.dumps(unlike)) < 20_000
    assert pickle.loads(pickle.dumps(unlike))[10]["id"] == 0


def test_one_pass_needs_no_copy(tmp_path, cache, monkeypatch):
    pq.write_table(
        pa.table({"id": range(50_000), "text": ["x" * 50] * 50_000}),
        tmp_path / "a.parquet",
        row_group_size=12_500,
    )
    monkeypatch.setattr(row_groups.RowGroupCache, "budget", 1_000_000)
    ds = loaded(tmp_path, cache)
    assert sum(len(batch["id"]) for batch in ds.iter(1000)) == 50_000
    assert len(ds.filter(col("text") == "none")) == 0
    assert not copies(cache)
    # A column that is asked for again finds its row groups again.
    assert ds["text"].source._data is ds._data
    assert ds._data.select(["text"]) is ds._data.select(["text"])
    kept = row_groups.row_group_cache
    assert kept._bytes <= 1_000_000 or len(kept._groups) == 1


def test_rows_that_are_let_go_of_are_let_go_of(tmp_path, cache):
    pq.write_table(pa.table({"id": range(5000)}), tmp_path / "a.parquet")
    ds = loaded(tmp_path, cache)
    assert ds[4000] == {"id": 4000}
    number = ds._data._groups._number
    assert any(key[0] == number for key in row_groups.row_group_cache._groups)
    del ds
    gc.collect()
    assert not any(key[0] == number for key in row_groups.row_group_cache._groups)
