"""One side of one workload, in a process of its own: prints what it measured as JSON.

The clock starts after the peer is imported. `startup` is up to the first row; `steady` all that follows the first
quarter of the rows, in which buffers fill and memory is touched for the first time.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import zlib
from importlib import import_module
from itertools import islice


def digest(item) -> int:
    """A hash of a row, or the sum over a batch's rows: the same whatever the order and the batches' bounds."""
    if item is None:
        return 0
    if hasattr(item, "to_pylist"):
        return sum(zlib.crc32(repr(row).encode()) for row in item.to_pylist())
    if "bin" in item:
        return zlib.crc32(item["bin"])
    if hasattr(item.get("id"), "sum"):
        return int(item["id"].sum())
    if not isinstance(next(iter(item.values()), None), np_array()):
        return zlib.crc32(repr(item).encode())
    columns = list(item.values())
    return sum(
        zlib.crc32(b"".join(memoryview(column[i].copy()).tobytes() for column in columns))
        for i in range(len(columns[0]))
    )


def cpu_time() -> float:
    """Of this process and of its workers that ended."""
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + workers.ru_utime + workers.ru_stime


def peak() -> int:
    """The peak of this process's own memory, in KiB: `ru_maxrss` would begin with the parent's."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def np_array():
    return sys.modules["numpy"].ndarray if "numpy" in sys.modules else ()


def main() -> None:
    request = json.loads(sys.argv[1])
    peer = import_module(f"benches.vs_peers.peers.{request['peer']}")
    peer = getattr(peer, "PEER", peer)
    if hasattr(peer, "prepare"):
        peer.prepare(request["files"])
    make = getattr(peer, request["call"])
    before = peak()
    wall, cpu = time.perf_counter(), cpu_time()
    items = make(request["files"], *request["arguments"])
    if request["hash"]:
        count = total = 0
        for item in items:
            count, total = count + 1, total + digest(item)
        print(json.dumps({"items": count, "hash": total % 2**64}))
        return
    next(items)
    startup = {"startup_wall": time.perf_counter() - wall, "startup_cpu": cpu_time() - cpu}
    for _ in islice(items, 0 if request["whole"] else request["warm"]):
        pass
    first_wall, first_cpu, main_thread = time.perf_counter(), cpu_time(), time.thread_time()
    if request["whole"]:
        # What a side does before its first item is a part of the work.
        first_wall, first_cpu = wall, cpu
    count, peaks, limit = 0, [], request["every"]
    if limit:
        for _ in items:
            count += 1
            if count % limit == 0:
                peaks.append(peak() - before)
    else:
        for _ in items:
            count += 1
    measured = {
        "items": count,
        "warm_items": request["warm"],
        **startup,
        "steady_wall": time.perf_counter() - first_wall,
        "steady_cpu": cpu_time() - first_cpu,
        "steady_main_cpu": time.thread_time() - main_thread,
        "memory_mib": (peak() - before) / 1024,
        "memory_over_run_mib": [round(peak / 1024) for peak in peaks],
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
