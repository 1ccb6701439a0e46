"""Lists of numbers in Parquet, as users' files have them: from any row on, beside pyarrow."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import exceptions, load_dataset

# Three rows; the first goes on over three pages, of which one begins no row.
PAGES = (
    "UEFSMRUAFSgVKCwVBBUAFQYVBgAAAgAAAAMCAgAAAAQDAQAAAAIAAAAVABUqFSosFQQVABUGFQYAAAIAAAAD/wMAAAADDwADAAAABAAA"
    "ABUAFS4VLiwVBBUAFQYVBgAABAAAAAIAAwEDAAAAAw8ABQAAAAYAAAAVABUqFSosFQQVABUGFQYAAAIAAAAD/gMAAAAD//8HAAAACAAA"
    "ABUCGUxIBHJvb3QVAgA1AhgBYRUCFQYANQQYBGxpc3QVAgAVAiUCGAdlbGVtZW50ABYGGRwZHCYIHBUCGSUABhk4AWEEbGlzdAdlbGVt"
    "ZW50FQAWEBayAhayAiYIAAAWsgIWBgAAZQAAAFBBUjE="
)


def stream(path):
    return load_dataset("parquet", data_files=str(path), split="train", streaming=True)


def from_every_row(path, starts=None):
    expected = pq.read_table(path).to_pylist()
    assert list(stream(path)) == expected
    for start in range(len(expected)) if starts is None else starts:
        assert list(stream(path).skip(start)) == expected[start:], start
        ds = stream(path)
        for _ in zip(range(start), ds, strict=False):
            pass
        again = stream(path)
        again.load_state_dict(ds.state_dict())
        assert list(again) == expected[start:], start


def test_a_row_over_several_pages(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(base64.b64decode(PAGES))
    from_every_row(path)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("kind", [pa.int64(), pa.date32()], ids=["ours", "theirs"])
def test_pages_of_nothing_between_others(tmp_path, version, kind):
    path = tmp_path / "a.parquet"
    lists = pa.array([[i] for i in range(1025)]).cast(pa.list_(pa.int32())).cast(pa.list_(kind))
    pq.write_table(pa.table({"a": lists}), path, data_page_size=100, data_page_version=version)
    from_every_row(path, [0, 1, 511, 1023, 1024])
    small = pa.table(
        {"a": pa.array([[1, 2], [3], [4]]).cast(pa.list_(pa.int32())).cast(pa.list_(kind))}
    )
    pq.write_table(small, path, data_page_size=1, write_batch_size=1, data_page_version=version)
    from_every_row(path)


READ = """
import sys
from rowstream import load_dataset
ds = load_dataset("parquet", data_files=sys.argv[1], split="train", streaming=True)
rows = sum(len(batch) for batch in ds.with_format("arrow").iter(8))
status = open("/proc/self/status").read()
print(rows, int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_nulls_of_fixed_size_take_the_memory_that_they_may(tmp_path):
    path, n = tmp_path / "a.parquet", 60_000
    kind = pa.list_(pa.float32(), 4096)
    pq.write_table(
        pa.table({"id": list(range(n)), "e": pa.array([None] * n, kind)}), path, row_group_size=n
    )
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        env={**__import__("os").environ, "ROWSTREAM_MEMORY": "128MiB"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    rows, peak = map(int, done.stdout.split())
    assert rows == n, done.stderr
    assert peak < 500  # MiB; all of it is 960


def test_a_null_that_no_memory_holds_is_an_error(tmp_path):
    path = tmp_path / "a.parquet"
    writer = pq.ParquetWriter(path, pa.schema([("a", pa.list_(pa.float32()))]), store_schema=False)
    writer.write_table(pa.table({"a": pa.array([None] * 60_000, pa.list_(pa.float32()))}))
    said = pa.schema([("a", pa.list_(pa.float32(), 2**31 - 1))]).serialize().to_pybytes()
    writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(said).decode()})
    writer.close()
    with pytest.raises(exceptions.FileFormatError, match="ROWSTREAM_MEMORY"):
        list(stream(path).with_format("arrow").iter(1))
