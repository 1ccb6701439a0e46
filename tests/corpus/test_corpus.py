"""Files by others, good, odd and hostile: the rows that are expected, or an error that names file and place.

They are not part of this project. `ROWSTREAM_CORPUS` names a folder that has them, with an `index.json` of what is
expected of each.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset
from rowstream.exceptions import RowstreamError

CORPUS = Path(os.environ.get("ROWSTREAM_CORPUS", "nowhere"))
INDEX = json.loads((CORPUS / "index.json").read_text()) if (CORPUS / "index.json").is_file() else {}
FILES = sorted(name for name, entry in INDEX.items() if entry["format"] == "parquet")
pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not FILES, reason="ROWSTREAM_CORPUS is not set")]

# What two readers read and this one refuses, each with its reason.
REFUSED = {
    "parquet/arrow-testing__parquet_fuzzing_clusterfuzz-testcase-minimized-parquet-arrow-fuzz-5068991573000192.parquet": "a decimal that its bytes cannot hold",
    "parquet/fastparquet__dir_metadata_empty.parquet": "a converted type that does not exist",
    "parquet/fastparquet__non-std-kvm.fp-0.8.2.parquet": "a footer with a type that Thrift does not have",
    "parquet/parquet-testing__dict-page-offset-zero.parquet": "a footer with a list of another type",
    "parquet/parquet-testing__nation.dict-malformed.parquet": "a column chunk shorter than its pages",
    "parquet/parquet-testing__rle-dict-uncompressed-corrupt-checksum.parquet": "bytes that do not match their checksum",
}


def same(a, b):
    match a, b:
        case float(), float():
            return a == b or (math.isnan(a) and math.isnan(b))
        case dict(), dict():
            return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
        case ((list() | tuple()), (list() | tuple())):
            return len(a) == len(b) and all(map(same, a, b))
        case bytes(), _ if hasattr(b, "bytes"):
            return a == b.bytes  # pyarrow makes UUIDs of bytes
        case _:
            return type(a) is type(b) and a == b


@pytest.mark.parametrize("name", FILES)
def test_a_file(name):
    path = str(CORPUS / name)
    expected = INDEX[name]["expect"]
    try:
        ds = load_dataset("parquet", data_files=[path], split="train", streaming=True)
        rows = list(ds)
        assert sorted(map(repr, ds.shuffle(seed=1))) == sorted(map(repr, rows))
    except RowstreamError as error:
        assert expected != "rows" or name in REFUSED, error
        assert str(error).startswith(path), "the error names the file"
        return
    assert expected != "error", "rows were invented"
    assert name not in REFUSED
    count = INDEX[name].get("rows_expected")
    assert count is None or len(rows) == count
    try:
        theirs = pq.ParquetFile(path).read().to_pylist()
    except Exception:
        return  # pyarrow cannot read it
    assert all(map(same, rows, theirs))
    assert len(rows) == len(theirs)


LINES = sorted(name for name, entry in INDEX.items() if entry["format"] == "jsonl")

# What two readers read and this one refuses, each with its reason.
REFUSED_LINES: dict[str, str] = {}


def parsed(path):
    """The lines of a file, by Python's own reader."""
    data = Path(path).read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    lines = data.decode("utf-8-sig").split("\n")
    return [json.loads(line, parse_constant=lambda name: pytest.fail(name)) for line in lines if line.strip()]


def without(ours, theirs):
    """Without the nulls of fields that a line does not have."""
    match ours, theirs:
        case dict(), dict():
            return {key: without(value, theirs.get(key)) for key, value in ours.items() if value is not None or key in theirs}
        case list(), list():
            return [without(*pair) for pair in zip(ours, theirs, strict=True)]
        case _:
            return ours


@pytest.mark.parametrize("name", LINES)
def test_lines(name):
    path = str(CORPUS / name)
    expected = INDEX[name]["expect"]
    try:
        ds = load_dataset("json", data_files=[path], split="train", streaming=True)
        rows = list(ds)
        assert sorted(map(repr, ds.shuffle(seed=1))) == sorted(map(repr, rows))
    except RowstreamError as error:
        assert expected != "rows" or name in REFUSED_LINES, error
        assert str(error).startswith(path), "the error names the file"
        return
    assert expected != "error", "rows were invented"
    assert name not in REFUSED_LINES
    theirs = parsed(path)
    assert len(rows) == len(theirs)
    for ours, other in zip(rows, theirs, strict=True):
        assert without(ours, other) == other


MUTATED = """
import resource, sys, rowstream
from rowstream.exceptions import RowstreamError
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for path in sys.stdin:
    try:
        ds = rowstream.load_dataset("parquet", data_files=[path.strip()], split="train", streaming=True)
        count = ds.info.splits["train"].num_examples
        n = sum(1 for row in ds)
        assert n == count, (path, n, count)
        print("rows", flush=True)
    except RowstreamError as error:
        print("error", flush=True)
"""


def test_mutations_and_truncations(tmp_path):
    """Never a crash, a hang, a memory blow-up, or fewer rows than the footer claims."""
    rnd, paths = random.Random(1), []
    for k in range(1500):
        name = rnd.choice(FILES)
        data = bytearray((CORPUS / name).read_bytes())
        if not data or len(data) > 200_000:
            continue
        if rnd.random() < 0.2:
            del data[rnd.randrange(len(data)) :]
        for _ in range(rnd.randrange(1, 6)):
            if data:
                # Half of the changes hit the footer, which decides most.
                at = rnd.randrange(len(data)) if rnd.random() < 0.5 else max(0, len(data) - 1 - rnd.randrange(400))
                at = min(at, len(data) - 1)
                data[at] = rnd.choice([0, 1, 0x7F, 0x80, 0xFF, rnd.randrange(256)])
        path = tmp_path / f"{k}.parquet"
        path.write_bytes(data)
        paths.append(str(path))
    result = subprocess.run(
        [sys.executable, "-c", MUTATED], input="\n".join(paths), capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert len(result.stdout.split()) == len(paths)
    assert "panicked" not in result.stderr
