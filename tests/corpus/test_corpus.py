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
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset
from rowstream.exceptions import RowstreamError

CORPUS = Path(os.environ.get("ROWSTREAM_CORPUS", "nowhere"))
INDEX = json.loads((CORPUS / "index.json").read_text()) if (CORPUS / "index.json").is_file() else {}
FILES = sorted(name for name, entry in INDEX.items() if entry["format"] == "parquet")
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not FILES, reason="ROWSTREAM_CORPUS is not set"),
]

# What two readers read and this one refuses, each with its reason.
REFUSED = {
    "parquet/arrow-testing__parquet_fuzzing_clusterfuzz-testcase-minimized-parquet-arrow-fuzz-5068991573000192.parquet": "a decimal that its bytes cannot hold",
    "parquet/parquet-testing__nation.dict-malformed.parquet": "a column chunk shorter than its pages",
    "parquet/parquet-testing__rle-dict-uncompressed-corrupt-checksum.parquet": "bytes that do not match their checksum",
}


# Numbers that JSON has not, and that `datasets` reads and Python writes.
WORDS = [f"n_number_{word}." for word in ("NaN", "-NaN", "Inf", "infinity", "minus_infinity")]


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


def rows_of(format, name, refused):
    """The rows of a file, where they may be read; `None` where there is an error and there may be one."""
    path = str(CORPUS / name)
    expected = INDEX[name]["expect"]
    try:
        ds = load_dataset(format, data_files=[path], split="train", streaming=True)
        rows = list(ds)
        assert sorted(map(repr, ds.shuffle(seed=1))) == sorted(map(repr, rows))
    except RowstreamError as error:
        assert expected != "rows" or name in refused, error
        assert str(error).startswith(path), "the error names the file"
        return None
    assert (
        expected != "error"
        or any(word in name for word in WORDS)
        or (not rows and INDEX[name].get("rows_expected", 0) == 0)
    ), "rows were invented"
    assert name not in refused
    return rows


@pytest.mark.parametrize("name", FILES)
def test_a_file(name):
    rows = rows_of("parquet", name, REFUSED)
    if rows is None:
        return
    path = str(CORPUS / name)
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
    text = data.decode("utf-8-sig")
    reader, values, at = json.JSONDecoder(parse_constant=lambda name: pytest.fail(name)), [], 0
    while text[at:].strip():
        value, at = reader.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        values.append(value)
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def without(ours, theirs):
    """Without the nulls of fields that a line does not have."""
    match ours, theirs:
        case dict(), dict():
            return {
                key: without(value, theirs.get(key))
                for key, value in ours.items()
                if value is not None or key in theirs
            }
        case list(), list():
            return [without(*pair) for pair in zip(ours, theirs, strict=True)]
        case _:
            return ours


@pytest.mark.parametrize("name", LINES)
def test_lines(name):
    rows = rows_of("json", name, REFUSED_LINES)
    if rows is None or any(word in name for word in WORDS):
        return
    path = str(CORPUS / name)
    theirs = parsed(path)
    assert len(rows) == len(theirs)
    for ours, other in zip(rows, theirs, strict=True):
        assert without(ours, other) == other


ARCHIVES = sorted(name for name, entry in INDEX.items() if entry["format"] == "tar")

# What two readers read and this one refuses, each with its reason.
REFUSED_ARCHIVES = {
    f"tar/{name}": reason
    for reason, names in {
        "no end marker: it may have been cut": (
            "golang__archive_tar_testdata_gnu-incremental.tar",
            "golang__archive_tar_testdata_nil-uid.tar",
            "golang__archive_tar_testdata_ustar-file-reg.tar",
            "libarchive__libarchive_test_test_compat_tar_hardlink_1.tar",
        ),
    }.items()
    for name in names
}


# What other readers leave out, or give: links are what they point to, and hidden files are no samples.
OTHER_COUNTS = {
    "tar/golang__archive_tar_testdata_writer.tar": 3,
    "tar/libarchive__tar_test_test_patterns_4.tar": 10,
}


# Python's reader does not know what stands before the map of a sparse member.
NOT_BY_PYTHON = {
    "tar/libarchive__libarchive_test_test_read_format_gtar_sparse_1_17_posix10_modified.tar"
}
# A file that is all hole, of which Python reads the block that is not part of it.
ONLY_HOLES = {"tar/golang__archive_tar_testdata_pax-nil-sparse-hole.tar"}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive(name):
    rows = rows_of("webdataset", name, REFUSED_ARCHIVES)
    if rows is None:
        return
    path = str(CORPUS / name)
    count = OTHER_COUNTS.get(name, INDEX[name].get("rows_expected"))
    assert count is None or len(rows) == count
    if (
        Path(path)
        .read_bytes()
        .startswith((b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b"\x04\x22\x4d\x18"))
    ):
        return  # Python's reader does not know these
    if name in NOT_BY_PYTHON:
        return
    with tarfile.open(path) as archive:
        files = [
            member
            for member in archive
            if member.isreg() or (name in OTHER_COUNTS and member.issym())
        ]
        members = {
            member.name: archive.extractfile(member).read()
            for member in files
            if member.size < 1 << 28
        }
    for row in rows:
        for field, value in row.items():
            if (
                field not in ("__key__", "__url__")
                and value is not None
                and isinstance(value, (bytes, str))
            ):
                want = members[f"{row['__key__']}.{field}"]
                if name in ONLY_HOLES:
                    want = bytes(len(value))
                assert want == (value.encode() if isinstance(value, str) else value)


