"""Batches of rows by number, beside `datasets`: `python -m benches.batches_by_number [case …]`.

What a fine-tuning loop does at each step: 32 rows anywhere of a mapped Arrow file of 20,000, as `ds[[…]]`, as the batches of a shuffled
dataset, and through torch's loader; writes benches/results/batches_by_number.json.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/batches_by_number.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-by-number"
ROWS, BATCH, BATCHES = 20_000, 32, 200


def columns(kind: str) -> dict[str, list]:
    rng = random.Random(0)
    match kind:
        case "ints":
            return {"a": [*range(ROWS)], "b": [rng.randrange(1000) for _ in range(ROWS)]}
        case "text":
            return {"text": [f"{i} " + "words " * rng.randrange(5, 60) for i in range(ROWS)]}
        case "chat":
            turns = lambda i: [  # noqa: E731
                {"role": "user", "content": "hello " * (i % 30)},
                {"role": "assistant", "content": "world " * (i % 50)},
            ]
            return {"messages": [turns(i) for i in range(ROWS)]}
        case "vectors":
            return {"v": [[rng.random() for _ in range(256)] for _ in range(ROWS)]}
        case "tokens":
            return {"ids": [[rng.randrange(50_000) for _ in range(512)] for _ in range(ROWS)]}
        case "ragged":
            return {
                "ids": [
                    [rng.randrange(50_000) for _ in range(rng.randrange(64, 512))]
                    for _ in range(ROWS)
                ]
            }
    raise ValueError(kind)


KINDS = ("ints", "text", "chat", "vectors", "tokens", "ragged")
FORMATS = (None, "arrow", "numpy", "torch")
COMMON = f"""
    ds = p.load_from_disk(folder).with_format({{format!r}})
    rng = random.Random(1)
    batches = [[rng.randrange({ROWS}) for _ in range({BATCH})] for _ in range({BATCHES})]
    def shown(batch):
        return batch.to_pydict() if {{format!r}} == "arrow" else batch
"""
WAYS = {
    "ds[[…]]": COMMON
    + """
    def work():
        for rows in batches:
            batch = ds[rows]
        return batch
""",
    "shuffle.iter": COMMON
    + f"""
    # The same order on both sides.
    order = [i for rows in batches for i in rows]
    mixed = ds.select(order)
    def work():
        for batch in mixed.iter({BATCH}):
            pass
        return batch
""",
    "DataLoader": COMMON
    + f"""
    import torch
    from torch.utils.data import DataLoader
    mixed = ds.select([i for rows in batches for i in rows])
    loader = DataLoader(mixed, {BATCH}, shuffle=True, generator=torch.Generator().manual_seed(0))
    def work():
        loader.generator.manual_seed(0)
        for batch in loader:
            pass
        return batch
""",
}


def cases() -> dict[str, tuple[str, str | None, str]]:
    some = {
        f"{way} {kind} {format or 'python'}": (kind, format, way)
        for way in ("ds[[…]]", "shuffle.iter")
        for kind in KINDS
        for format in FORMATS
    }
    loaders = [("ints", "torch"), ("text", None), ("vectors", "torch"), ("tokens", "torch")]
    return some | {
        f"DataLoader {kind} {format or 'python'}": (kind, format, "DataLoader")
        for kind, format in loaders
    }


def main() -> None:
    import datasets

    datasets.disable_progress_bars()
    chosen = {
        name: case
        for name, case in cases().items()
        if not sys.argv[1:] or any(word in name for word in sys.argv[1:])
    }
    made = {}
    for kind in KINDS:
        folder = DATA / kind
        if not folder.exists():
            datasets.Dataset.from_dict(columns(kind)).save_to_disk(folder)
    for name, (kind, format, way) in chosen.items():
        code = WAYS[way].replace("{format!r}", repr(format))
        made[name] = compare(name, dict.fromkeys(("rowstream", "datasets"), code), str(DATA / kind))
    ratios = sorted(one["ratios"]["datasets"]["cpu"] for one in made.values())
    print(f"{len(ratios)} cases: median × {statistics.median(ratios):.2f}, least × {ratios[0]:.2f}")
    if not sys.argv[1:]:
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
