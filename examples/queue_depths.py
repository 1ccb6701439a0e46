"""Draw how many batches a loader has ready at each step, for three loops: `docs/images/queue_depths.svg`.

    python examples/queue_depths.py docs/images/queue_depths.svg

It needs matplotlib.
"""

from __future__ import annotations

import sys
import time

import rowstream
from rowstream import DataLoader, Dataset

STEPS = 400


def slow(columns):
    """Collate as a function that takes four milliseconds and waits for something."""
    time.sleep(0.004)
    return columns


def depths(step: float, **options) -> tuple[list[int], rowstream.DataLoader]:
    """Return the number of ready batches at each step of a loop that works so many seconds."""
    ds = Dataset.from_dict({"x": [*range(STEPS * 8)]}).to_iterable_dataset()
    loader = DataLoader(ds, 8, format="numpy", prefetch=16_000, **options)
    found = []
    for _ in loader:
        found.append(loader.stats()["ready_batches"])
        time.sleep(step)
    return found, loader


def main(path: str) -> None:
    """Draw the three loops."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    loops = {
        "steps of 5 ms, batches made by the core: always ahead": depths(0.005),
        "steps of 2 ms, collate of 4 ms: the loop waits": depths(0.002, collate=slow),
        'the same with num_threads="auto": ahead after some steps': depths(
            0.002, collate=slow, num_threads="auto"
        ),
    }
    figure, axes = plt.subplots(len(loops), 1, sharex=True, figsize=(8, 6), layout="constrained")
    for (title, (found, loader)), axis in zip(loops.items(), axes, strict=True):
        axis.plot(found, drawstyle="steps-post", linewidth=1)
        stats = loader.stats()
        axis.set_title(f"{title} (waited {stats['waited_share']:.0%})", loc="left", fontsize=10)
        axis.set_ylabel("ready batches")
        axis.set_ylim(-1, 66)
    axes[-1].set_xlabel("step")
    plt.rcParams["svg.hashsalt"] = "rowstream"
    figure.savefig(path, metadata={"Date": None})
    for title, (_, loader) in loops.items():
        print(f"{title}\n{loader.profile()}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "queue_depths.svg")
