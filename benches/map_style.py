"""Rows by number beside the peers: `python -m benches.map_style [workload …]`; writes benches/results/map_style.json.

60,000 chat rows (two messages, a number), in one Arrow file that both libraries map. Each side of a workload runs in a process of its own,
turn by turn, three times; the figures are medians of second calls, the ratios of one run, and the hash is of what was made.
"""

from __future__ import annotations

import json
import sys
import tempfile
import textwrap
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/map_style.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-map-style"
ROWS = 60_000

BEFORE = """
    if package == "polars":
        frame = p.read_ipc_stream(next(__import__("pathlib").Path(folder).glob("data-*.arrow")))
    else:
        p.disable_caching()
        ds = p.load_from_disk(folder)
    wanted = random.Random(0).sample(range(60_000), 20_000)
    made = row = batch = rows = None
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
        "made = frame.filter(p.col('id') > 30_000)",
        "len(made)",
    ),
}


def code_of(name: str, package: str) -> str:
    work, hashed = INSTEAD.get((name, package), WORK[name])
    again = "    rows = ds.to_list()\n" if name == "from_list" else ""
    return (
        textwrap.dedent(BEFORE + again)
        + f"def work():\n    global made, row, batch\n    {work}\n"
        + f"def shown(_):\n    return {hashed}\n"
    )


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
        codes = {package: code_of(name, package) for package in packages}
        made[name] = compare(name, codes, str(DATA))
    if not sys.argv[1:]:
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
