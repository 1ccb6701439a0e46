"""Runs workloads and prints their tables. See the package's docstring."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from statistics import median

from benches.vs_peers import data
from benches.vs_peers.workloads import ALL

RESULTS = Path("benches/results")
LIMIT = 600  # seconds that one side may take


def environment() -> dict[str, str]:
    """What every side runs in: no network, modules compiled once, and no BLAS threads that spin beside the loop."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "HF_DATASETS_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def child(peer: str, workload, files: list[str], *, hash: bool = False, warm: int = 0) -> dict:
    """One run of one side."""
    request = {
        "peer": peer,
        "call": workload.CALL,
        "files": files,
        "arguments": workload.ARGUMENTS,
        "hash": hash,
        "every": getattr(workload, "EVERY", 0),
        "warm": warm,
        "whole": getattr(workload, "WHOLE", False),
    }
    command = [sys.executable, "-m", "benches.vs_peers.child", json.dumps(request)]
    out = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, check=False, env=environment()
    )
    if out.returncode:
        raise SystemExit(f"{peer}: {out.stderr[-2000:]}")
    return json.loads(out.stdout.splitlines()[-1])


def spread(runs: list[dict]) -> dict:
    """The median of each figure, and the least and greatest of the CPU times."""
    made = {
        key: median(run[key] for run in runs)
        for key in runs[0]
        if not isinstance(runs[0][key], list)
    }
    made |= {key: value for key, value in runs[-1].items() if isinstance(value, list) and value}
    made["steady_cpu_range"] = [
        min(run["steady_cpu"] for run in runs),
        max(run["steady_cpu"] for run in runs),
    ]
    return made


def measure(name: str, repeat: int) -> dict:
    """All sides of a workload, turn by turn."""
    workload = import_module(f"benches.vs_peers.workloads.{name}")
    files = data.files(workload.DATA) * getattr(workload, "TIMES", 1)
    if name == "cold":
        return cold(workload, files, repeat)
    repeat = getattr(workload, "REPEAT", repeat)
    same = (
        {}
        if name.startswith("memory")
        else {peer: child(peer, workload, files, hash=True) for peer in workload.PEERS}
    )
    alike = getattr(workload, "SAME", [peer for peer in workload.PEERS if peer != "readinto"])
    if len({answer["hash"] for peer, answer in same.items() if peer in alike}) > 1:
        raise SystemExit(f"{name}: the sides did not deliver the same rows: {same}")
    runs: dict[str, list[dict]] = {peer: [] for peer in workload.PEERS}
    for _ in range(repeat):
        for peer in workload.PEERS:
            runs[peer].append(
                child(peer, workload, files, warm=same[peer]["items"] // 4 if same else 0)
            )
    sides = {peer: spread(of) for peer, of in runs.items()}
    ours = sides["rowstream"]
    for side in sides.values():
        for unit in ("cpu", "wall"):
            side[f"ratio_{unit}"] = (
                side[f"steady_{unit}"] / side["items"] / (ours[f"steady_{unit}"] / ours["items"])
            )
    return {
        "about": workload.__doc__,
        "hash": next(iter(same.values()), {}).get("hash"),
        "repeat": repeat,
        "reach": workload.REACH,
        "sides": sides,
    }


def cold(workload, files: list[str], repeat: int) -> dict:
    """Whole processes."""
    sides: dict[str, dict] = {peer: {} for peer in workload.PEERS}
    for what, command in workload.COMMANDS.items():
        for peer in workload.PEERS:
            walls, cpus = [], []
            run = [sys.executable, "-c", command.format(module=peer, files=files)]
            subprocess.run(
                run, check=True, timeout=LIMIT, stderr=subprocess.DEVNULL, env=environment()
            )
            for _ in range(repeat):
                before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                subprocess.run(
                    run, check=True, timeout=LIMIT, stderr=subprocess.DEVNULL, env=environment()
                )
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                walls.append(time.perf_counter() - began)
                cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            sides[peer][what] = {"wall": median(walls), "cpu": median(cpus)}
    walls = []
    for _ in range(repeat):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        walls.append(time.perf_counter() - began)
    return {
        "about": workload.__doc__,
        "repeat": repeat,
        "reach": workload.REACH,
        "interpreter_wall": median(walls),
        "sides": sides,
    }


def table(name: str, result: dict) -> str:
    """A workload's table."""
    lines = [f"\n{name}: {result['about'].strip()}"]
    if name == "cold":
        lines.append(f"  interpreter alone {result['interpreter_wall'] * 1000:.0f} ms")
        for what in result["sides"]["rowstream"]:
            row = [
                f"{peer} {side[what]['wall'] * 1000:8.0f} ms wall {side[what]['cpu'] * 1000:8.0f} ms CPU"
                for peer, side in result["sides"].items()
            ]
            ours, theirs = (
                result["sides"][peer][what]["cpu"] for peer in ("rowstream", "datasets")
            )
            lines.append(f"  {what:13} {'   '.join(row)}   {theirs / ours:5.1f} ×")
        return "\n".join(lines)
    lines.append(
        f"  {'side':13} {'µs CPU/item':>12} {'× CPU':>7} {'µs wall/item':>13} {'× wall':>7} {'µs main':>8} {'first ms':>9} {'MiB':>6}"
    )
    for peer, side in result["sides"].items():
        each = 1e6 / side["items"]
        lines.append(
            f"  {peer:13} {side['steady_cpu'] * each:12.2f} {side['ratio_cpu']:7.2f} {side['steady_wall'] * each:13.2f} {side['ratio_wall']:7.2f}"
            f" {side['steady_main_cpu'] * each:8.2f} {side['startup_wall'] * 1000:9.1f} {side['memory_mib']:6.0f}"
        )
        if side.get("memory_over_run_mib"):
            lines.append(f"  {'':13} peak over the run, MiB: {side['memory_over_run_mib']}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help=", ".join(ALL))
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    if unknown := set(options.workloads) - set(ALL):
        parser.error(f"there is no workload {', '.join(sorted(unknown))}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    packages = ("rowstream", "datasets", "polars", "pyarrow", "numpy")
    machine = {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "versions": {p: metadata.version(p) for p in packages},
    }
    for name in options.workloads or ALL:
        result = measure(name, options.repeat)
        (RESULTS / f"{name}.json").write_text(
            json.dumps({**result, "machine": machine}, indent=1) + "\n"
        )
        print(table(name, result), flush=True)


if __name__ == "__main__":
    main()
