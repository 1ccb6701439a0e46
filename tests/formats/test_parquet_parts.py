"""Parquet that several processes write, a file each, and what a run that was killed has left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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
    write_jsonl,
)

N = 2000


@pytest.fixture
def stream(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", [{"i": i, "text": f"row {i}"} for i in range(N)])
    file = str(tmp_path / "rows.jsonl")
    return load_dataset("json", data_files=file, split="train", streaming=True)


def made(row):
    # Only late rows show that the column is one of numbers.
    return {"late": row["i"] if row["i"] > 900 else None}


def labelled(row):
    return {"label": row["i"] % 2}


STEPS = {
    "plain": lambda ds: ds,
    "mapped": lambda ds: ds.map(made),
    "typed": lambda ds: ds.map(
        labelled,
        features=Features(
            {"i": Value("int64"), "text": Value("string"), "label": ClassLabel(names=["a", "b"])}
        ),
    ),
    "batched": lambda ds: ds.map(
        lambda batch: {"n": [len(t) for t in batch["text"]]}, batched=True
    ),
    "filtered": lambda ds: ds.filter(lambda row: row["i"] % 3 == 0),
    "taken": lambda ds: ds.skip(10).take(1000),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("num_proc", [1, 2])
def test_files_have_the_rows_in_their_order_and_one_schema(stream, tmp_path, name, num_proc):
    ds = STEPS[name](stream)
    ds.to_parquet(tmp_path / "x.parquet", num_shards=3, num_proc=num_proc)
    files = sorted(tmp_path.glob("x-*.parquet"))
    assert [file.name for file in files] == [f"x-{i:05d}-of-00003.parquet" for i in range(3)]
    found = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert found == list(ds)
    assert len({str(pq.read_schema(file)) for file in files}) == 1
    again = load_dataset("parquet", data_files=[*map(str, files)], split="train")
    assert [row["i"] for row in again] == [row["i"] for row in ds]
    if name == "typed":
        assert again.features["label"].names == ["a", "b"]
    # Shuffled: the same rows, in some order.
    if name == "plain":
        ds.shuffle(seed=1, buffer_size=100).to_parquet(
            tmp_path / "y.parquet", num_shards=3, num_proc=num_proc
        )
        got = [i for file in tmp_path.glob("y-*") for i in pq.read_table(file)["i"].to_pylist()]
        assert sorted(got) == list(range(N))
        assert got != list(range(N))


def test_more_files_than_rows_and_none_at_all(tmp_path):
    ds = IterableDataset.from_dict({"i": [1, 2]})
    ds.to_parquet(tmp_path / "x.parquet", num_shards=4, num_proc=2)
    counts = [pq.read_metadata(file).num_rows for file in sorted(tmp_path.glob("x-*"))]
    assert (len(counts), sum(counts)) == (4, 2)
    ds.take(0).to_parquet(tmp_path / "y.parquet", num_shards=2, num_proc=1)
    assert {str(pq.read_schema(file)) for file in tmp_path.glob("y-*")} == {
        str(pq.read_schema(next(tmp_path.glob("x-*"))))
    }
    with pytest.raises(exceptions.InvalidArgumentError, match="num_shards"):
        ds.to_parquet(tmp_path / "z.parquet", num_proc=2)
    with pytest.raises(exceptions.InvalidArgumentError, match="num_proc must be at least 1"):
        ds.to_parquet(tmp_path / "z.parquet", num_shards=2, num_proc=0)


KILLED = """
import os, signal, sys
from rowstream import load_dataset
from rowstream.writers.sinks import ParquetSink

class Killed(ParquetSink):
    closed = 0

    def close(self):
        Killed.closed += 1
        if Killed.closed == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        super().close()

import rowstream.writers.exports as exports
exports.ParquetSink = Killed
ds = load_dataset("json", data_files="rows.jsonl", split="train", streaming=True)
ds.to_parquet("x.parquet", num_shards=5, num_proc=1)
print(Killed.closed)
"""


def test_what_a_killed_run_has_written_is_kept(stream, tmp_path):
    def run(die):
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(die)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")},
        )

    assert run(4).returncode == -signal.SIGKILL
    assert not list(tmp_path.glob("x-*"))
    done = run(0)
    # Three of the five were there.
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    assert not list(tmp_path.glob(".x-*"))
    files = sorted(tmp_path.glob("x-*"))
    assert [row for file in files for row in pq.read_table(file).to_pylist()] == list(stream)


@pytest.mark.parametrize("name", [*STEPS, "shuffled", "one column", "in batches"])
def test_rows_of_tables_are_written_once(tmp_path, name):
    # A table whose rows are in another order is read by number, and has one shard.
    steps = STEPS | {
        "shuffled": lambda ds: ds.shuffle(seed=1, buffer_size=100),
        "one column": lambda ds: ds.select_columns(["i"]),
        "in batches": lambda ds: ds.batch(7),
    }
    order = [*range(N - 1, -1, -1)]
    table = Dataset.from_dict({"i": [*range(N)], "text": ["x"] * N}).select(order)
    ds = steps[name](table.to_iterable_dataset())
    wanted = [row["i"] for row in ds]
    for of in (2, 5):
        parts = [[row["i"] for row in ds.shard(of, k)] for k in range(of)]
        assert sorted(flat(parts)) == sorted(flat([wanted]))
        ds.to_parquet(tmp_path / f"{of}.parquet", num_shards=of, num_proc=2)
        files = [pq.read_table(f)["i"].to_pylist() for f in tmp_path.glob(f"{of}-*")]
        assert sorted(flat(files)) == sorted(flat([wanted]))


def flat(lists):
    """Return all numbers, of lists inside lists."""
    return [x for one in lists for x in (flat(one) if isinstance(one, list) else [one])]
