"""Two sides of a workload, each in processes of their own, turn by turn; the medians, and a hash of what each gave."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import textwrap

from benches.environments import python_of

BEFORE = """
    import hashlib, json, random, resource, sys, time
    package, folder, cache = sys.argv[1:]
    import numpy as np
    p = __import__(package)
    if hasattr(p, "load_dataset"):
        p.config.HF_DATASETS_CACHE = __import__("pathlib").Path(cache)
        p.disable_progress_bars()

    def plain(value):
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(one) for one in value]
        return value
"""
# What is imported and looked at once is not counted: `work` is called before it is timed.
AFTER = """
    work()
    began, before = time.perf_counter(), time.process_time()
    for _ in range(TIMES):
        result = work()
    wall, cpu = time.perf_counter() - began, time.process_time() - before
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    digest = hashlib.sha256(json.dumps(plain(shown(result)), default=str).encode()).hexdigest()[:16]
    print(json.dumps({"wall": wall / TIMES, "cpu": cpu / TIMES, "mb": mb, "hash": digest}))
"""


def run(package: str, code: str, folder: str, times: int) -> dict[str, float | str]:
    """One turn. `code` defines `work`, and `shown`, which gives what is hashed of its result."""
    whole = (
        textwrap.dedent(BEFORE)
        + textwrap.dedent(code)
        + f"\nTIMES = {times}"
        + textwrap.dedent(AFTER)
    )
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [python_of(package), "-c", whole, package.partition("+")[0], folder, cache],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{package}:\n{code}\n{done.stderr}")
    return json.loads(done.stdout.strip().rsplit("\n", 1)[-1])


def compare(
    name: str, codes: dict[str, str], folder: str, times: int = 1, turns: int = 3
) -> dict[str, object]:
    """Run each side of a workload, and say how much more of everything the others need."""
    of: dict[str, list[dict]] = {package: [] for package in codes}
    for _ in range(turns):
        for package, code in codes.items():
            of[package].append(run(package, code, folder, times))
    hashes = {turn["hash"] for some in of.values() for turn in some}
    if len(hashes) != 1:
        raise SystemExit(f"{name}: the results differ: {of}")
    sides = {
        package: {key: statistics.median(t[key] for t in some) for key in ("wall", "cpu", "mb")}
        for package, some in of.items()
    }
    ours = sides["rowstream"]
    ratios = {
        package: {key: side[key] / ours[key] for key in ("wall", "cpu", "mb")}
        for package, side in sides.items()
        if package != "rowstream"
    }
    shown = ", ".join(
        f"{p} × {r['cpu']:.2f} CPU, × {r['wall']:.2f} wall" for p, r in ratios.items()
    )
    print(f"{name:44} {ours['cpu'] * 1e6:10.1f} µs; {shown}", flush=True)
    return {"sides": sides, "ratios": ratios, "hash": hashes.pop()}
