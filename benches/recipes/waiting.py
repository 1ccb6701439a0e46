"""How long a step of 5 ms waits for its batch: `python -m benches.recipes.waiting`."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from benches.recipes.__main__ import DATA, make

RESULTS = Path("benches/results/waiting.json")


def share(batches: object, steps: int = 200) -> float:
    """Return the share of time that a loop waits for batches, the first ones apart."""
    iterator = iter(batches)  # type: ignore[call-overload]
    for _ in range(5):
        next(iterator)
    waited = worked = 0.0
    for _ in range(steps):
        began = time.perf_counter()
        batch = next(iterator)
        got = time.perf_counter()
        time.sleep(0.005)
        del batch  # as the step would do with its memory
        waited, worked = waited + got - began, worked + time.perf_counter() - got
    return waited / (waited + worked)


def main() -> None:
    """Measure both sides and write the results."""
    import datasets
    import rowstream
    import torch

    make()
    file = str(DATA / "ids.parquet")
    found = {}
    for package in (rowstream, datasets):
        ds = package.load_dataset("parquet", data_files=file, split="train", streaming=True)
        loader = (
            rowstream.DataLoader(ds, batch_size=8)
            if package is rowstream
            else torch.utils.data.DataLoader(ds.with_format("torch"), batch_size=8)
        )
        # The machine's other work is in a single run.
        found[package.__name__] = statistics.median(share(loader) for _ in range(5))
        print(f"{package.__name__:10} waits {found[package.__name__]:.2%} of its time")
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
