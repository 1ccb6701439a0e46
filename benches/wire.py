"""Sources on other machines beside the peers: `python -m benches.wire [workload …]`; writes benches/results/wire_*.json.

Everything is asked of the loopback server of `rust/testserver`, which counts requests and bytes and adds latency and a limit for each
connection. Each side runs in a process of its own, turn by turn; ratios are of one run.

- `tars`: 8 tar shards of 64 MB in file order, 100 MB/s a connection; beside webdataset, datasets and parallel curl.
- `first_row`: the first row of a data set of the Hub, cold and warm: requests, and wall time at 50 ms; beside datasets.
- `columns`: 30 columns, 256 row groups: 3 columns of the 2 % of rows that a predicate keeps; beside datasets, Polars and pyarrow, at 50 ms.
- `many_files`: 10,000 files and 32 workers: listings.
- `cache`: five epochs, shuffled, with a cache of 30 % of the data: hits beside those of Bélády's rule on the same trace.
- `faults`: one epoch with all faults: the same rows, and memory.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.server import Server

RESULTS = Path("benches/results")
DATA = Path(tempfile.gettempdir()) / "rowstream-wire"
RATE = 100_000_000

SIDES: dict[str, dict[str, str]] = {
    "tars": {
        "rowstream": """
            ds = rowstream.load_dataset("webdataset", data_files=urls, split="train", streaming=True)
            n = sum(len(row["jpg"]) for row in ds)
        """,
        "webdataset": """
            import webdataset
            ds = webdataset.WebDataset([f"pipe:curl -s -f {url}" for url in urls], shardshuffle=False)
            n = sum(len(row["jpg"]) for row in ds)
        """,
        "datasets": """
            ds = datasets.load_dataset("webdataset", data_files={"train": urls}, split="train", streaming=True)
            ds = ds.decode(False) if hasattr(ds, "decode") else ds
            n = sum(len(row["jpg"]["bytes"]) for row in ds)
        """,
        "curl": """
            args = [part for url in urls for part in ("-o", "/dev/null", url)]
            subprocess.run(["curl", "-s", "-f", "--parallel", "--parallel-immediate", "--parallel-max", "8", *args], check=True, stderr=subprocess.DEVNULL)
            n = 0
        """,
    },
    "columns": {
        "rowstream": """
            ds = rowstream.load_dataset("parquet", data_files=urls, split="train", streaming=True, columns=["c0", "c7", "c20"])
            n = sum(row["c0"] for row in ds.filter(rowstream.col("c0") < 20))
        """,
        "datasets": """
            ds = datasets.load_dataset("parquet", data_files={"train": urls}, split="train", streaming=True, columns=["c0", "c7", "c20"], filters=[("c0", "<", 20)])
            n = sum(row["c0"] for row in ds)
        """,
        "polars": """
            import polars
            n = polars.scan_parquet(urls).filter(polars.col("c0") < 20).select("c0", "c7", "c20").collect()["c0"].sum()
        """,
        "pyarrow": """
            import fsspec, pyarrow.compute as pc, pyarrow.dataset as pd
            fs = fsspec.filesystem("http")
            ds = pd.dataset(urls, filesystem=fs, format=pd.ParquetFileFormat(default_fragment_scan_options=pd.ParquetFragmentScanOptions(pre_buffer=True)))
            n = pc.sum(ds.to_table(columns=["c0", "c7", "c20"], filter=pd.field("c0") < 20)["c0"]).as_py()
        """,
    },
    "faults": {
        "rowstream": """
            import hashlib
            digest, more = hashlib.sha256(), {}
            ds = rowstream.load_dataset("webdataset", data_files=urls, split="train", streaming=True, storage_options={"timeout": 1})
            for i, row in enumerate(ds.shuffle(seed=1, buffer_size=100)):
                digest.update(row["__key__"].encode() + row["jpg"])
                if i == 5000:
                    more["mb_of_a_third"] = peak()
            n = digest.hexdigest()[:16]
        """,
    },
    "first_row": {
        "rowstream": """
            n = len(next(iter(rowstream.load_dataset(repo, data_files=name, split="train", streaming=True))))
        """,
        "datasets": """
            n = len(next(iter(datasets.load_dataset(repo, data_files=name, split="train", streaming=True))))
        """,
    },
}

HEAD = """
import json, os, resource, subprocess, sys, time
given = json.loads(sys.argv[1])
urls, repo, name = given.get("urls"), given.get("repo"), given.get("name")
side = given["side"]
if side == "rowstream":
    import rowstream
elif side == "datasets":
    import datasets
