"""How well rows are mixed: `python -m benches.shuffle_quality`.

A million rows in 1,000 shards, in the order of each shuffle, by three measures that are 1 for a uniform permutation:

distance    how far a row is from where it was, on average
shards      from how many shards the rows of a batch of 256 are
neighbours  how often two rows one after another are of one shard; less is better

Beside them the algorithms of mosaicml-streaming, if it is installed (`uv pip install --no-deps mosaicml-streaming`): they are
functions of the shards' sizes, and are called as its `StreamingDataset` calls them.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rowstream import load_dataset

SHARDS, ROWS, BATCH = 1000, 1000, 256


def measures(order: np.ndarray) -> dict[str, float]:
    """Of an order of all rows."""
    n = len(order)
    shard = order // ROWS
    batches = shard[: n // BATCH * BATCH].reshape(-1, BATCH)
    distinct = np.mean([len(np.unique(batch)) for batch in batches])
    return {
        "distance": float(np.abs(order - np.arange(n)).mean() / (n / 3)),
        "shards": float(distinct / (SHARDS * (1 - (1 - 1 / SHARDS) ** BATCH))),
        "neighbours": float((shard[1:] == shard[:-1]).mean() * SHARDS),
    }


def ours(file: str, buffer: int | None) -> np.ndarray:
    ds = load_dataset("parquet", data_files=file, split="train", streaming=True).shuffle(
        seed=1, buffer_size=buffer
    )
    return np.concatenate([batch["id"] for batch in ds.with_format("numpy").iter(10_000)])


def mosaic() -> dict[str, np.ndarray]:
    """Its orders, without the rest of the package, which needs clients of every cloud."""
    found = importlib.util.find_spec("streaming")
    if found is None or not found.submodule_search_locations:
        return {}
    root = Path(found.submodule_search_locations[0])
    for name, path in (("streaming", root), ("streaming.base", root / "base")):
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module
    get = importlib.import_module("streaming.base.shuffle").get_shuffle
    sizes = np.full(SHARDS, ROWS, np.int64)
    return {
        name: get(name, sizes, 1, 1, 0, 1 << 18)
        for name in ("naive", "py1s", "py2s", "py1br", "py1e")
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/rows.parquet"
        pq.write_table(pa.table({"id": np.arange(SHARDS * ROWS)}), file, row_group_size=ROWS)
        orders = {
            f"rowstream, buffer_size={buffer}": ours(file, buffer)
            for buffer in (1_000, 10_000, 100_000, None)
        }
    orders |= {f"mosaicml-streaming, {name}": order for name, order in mosaic().items()}
    found = {name: measures(np.asarray(order)) for name, order in orders.items()}
    print(f"{'':34} {'distance':>9} {'shards':>9} {'neighbours':>11}")
    for name, of in found.items():
        print(f"{name:34} {of['distance']:9.3f} {of['shards']:9.3f} {of['neighbours']:11.2f}")
    Path("benches/results").mkdir(parents=True, exist_ok=True)
    Path("benches/results/shuffle_quality.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
