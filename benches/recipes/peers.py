"""The sides of peers that have environments of their own, and what they read: their own formats, made once."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from benches.environments import python_of

if TYPE_CHECKING:
    from pathlib import Path

ROWS = """
import sys
import pyarrow.parquet as pq
source, out = sys.argv[1:]
def rows():
    for batch in pq.ParquetFile(source).iter_batches(100):
        yield from batch.column(0).flatten().to_numpy().reshape(len(batch), -1)
"""
WRITTEN = {
    "litdata": ROWS
    + """
from litdata.streaming.writer import BinaryWriter
writer = BinaryWriter(out, chunk_bytes="64MB")
for i, row in enumerate(rows()):
    writer[i] = {"input_ids": row.copy()}
writer.done()
writer.merge()
""",
    "streaming": ROWS
    + """
from streaming import MDSWriter
with MDSWriter(out=out, columns={"input_ids": "ndarray:int32"}) as writer:
    for row in rows():
        writer.write({"input_ids": row})
""",
}

READ = {
    "litdata": """
    def work():
        ds = p.StreamingDataset(folder + "/litdata", shuffle=False)
        return [int(batch["input_ids"].sum()) for batch in p.StreamingDataLoader(ds, batch_size=8)]
    def shown(sums):
        return sums
""",
    "streaming": """
    import torch
    ds = p.StreamingDataset(local=folder + "/streaming", shuffle=False, batch_size=8)
    def work():
        loader = torch.utils.data.DataLoader(ds, batch_size=8)
        return [int(batch["input_ids"].sum()) for batch in loader]
    def shown(sums):
        return sums
""",
    "zephon": """
    import torch
    from zephon.work import MixtureSpec, StaticMixtureWorkSource
    def work():
        ds = p.Dataset.from_path("train", FILE.removesuffix(".parquet"))
        source = StaticMixtureWorkSource(
            datasets=[ds], mixture=MixtureSpec({"train": 1.0}), chunk_size=500, shuffle_shards=False
        )
        batches = p.Pipeline(source).batch(microbatch_size=8)
        return [int(batch.to_training()["input_ids"].sum()) for batch in batches]
    def shown(sums):
        return sums
""",
    "grain": """
    from grain.experimental import ParquetIterDataset
    def work():
        ds = ParquetIterDataset(FILE).map(lambda row: {"input_ids": np.asarray(row["input_ids"])})
        return [int(batch["input_ids"].sum()) for batch in ds.batch(8)]
    def shown(sums):
        return sums
""",
}


def write(folder: Path) -> None:
    """Write the rows of ids in the formats of those that have one, where they are not there yet."""
    for module, code in WRITTEN.items():
        if not (folder / module).exists():
            command = [python_of(module), "-c", code, str(folder / "plain.parquet")]
            subprocess.run([*command, str(folder / module)], check=True)
    # Zephon reads folders.
    for name in ("ids", "plain"):
        (folder / name).mkdir(exist_ok=True)
        if not (folder / name / "0.parquet").exists():
            (folder / name / "0.parquet").hardlink_to(folder / f"{name}.parquet")


def ids(file: str) -> dict[str, str]:
    """Rows of 2,049 ids, in batches of 8: from Parquet, or from the format of a peer."""
    return {
        module: f"\n    FILE = folder + '/{file}.parquet'" + code for module, code in READ.items()
    }
