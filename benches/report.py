"""The README's table, from `benches/results`: `python -m benches.report`."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path("benches/results")
NAMES = {
    "chat_rows": "chat rows (nested, ~900 B) as dicts",
    "flat_rows": "flat rows (6 columns) as dicts",
    "chat_shuffled_10k": "chat rows, shuffled, buffer 10,000",
    "chat_shuffled_100k": "chat rows, shuffled, buffer 100,000",
    "flat_shuffled_10k": "flat rows, shuffled, buffer 10,000",
    "flat_shuffled_100k": "flat rows, shuffled, buffer 100,000",
    "numpy_batches": "NumPy batches of 256: int, float, vectors",
    "two_columns_of_30": "NumPy batches of 256: 2 columns of 30",
}
PEERS = ("datasets", "polars", "pyarrow")


def main() -> None:
    print("| Parquet to | µs of CPU each | × datasets | × Polars | × pyarrow | wall: × datasets |\n|---|---|---|---|---|---|")
    for name, title in NAMES.items():
        sides = json.loads((RESULTS / f"{name}.json").read_text())["sides"]
        ours = sides["rowstream"]
        ratios = [f"{sides[peer]['ratio_cpu']:.1f}" if peer in sides else "" for peer in PEERS]
        each = ours["steady_cpu"] / ours["items"] * 1e6
        print(f"| {title} | {each:.2f} | {' | '.join(ratios)} | {sides['datasets']['ratio_wall']:.1f} |")
    cold = json.loads((RESULTS / "cold.json").read_text())
    print("\n| whole process | rowstream | datasets |\n|---|---|---|")
    for what, ours in cold["sides"]["rowstream"].items():
        theirs = cold["sides"]["datasets"][what]
        print(
            f"| {what} | {ours['wall'] * 1000:.0f} ms, {ours['cpu'] * 1000:.0f} ms CPU | {theirs['wall'] * 1000:.0f} ms, {theirs['cpu'] * 1000:.0f} ms CPU |"
        )
    memory = json.loads((RESULTS / "memory.json").read_text())["sides"]
    print(
        f"\nMemory above the interpreter, 4 GB in row groups of 100 MB, shuffled: {memory['rowstream']['memory_mib']:.0f} MiB; datasets {memory['datasets']['memory_mib']:.0f} MiB."
    )


if __name__ == "__main__":
    main()
