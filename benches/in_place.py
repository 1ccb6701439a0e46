"""Files of this machine that are larger than one likes to copy: `python -m benches.in_place [GB]`; writes benches/results/in_place.json.

Parquet from `load_dataset` to the first row, with the bytes that are on disk afterwards; rows at random of an Arrow table of 2.5 times that
size, with the memory at its peak; images as arrays, a batch of 256 and its sum, beside slices of one NumPy array. Each side runs in a
process of its own, turn by turn; the figures are medians, and the hash is of rows.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RESULTS = Path("benches/results/in_place.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-in-place"
PART = 128 << 20  # bytes of a row group
TEXT = 2000  # bytes of a row's text

BEFORE = """
    import hashlib, json, random, resource, sys, time
    from pathlib import Path
    package, data, cache = sys.argv[1:]
    import numpy as np
    if package != "numpy":
        p = __import__(package)
        p.config.HF_DATASETS_CACHE = Path(cache)
        p.disable_progress_bars()
"""
AFTER = """
    size = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file())
    digest = hashlib.sha256(repr(result).encode()).hexdigest()[:16]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "mb": peak, "disk_mb": size / 2**20, "hash": digest}))
"""
TIMED = """
    began, before = time.perf_counter(), time.process_time()
    {work}
    wall, cpu = time.perf_counter() - began, time.process_time() - before
"""
FIRST = "ds = p.load_dataset('parquet', data_files=f'{data}/parquet/*.parquet', split='train'); result = ds[0]"
RANDOM = "result = [ds[i]['id'] for i in random.Random(0).choices(range(len(ds)), k=20_000)][-100:]"
IMAGES = "result = sum(float(batch['image'].sum()) for batch in ds.iter(256))"
SLICES = "result = sum(float(images[i : i + 256].sum()) for i in range(0, len(images), 256))"


def written(gigabytes: float) -> None:
    """The files, where they are not there."""
    rng = np.random.default_rng(0)
    rows = PART // TEXT
    parts = max(1, round(gigabytes * 2**30 / PART))

    def part(i: int) -> pa.Table:
        text = rng.integers(97, 123, rows * TEXT, dtype=np.uint8).tobytes()
        offsets = np.arange(rows + 1, dtype=np.int32) * TEXT
        texts = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
        return pa.table({"id": np.arange(i * rows, (i + 1) * rows), "text": texts})

    folder = DATA / "parquet"
    if not folder.exists():
        folder.mkdir(parents=True)
        for f in range(0, parts, 8):
            with pq.ParquetWriter(
                folder / f"{f:03}.parquet", part(0).schema, compression="none", use_dictionary=False
            ) as writer:
                for i in range(f, min(f + 8, parts)):
                    writer.write_table(part(i))
    arrow = DATA / "arrow.arrow"
    if not arrow.exists():
        with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_stream(sink, part(0).schema) as writer:
            for i in range(round(parts * 2.5)):
                writer.write_table(part(i), max_chunksize=10_000)
    if not (DATA / "images").exists():
        import rowstream

        images = rng.random((2560, 3, 64, 64), dtype=np.float32)
        features = rowstream.Features(
            {"image": rowstream.Array3D(shape=(3, 64, 64), dtype="float32")}
        )
        rowstream.Dataset.from_dict({"image": images}, features=features).save_to_disk(
            DATA / "images"
        )
        np.save(DATA / "images.npy", images)


def run(package: str, before: str, work: str) -> dict[str, float | str]:
    code = (
        textwrap.dedent(BEFORE)
        + before
        + "\n"
        + textwrap.dedent(TIMED).format(work=work)
        + textwrap.dedent(AFTER)
    )
    with tempfile.TemporaryDirectory(dir=DATA) as cache:
        done = subprocess.run(
            [sys.executable, "-c", code, package, str(DATA), cache],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{package}: {work}\n{done.stderr}")
    return json.loads(done.stdout.strip().rsplit("\n", 1)[-1])


LOAD = "ds = p.Dataset.from_file(f'{data}/arrow.arrow')"
OPEN = "ds = p.load_from_disk(f'{data}/images').with_format('numpy')\nfor batch in ds.iter(256): batch['image'].sum()"
NPY = "images = np.load(f'{data}/images.npy', mmap_mode='r')\nfor i in range(0, len(images), 256): images[i : i + 256].sum()"
WORK = {
    "Parquet to the first row": (1, {"rowstream": ("", FIRST), "datasets": ("", FIRST)}),
    "rows at random of an Arrow table": (
        3,
        {"rowstream": (LOAD, RANDOM), "datasets": (LOAD, RANDOM)},
    ),
    "images as arrays": (
        5,
        {"rowstream": (OPEN, IMAGES), "datasets": (OPEN, IMAGES), "numpy": (NPY, SLICES)},
    ),
    # Those of 256 lie across the record batches of 1,000 rows that files have, and are copied together.
    "images as arrays, batches of 250": (
        5,
        {
            package: (before.replace("256", "250"), work.replace("256", "250"))
            for package, before, work in (
                ("rowstream", OPEN, IMAGES),
                ("datasets", OPEN, IMAGES),
                ("numpy", NPY, SLICES),
            )
        },
    ),
}


def main() -> None:
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    written(gigabytes)
    made = {}
    for name, (turns, sides) in WORK.items():
        runs = {package: [] for package in sides}
        for _ in range(turns):
            for package, (before, work) in sides.items():
                runs[package].append(run(package, before, work))
        hashes = {one["hash"] for some in runs.values() for one in some}
        if len(hashes) != 1:
            raise SystemExit(f"{name}: the rows differ: {runs}")
        figures = {
            p: {
                key: statistics.median(r[key] for r in some)
                for key in ("wall", "cpu", "mb", "disk_mb")
            }
            for p, some in runs.items()
        }
        ours = figures["rowstream"]
        ratios = {
            p: {key: one[key] / ours[key] for key in ("wall", "cpu", "mb")}
            for p, one in figures.items()
            if p != "rowstream"
        }
        made[name] = {
            "gigabytes": gigabytes,
            "sides": figures,
            "ratios": ratios,
            "hash": hashes.pop(),
        }
        shown = ", ".join(
            f"{p} × {one['wall']:.2f} wall, × {one['mb']:.2f} memory, {figures[p]['disk_mb']:.0f} MB on disk"
            for p, one in ratios.items()
        )
        print(
            f"{name:34} {ours['wall'] * 1e3:9.1f} ms, {ours['mb']:.0f} MB, {ours['disk_mb']:.0f} MB on disk; {shown}",
            flush=True,
        )
    RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
