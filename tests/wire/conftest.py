"""Servers of the tests of sources on other machines."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import load_dataset

from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 6000
"""Rows of each of the files below: a megabyte or so, in several pieces."""

FAST = {"timeout": 0.4, "retries": 4, "deadline": 8}
"""Impatient settings, so that tests need not wait."""


def rows(n: int = ROWS) -> list[dict[str, object]]:
    return [{"id": i, "text": f"row {i} " * (i % 23)} for i in range(n)]


def lines(n: int = ROWS) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows(n)).encode()


def parquet(n: int = ROWS, group: int = 1500) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(rows(n)),
        sink,
        row_group_size=group,
        write_page_index=True,
        compression="none",
        use_dictionary=False,
    )
    return sink.getvalue()


def tar(n: int = 400) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as made:
        for i in range(n):
            for end, content in (("txt", f"sample {i} " * (i % 50)), ("cls", str(i % 10))):
                info = tarfile.TarInfo(f"{i:06}.{end}")
                info.size = len(content)
                made.addfile(info, io.BytesIO(content.encode()))
    return sink.getvalue()


def arrow(kind: str = "file", n: int = ROWS) -> bytes:
    table, sink = pa.Table.from_pylist(rows(n)), io.BytesIO()
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    return sink.getvalue()


FILES = {
    "a.jsonl": ("json", lines),
    "a.jsonl.gz": ("json", lambda: gzip.compress(lines())),
    "a.parquet": ("parquet", parquet),
    "a.tar": ("webdataset", tar),
    "a.arrow": ("arrow", arrow),
    "stream.arrow": ("arrow", lambda: arrow("stream")),
    "a.csv": (
        "csv",
        lambda: ("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows())).encode(),
    ),
    "a.txt": ("text", lambda: "".join(f"{row['text']}\n" for row in rows()).encode()),
}


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("served")
    for folder in ("http", "s3/bucket"):
        (root / folder).mkdir(parents=True)
        for name, (_, content) in FILES.items():
            (root / folder / name).write_bytes(content())
    with Server(root) as server:
        yield server


@pytest.fixture
def server(_served: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server without faults, and an environment that knows no other: neither caches nor tokens nor credentials."""
    for name in os.environ:
        if name.startswith(
            ("HF_", "AWS_", "GOOGLE_", "AZURE_", "ROWSTREAM_")
        ) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", _served.hub)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("ROWSTREAM_CACHE", str(tmp_path / "rowstream"))
    monkeypatch.setenv("HOME", str(tmp_path))
    _served.clear()
    yield _served
    _served.clear()


@pytest.fixture
def local(_served: Server):
    """The rows of a file, read from disk."""

    def read(name: str) -> list[dict[str, object]]:
        ds = load_dataset(
            FILES[name][0],
            data_files=str(_served.root / "http" / name),
            split="train",
            streaming=True,
        )
        return [{key: value for key, value in row.items() if key != "__url__"} for row in ds]

    return read


def far(url: str, name: str, **options: object) -> list[dict[str, object]]:
    """The rows of a file by its URL."""
    options = {"storage_options": dict(FAST), **options}
    ds = load_dataset(FILES[name][0], data_files=url, split="train", streaming=True, **options)
    return [{key: value for key, value in row.items() if key != "__url__"} for row in ds]
