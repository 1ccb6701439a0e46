"""Lists of numbers, as pre-tokenized data has them: `python -m benches.lists`; writes benches/results/lists.json.

20,000 rows of 32-bit token ids in Parquet, streamed as batches of 32, beside pyarrow's `iter_batches`, `datasets`, and a plain read of
the file's bytes. Nanoseconds of CPU an id.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/lists.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-lists"
ROWS = 20_000
SHAPES = ("one length", "ragged")

STREAM = """
    def work():
        ds = p.load_dataset("parquet", data_files=folder, split="train", streaming=True)
        count = 0
        for batch in ds.with_format({format!r}).iter(32):
            count += sum(map(len, batch["ids"]))
        return count
    def shown(count):
        return count
"""
ARROW = """
    import pyarrow.parquet as pq
    def work():
        count = 0
        for batch in pq.ParquetFile(folder).iter_batches(32):
            column = batch.column(0)
            rows = np.split(column.flatten().to_numpy(), column.offsets.to_numpy()[1:-1] - column.offsets[0].as_py())
            count += sum(map(len, rows))
        return count
    def shown(count):
        return count
"""
READ = """
    import pyarrow.parquet as pq
    total = len(pq.read_table(folder)["ids"].combine_chunks().flatten())
    def work():
        bytearray(open(folder, "rb").read())
        return total
    def shown(count):
        return count
"""


def main() -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    made = {}
    for shape in SHAPES:
        lengths = rng.integers(64, 512, ROWS) if shape == "ragged" else np.full(ROWS, 512)
        ids = pa.array(rng.integers(0, 50_000, lengths.sum()), pa.int32())
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        DATA.mkdir(exist_ok=True)
        path = DATA / f"{shape.replace(' ', '_')}.parquet"
        pq.write_table(
            pa.table({"ids": pa.ListArray.from_arrays(offsets, ids)}), path, row_group_size=2000
        )
        for format in ("numpy", "torch"):
            code = STREAM.replace("{format!r}", repr(format))
            codes = {"rowstream": code, "datasets": code, "pyarrow": ARROW, "numpy": READ}
            made[f"{shape}, {format}"] = one = compare(f"{shape}, {format}", codes, str(path))
            for package, side in one["sides"].items():
                side["ns"] = side["cpu"] / len(ids) * 1e9
                print(
                    f"  {'plain read' if package == 'numpy' else package:12} {side['ns']:6.2f} ns an id"
                )
    RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
