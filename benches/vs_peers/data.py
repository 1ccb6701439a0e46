"""Data that looks like what trainers read: made from a seed, once, below `data/bench`."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path("data/bench")


def texts(rng: np.random.Generator, n: int, words: tuple[int, int]) -> list[str]:
    """Texts of random words, most common words first, as language has them."""
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", "S1").astype(str)
    vocabulary = np.array(["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(4000)])
    return [
        " ".join(vocabulary[np.minimum(rng.zipf(1.3, size) - 1, 3999)])
        for size in rng.integers(*words, n)
    ]


def chat(folder: Path, rows: int, words: tuple[int, int], files: int, group: int) -> None:
    """Conversations: `id`, `messages` (role, content), `source`."""
    rng = np.random.default_rng(1)
    pool = texts(rng, 8000, words)
    for f in range(files):
        n = rows // files
        picks, turns = rng.integers(0, len(pool), (n, 4)), rng.integers(1, 3, n)
        roles = ("user", "assistant") * 2
        messages = [
            [{"role": roles[j], "content": pool[row[j]]} for j in range(2 * t)]
            for row, t in zip(picks, turns, strict=True)
        ]
        table = pa.table(
            {
                "id": [f"chat-{f}-{i:08}" for i in range(n)],
                "messages": messages,
                "source": [("web", "book", "forum")[i % 3] for i in range(n)],
            }
        )
        pq.write_table(table, folder / f"{f:03}.parquet", row_group_size=group)


def flat(folder: Path) -> None:
    """Six columns of scalars."""
    rng = np.random.default_rng(2)
    names = np.array(texts(rng, 4000, (1, 3)))
    for f in range(4):
        n = 75_000
        table = pa.table(
            {
                "id": np.arange(f * n, f * n + n),
                "score": rng.random(n),
                "weight": rng.random(n).astype("f4"),
                "label": rng.integers(0, 10, n).astype("i4"),
                "name": names[rng.integers(0, 4000, n)],
                "flag": rng.random(n) > 0.5,
            }
        )
        pq.write_table(table, folder / f"{f:03}.parquet", row_group_size=25_000)


def vectors(folder: Path) -> None:
    """Numbers and vectors of 64."""
    rng = np.random.default_rng(3)
    for f in range(4):
        n = 50_000
        vector = pa.FixedSizeListArray.from_arrays(pa.array(rng.random(n * 64).astype("f4")), 64)
        table = pa.table(
            {
                "id": np.arange(f * n, f * n + n),
                "weight": rng.random(n).astype("f4"),
                "vector": vector,
            }
        )
        pq.write_table(table, folder / f"{f:03}.parquet", row_group_size=10_000)


def wide(folder: Path) -> None:
    """Thirty columns of numbers."""
    rng = np.random.default_rng(4)
    for f in range(4):
        n = 100_000
        columns = {
            f"c{i:02}": rng.integers(0, 1 << 40, n) if i % 2 else rng.random(n).astype("f4")
            for i in range(30)
        }
        pq.write_table(pa.table(columns), folder / f"{f:03}.parquet", row_group_size=25_000)


def large(folder: Path) -> None:
    """4 GB: long conversations, row groups of 100 MB, no page index."""
    rng = np.random.default_rng(5)
    pool = texts(rng, 3000, (300, 700))
    for f in range(4):
        with pq.ParquetWriter(
            folder / f"{f:03}.parquet",
            pa.schema(
                {
                    "id": pa.int64(),
                    "messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
                }
            ),
            use_dictionary=["messages.list.element.role"],
        ) as writer:
            for g in range(10):
                picks = rng.integers(0, len(pool), (10_700, 4))
                messages = [
                    [
                        {"role": "user" if j % 2 == 0 else "assistant", "content": pool[p]}
                        for j, p in enumerate(row)
                    ]
                    for row in picks
                ]
                ids = np.arange(10_700) + (f * 10 + g) * 10_700
                writer.write_table(
                    pa.table({"id": ids, "messages": messages}, schema=writer.schema),
                    row_group_size=10_700,
                )


def lines(folder: Path, source: str = "chat", *, packed: bool = False) -> None:
    """The rows of another set as JSON Lines."""
    for file in files(source):
        path = folder / (Path(file).stem + (".jsonl.gz" if packed else ".jsonl"))
        with gzip.open(path, "wt", compresslevel=6) if packed else path.open("w") as out:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=2000):
                out.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())


def archive(folder: Path, samples: int, size: int) -> None:
    """Samples of random bytes beside JSON, in one archive."""
    rng = np.random.default_rng(6)
    pool = rng.bytes(1 << 24)
    with tarfile.open(folder / "000.tar", "w", format=tarfile.USTAR_FORMAT) as out:
        for i in range(samples):
            at = int(rng.integers(0, len(pool) - size))
            caption = json.dumps(
                {"id": i, "label": i % 10, "caption": "a photo of something " * 3}
            ).encode()
            for field, content in (("bin", pool[at : at + size]), ("json", caption)):
                info = tarfile.TarInfo(f"{i:08}.{field}")
                info.size = len(content)
                out.addfile(info, io.BytesIO(content))


def table_csv(folder: Path) -> None:
    """The flat rows as CSV."""
    from pyarrow import csv

    for file in files("flat"):
        csv.write_csv(pq.read_table(file), folder / (Path(file).stem + ".csv"))


def array(folder: Path) -> None:
    """The conversations as JSON arrays."""
    for file in files("chat"):
        (folder / (Path(file).stem + ".json")).write_text(
            json.dumps(pq.read_table(file).to_pylist())
        )


def ipc(folder: Path) -> None:
    """The conversations as Arrow streams of batches of 1,000 rows, as `datasets` writes them."""
    for file in files("chat"):
        table = pq.read_table(file)
        with pa.ipc.new_stream(str(folder / (Path(file).stem + ".arrow")), table.schema) as writer:
            writer.write_table(table, max_chunksize=1000)


def numbers(folder: Path) -> None:
    """Ten million rows of two numbers."""
    rng = np.random.default_rng(7)
    for f in range(4):
        n = 2_500_000
        table = pa.table({"id": np.arange(f * n, f * n + n), "x": rng.random(n)})
        pq.write_table(table, folder / f"{f:03}.parquet", row_group_size=250_000)


SETS = {
    "chat": lambda folder: chat(folder, 120_000, (20, 100), 4, 10_000),
    "flat": flat,
    "vectors": vectors,
    "wide": wide,
    "large": large,
    "chat_lines": lines,
    "chat_lines_gz": lambda folder: lines(folder, packed=True),
    "large_lines": lambda folder: lines(folder, "large"),
    "archive": lambda folder: archive(folder, 20_000, 10_240),
    "table_csv": table_csv,
    "chat_array": array,
    "chat_arrow": ipc,
    "numbers": numbers,
    "large_archive": lambda folder: archive(folder, 40_000, 102_400),
}


def files(name: str) -> list[str]:
    """The files of a data set, made if they are not there."""
    folder = FOLDER / name
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        SETS[name](folder)
        (folder / "done").touch()
    return sorted(str(path) for path in folder.iterdir() if path.name != "done")
