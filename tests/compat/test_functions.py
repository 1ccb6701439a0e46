"""Functions, JSON Lines and tar archives on `datasets` and here: the same rows."""

from __future__ import annotations

import io
import json
import tarfile

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import rowstream

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    for f in range(3):
        rows = [
            {
                "id": i,
                "text": f"row {i} é\n",
                "score": None if i % 7 == 0 else i / 4,
                "messages": [{"role": "user", "content": "x" * (i % 5)}] * (i % 3 + 1),
                "inner": {"a": i, "b": [i, None]},
            }
            for i in range(f * 40, f * 40 + 40)
        ]
        (folder / f"{f}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "*.jsonl")


def both(format, files):
    return [
        module.load_dataset(format, data_files=files, split="train", streaming=True)
        for module in (datasets, rowstream)
    ]


def changed(row):
    row["id"] += 1000  # what a function does to its row stays
    return {"text": row["text"].upper(), "new": [row["id"]]}


def longer(table):
    return table.append_column("n", pa.array([len(table)] * len(table)))


def fewer(batch):
    return {
        "id": [i for i in batch["id"] if i % 3],
        "n": [len(batch["id"]) for i in batch["id"] if i % 3],
    }


PIPELINES = {
    "rows": lambda ds: ds,
    "map": lambda ds: ds.map(changed),
    "map returns the row": lambda ds: ds.map(lambda row: {**row, "twice": row["id"] * 2}),
    "remove": lambda ds: ds.map(changed, remove_columns=["messages", "text"]),
    "indices": lambda ds: ds.map(lambda row, i: {"i": i}, with_indices=True),
    "input columns": lambda ds: ds.map(
        lambda key, text: {"both": f"{key}{text}"}, input_columns=["id", "text"]
    ),
    "kwargs": lambda ds: ds.map(
        lambda row, plus: {"plus": row["id"] + plus}, fn_kwargs={"plus": 3}
    ),
    "batched": lambda ds: ds.map(
        lambda batch: {"n": [len(batch["id"])] * len(batch["id"])}, batched=True, batch_size=7
    ),
    "another number of rows": lambda ds: ds.map(
        fewer, batched=True, batch_size=7, remove_columns=["text", "score", "messages", "inner"]
    ),
    "batched, dropping": lambda ds: ds.map(
        lambda batch: {}, batched=True, batch_size=7, drop_last_batch=True
    ),
    "batched, indices": lambda ds: ds.map(
        lambda batch, at: {"at": at}, with_indices=True, batched=True, batch_size=50
    ),
    "filter": lambda ds: ds.filter(lambda row: row["id"] % 3 == 1),
    "filter, batched": lambda ds: ds.filter(
        lambda batch: [i % 2 for i in batch["id"]], batched=True, batch_size=9
    ),
    "filter, indices": lambda ds: ds.filter(lambda row, i: i % 5 == 0, with_indices=True),
    "filter, take, skip": lambda ds: ds.filter(lambda row: row["id"] % 3 == 1).skip(3).take(9),
    "map, batch": lambda ds: ds.map(changed).select_columns(["id", "new"]).batch(9),
    "map, rename, remove": lambda ds: (
        ds.map(changed).rename_column("new", "other").remove_columns("text")
    ),
    "filter, map, take": lambda ds: (
        ds.filter(lambda row: row["score"] is not None).map(changed).take(11)
    ),
    "add": lambda ds: ds.add_column("more", list(range(120))),
    "tables": lambda ds: (
        ds.with_format("arrow").map(longer, batched=True, batch_size=7).with_format(None)
    ),
    "tables of a row": lambda ds: ds.with_format("arrow").map(longer).with_format(None),
    "frames": lambda ds: (
        ds.with_format("pandas")
        .map(lambda df: df[["id"]].assign(n=len(df)), batched=True, batch_size=9)
        .with_format(None)
    ),
    "filter, tables": lambda ds: (
        ds.with_format("arrow")
        .filter(lambda t: pc.greater(t["id"], 50), batched=True)
        .with_format(None)
    ),
    "by column": lambda ds: (
        ds.select_columns(["id"]).map(lambda row: {"k": row["id"] // 7}).batch(by_column="k")
    ),
    "column": lambda ds: ds["inner"]["b"],
    "map, repeat": lambda ds: ds.map(lambda row: {"x": 1}).repeat(2),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_functions(lines, name):
    theirs, ours = (list(PIPELINES[name](ds)) for ds in both("json", lines))
    assert ours == theirs


def test_features_of_lines(lines):
    theirs, ours = both("json", lines)
    assert repr(dict(theirs.features)) == repr(dict(ours.features))
    # Features of `datasets` are taken as they are.
    given = datasets.Features(
        {**theirs.features, "id": datasets.Value("int32"), "score": datasets.Value("float32")}
    )
    kwargs = {"data_files": lines, "split": "train", "streaming": True, "features": given}
    theirs, ours = (module.load_dataset("json", **kwargs) for module in (datasets, rowstream))
    assert repr(dict(theirs.features)) == repr(dict(ours.features))
    assert list(ours) == list(theirs)


def test_archives(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for i in range(30):
            for field, content in (
                ("json", json.dumps({"i": i, "l": ["a"] * (i % 3 + 1)}).encode()),
                ("txt", f"é{i}".encode()),
                ("bin", bytes([i] * i)),
            ):
                info = tarfile.TarInfo(f"dir/{i:03}.{field}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    theirs, ours = (list(ds) for ds in both("webdataset", str(path)))
    assert [{k: v for k, v in row.items() if k != "__url__"} for row in ours] == [
        {k: v for k, v in row.items() if k != "__url__"} for row in theirs
    ]
    assert list(ours[0]) == list(theirs[0])
