"""Preparing large sets and looking at loaders: shuffled on disk, Ray, MLX, the figures of a loader. `python -m benches.preparing [words]`.

Each side runs in a process of its own. DuckDB and Ray have the machine's two processors, as rowstream does.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(tempfile.gettempdir()) / "rowstream-preparing"
ROWS, MEMORY = 10_000_000, "512MB"
RESULTS = Path("benches/results/preparing.json")


def lines() -> str:
    """Return the path of ten million rows of JSON Lines, of different texts."""
    path = DATA / "rows.jsonl"
    if not path.exists():
        DATA.mkdir(exist_ok=True)
        draw = random.Random(0)
        words = [f"w{draw.getrandbits(draw.choice([12, 20, 28])):x}" for _ in range(5000)]
        with open(path, "w") as file:
            for i in range(ROWS):
                at = draw.randrange(4900)
                text = " ".join(words[at : at + 8 + i % 9])
                file.write(
                    f'{{"id":{i},"text":"{text}","score":{draw.random():.6f},"lang":"{("en", "de", "fr")[i % 3]}"}}\n'
                )
    return str(path)


def shards() -> str:
    """Return the pattern of eight Parquet files of a million rows in all."""
    folder = DATA / "shards"
    if not folder.exists():
        import rowstream

        ds = rowstream.load_dataset("json", data_files=lines(), split="train", streaming=True)
        folder.mkdir()
        ds.take(1_000_000).to_parquet(str(folder / "rows.parquet"), num_shards=8)
    return str(folder / "*.parquet")


def check(pattern: str) -> int:
    """Return the sum of the numbers of rows that were written, which has to be that of all."""
    import pyarrow.dataset as pds

    return sum(
        batch["id"].to_numpy().sum() for batch in pds.dataset(pattern).to_batches(columns=["id"])
    )


def shuffle_rowstream(out: str) -> None:
    import rowstream

    ds = rowstream.load_dataset("json", data_files=lines(), split="train", streaming=True)
    ds.to_parquet(f"{out}/rows.parquet", num_shards=8, num_proc=2, shuffle_seed=1, memory=MEMORY)


def shuffle_duckdb(out: str) -> None:
    import duckdb

    con = duckdb.connect()
    con.execute(
        f"SET memory_limit='{MEMORY}'; SET threads=2; SET temp_directory='{out}/tmp'; SELECT setseed(0.5)"
    )
    con.execute(
        f"COPY (SELECT * FROM read_json('{lines()}', format='newline_delimited') ORDER BY random())"
        f" TO '{out}/rows-all.parquet' (FORMAT parquet)"
    )


def shuffle_datasets(out: str) -> None:
    import datasets

    datasets.disable_progress_bars()
    ds = datasets.load_dataset("json", data_files=lines(), split="train", cache_dir=f"{out}/cache")
    ds = ds.shuffle(seed=1)
    for i in range(8):
        ds.shard(8, i, contiguous=True).to_parquet(f"{out}/rows-{i}.parquet")


def longer(batch):
    batch["n"] = [len(text) for text in batch["text"]]
    return batch


def _ray():
    import logging

    import ray
    import ray.data

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    logging.getLogger("ray").setLevel("ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def _batches(ds) -> int:
    began, rows = time.perf_counter(), 0
    for batch in ds.map_batches(longer, batch_format="numpy").iter_batches(batch_size=1000):
        rows += len(batch["n"])
    print(json.dumps({"seconds": time.perf_counter() - began, "rows": rows}))
    return rows


def ray_rowstream(_: str) -> None:
    _ray()
    import rowstream
    from rowstream.integrations.ray import read

    ds = rowstream.load_dataset("parquet", data_files=shards(), split="train", streaming=True)
    _batches(read(ds, num_tasks=8))


def ray_parquet(_: str) -> None:
    ray = _ray()
    _batches(ray.data.read_parquet(str(Path(shards()).parent)))


def ray_huggingface(_: str) -> None:
    ray = _ray()
    from unittest import mock

    import datasets

    ds = datasets.load_dataset("parquet", data_files=shards(), split="train", streaming=True)
    with mock.patch("requests.get", return_value=mock.Mock(status_code=404)):
        _batches(ray.data.from_huggingface(ds))


def _numbers() -> dict:
    import numpy as np

    rng = np.random.default_rng(0)
    n = 500_000
    return {"a": rng.random(n), "b": rng.integers(0, 100, n), "c": rng.random(n)}


def _tokens() -> dict:
    import numpy as np

    return {
        "input_ids": list(np.random.default_rng(0).integers(0, 50_000, (4000, 512), dtype=np.int32))
    }


def _timed(batches) -> None:
    import mlx.core as mx

    began, rows = time.perf_counter(), 0
    for batch in batches:
        arrays = list(batch.values())
        mx.eval(*arrays)
        rows += arrays[0].shape[0]
    print(json.dumps({"seconds": time.perf_counter() - began, "rows": rows}))


def _mlx_rowstream(columns: dict, size: int) -> None:
    import pyarrow as pa
    import rowstream
    from rowstream.loader import MLXDataLoader, MLXLoaderConfig

    path = str(DATA / f"mlx-{len(columns)}.arrow")
    rowstream.Dataset.from_dict(
        {k: pa.array(list(v)) for k, v in columns.items()}
    ).to_iterable_dataset().to_arrow(path)
    ds = rowstream.load_dataset("arrow", data_files=path, split="train", streaming=True)
    loader = MLXDataLoader(ds, MLXLoaderConfig(batch_size=size))
    list(loader)
    _timed(loader)


def _mlx_datasets(columns: dict, size: int) -> None:
    import datasets
    import mlx.core as mx
    import numpy as np
    import pyarrow as pa

    ds = datasets.Dataset(pa.table({k: pa.array(list(v)) for k, v in columns.items()})).with_format(
        "numpy"
    )
    _timed({k: mx.array(np.asarray(v)) for k, v in batch.items()} for batch in ds.iter(size))


def mlx_numbers_rowstream(_: str) -> None:
    _mlx_rowstream(_numbers(), 256)


def mlx_numbers_datasets(_: str) -> None:
    _mlx_datasets(_numbers(), 256)


def mlx_tokens_rowstream(_: str) -> None:
    _mlx_rowstream(_tokens(), 8)


def mlx_tokens_datasets(_: str) -> None:
    _mlx_datasets(_tokens(), 8)


def stats_rowstream(_: str) -> None:
    """Ask for the figures at every batch, and never."""
    import rowstream

    ds = rowstream.load_dataset("parquet", data_files=shards(), split="train", streaming=True)
    ds = ds.select_columns(["id", "score"])
    seconds = {True: [], False: []}
    for _ in range(9):
        for asked in (True, False):
            loader = rowstream.DataLoader(ds, 1024, format="numpy")
            began = time.process_time()
            for _batch in loader:
                if asked:
                    loader.stats()
            seconds[asked].append(time.process_time() - began)
    with_, without = (sorted(seconds[asked])[4] for asked in (True, False))
    print(json.dumps({"seconds": with_, "without": without, "rows": 1_000_000}))


SIDES = {
    "shuffle": ["rowstream", "duckdb", "datasets"],
    "ray": ["rowstream", "parquet", "huggingface"],
    "mlx_numbers": ["rowstream", "datasets"],
    "mlx_tokens": ["rowstream", "datasets"],
    "stats": ["rowstream"],
}


def side(name: str) -> None:
    """Run one side in this process, and print what it took."""
    with tempfile.TemporaryDirectory(dir=DATA) as out:
        began, cpu = time.perf_counter(), time.process_time()
        globals()[name](out)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = {"wall": wall, "cpu": cpu + children.ru_utime + children.ru_stime}
        found["memory_mib"] = (
            max(
                resource.getrusage(who).ru_maxrss
                for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            )
            / 1024
        )
        if name.startswith("shuffle"):
            files = sorted(str(path) for path in Path(out).glob("rows-*.parquet"))
            found["sum_of_ids"] = int(check(files))
        print(json.dumps(found))


def main() -> None:
    """Run all workloads, or those whose names have a word of the command line."""
    words = sys.argv[1:]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    lines(), shards()
    for workload, names in SIDES.items():
        if words and not any(word in workload for word in words):
            continue
        results[workload] = {}
        for name in names:
            done = subprocess.run(
                [sys.executable, "-m", "benches.preparing", "--side", f"{workload}_{name}"],
                capture_output=True,
                text=True,
                env={
                    **os.environ,
                    "RAY_AUTH_MODE": "disabled",
                    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
                    "HF_HUB_OFFLINE": "1",
                },
            )
            if done.returncode:
                print(f"{workload}, {name}: {done.stderr[-2000:]}")
                continue
            found: dict = {}
            for line in done.stdout.splitlines():
                if line.startswith("{"):
                    found |= json.loads(line)
            results[workload][name] = found
            print(
                f"{workload:12} {name:12} "
                + ", ".join(f"{key} {value:,.3f}" for key, value in found.items())
            )
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    side(sys.argv[2]) if sys.argv[1:2] == ["--side"] else main()
