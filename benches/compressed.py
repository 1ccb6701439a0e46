"""Compressed lines, the first and the second time, and resumes: `python -m benches.compressed`.

One file in each compression, rows as dictionaries, beside `datasets` and Python's own module; then the first row after a resume at 90 %
of a large gzip file. Writes benches/results/compressed.json.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tempfile
from pathlib import Path

from benches.sides import compare
from benches.vs_peers.data import texts

RESULTS = Path("benches/results/compressed.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-compressed"
ROWS, LARGE = 100_000, 40

STREAM = """
    import os
    os.environ["ROWSTREAM_CACHE"] = cache
    ds = p.load_dataset("json", data_files=folder, split="train", streaming=True)
    if FIRST:
        def work():
            if package == "rowstream":
                p.cache.remove("points")
            return sum(len(row["text"]) for row in ds)
    else:
        def work():
            return sum(len(row["text"]) for row in ds)
    def shown(count):
        return count
"""
PLAIN = """
    import json
    module = __import__({"gz": "gzip", "bz2": "bz2", "xz": "lzma"}[folder.rpartition(".")[2]])
    def work():
        with module.open(folder) as lines:
            return sum(len(json.loads(line)["text"]) for line in lines)
    def shown(count):
        return count
"""
RESUME = """
    import os
    os.environ["ROWSTREAM_CACHE"] = cache
    ds = p.load_dataset("json", data_files=folder, split="train", streaming=True)
    state, at = None, int(TOTAL * 0.9)
    for i, row in enumerate(ds):
        if i == at:
            state = ds.state_dict()
    def work():
        again = p.load_dataset("json", data_files=folder, split="train", streaming=True)
        again.load_state_dict(state)
        return next(iter(again))
    def shown(row):
        return row
"""


def made() -> dict[str, Path]:
    """Make the files, once."""
    import numpy as np

    DATA.mkdir(exist_ok=True)
    pool = texts(np.random.default_rng(5), 8000, (40, 160))
    lines = "".join(
        json.dumps({"id": i, "text": pool[i * 7919 % 8000]}) + "\n" for i in range(ROWS)
    ).encode()
    pack = {
        "gz": lambda: gzip.compress(lines, 6),
        "bz2": lambda: bz2.compress(lines),
        "xz": lambda: lzma.compress(lines, preset=1),
    }
    paths = {ending: DATA / f"a.jsonl.{ending}" for ending in pack}
    for ending, path in paths.items():
        if not path.exists():
            path.write_bytes(pack[ending]())
    paths["large"] = DATA / "large.jsonl.gz"
    if not paths["large"].exists():
        with gzip.open(paths["large"], "wb", compresslevel=4) as out:
            for _ in range(LARGE):
                out.write(lines)
    return paths


def main() -> None:
    paths, results = made(), {}
    for ending in ("gz", "bz2", "xz"):
        for which, first in (("first", True), ("second", False)):
            code = STREAM.replace("FIRST", str(first))
            codes = {"rowstream": code, "datasets": code, "json": PLAIN}
            name = f"{ending}, {which} reading"
            results[name] = compare(name, codes, str(paths[ending]))
    code = RESUME.replace("TOTAL", str(ROWS * LARGE))
    name = f"resume at 90 % of {paths['large'].stat().st_size / 1e9:.1f} GB of gzip"
    results[name] = compare(
        name, {"rowstream": code, "datasets": code}, str(paths["large"]), turns=1
    )
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
