"""Files that claim more than they have, each in a process with little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")]
HERE = Path(__file__).parent
SCRIPT = """
import sys, rowstream
from rowstream.exceptions import RowstreamError
try:
    ds = rowstream.load_dataset("parquet", data_files=[sys.argv[1]], split="train", streaming=True)
    for row in eval(sys.argv[2])(ds):
        break
    print("rows")
except RowstreamError as error:
    print(error)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def read(path, how="iter"):
    """What reading a file printed, and the peak of its memory in MiB."""
    env = {**os.environ, "ROWSTREAM_MEMORY": "32MiB"}
    run = subprocess.run([sys.executable, "-c", SCRIPT, path, how], capture_output=True, text=True, timeout=30, check=True, env=env)
    said, peak = run.stdout.splitlines()
    return said, int(peak) // 1024


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deep", "types too deep in each other"),
        ("dba", "header that does not fit it"),
        ("flba", "ROWSTREAM_MEMORY"),
        ("row", "ROWSTREAM_MEMORY"),
    ],
)
def test_claims_without_bytes(name, message):
    said, peak = read(HERE / f"{name}.parquet")
    assert message in said
    assert f"{name}.parquet" in said
    assert peak < 100


def test_what_is_small_encoded_is_bounded_decoded(tmp_path):
    """A mask: every row is a list of 1,024 ones, all of it a few KB in the file and 100 MB decoded."""
    pq.write_table(pa.table({"mask": pa.array([[1] * 1024]).take(pa.array([0] * 12_000))}), tmp_path / "a.parquet")
    said, peak = read(tmp_path / "a.parquet")
    assert said == "rows"
    assert peak < 100


@pytest.mark.parametrize(
    "how", ["lambda ds: ds.shard(2, 0)", "lambda ds: rowstream.split_dataset_by_node(ds, 0, 2)", "lambda ds: ds.shuffle(seed=1)"]
)
def test_rows_of_one_large_row_group_are_not_held_whole(tmp_path, how):
    pq.write_table(
        pa.table({"text": [f"{i}" * 1000 for i in range(20_000)]}), tmp_path / "a.parquet", compression="zstd", use_dictionary=False
    )
    said, peak = read(tmp_path / "a.parquet", how)
    assert said == "rows"
    assert peak < 110
