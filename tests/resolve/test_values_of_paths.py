"""Folders `key=value`: the value is a column of the rows of every format, streaming or not."""

from __future__ import annotations

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset

ROW = {"a": 1}


def archive(path):
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("s.cls")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"1"))


def arrow(path):
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, pa.schema({"a": "int64"})) as out,
    ):
        out.write_table(pa.table(ROW | {"a": [1]}))


WRITE = {
    "csv": lambda path: path.write_text("a\n1\n"),
    "json": lambda path: path.write_text('{"a":1}\n'),
    "text": lambda path: path.write_text("1\n"),
    "parquet": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "arrow": arrow,
    "webdataset": archive,
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", WRITE)
def test_the_value_is_a_column(kind, streaming, tmp_path):
    for value in ("x", "y"):
        folder = tmp_path / f"k={value}"
        folder.mkdir()
        WRITE[kind](folder / "file")

    def values(**options):
        ds = load_dataset(
            kind,
            data_files=str(tmp_path / "*" / "file"),
            split="train",
            streaming=streaming,
            **options,
        )
        rows = [*ds]
        assert all(len([one for one in row if not one.startswith("__")]) == 2 for row in rows)
        return [row["k"] for row in rows]

    assert values() == ["x", "y"]
    if kind in ("csv", "json", "parquet", "arrow"):
        assert values(filters=[("k", "==", "y")]) == ["y"]


def test_what_a_file_has_itself_is_not_replaced(tmp_path):
    (tmp_path / "k=x").mkdir()
    (tmp_path / "k=x" / "a.csv").write_text("a,k\n1,own\n2,\n")
    ds = load_dataset("csv", data_files=str(tmp_path / "k=x" / "a.csv"), split="train")
    assert ds["k"][:] == ["own", None]
