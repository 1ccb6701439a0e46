"""The README's tables, from `benches/results`: `python -m benches.report`."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path("benches/results")
TABLES = {
    "Parquet to": {
        "chat_rows": "chat rows (nested, ~900 B) as dicts",
        "flat_rows": "flat rows (6 columns) as dicts",
        "chat_shuffled_10k": "chat rows, shuffled, buffer 10,000",
        "chat_shuffled_100k": "chat rows, shuffled, buffer 100,000",
        "flat_shuffled_10k": "flat rows, shuffled, buffer 10,000",
        "flat_shuffled_100k": "flat rows, shuffled, buffer 100,000",
        "numpy_batches": "NumPy batches of 256: int, float, vectors",
        "two_columns_of_30": "NumPy batches of 256: 2 columns of 30",
    },
    "JSON Lines and tar to": {
        "lines_rows": "chat rows as dicts",
        "lines_gz_rows": "chat rows as dicts, gzip",
        "lines_batches": "chat rows as Arrow batches of 8,192",
        "tar_rows": "samples of 10 KiB and JSON",
    },
    "Other formats, and a filter": {
        "csv_batches": "CSV as Arrow batches of 8,192",
        "array_batches": "JSON arrays as Arrow batches of 8,192",
        "arrow_rows": "Arrow streams of chat rows, as dicts",
        "filtered": "Parquet, 3 columns of 30, a filter that keeps 2 %: NumPy batches",
    },
    "Steps and loaders": {
        "map_rows": "`map`, a cheap function of a row",
        "map_batched": "`map`, a cheap function of 1,000 rows (a row)",
        "torch_loader": "DataLoader, batches of 256 of three numbers",
        "torch_loader_2": "DataLoader, 2 workers",
    },
}
PEERS = {
    "datasets": "datasets",
    "polars": "Polars",
    "pyarrow": "pyarrow",
    "orjson": "orjson",
    "webdataset": "webdataset",
    "ferroload": "ferroload",
    "readinto": "`readinto`",
}
MEMORY = {
    "memory": "Parquet in row groups of 100 MB",
    "memory_lines": "JSON Lines",
    "memory_tar": "tar",
}


def read(name: str) -> dict | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def beside_datasets(name: str, title: str) -> None:
    """A table of cases beside `datasets`, those that win least first."""
    if not (result := read(name)):
        return
    ordered = sorted(result.items(), key=lambda one: one[1]["ratios"]["datasets"]["cpu"])
    print(f"| {title} | ms of CPU | × datasets | wall: × datasets |\n|---|---|---|---|")
    for case, one in ordered:
        ratios, ours = one["ratios"]["datasets"], one["sides"]["rowstream"]
        print(f"| {case} | {ours['cpu'] * 1e3:.1f} | {ratios['cpu']:.1f} | {ratios['wall']:.1f} |")
    print()


def main() -> None:
    beside_datasets("operations", "whole operations, 40,000 rows")
    beside_datasets("batches_by_number", "200 batches of 32 rows by number")
    for title, names in TABLES.items():
        results = {what: read(name)["sides"] for name, what in names.items() if read(name)}
        peers = [peer for peer in PEERS if any(peer in sides for sides in results.values())]
        print(
            f"| {title} | µs of CPU each | {' | '.join(f'× {PEERS[peer]}' for peer in peers)} | wall: × datasets |"
        )
        print("|---" * (len(peers) + 3) + "|")
        for what, sides in results.items():
            ours = sides["rowstream"]
            ratios = [f"{sides[peer]['ratio_cpu']:.1f}" if peer in sides else "" for peer in peers]
            each = ours["steady_cpu"] / ours["items"] * 1e6
            print(
                f"| {what} | {each:.2f} | {' | '.join(ratios)} | {sides['datasets']['ratio_wall']:.1f} |"
            )
        print()
    cold = read("cold")
    print("| whole process | rowstream | datasets |\n|---|---|---|")
    for what, ours in cold["sides"]["rowstream"].items():
        both = (ours, cold["sides"]["datasets"][what])
        print(
            f"| {what} | "
            + " | ".join(
                f"{side['wall'] * 1000:.0f} ms, {side['cpu'] * 1000:.0f} ms CPU" for side in both
            )
            + " |"
        )
    print(
        "\n| peak memory above the interpreter, 4 GB, shuffled | rowstream | datasets |\n|---|---|---|"
    )
    for name, what in MEMORY.items():
        if result := read(name):
            sides = result["sides"]
            print(
                f"| {what} | "
                + " | ".join(
                    f"{sides[peer]['memory_mib']:.0f} MiB" if peer in sides else ""
                    for peer in ("rowstream", "datasets")
                )
                + " |"
            )


if __name__ == "__main__":
    main()
