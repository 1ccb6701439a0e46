"""Arrow files of the cache that were damaged since they were written: an error that names the file, never other rows."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rowstream
from rowstream import (
    Dataset,
    DatasetInfo,
    Features,
    Image,
    Value,
    col,
    concatenate_datasets,
    exceptions,
    interleave_datasets,
    load_dataset,
    load_from_disk,
)

N = 3000


@pytest.fixture(autouse=True)
def _mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(rowstream.config, "IN_MEMORY_MAX_SIZE", 0)
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


def made():
    return Dataset.from_dict(
        {
            "i": list(range(N)),
            "s": [f"text {i}" * (i % 3) for i in range(N)],
            "l": [[{"x": i, "y": None}] * (i % 4) for i in range(N)],
            "d": [Decimal(i) for i in range(N)],
            "b": [None if i % 5 else i % 2 == 0 for i in range(N)],
        }
    )


ORDER = np.random.default_rng(0).permutation(N)
WAYS = {
    "one by one": lambda ds: [ds[i] for i in range(N)],
    "iteration": list,
    "a slice": lambda ds: ds[:],
    "at random": lambda ds: [ds[list(ORDER[i : i + 100])] for i in range(0, N, 100)],
    "rows for loaders": lambda ds: ds.__getitems__(ORDER.tolist()),
    "columns": lambda ds: [list(ds[name]) for name in ds.column_names],
    "batches": lambda ds: list(ds.iter(7)),
    "numpy": lambda ds: (
        list(ds.select_columns(["i", "b"]).with_format("numpy").iter(100))
        + ds["s"][:]
        + ds["l"][:]
        + ds["d"][:]
    ),
    "arrow": lambda ds: ds.with_format("arrow")[:].to_pylist(),
    "the Arrow stream": lambda ds: pa.table(ds).to_pylist(),
    "pandas": lambda ds: ds.to_pandas().to_dict("records"),
    "a stream": lambda ds: list(ds.to_iterable_dataset()),
    "select": lambda ds: list(ds.select(ORDER)),
    "select, in batches": lambda ds: ds.select(ORDER)[:],
    "filter": lambda ds: list(ds.filter(lambda row: True)),
    "filter by an expression": lambda ds: list(ds.filter(col("i") >= 0)),
    "map": lambda ds: list(ds.map(lambda row: {"j": row["i"]})),
    "map in processes": lambda ds: list(ds.map(lambda row: {"j": row["i"]}, num_proc=2)),
    "sort": lambda ds: list(ds.sort("s")),
    "shuffle": lambda ds: list(ds.shuffle(seed=1)),
    "pickled": lambda ds: list(pickle.loads(pickle.dumps(ds))),
    "together": lambda ds: list(concatenate_datasets([ds, ds])),
    "cast": lambda ds: list(ds.cast_column("i", Value("int32"))),
    "in memory": list,
    "saved again": lambda ds: (
        ds.save_to_disk(Path(ds.cache_files[0]["filename"]).parent.parent / "again") or ds[:]
    ),
}


def damaged(content, seed):
    """A copy with a bit flipped, or a page of zeros."""
    at = random.Random(seed)
    copy = bytearray(content)
    if seed % 3:
        copy[at.randrange(len(copy))] ^= 1 << at.randrange(8)
    else:
        page = at.randrange(0, len(copy), 4096)
        copy[page : page + 4096] = bytes(len(copy[page : page + 4096]))
    return bytes(copy)


@pytest.mark.parametrize("way", WAYS)
def test_damage_is_an_error_wherever_it_is(way, tmp_path):
    """Unless it is where no rows are: what fills up to a round number."""
    made().save_to_disk(tmp_path / "data")
    file = tmp_path / "data" / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    options = {"keep_in_memory": True} if way == "in memory" else {}
    expected = WAYS[way](load_from_disk(tmp_path / "data", **options))
    found = 0
    for seed in range(6):
        file.write_bytes(damaged(content, seed))
        for made_before in (tmp_path / "data").glob("cache-*"):
            made_before.unlink()
        try:
            rows = WAYS[way](load_from_disk(tmp_path / "data", **options))
        except exceptions.FileFormatError as error:
            found += 1
            assert str(file) in str(error)
            assert "run again what made it" in str(error)
        else:
            assert str(rows) == str(expected)
    assert found >= 4


def test_every_byte_of_a_small_file(tmp_path):
    """One bit of each: an error, or the same rows."""
    ds = Dataset.from_dict({"i": [1, None, 3], "s": ["a", "bc", None], "l": [[1], [], None]})
    ds.save_to_disk(tmp_path / "data")
    file = tmp_path / "data" / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    for at in range(len(content)):
        copy = bytearray(content)
        copy[at] ^= 4
        file.write_bytes(copy)
        try:
            rows = load_from_disk(tmp_path / "data")[:]
        except exceptions.FileFormatError:
            continue
        assert rows == ds[:], at


@pytest.mark.parametrize("end", [0.1, 0.5, 0.99, 0.9999])
def test_a_file_that_was_cut(end, tmp_path):
    """Wherever."""
    made().save_to_disk(tmp_path / "data")
    file = tmp_path / "data" / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * end)])
    with pytest.raises(exceptions.FileFormatError, match="data-00000"):
        list(load_from_disk(tmp_path / "data"))


def broken(file):
    content = file.read_bytes()
    # In the middle of the largest file there are rows.
    copy = bytearray(content)
    for at in range(len(copy) // 3, len(copy) // 2, 64):
        copy[at] ^= 255
    file.write_bytes(copy)


def test_what_steps_and_builders_write(tmp_path):
    """Files of map, filter, generators and of files of other formats have checksums too."""
    (tmp_path / "a.csv").write_text("i,s\n" + "".join(f"{i},text {i}\n" for i in range(N)))

    def rows():
        yield from ({"i": i} for i in range(N))

    data = load_dataset("csv", data_files=str(tmp_path / "a.csv"), split="train")
    made().save_to_disk(tmp_path / "data")
    steps = {
        "csv": data,
        "map": data.map(lambda row: {"s": row["s"] + "!"}),
        "another column": data.map(lambda row: {"j": row["i"]}),
        "generator": Dataset.from_generator(rows),
        "stream": data.to_iterable_dataset().map(lambda row: {"i": -row["i"]}),
    }
    for name, ds in steps.items():
        if name == "stream":
            continue
        assert len(list(ds)) == N
        again = pickle.loads(pickle.dumps(ds))
        for file in {one["filename"] for one in ds.cache_files}:
            kept = Path(file).read_bytes()
            broken(Path(file))
            with pytest.raises(exceptions.FileFormatError, match="damaged"):
                list(pickle.loads(pickle.dumps(again)))
            Path(file).write_bytes(kept)


def test_lists_of_rows(tmp_path):
    """What filter and sort write down."""
    made().save_to_disk(tmp_path / "data")
    ds = load_from_disk(tmp_path / "data").filter(lambda row: row["i"] % 3 == 0)
    (file,) = (Path(one["filename"]) for one in ds.cache_files if "cache-" in one["filename"])
    broken(file)
    with pytest.raises(exceptions.FileFormatError, match="damaged"):
        list(load_from_disk(tmp_path / "data").filter(lambda row: row["i"] % 3 == 0))


def test_media_row_by_row(tmp_path):
    """Where rows are decoded in Python."""
    features = Features({"image": Image(decode=False)})
    ds = Dataset.from_dict(
        {"image": [{"bytes": bytes([i]) * 1000, "path": None} for i in range(200)]},
        features=features,
    )
    ds.save_to_disk(tmp_path / "data")
    broken(tmp_path / "data" / "data-00000-of-00001.arrow")
    ds = load_from_disk(tmp_path / "data")
    with pytest.raises(exceptions.FileFormatError, match="damaged"):
        [ds[i] for i in range(200)]


def test_other_readers(tmp_path):
    """pyarrow, `datasets` and our own streams read the rows; what they write again has no checksums, and needs none."""
    made().save_to_disk(tmp_path / "data")
    file = tmp_path / "data" / "data-00000-of-00001.arrow"
    table = pa.ipc.open_stream(pa.memory_map(str(file))).read_all()
    assert table.num_rows == N
    with (
        pa.OSFile(str(tmp_path / "other.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    rows = list(made())
    assert list(Dataset.from_file(str(tmp_path / "other.arrow"))) == rows
    assert list(load_dataset("arrow", data_files=str(file), split="train", streaming=True)) == rows
    datasets = pytest.importorskip("datasets")
    assert list(datasets.load_from_disk(str(tmp_path / "data"))) == rows


def test_schemas_say_nothing_of_it(tmp_path):
    """Nor do tables of a data set."""
    made().save_to_disk(tmp_path / "data")
    ds = load_from_disk(tmp_path / "data")
    assert set(ds.data.schema.metadata) == {b"huggingface"}
    assert b"rowstream.arrow.sealed" not in (ds.with_format("arrow")[:].schema.metadata or {})


def test_a_row_looks_only_at_its_batch(tmp_path):
    """Damage elsewhere is found when it is looked at."""
    made().save_to_disk(tmp_path / "data")
    file = tmp_path / "data" / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"text 1501text", b"text 1501 ext"))
    ds = load_from_disk(tmp_path / "data")
    assert ds[0]["i"] == 0
    assert ds[N - 1]["i"] == N - 1
    with pytest.raises(exceptions.FileFormatError):
        list(ds)


def test_a_fork_beside_threads_that_read(tmp_path):
    """No lock that another thread has at a fork stays locked in the child."""
    script = f"""