def peak():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
more = {}
began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
"""
TAIL = """
wall, now, below = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime + below.ru_utime + below.ru_stime
print(json.dumps({"wall": wall, "cpu": cpu, "mb": peak(), "n": n, **more}))
"""


def side(
    workload: str, peer: str, server: Server, env: dict[str, str] | None = None, **given: Any
) -> dict[str, Any]:
    """One run of one side, with what it asked."""
    import textwrap

    code = HEAD + textwrap.dedent(SIDES[workload][peer]) + TAIL
    server.control("DELETE", "log")
    environment = {
        **os.environ,
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **(env or {}),
    }
    out = subprocess.run(
        [sys.executable, "-c", code, json.dumps({"side": peer, **given})],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=environment,
    )
    if out.returncode:
        return {
            "error": out.stderr.strip().splitlines()[-1][-300:]
            if out.stderr.strip()
            else f"status {out.returncode}"
        }
    log = server.log()
    made: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return {**made, "requests": len(log), "bytes": sum(entry["bytes"] for entry in log)}


def tars() -> list[str]:
    folder = DATA / "http" / "tars"
    folder.mkdir(parents=True, exist_ok=True)
    payload = os.urandom(33_000)
    for i in range(8):
        path = folder / f"{i}.tar"
        if not path.exists():
            with tarfile.open(path, "w") as made:
                for k in range(1900):
                    info = tarfile.TarInfo(f"{i}-{k:06}.jpg")
                    info.size = len(payload)
                    made.addfile(info, io.BytesIO(payload))
        path.read_bytes()
    return [f"tars/{i}.tar" for i in range(8)]


def columns() -> list[str]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = DATA / "http" / "columns"
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    for f in range(4):
        path = folder / f"{f}.parquet"
        if path.exists():
            continue
        with pq.ParquetWriter(
            path,
            pa.schema([(f"c{i}", pa.int64() if i % 2 == 0 else pa.float64()) for i in range(30)]),
            write_page_index=True,
        ) as writer:
            for _ in range(64):
                made = {
                    f"c{i}": random.integers(0, 1000, 8000) if i % 2 == 0 else random.random(8000)
                    for i in range(30)
                }
                writer.write_table(pa.table(made))
    return [f"columns/{f}.parquet" for f in range(4)]


def needed(paths: list[str]) -> int:
    """The bytes that the columns of the predicate have, and the pages of the others that have a wanted row; and the footers."""
    import pyarrow.parquet as pq

    total = 0
    for path in paths:
        file = pq.ParquetFile(DATA / "http" / path)
        total += file.metadata.serialized_size
        for g in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(g)
            # 2 % of rows at random: every page of 8,000 rows has one.
            total += sum(group.column(c).total_compressed_size for c in (0, 7, 20))
    return total


def walls(of: dict[str, Any]) -> float:
    return float(of.get("wall", 1e9))


def bench_tars(server: Server) -> dict[str, Any]:
    paths, made = tars(), {}
    total = sum((DATA / "http" / path).stat().st_size for path in paths)
    urls = [f"{server.http}/{path}" for path in paths]
    for ms in (0, 20, 80):
        server.faults(
            *([{"kind": "latency", "ms": ms}] if ms else []), {"kind": "bandwidth", "bps": RATE}
        )
        # Each three times in a row, and the one in the middle: the first pays for memory that the machine has to get first.
        sides = {
            peer: sorted(
                (side("tars", peer, server, urls=urls, env=fresh()) for _ in range(3)), key=walls
            )[1]
            for peer in SIDES["tars"]
        }
        for of in sides.values():
            if "wall" in of:
                of["mb_per_s"] = total / 1e6 / of["wall"]
        made[f"{ms} ms"] = sides
    return {"bytes": total, "sides": made}


def fresh() -> dict[str, str]:
    """An environment with empty caches."""
    home = tempfile.mkdtemp(dir=DATA)
    return {"HF_HOME": f"{home}/hf", "ROWSTREAM_CACHE": f"{home}/rowstream"}


def bench_first_row(server: Server) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = "".join(
        json.dumps({"id": i, "text": f"row {i} " * 20}) + "\n" for i in range(20_000)
    ).encode()
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"id": range(200_000), "text": [os.urandom(20).hex() for _ in range(200_000)]}),
        sink,
        row_group_size=20_000,
    )
    server.repo(
        "org/first",
        {"train.parquet": sink.getvalue(), "train.jsonl": lines, "README.md": b"---\n---\n"},
    )
    made: dict[str, Any] = {}
    for name in ("train.parquet", "train.jsonl"):
        for peer in SIDES["first_row"]:
            env = {**fresh(), "HF_ENDPOINT": server.hub}
            for when in ("cold", "warm"):
                server.faults({"kind": "latency", "ms": 50})
                made[f"{name} {when} {peer}"] = side(
                    "first_row", peer, server, env, repo="org/first", name=name
                )
    return {"sides": made}


def bench_columns(server: Server) -> dict[str, Any]:
    paths = columns()
    server.faults({"kind": "latency", "ms": 50}, {"kind": "bandwidth", "bps": RATE})
    urls = [f"{server.http}/{path}" for path in paths]
    sides = {
        peer: side("columns", peer, server, urls=urls, env=fresh()) for peer in SIDES["columns"]
    }
    least = needed(paths)
    for of in sides.values():
        if "bytes" in of:
            of["bytes_of_needed"] = of["bytes"] / least
    return {"needed": least, "sides": sides}


def bench_many_files(server: Server) -> dict[str, Any]:
    import rowstream

    server.repo(
        "org/many",
        {f"train/{i:05}.jsonl": json.dumps({"id": i}).encode() + b"\n" for i in range(10_000)},
    )
    os.environ.update({"HF_ENDPOINT": server.hub, **fresh()})
    server.faults()
    server.control("DELETE", "log")
    began = time.perf_counter()
    ds = rowstream.load_dataset("org/many", split="train", streaming=True)
    resolved = time.perf_counter() - began
    import pickle

    code = "import sys, pickle, rowstream; ds = pickle.loads(sys.stdin.buffer.read()); w, n = int(sys.argv[1]), int(sys.argv[2]); from rowstream import split_dataset_by_node; print(sum(row['id'] for row in split_dataset_by_node(ds, w, n)))"
    text, total, running = pickle.dumps(ds), 0, []
    for w in range(32):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(w), "32"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        child.stdin.write(text)
        child.stdin.close()
        running.append(child)
        if len(running) == 4:
            for done in running:
                assert done.stdout is not None
                total += int(done.stdout.read())
                done.wait()
            running = []
    assert total == sum(range(10_000))
    log = server.log()
    return {
        "listings": sum(entry["path"].startswith("/api/") for entry in log),
        "requests": len(log),
        "resolved_s": resolved,
        "wall": time.perf_counter() - began,
    }


def belady(trace: list[str], room: int) -> int:
    """The hits of the best cache of so many objects of one size, which may leave out what it reads."""
    later: dict[str, list[int]] = {}
    for i in range(len(trace) - 1, -1, -1):
        later.setdefault(trace[i], []).append(i)
    kept: set[str] = set()
    hits = 0
    for name in trace:
        later[name].pop()
        if name in kept:
            hits += 1
        next_ = {one: (later[one][-1] if later[one] else len(trace)) for one in (*kept, name)}
        kept = set(sorted({*kept, name}, key=lambda one: next_[one])[:room])
    return hits


def bench_cache(server: Server) -> dict[str, Any]:
    import rowstream

    folder = DATA / "http" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(200):
        text = "".join(
            json.dumps({"shard": i, "text": "x" * 1000}) + "\n" for _ in range(2000)
        ).encode()
        (folder / f"{i:03}.jsonl.gz").write_bytes(gzip.compress(text, 0))
    size = sum(path.stat().st_size for path in folder.iterdir())
    os.environ.update(fresh())
    server.faults()
    server.control("DELETE", "log")
    ds = rowstream.load_dataset(
        "json",
        data_files=[f"{server.http}/cache/{i:03}.jsonl.gz" for i in range(200)],
        split="train",
        streaming=True,
        cache_dir=tempfile.mkdtemp(dir=DATA),
        cache_limit=int(size * 0.3),
    ).shuffle(seed=1, buffer_size=100)
    server.control("DELETE", "log")
    trace, wire = [], []
    for epoch in range(5):
        ds.set_epoch(epoch)
        seen: dict[int, None] = {}
        for row in ds:
            seen.setdefault(row["shard"])
        trace += [str(shard) for shard in seen]
        log = server.log()
        wire.append(sum(entry["bytes"] for entry in log))
        server.control("DELETE", "log")
    # In the first epoch nothing can be there.
    best = belady(trace, 60) / (len(trace) * 4 / 5)
    ours = 1 - sum(wire[1:]) / (4 * size)
    return {"bytes": size, "wire": wire, "hit_rate": ours, "belady": best, "of_belady": ours / best}


def bench_faults(server: Server) -> dict[str, Any]:
    urls = [f"{server.http}/{path}" for path in tars()]
    rules: dict[str, list[dict[str, Any]]] = {
        "quiet": [],
        "all faults": [
            {"kind": "latency", "ms": 5},
            {"kind": "reset", "after": 1_500_000, "skip": 2, "times": 60},
            {"kind": "status", "status": 503, "skip": 20, "times": 4},
            {"kind": "stall", "after": 100_000, "seconds": 3, "skip": 30, "times": 2},
            {"kind": "short_range", "by": 1000, "skip": 40, "times": 20},
        ],
    }
    made = {}
    for name, of in rules.items():
        server.faults(*of)
        made[name] = side("faults", "rowstream", server, urls=urls, env=fresh())
    assert len({of["n"] for of in made.values()}) == 1, made
    return {"sides": made}


ALL = {
    "tars": bench_tars,
    "first_row": bench_first_row,
    "columns": bench_columns,
    "many_files": bench_many_files,
    "cache": bench_cache,
    "faults": bench_faults,
}


def main() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or ALL:
        with Server(DATA) as server:
            made = ALL[name](server)
        (RESULTS / f"wire_{name}.json").write_text(json.dumps(made, indent=1) + "\n")
        print(
            f"\n{name}: "
            + ", ".join(
                f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in made.items()
                if key != "sides"
            )
        )
        for group, of in made.get("sides", {}).items():
            rows = of.items() if all(isinstance(one, dict) for one in of.values()) else [("", of)]
            for peer, figures in rows:
                shown = "  ".join(
                    f"{key} {value:.4g}" if isinstance(value, (int, float)) else f"{key} {value}"
                    for key, value in figures.items()
                    if key != "n"
                )
                print(f"  {group:28} {peer:12} {shown}")


if __name__ == "__main__":
    main()