OTHERS = {"csv": "csv", "json": "json", "arrow": "arrow", "text": "text", "compressed": "text"}
NAMES = sorted(name for name, entry in INDEX.items() if entry["format"] in OTHERS)

# What two readers read and this one refuses, each with its reason.
REFUSED_OTHERS = {
    name: reason
    for reason, names in {
        "a quote that is not closed": (
            "csv/duckdb__csv_afl_no_parameter_12.csv",
            "csv/duckdb__csv_afl_no_parameter_17.csv",
            "csv/duckdb__csv_afl_no_parameter_21.csv",
            "csv/duckdb__csv_afl_no_parameter_6.csv",
            "csv/duckdb__csv_afl_no_parameter_9.csv",
            "csv/duckdb__csv_multidelimiter_simple_unterminated_quote.csv",
            "csv/duckdb__csv_multidelimiter_unterminated_escape.csv",
            "csv/duckdb__csv_multidelimiter_unterminated_quote_escape.csv",
        ),
        "a row longer than the header": ("csv/duckdb__csv_afl_null_padding_6.csv",),
        "a footer with another schema": (
            "arrow/arrow-testing__arrow-ipc-file_clusterfuzz-testcase-minimized-arrow-ipc-file-fuzz-6088759971217408.arrow",
        ),
        "not UTF-8": ("csv/duckdb__csv_test_invalid_utf.csv",),
    }.items()
    for name in names
}


def unpacked(data):
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_format(name):
    format = INDEX[name]["format"]
    expected = INDEX[name]["expect"]
    rows = rows_of(OTHERS[format], name, REFUSED_OTHERS if expected == "rows" else {})
    if rows is None:
        return
    count = INDEX[name].get("rows_expected")
    assert count is None or expected != "rows" or len(rows) == count
    path = CORPUS / name
    if format == "arrow":
        try:
            with path.open("rb") as file:
                start = file.read(6)
            table = (pa.ipc.open_file if start == b"ARROW1" else pa.ipc.open_stream)(
                str(path)
            ).read_all()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
            return
        assert all(map(same, rows, table.to_pylist()))
        assert len(rows) == table.num_rows
    elif format == "json" and expected == "rows":
        theirs = json.loads(path.read_text("utf-8-sig"))
        theirs = theirs if isinstance(theirs, list) else [theirs]
        for ours, one in zip(rows, theirs, strict=True):
            assert without(ours, one) == (one if isinstance(one, dict) else {"text": one})


MUTATED = """
import resource, sys, rowstream
from rowstream.exceptions import RowstreamError
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for line in sys.stdin:
    format, path = line.split()
    try:
        ds = rowstream.load_dataset(format, data_files=[path], split="train", streaming=True)
        count = ds.info.splits["train"].num_examples
        n = sum(1 for row in ds)
        assert n == count or (count is None and format not in ("parquet", "arrow")), (path, n, count)
        if format != "parquet":
            assert sum(1 for row in ds.shuffle(seed=1)) == n
        print("rows", flush=True)
    except RowstreamError as error:
        assert path in str(error) or format == "parquet", error
        print("error", flush=True)
"""


def run_mutated(folder, seed, choose, decisive, values):
    """Loads files with bytes changed or cut off. `decisive`: gives the place of a byte that decides much."""
    rnd, jobs = random.Random(seed), []
    for k in range(1500):
        format, name = choose(rnd)
        data = bytearray((CORPUS / name).read_bytes())
        if not data or len(data) > 200_000:
            continue
        if rnd.random() < 0.2:
            del data[rnd.randrange(len(data)) :]
        for _ in range(rnd.randrange(1, 6)):
            if data:
                at = rnd.randrange(len(data)) if rnd.random() < 0.5 else decisive(rnd, len(data))
                data[at] = rnd.choice([*values, rnd.randrange(256)])
        path = folder / f"{k}.bin"
        path.write_bytes(data)
        jobs.append(f"{format} {path}")
    result = subprocess.run(
        [sys.executable, "-c", MUTATED],
        input="\n".join(jobs),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert len(result.stdout.split()) == len(jobs)
    assert "panicked" not in result.stderr


def test_mutations_and_truncations(tmp_path):
    """Never a crash, a hang, a memory blow-up, or fewer rows than the footer claims. The footer decides most."""
    footer = lambda rnd, size: max(0, size - 1 - rnd.randrange(400))
    run_mutated(
        tmp_path, 1, lambda rnd: ("parquet", rnd.choice(FILES)), footer, [0, 1, 0x7F, 0x80, 0xFF]
    )


def test_mutations_of_lines_and_archives(tmp_path):
    """Never a crash, a hang or a memory blow-up; an error names the file. The first header of an archive decides most."""
    either = lambda rnd: rnd.choice(
        [("json", rnd.choice(LINES)), ("webdataset", rnd.choice(ARCHIVES))]
    )
    header = lambda rnd, size: min(size - 1, rnd.randrange(600))
    run_mutated(tmp_path, 2, either, header, [0, 1, 0x22, 0x5C, 0x7F, 0x80, 0xFF])


def test_mutations_of_other_formats(tmp_path):
    """Never a crash, a hang or a memory blow-up; an error names the file."""

    def choose(rnd):
        name = rnd.choice(NAMES)
        return OTHERS[INDEX[name]["format"]], name

    run_mutated(
        tmp_path,
        3,
        choose,
        lambda rnd, size: min(size - 1, rnd.randrange(600)),
        [0, 1, 0x22, 0x5B, 0x5C, 0x7F, 0x80, 0xFF],
    )
