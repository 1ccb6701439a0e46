"""Compressed files that were read before: reading goes on from the nearest point, and the rows are the same."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
import rowstream
from rowstream import load_dataset
from rowstream.distributed import split_dataset_by_node

ROWS = 60_000
"""Rows of a file: 34 MB of text, in which there are four points."""


def row(i: int) -> dict[str, object]:
    return {"id": i, "text": f"{i * 7919 % 99991:x} " * (i % 13) + "x" * (i % 997)}


@cache
def packed(ending: str, form: str) -> bytes:
    return PACK[ending](form)


@cache
def text(form: str, start: int = 0, stop: int = ROWS) -> bytes:
    some = (row(i) for i in range(start, stop))
    if form == "json":
        return "".join(json.dumps(one) + "\n" for one in some).encode()
    if form == "csv":
        head = "id,text\n" if start == 0 else ""
        # Quoted, with a line end inside of some.
        ends = ("\n", "", "", "", "")
        quoted = (f'{one["id"]},"{one["text"]}{ends[one["id"] % 5]}"\n' for one in some)
        return (head + "".join(quoted)).encode()
    return "".join(f"{one['id']} {one['text']}\n" for one in some).encode()


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


PACK = {
    "gz": lambda form: gzip.compress(text(form), 4),
    # Several members, as tools that work in parallel write them.
    "members.gz": lambda form: b"".join(
        gzip.compress(text(form, i, i + 5000), 4) for i in range(0, ROWS, 5000)
    ),
    "bz2": lambda form: bz2.compress(text(form), 1),
    "xz": lambda form: b"".join(
        lzma.compress(text(form, i, i + 15_000), preset=0) for i in range(0, ROWS, 15_000)
    ),
    "zst": lambda form: b"".join(zstd(text(form, i, i + 10_000)) for i in range(0, ROWS, 10_000)),
    "lz4": lambda form: b"".join(
        pa.compress(text(form, i, i + 10_000), codec="lz4", asbytes=True)
        for i in range(0, ROWS, 10_000)
    ),
}
CASES = [*((ending, "json") for ending in PACK), ("gz", "csv"), ("gz", "text"), ("bz2", "csv")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ROWSTREAM_CACHE", str(tmp_path / "cache"))


def stream(path: Path, form: str) -> object:
    return load_dataset(form, data_files=str(path), split="train", streaming=True)


@pytest.mark.parametrize(("ending", "form"), CASES)
def test_the_second_reading_and_each_resume_give_the_same_rows(tmp_path, ending, form):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(packed(ending, form))
    ds, states = stream(path, form), []
    rows = []
    for one in ds:
        rows.append(one)
        if len(rows) % 14_001 == 1 or len(rows) in (ROWS - 1, ROWS):
            states.append((len(rows), ds.state_dict()))
    assert len(rows) == ROWS
    if form == "json":
        assert rows == [row(i) for i in range(ROWS)]
    (entry,) = rowstream.cache.list(kind="points")
    assert entry.name == str(path)
    assert list(stream(path, form)) == rows
    for at, state in states:
        again = stream(path, form)
        again.load_state_dict(state)
        assert list(again) == rows[at:], at
    assert list(stream(path, form).skip(ROWS - 10)) == rows[-10:]
    assert list(stream(path, form).skip(30_000).take(7)) == rows[30_000:30_007]


READ = """
import json, sys
from rowstream import load_dataset
path, state = sys.argv[1], json.loads(sys.argv[2])
ds = load_dataset("json", data_files=path, split="train", streaming=True)
ds.load_state_dict(state)
read = lambda: int(open("/proc/self/io").read().split()[1])
before = read()
print(json.dumps([next(iter(ds)), read() - before]))
"""


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts what is read")
@pytest.mark.parametrize("ending", ["gz", "xz", "zst", "lz4"])
def test_a_resume_reads_little_of_the_file(tmp_path, ending):
    path, seen = tmp_path / f"a.jsonl.{ending}", []
    path.write_bytes(packed(ending, "json"))
    # A look at it first, of which little is learnt.
    assert len(list(stream(path, "json").take(10))) == 10
    ds, state = stream(path, "json"), None
    for i, _ in enumerate(ds):
        if i == ROWS * 9 // 10:
            state = ds.state_dict()
    for folder in ("cache", "empty"):
        done = subprocess.run(
            [sys.executable, "-c", READ, str(path), json.dumps(state)],
            env={**os.environ, "ROWSTREAM_CACHE": str(tmp_path / folder)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found, read = json.loads(done.stdout)
        assert found == row(ROWS * 9 // 10 + 1)
        seen.append(read)
    known, unknown = (n / path.stat().st_size for n in seen)
    assert known < 0.6
    # Where the blocks of xz are, its index says; which rows they have, only reading it.
    assert unknown > (0.8 if ending != "xz" else 0.7)


def test_what_was_read_before_an_interruption_is_known(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed("gz", "json"))
    ds = stream(path, "json")
    for i, _ in enumerate(ds):
        if i == ROWS // 2:
            state = ds.state_dict()
            break
    again = stream(path, "json")
    again.load_state_dict(state)
    assert list(again) == [row(i) for i in range(ROWS // 2 + 1, ROWS)]


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed("gz", "json"))
    assert len(list(stream(path, "json"))) == ROWS
    other = text("json").replace(b'"id": 3', b'"id": 4')
    path.write_bytes(gzip.compress(other, 4))
    ds = stream(path, "json")
    assert [one["id"] for one in ds.skip(ROWS - 20_000)] == [
        int(str(i).replace("3", "4", 1)) if str(i)[0] == "3" else i
        for i in range(ROWS - 20_000, ROWS)
    ]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "nonsense"])
def test_damaged_points_are_as_if_they_were_not_there(tmp_path, damage):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed("gz", "json"))
    assert len(list(stream(path, "json"))) == ROWS
    (kept,) = (tmp_path / "cache" / "points").glob("*/*/0-*")
    content = bytearray(kept.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 4
    elif damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "empty":
        content.clear()
    else:
        content[:] = os.urandom(len(content))
    kept.write_bytes(bytes(content))
    assert [one["id"] for one in stream(path, "json")] == list(range(ROWS))
    assert [one["id"] for one in stream(path, "json").skip(ROWS - 5)] == list(range(ROWS - 5, ROWS))


def test_ranks_and_shuffles_keep_their_rows_when_a_file_is_known(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed("gz", "json"))

    def all_rows() -> list[list[int]]:
        ds = stream(path, "json")
        parts = [
            split_dataset_by_node(ds.shuffle(seed=3, buffer_size=500), rank=rank, world_size=3)
            for rank in range(3)
        ]
        return [[one["id"] for one in part] for part in parts]

    first = all_rows()
    assert rowstream.cache.list(kind="points")
    assert all_rows() == first
    assert sorted(i for part in first for i in part) == list(range(ROWS))


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ROWSTREAM_CACHE", str(tmp_path / "file"))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed("gz", "json"))
    for _ in range(2):
        assert [one["id"] for one in stream(path, "json")] == list(range(ROWS))


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_damage_is_an_error_on_every_reading(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    whole = bytearray(packed(ending, "json"))
    whole[len(whole) * 3 // 4] ^= 0x55
    path.write_bytes(bytes(whole))
    for _ in range(2):
        with pytest.raises(rowstream.exceptions.FileFormatError, match=f"a.{ending}"):
            list(stream(path, "json"))
    path.write_bytes(bytes(packed(ending, "json")[:-9]))
    with pytest.raises(rowstream.exceptions.FileFormatError, match="cut"):
        list(stream(path, "json"))


@pytest.mark.parametrize("ending", ["members.gz", "gz", "bz2", "xz", "zst"])
def test_what_changes_on_the_disk_is_an_error_with_points_too(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    whole = bytearray(packed(ending, "json"))
    path.write_bytes(bytes(whole))
    assert len(list(stream(path, "json"))) == ROWS
    before = path.stat()
    for place in (0.3, 0.45, 0.6, 0.8):
        damaged = bytearray(whole)
        damaged[int(len(whole) * place)] ^= 1
        with path.open("r+b") as file:
            file.write(damaged)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(rowstream.exceptions.RowstreamError, match=f"a.{ending}"):
            list(stream(path, "json"))
