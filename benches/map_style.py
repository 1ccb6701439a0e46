"""Rows by number beside the peers: `python -m benches.map_style [workload …]`; writes benches/results/map_style.json.

60,000 chat rows (two messages, a number), in one Arrow file that both libraries map. Each side of a workload runs in a process of its own,
turn by turn, three times; the figures are medians of second calls, the ratios of one run, and the hash is of what was made.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

RESULTS = Path("benches/results/map_style.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-map-style"
ROWS, TURNS = 60_000, 3

BEFORE = """
    import hashlib, json, random, resource, sys, time
    package, folder, cache = sys.argv[1:]
    import numpy as np
    if package == "polars":
        import polars
        from pathlib import Path
        frame = polars.read_ipc_stream(next(Path(folder).glob("data-*.arrow")))
    else:
        p = __import__(package)
        p.config.HF_DATASETS_CACHE = __import__("pathlib").Path(cache)
        p.disable_progress_bars()
        p.disable_caching()
        ds = p.load_from_disk(folder)
    wanted = random.Random(0).sample(range(60_000), 20_000)
    made = []
    rows = None
"""
AFTER = """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    digest = hashlib.sha256(json.dumps(result(), default=str).encode()).hexdigest()[:16]
    print(json.dumps({"wall": wall, "cpu": cpu, "mb": usage.ru_maxrss / 1024, "hash": digest}))
"""
TIMED = """
    work()  # what is imported at the first call
    began, before = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - began, time.process_time() - before
"""

# What is timed, and what is hashed of it. A column that is asked for is made; a row that is iterated is kept for one turn.
WORK: dict[str, tuple[str, str]] = {
    "iterate": ("for row in ds: pass", "[row, len(ds)]"),
    "at random": ("for i in wanted: row = ds[i]", "row"),
    "iterate after shuffle": ("for row in ds.shuffle(seed=0): pass", "row"),
    "a column as a list": ("made = list(ds['id'])", "made"),
    "to_list": ("made = ds.to_list()", "made[-5:]"),
    "select(range).to_list": ("made = ds.select(range(1000, 30_000)).to_list()", "made[-5:]"),
    "from_list": ("made = p.Dataset.from_list(rows)", "made[:5]"),
    "map, batched": (
        "made = ds.map(lambda b: {'n': [i + 1 for i in b['id']]}, batched=True)",
        "made['n'][:]",
    ),
    "map, a row": ("made = ds.map(lambda row: {'n': row['id'] + 1})", "made['n'][:]"),
    "filter, a function": ("made = ds.filter(lambda row: row['id'] % 3 == 0)", "made['id'][:]"),
    "torch, batches of 256": (
        "for batch in ds.select_columns(['id', 'score']).with_format('torch').iter(256): pass",
        "batch['id'].tolist()",
    ),
    "filter by expression": ("made = ds.filter(lambda row: row['id'] > 30_000)", "len(made)"),
}
INSTEAD = {
    ("filter by expression", "rowstream"): ("made = ds.filter(p.col('id') > 30_000)", "len(made)"),
    ("filter by expression", "polars"): (
        "made = frame.filter(polars.col('id') > 30_000)",
        "len(made)",
    ),
}


def run(name: str, package: str) -> dict[str, float | str]:
    work, hashed = INSTEAD.get((name, package), WORK[name])
    names = [one for one in ("row", "made", "batch") if one in f"{work} {hashed}"]
    again = "    rows = ds.to_list()\n" if name == "from_list" else ""
    code = textwrap.dedent(BEFORE) + textwrap.dedent(again)
    code += f"row = made = batch = None\ndef work():\n    global {', '.join(names)}\n    {work}\n"
    code += (
        f"def result():\n    return {hashed}\n" + textwrap.dedent(TIMED) + textwrap.dedent(AFTER)
    )
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", code, package, str(DATA), cache],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{name}, {package}:\n{done.stderr}")
    return json.loads(done.stdout.strip().rsplit("\n", 1)[-1])


def main() -> None:
    import rowstream

    rowstream.disable_progress_bars()
    rows = [
        {
            "id": i,
            "messages": [
                {"role": "user", "content": "hello " * (i % 30)},
                {"role": "assistant", "content": "world " * (i % 50)},
            ],
            "score": i / 7,
        }
        for i in range(ROWS)
    ]
    rowstream.Dataset.from_list(rows).save_to_disk(DATA)
    made = {}
    for name in sys.argv[1:] or WORK:
        packages = ["rowstream", "datasets", *(["polars"] if (name, "polars") in INSTEAD else [])]
        turns = {package: [] for package in packages}
        for _ in range(TURNS):
            for package in packages:
                turns[package].append(run(name, package))
        hashes = {turn["hash"] for some in turns.values() for turn in some}
        if len(hashes) != 1:
            raise SystemExit(f"{name}: the rows differ: {turns}")
        sides = {
            p: {key: statistics.median(t[key] for t in some) for key in ("wall", "cpu", "mb")}
            for p, some in turns.items()
        }
        ours = sides["rowstream"]
        ratios = {
            p: {key: side[key] / ours[key] for key in ("wall", "cpu", "mb")}
            for p, side in sides.items()
            if p != "rowstream"
        }
        made[name] = {"sides": sides, "ratios": ratios, "hash": hashes.pop()}
        shown = ", ".join(
            f"{p} × {one['wall']:.1f} wall, × {one['cpu']:.1f} CPU" for p, one in ratios.items()
        )
        print(f"{name:24} {ours['wall'] * 1e3:9.1f} ms, {ours['mb']:.0f} MB; {shown}", flush=True)
    if not sys.argv[1:]:
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
