"""The same program with rowstream and with `datasets`: the same rows, types and errors."""

from __future__ import annotations

import datetime as dt
import json
import random

import numpy as np
import pytest
import rowstream

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]

ROWS = [
    {
        "id": i,
        "text": f"row {i}" if i % 7 else None,
        "score": i / 3,
        "flag": i % 2 == 0,
        "tags": [f"t{j}" for j in range(i % 4)],
        "messages": [
            {"role": "user", "content": "hello " * (i % 3)},
            {"role": "assistant", "content": str(i)},
        ],
        "meta": {"source": "web" if i % 2 else "book", "day": dt.date(2020, 1, 1 + i % 28)},
    }
    for i in range(60)
]
BOTH = [rowstream, datasets]


def plain(value):
    if type(value).__name__ == "Column":
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return (
            str(value.dtype),
            [plain(one) for one in value] if value.dtype == object else value.tolist(),
        )
    if isinstance(value, np.generic):
        return (str(value.dtype), value.item())
    if type(value).__module__.startswith("torch"):
        return (str(value.dtype), value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.astype(object).where(value.notna(), None).to_dict("list")
    return value


def outcome(program, package):
    try:
        return ("gave", plain(program(package.Dataset.from_list(ROWS), package)))
    except Exception as error:
        kinds = (IndexError, KeyError, TypeError, ValueError, NotImplementedError)
        return (
            "raised",
            next(
                (kind.__name__ for kind in kinds if isinstance(error, kind)), type(error).__name__
            ),
        )


PROGRAMS = {
    "row": lambda ds, p: ds[3],
    "last": lambda ds, p: ds[-1],
    "slice": lambda ds, p: ds[2:9:3],
    "list": lambda ds, p: ds[[5, 1, 1]],
    "range": lambda ds, p: ds[range(4, 0, -2)],
    "array": lambda ds, p: ds[np.array([3, 2])],
    "column": lambda ds, p: ds["text"],
    "nested column": lambda ds, p: ds["meta"]["source"][:4],
    "beyond": lambda ds, p: ds[60],
    "no column": lambda ds, p: ds["nothing"],
    "features": lambda ds, p: ds.features.to_dict(),
    "iterate": lambda ds, p: list(ds),
    "batches": lambda ds, p: list(ds.iter(25, drop_last_batch=True)),
    "shuffle": lambda ds, p: ds.shuffle(seed=42)["id"],
    "shuffle twice": lambda ds, p: ds.shuffle(seed=1).select(range(10, 30)).shuffle(seed=2)["id"],
    "shuffle by a generator": lambda ds, p: ds.shuffle(generator=np.random.default_rng(3))["id"],
    "split": lambda ds, p: {
        k: v["id"] for k, v in ds.train_test_split(test_size=0.3, seed=7).items()
    },
    "split by numbers": lambda ds, p: {
        k: v["id"]
        for k, v in ds.train_test_split(test_size=5, train_size=20, shuffle=False).items()
    },
    "split too large": lambda ds, p: ds.train_test_split(test_size=100),
    "stratified": lambda ds, p: {
        k: v["id"]
        for k, v in ds.class_encode_column("flag")
        .train_test_split(0.5, stratify_by_column="flag", seed=1)
        .items()
    },
    "sort": lambda ds, p: ds.sort(["flag", "score"], reverse=[True, False])["id"],
    "sort with nulls": lambda ds, p: ds.sort("text")["id"],
    "shard": lambda ds, p: (
        [ds.shard(7, i)["id"] for i in range(7)] + [ds.shard(4, 1, contiguous=False)["id"]]
    ),
    "take and skip": lambda ds, p: [ds.take(3)["id"], ds.skip(57)["id"], ds.take(100).num_rows],
    "repeat": lambda ds, p: ds.take(3).repeat(2)["id"],
    "select nothing": lambda ds, p: ds.select([])[:],
    "select beyond": lambda ds, p: ds.select([100]),
    "map": lambda ds, p: ds.map(lambda x: {"n": len(x["tags"]), "text": (x["text"] or "") + "!"})[
        :5
    ],
    "map in place": lambda ds, p: ds.map(_edit)[:5],
    "map to nothing": lambda ds, p: ds.map(lambda x: None).column_names,
    "map with indices": lambda ds, p: ds.map(lambda x, i: {"i": i}, with_indices=True)["i"],
    "map of columns": lambda ds, p: ds.map(
        lambda a, b: {"s": f"{a}{b}"}, input_columns=["id", "flag"]
    )["s"],
    "map batched": lambda ds, p: ds.map(
        lambda b: {"id": b["id"] * 2}, batched=True, batch_size=7, remove_columns=ds.column_names
    )["id"],
    "map removes": lambda ds, p: ds.map(
        lambda x: {"k": 1}, remove_columns=["messages", "meta"]
    ).features.to_dict(),
    "map to arrays": lambda ds, p: repr(
        ds.map(lambda x: {"v": np.arange(3) + x["id"]}).features["v"]
    ),
    "map to wrong": lambda ds, p: ds.map(lambda x: [1]),
    "map to types": lambda ds, p: ds.map(lambda x: {"id": str(x["id"])})["id"],
    "filter": lambda ds, p: ds.filter(lambda x: x["id"] % 3 == 0)["id"],
    "filter batched": lambda ds, p: ds.filter(lambda b: [i > 50 for i in b["id"]], batched=True)[
        "id"
    ],
    "filter of a column": lambda ds, p: ds.filter(lambda i: i < 4, input_columns="id")["id"],
    "filter of a shuffle": lambda ds, p: ds.shuffle(seed=3).filter(lambda x: x["flag"])["id"],
    "rename": lambda ds, p: ds.rename_columns({"id": "key", "text": "body"}).column_names,
    "rename to the same": lambda ds, p: ds.rename_column("id", "text"),
    "remove": lambda ds, p: ds.remove_columns("messages").column_names,
    "remove nothing": lambda ds, p: ds.remove_columns("none"),
    "select columns": lambda ds, p: ds.select_columns(["score", "id"])[0],
    "add a column": lambda ds, p: ds.add_column("new", list(range(60)))[7]["new"],
    "add a row": lambda ds, p: ds.select_columns(["id", "flag"]).add_item({"id": 99, "flag": True})[
        -1
    ],
    "flatten": lambda ds, p: ds.flatten().features.to_dict(),
    "unique": lambda ds, p: ds.unique("flag"),
    "class labels": lambda ds, p: [
        (made := ds.class_encode_column("flag")).features["flag"].names,
        made["flag"],
    ],
    "cast": lambda ds, p: ds.cast_column("id", p.Value("float32")).features["id"].dtype,
    "cast to what is no number": lambda ds, p: ds.select_columns("text").cast_column(
        "text", p.Value("int32")
    )[:],
    "numpy": lambda ds, p: ds.select_columns(["id", "score", "flag"]).with_format("numpy")[:4],
    "numpy row": lambda ds, p: ds.select_columns(["id", "score", "flag", "tags"]).with_format(
        "numpy"
    )[2],
    "torch": lambda ds, p: ds.select_columns(["id", "score", "flag"]).with_format("torch")[:4],
    "torch columns": lambda ds, p: ds.with_format("torch", columns=["id"], output_all_columns=True)[
        3
    ],
    "pandas": lambda ds, p: ds.select_columns(["id", "text"]).with_format("pandas")[:4],
    "arrow": lambda ds, p: ds.with_format("arrow")[:4].to_pylist(),
    "transform": lambda ds, p: ds.with_transform(
        lambda b: {"n": [len(t or "") for t in b["text"]]}
    )[:6],
    "no format": lambda ds, p: ds.with_format("nothing"),
    "to dict": lambda ds, p: ds.to_dict(),
    "to list": lambda ds, p: ds.to_list(),
    "to pandas": lambda ds, p: ds.select_columns(["id", "score"]).to_pandas(),
    "concatenate": lambda ds, p: p.concatenate_datasets([ds.take(3), ds.shuffle(seed=1).take(4)])[
        "id"
    ],
    "concatenate columns": lambda ds, p: p.concatenate_datasets(
        [ds.select_columns("id"), ds.shuffle(seed=0).select_columns("score")], axis=1
    )[:3],
    "concatenate what does not fit": lambda ds, p: p.concatenate_datasets(
        [ds, ds.cast_column("id", p.Value("string"))]
    ),
    "interleave": lambda ds, p: p.interleave_datasets([ds.take(5), ds.skip(40)])["id"],
    "interleave drawn": lambda ds, p: p.interleave_datasets(
        [ds.take(20), ds.skip(30)], probabilities=[0.7, 0.3], seed=5
    )["id"],
    "interleave all": lambda ds, p: p.interleave_datasets(
        [ds.take(5), ds.skip(40)],
        probabilities=[0.5, 0.5],
        seed=5,
        stopping_strategy="all_exhausted",
    )["id"],
    "dict": lambda ds, p: (
        p.DatasetDict({"a": ds, "b": ds.take(2)}).map(lambda x: {"id": -x["id"]}).num_rows
    ),
    "stream": lambda ds, p: [row["id"] for row in ds.to_iterable_dataset()],
    "mixed types": lambda ds, p: p.Dataset.from_dict({"a": [1, "two"]}),
    "lengths": lambda ds, p: p.Dataset.from_dict({"a": [1], "b": [1, 2]}),
}


def _edit(row):
    row["text"] = "edited"
    row["tags"].append("more")
    return row


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_the_same(name):
    ours, theirs = (outcome(PROGRAMS[name], package) for package in BOTH)
    assert ours == theirs


@pytest.mark.parametrize("way", ["ours to theirs", "theirs to ours"])
def test_folders_of_either_are_read_by_the_other(way, tmp_path):
    writer, reader = (rowstream, datasets) if way == "ours to theirs" else (datasets, rowstream)
    features = writer.Features(
        {
            "x": writer.Array2D(shape=(2, 2), dtype="float32"),
            "y": writer.ClassLabel(names=["no", "yes"]),
        }
    )
    ds = writer.Dataset.from_dict(
        {"x": [[[1, 2], [3, 4]]] * 5, "y": [0, 1, 0, 1, 1]}, features=features
    )
    writer.DatasetDict({"train": ds, "test": ds.select([3, 1])}).save_to_disk(
        tmp_path / "made", num_shards={"train": 2, "test": 1}
    )
    read = reader.load_from_disk(tmp_path / "made")
    assert {name: one[:] for name, one in read.items()} == {
        "train": ds[:],
        "test": ds.select([3, 1])[:],
    }
    assert read["train"].features.to_dict() == ds.features.to_dict()


def test_shuffles_of_every_length():
    draw = random.Random(1)
    for n in [1, 2, 3, 255, 256, 1000, 4097]:
        seed = draw.randrange(1 << 30)
        ours, theirs = (
            package.Dataset.from_dict({"i": list(range(n))}).shuffle(seed=seed)["i"][:]
            for package in BOTH
        )
        assert ours == theirs


LINES = {
    "numbers beside strings": [{"a": 1}, {"a": "x"}, {"a": None}],
    "objects with other fields": [
        {"k": [{}]},
        {"k": [{"n": None}, {"m": [1, 2]}]},
        {"k": None},
        {"k": []},
    ],
    "objects beside lists": [{"s": {"a": {"b": 1}}}, {"s": {"a": [1, 2.5, "é"]}}, {"s": None}],
    "fields that lines lack": [{"a": 1, "b": {"c": 1}}, {"a": 2}, {"b": {"c": 3}}],
    "nothing mixed": [
        {"a": 1, "b": {"c": 1.5}, "d": [{"e": "x"}]},
        {"a": None, "b": {"c": 2}, "d": []},
    ],
    "an empty object": [{"a": {}, "b": 1}, {"a": {}, "b": 2}],
}


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("name", LINES)
def test_lines_with_mixed_fields(name, features, tmp_path):
    rows = LINES[name]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def read(package):
        given = (
            package.Features(
                {key: package.Json() for key in dict.fromkeys(key for row in rows for key in row)}
            )
            if features
            else None
        )
        ds = package.load_dataset(
            "json",
            data_files=str(tmp_path / "a.jsonl"),
            split="train",
            cache_dir=str(tmp_path / package.__name__),
            features=given,
        )
        return ds.features.to_dict(), ds.to_list()

    ours, theirs = read(rowstream), read(datasets)
    assert ours == theirs
    assert read(rowstream) == ours  # from the cache
