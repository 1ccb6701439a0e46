"""Run all benchmarks and recipes beside all peers, and write `docs/performance.md`: `make compare`.

It takes hours. What was measured is not measured again after a stop: remove `target/compare` to begin anew. With `--report` nothing is
measured, and the page is made of `benches/results`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benches import report

MODULES = (
    "vs_peers",
    "wire",
    "map_style",
    "in_place",
    "batches_by_number",
    "operations",
    "lists",
    "compressed",
    "evaluation",
    "images",
    "tokens",
    "recipes",
    "preparing",
)
DONE, RESULTS = Path("target/compare"), Path("benches/results")
PAGE, PLOT = Path("docs/performance.md"), Path("docs/images/compare")
PEERS = (
    "datasets",
    "polars",
    "pyarrow",
    "webdataset",
    "torch",
    "tokenizers",
    "numpy",
    "pillow",
    "duckdb",
    "ray",
    "mlx",
)


def measure() -> None:
    """Run the modules that were not run yet."""
    DONE.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        stamp = DONE / module
        if stamp.exists():
            continue
        print(f"== {module}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benches.{module}"], check=False)
        if done.returncode:
            sys.exit(f"benches.{module} failed; run again to go on from here")
        stamp.touch()


def ratios() -> Iterator[tuple[str, str, float]]:
    """Yield each workload, each peer, and how much more CPU time that needs for the same rows."""
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text())
        sides = content.get("sides") if isinstance(content, dict) else None
        if isinstance(sides, dict):
            for peer, one in sides.items():
                # Of ours there are several orders in one file.
                ours = peer.startswith("rowstream") or not isinstance(one, dict)
                if not ours and "ratio_cpu" in one:
                    yield path.stem.replace("_", " "), peer, float(one["ratio_cpu"])
        elif isinstance(content, dict):
            for case, one in content.items():
                # The CPU time of other processes is not in these.
                ratios_of = one.get("ratios") if isinstance(one, dict) else None
                if "workers" not in case and isinstance(ratios_of, dict):
                    for peer, ratio in ratios_of.items():
                        yield f"{path.stem.replace('_', ' ')}: {case}", peer, float(ratio["cpu"])


def draw(found: list[tuple[str, str, float]]) -> None:
    """Draw how much more CPU time `datasets` needs, workload by workload."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    # What the tables have by the dozen is left to them.
    many = ("operations", "batches by number")
    bars = sorted(
        (ratio, name)
        for name, peer, ratio in found
        if peer == "datasets" and not name.startswith(many)
    )
    plt.rcParams |= {"svg.hashsalt": "rowstream", "svg.fonttype": "none"}
    figure, axis = plt.subplots(figsize=(9, 0.19 * len(bars) + 1), layout="constrained")
    values = [ratio for ratio, _ in bars]
    axis.barh(range(len(bars)), values, color=["#c0392b" if v < 1 else "#2a7fff" for v in values])
    axis.set_yticks(range(len(bars)), [name for _, name in bars], fontsize=7)
    axis.set_xscale("log")
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_xlabel("× the CPU time of rowstream that datasets needs (below 1: we lose)")
    axis.margins(y=0.01)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(f"{PLOT}.svg", metadata={"Date": None})
    figure.savefig(f"{PLOT}.png", dpi=80)


def versions() -> str:
    """Return the versions of the peers that are installed here."""
    found = []
    for name in PEERS:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def write() -> None:
    """Write the page, from the results."""
    found = list(ratios())
    draw(found)
    tables = io.StringIO()
    with contextlib.redirect_stdout(tables):
        report.main()
    lost = sorted((ratio, name, peer) for name, peer, ratio in found if ratio < 1)
    lines = [
        "# Performance",
        "",
        f"Made by `make compare` of `benches/results`, {datetime.now(UTC):%Y-%m-%d}, on {platform.machine()} with {os.cpu_count()}"
        f" processors, Python {platform.python_version()}; {versions()}. The same rows by hash, each side in a process of its own."
        " [Benchmarks](benchmarks.md) says how it is measured, and what the figures mean.",
        "",
        "“× datasets” is how many times our CPU time `datasets` needs for the same rows: above 1 we are faster, below 1 slower; “wall”"
        " is the same of the time on the clock. The first table has whole operations on 40,000 rows, the least gain first; the second"
        " batches of 32 rows by number (`ds[[…]]`) and after a shuffle, of rows of integers, vectors, ragged lists, token ids, texts and"
        " chats, in each format; the others streams.",
        "",
        "![CPU time of datasets beside rowstream](images/compare.svg)",
        "",
        tables.getvalue().strip(),
        "",
        "## Where we lose",
        "",
        "How much of our CPU time the other needs, in what it does better:",
        "",
        "| workload | beside | × |",
        "|---|---|---|",
        *(f"| {name} | {peer} | {ratio:.2f} |" for ratio, name, peer in lost),
        "",
        "`readinto` only copies the bytes, and orjson only parses: they show what is left to gain. Operations on whole map-style sets"
        " that are within a tenth of `datasets` are pyarrow's own work on either side.",
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print(f"{PAGE}: {len(found)} ratios, {len(lost)} of them below 1")


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    if "--report" not in sys.argv:
        measure()
    write()


if __name__ == "__main__":
    main()
