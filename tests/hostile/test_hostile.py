"""Files that claim more than they have, each in a process with little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc"
    ),
]
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
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, path, how],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env=env,
    )
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
    pq.write_table(
        pa.table({"mask": pa.array([[1] * 1024]).take(pa.array([0] * 12_000))}),
        tmp_path / "a.parquet",
    )
    said, peak = read(tmp_path / "a.parquet")
    assert said == "rows"
    assert peak < 100


@pytest.mark.parametrize(
    "how",
    [
        "lambda ds: ds.shard(2, 0)",
        "lambda ds: rowstream.split_dataset_by_node(ds, 0, 2)",
        "lambda ds: ds.shuffle(seed=1)",
    ],
)
def test_rows_of_one_large_row_group_are_not_held_whole(tmp_path, how):
    pq.write_table(
        pa.table({"text": [f"{i}" * 1000 for i in range(20_000)]}),
        tmp_path / "a.parquet",
        compression="zstd",
        use_dictionary=False,
    )
    said, peak = read(tmp_path / "a.parquet", how)
    assert said == "rows"
    assert peak < 110


def test_mutated_archives_of_files(tmp_path):
    """A zip or tar archive of data files with bytes changed or cut off: rows or an error with its name, never more."""
    import io
    import random
    import subprocess
    import sys
    import tarfile
    import zipfile

    content = "".join(f'{{"id": {i}, "text": "{"x" * (i % 30)}"}}\n' for i in range(200)).encode()
    packed, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"{i}.jsonl", content)
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        for i in range(3):
            info = tarfile.TarInfo(f"{i}.jsonl")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    rnd, paths = random.Random(5), []
    for k in range(600):
        name, whole = rnd.choice([("zip", packed.getvalue()), ("tar.gz", tarred.getvalue())])
        data = bytearray(whole)
        if rnd.random() < 0.2:
            del data[rnd.randrange(len(data)) :]
        for _ in range(rnd.randrange(1, 5)):
            if data:
                at = (
                    rnd.randrange(len(data))
                    if rnd.random() < 0.5
                    else max(0, len(data) - 1 - rnd.randrange(250))
                )
                data[at] = rnd.choice([0, 1, 0x7F, 0x80, 0xFF, rnd.randrange(256)])
        path = tmp_path / f"{k}.{name}"
        path.write_bytes(data)
        paths.append(str(path))
    script = """
import resource, sys, rowstream
from rowstream.exceptions import RowstreamError
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for path in sys.stdin.read().split():
    try:
        list(rowstream.load_dataset("json", data_files=[path], split="train", streaming=True))
    except RowstreamError as error:
        assert path in str(error), error
    print("done", flush=True)
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert len(result.stdout.split()) == len(paths)
    assert "panicked" not in result.stderr
