"""Archives and images beside the libraries that people use for them: `python -m benches.images`.

Samples as bytes, JPEG as arrays, random parts of photos as batches, archives that are written, sounds as arrays: each in a process
of its own, turn by turn. CPU time is of that process, so what others do in workers is compared by wall time. Writes
benches/results/images.json. The photos are parts of the two that scikit-learn carries.
"""

from __future__ import annotations

import io
import json
import random
import tempfile
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/images.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-images"
SIZES = {"64": (64, 64, 8192, 16), "256": (256, 256, 2000, 4), "1024": (1024, 768, 400, 4)}

SAMPLES = """
    import glob
    paths = sorted(glob.glob(folder + "/64-*.tar"))
    if package == "rowstream":
        from rowstream.webdataset import stream_shards
        def work():
            return [(s["__key__"], s["jpg"]) for s in stream_shards(paths, decode=False)]
    elif package == "webdataset":
        def work():
            ds = p.WebDataset(paths, shardshuffle=False)
            return [(s["__key__"].rpartition("/")[2], s["jpg"]) for s in ds]
    else:
        def work():
            ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
            return [(s["__key__"].rpartition("/")[2], s["jpg"]["bytes"]) for s in ds.decode(False)]
    def shown(samples):
        h = hashlib.sha256()
        for key, content in samples:
            h.update(key.encode() + content)
        return [len(samples), h.hexdigest()]
"""
ARRAYS = """
    import glob, io
    paths = sorted(glob.glob(folder + f"/{SIZE}-*.tar"))
    from rowstream.webdataset import stream_shards
    if package == "rowstream":
        ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
        ds = ds.decode_images("jpg")
        def work():
            return [row["jpg"].shape for row in ds]
    else:
        encoded = [s["jpg"] for s in stream_shards(paths, decode=False)]
        if package == "simplejpeg":
            decode = p.decode_jpeg
        else:
            from PIL import Image
            decode = lambda content: np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        def work():
            return [decode(content).shape for content in encoded]
    def shown(shapes):
        return shapes
"""
PARTS = """
    import glob, io
    paths = sorted(glob.glob(folder + f"/{SIZE}-*.tar"))
    if package == "rowstream":
        ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
        ds = ds.decode_images("jpg", 224, "random_resized_crop", flip=True).with_format("numpy")
        def work():
            return sum(len(batch["jpg"]) for batch in ds.iter(batch_size=64))
    else:
        from PIL import Image
        import math
        def part(content):
            image = Image.open(io.BytesIO(content)).convert("RGB")
            w, h = image.size
            area, ratio = w * h * random.uniform(0.08, 1), math.exp(random.uniform(-0.2877, 0.2877))
            cw, ch = min(w, round(math.sqrt(area * ratio))), min(h, round(math.sqrt(area / ratio)))
            x, y = random.randint(0, w - cw), random.randint(0, h - ch)
            image = image.resize((224, 224), Image.Resampling.BILINEAR, (x, y, x + cw, y + ch))
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else image
            return np.asarray(image)
        def batches(parts):
            batch = []
            for one in parts:
                batch.append(one)
                if len(batch) == 64:
                    yield np.stack(batch)
                    batch = []
            if batch:
                yield np.stack(batch)
        if package == "webdataset":
            if WORKERS:
                import torch
                ds = p.WebDataset(paths, shardshuffle=False).map(lambda s: (part(s["jpg"]),)).batched(64)
                source = lambda: torch.utils.data.DataLoader(ds, batch_size=None, num_workers=WORKERS)
                def work():
                    return sum(len(batch[0]) for batch in source())
            else:
                def work():
                    ds = p.WebDataset(paths, shardshuffle=False)
                    return sum(len(b) for b in batches(part(s["jpg"]) for s in ds))
        else:
            def work():
                ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
                return sum(len(b) for b in batches(part(s["jpg"]["bytes"]) for s in ds.decode(False)))
    def shown(n):
        return n
"""
WRITING = """
    import os, shutil
    content = os.urandom(10 << 10)
    out = folder + "/written-" + package
    def work():
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        if package == "rowstream":
            from rowstream.webdataset import ShardWriter
            writer = ShardWriter(out + "/%06d.tar", maxcount=5000)
        else:
            writer = p.ShardWriter(out + "/%06d.tar", maxcount=5000, verbose=0)
        with writer:
            for i in range(20_000):
                writer.write({"__key__": f"{i:06}", "bin": content})
        return sorted(os.listdir(out))
    def shown(names):
        return names
"""
SOUNDS = """
    import glob
    paths = sorted(glob.glob(folder + "/*.flac"))
    if package == "rowstream":
        ds = p.Dataset.from_dict({"audio": paths}, features=p.Features({"audio": p.Audio()}))
        def work():
            return [row["audio"]["array"].shape for row in ds]
    else:
        def work():
            return [p.read(path, dtype="float32")[0].shape for path in paths]
    def shown(shapes):
        return shapes
"""


def make() -> None:
    """Archives of photos, each a part of one of two, and sounds."""
    import numpy as np
    import sklearn.datasets
    import soundfile
    from PIL import Image
    from rowstream.webdataset import TarWriter

    if (DATA / "done").exists():
        return
    DATA.mkdir(parents=True, exist_ok=True)
    rnd = random.Random(0)
    photos = [Image.fromarray(one) for one in sklearn.datasets.load_sample_images().images]
    for name, (width, height, n, shards) in SIZES.items():
        for shard in range(shards):
            with TarWriter(DATA / f"{name}-{shard:02}.tar") as writer:
                for i in range(shard, n, shards):
                    photo = rnd.choice(photos)
                    w = rnd.randint(photo.width // 2, photo.width)
                    h = min(photo.height, round(w * height / width))
                    x, y = rnd.randint(0, photo.width - w), rnd.randint(0, photo.height - h)
                    part = photo.resize(
                        (width, height), Image.Resampling.LANCZOS, (x, y, x + w, y + h)
                    )
                    buffer = io.BytesIO()
                    part.save(buffer, "JPEG", quality=85)
                    writer.write({"__key__": f"{i:06}", "jpg": buffer.getvalue()})
    for i in range(100):
        wave = np.cumsum(np.random.default_rng(i).normal(0, 0.01, 160_000))
        soundfile.write(DATA / f"{i:03}.flac", np.sin(wave).astype(np.float32), 16_000)
    (DATA / "done").touch()


def main() -> None:
    """Measure each workload and write the results."""
    make()
    found = {}

    def measure(name, code, *packages, turns=3):
        sides = dict.fromkeys(("rowstream", *packages), code)
        found[name] = compare(name, sides, str(DATA), turns=turns)

    measure("8,192 samples in 16 archives", SAMPLES, "webdataset", "datasets")
    for size in ("256", "1024"):
        code = f"\n    SIZE = {size!r}" + ARRAYS
        measure(f"JPEG of {size} pixels as arrays", code, "simplejpeg", "PIL")
        code = f"\n    SIZE, WORKERS = {size!r}, 0" + PARTS
        measure(f"random parts of {size} pixels, in the process", code, "webdataset", "datasets")
        code = f"\n    SIZE, WORKERS = {size!r}, 2" + PARTS
        measure(f"random parts of {size} pixels, beside 2 workers", code, "webdataset")
    measure("20,000 samples of 10 KiB, written", WRITING, "webdataset")
    measure("100 sounds of 10 s in FLAC as arrays", SOUNDS, "soundfile")
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