import os, threading, rowstream
rowstream.config.IN_MEMORY_MAX_SIZE = 0
rowstream.disable_progress_bars()
rowstream.Dataset.from_dict({{"i": list(range(3000))}}).save_to_disk({str(tmp_path / "data")!r})
go = True
def read():
    while go:
        rowstream.load_from_disk({str(tmp_path / "data")!r})[:]
threads = [threading.Thread(target=read) for _ in range(3)]
[thread.start() for thread in threads]
from rowstream.table import MemoryMappedTable
for _ in range(150):
    child = os.fork()
    if not child:
        MemoryMappedTable.from_file({str(tmp_path / "data" / "data-00000-of-00001.arrow")!r}).check()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
go = False
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=120)


def test_files_that_others_wrote_with_our_schema(tmp_path):
    """In the format of files too, which ends otherwise."""
    made().save_to_disk(tmp_path / "data")
    table = pa.ipc.open_stream(
        pa.memory_map(str(tmp_path / "data" / "data-00000-of-00001.arrow"))
    ).read_all()
    with (
        pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    assert list(Dataset.from_file(str(tmp_path / "a.arrow"))) == list(made())


CONVERTED = {
    "features": lambda file: load_dataset(
        "arrow", data_files=file, split="train", features=Features({"i": Value("int32")})
    ),
    "from_file": lambda file: Dataset.from_file(
        file, info=DatasetInfo(features=Features({"i": Value("int32")}))
    ),
    "buffer": lambda file: Dataset.from_buffer(pa.py_buffer(Path(file).read_bytes())),
    "data": lambda file: Dataset.from_file(file).data.to_pandas(),
    "a column of data": lambda file: Dataset.from_file(file).data.column("i"),
    "an item of data": lambda file: Dataset.from_file(file).data["i"],
}


@pytest.mark.parametrize("way", CONVERTED)
def test_what_is_converted_is_looked_at_before(way, tmp_path):
    """Afterwards it lies elsewhere."""
    Dataset.from_dict({"i": list(range(N))}).save_to_disk(tmp_path / "data")
    file = tmp_path / "data" / "data-00000-of-00001.arrow"
    assert CONVERTED[way](str(file)) is not None
    broken(file)
    with pytest.raises(exceptions.FileFormatError, match=r"damaged|malformed"):
        CONVERTED[way](str(file))


@pytest.mark.parametrize("join", [concatenate_datasets, interleave_datasets])
def test_lists_of_rows_together(join, tmp_path):
    """Those of a later part are moved."""
    made().save_to_disk(tmp_path / "data")
    load_from_disk(tmp_path / "data").shuffle(seed=1)
    (file,) = (tmp_path / "data").glob("cache-*")
    broken(file)
    with pytest.raises(exceptions.FileFormatError, match="damaged"):
        join(
            [load_from_disk(tmp_path / "data"), load_from_disk(tmp_path / "data").shuffle(seed=1)]
        )[:]
