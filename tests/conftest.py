"""Files that tests read."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from rowstream import load_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("repeatable")


def write_listing(folder: Path, counts: list[int], files: int = 1) -> list[Path]:
    """Parquet files whose row groups have these rows; the column `id` counts rows over all, from 0."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema({"id": pa.int64(), "text": pa.string()})
    paths, row = [], 0
    for f in range(files):
        path = folder / f"{f:05}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for n in counts[f::files] if files > 1 else counts:
                ids = range(row, row + n)
                writer.write_table(
                    pa.table([ids, [f"row {i}" * (i % 7) for i in ids]], schema=schema),
                    row_group_size=max(n, 1),
                )
                row += n
        paths.append(path)
    return paths


def write_lines(folder: Path, counts: list[int]) -> None:
    """Files of lines with these counts, every third of them compressed; `id` counts rows over all, from 0."""
    folder.mkdir(parents=True, exist_ok=True)
    row = 0
    for f, n in enumerate(counts):
        lines = "".join(
            json.dumps({"id": i, "text": f"row {i}" * (i % 7)}) + "\n" for i in range(row, row + n)
        ).encode()
        if f % 3 == 2:
            (folder / f"{f:05}.jsonl.gz").write_bytes(gzip.compress(lines))
        else:
            (folder / f"{f:05}.jsonl").write_bytes(lines)
        row += n


def offer(folder: Path, group: str, point: str, code: str) -> None:
    """A package `others` in a folder, whose entry point of a group is `point`."""
    (folder / "others.py").write_text(code)
    about = folder / "others-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{point}\n")


@pytest.fixture
def listing(tmp_path: Path) -> Callable[..., object]:
    """Makes a stream of files whose row groups have the given rows."""

    def make(counts: list[int], files: int = 1) -> object:
        folder = tmp_path / f"listing-{len(list(tmp_path.iterdir()))}"
        write_listing(folder, counts, files)
        return load_dataset(
            "parquet", data_files=f"{folder}/*.parquet", split="train", streaming=True
        )

    return make
