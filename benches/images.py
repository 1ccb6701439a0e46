"""Archives and images beside the libraries that people use for them: `python -m benches.images [words of names]`.

Samples as bytes, JPEG as arrays, random parts of photos as batches, archives that are written, sounds as arrays: each in a process
of its own, turn by turn. CPU time is of that process, so what others do in workers is compared by wall time. Writes
benches/results/images.json. The photos are parts of the two that scikit-learn carries.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from benches.environments import python_of
from benches.sides import compare

RESULTS = Path("benches/results/images.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-images"
SIZES = {"64": (64, 64, 8192, 16), "256": (256, 256, 2000, 4), "1024": (1024, 768, 400, 4)}

SAMPLES = """
    import glob
    paths = sorted(glob.glob(folder + "/64-*.tar"))
    if package == "rowstream":
        from rowstream.webdataset import stream_shards
        def samples():
            return ((s["__key__"], s["jpg"]) for s in stream_shards(paths, decode=False))
    elif package == "webdataset":
        def samples():
            ds = p.WebDataset(paths, shardshuffle=False)
            return ((s["__key__"].rpartition("/")[2], s["jpg"]) for s in ds)
    else:
        def samples():
            ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
            return ((s["__key__"].rpartition("/")[2], s["jpg"]["bytes"]) for s in ds.decode(False))
    def work():
        # As a loop that trains takes them: each is gone when the next one comes.
        return sum(len(content) for _, content in samples())
    def shown(size):
        h = hashlib.sha256()
        for key, content in samples():
            h.update(key.encode() + content)
        return [size, h.hexdigest()]
"""
ENCODED = """
    import glob, io, tarfile
    paths = sorted(glob.glob(folder + f"/{SIZE}-*.tar"))
    def encoded():
        for path in paths:
            with tarfile.open(path) as tar:
                for member in tar:
                    yield tar.extractfile(member).read()
"""
ARRAYS = (
    ENCODED
    + """
    if package == "rowstream":
        ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
        ds = ds.decode_images("jpg")
        def work():
            return [row["jpg"].shape for row in ds]
    elif package == "datago":
        # It reads files, and gives them in an order of its own.
        import os
        files = folder + "/files-" + SIZE
        os.makedirs(files, exist_ok=True)
        for i, content in enumerate(encoded()):
            with open(f"{files}/{i:06}.jpg", "wb") as file:
                file.write(content)
        config = {"source_type": "file", "source_config": {"root_path": files}}
        config |= {"limit": i + 1, "samples_buffer_size": 32, "prefetch_buffer_size": 32}
        def work():
            client, shapes = p.DatagoClient(json.dumps(config)), []
            client.start()
            for _ in range(i + 1):
                shapes.append(client.get_sample().image.to_numpy_array().shape)
            client.stop()
            return shapes
    else:
        contents = list(encoded())
        if package == "simplejpeg":
            decode = p.decode_jpeg
        elif package == "torchcodec":
            from torchcodec.decoders import decode_image
            decode = lambda content: decode_image(content).permute(1, 2, 0)
        else:
            from PIL import Image
            decode = lambda content: np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        def work():
            return [tuple(decode(content).shape) for content in contents]
    def shown(shapes):
        return [list(shape) for shape in shapes]
"""
)
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
TRAINING = (
    ENCODED
    + """
    import math, torch
    w, h = (256, 256) if SIZE == "256" else (1024, 768)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    def normal(pixels):
        return pixels.float().div_(255).sub_(mean).div_(std)
    def box():
        area, ratio = w * h * random.uniform(0.08, 1), math.exp(random.uniform(-0.2877, 0.2877))
        cw, ch = min(w, round(math.sqrt(area * ratio))), min(h, round(math.sqrt(area / ratio)))
        return random.randint(0, w - cw), random.randint(0, h - ch), cw, ch
    def part(content):
        from PIL import Image
        x, y, cw, ch = box()
        image = Image.open(io.BytesIO(content)).convert("RGB")
        image = image.resize((224, 224), Image.Resampling.BILINEAR, (x, y, x + cw, y + ch))
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else image
        return normal(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    def count(batches):
        return sum(len(batch[0] if isinstance(batch, (list, tuple)) else batch) for batch in batches)
    if package == "rowstream":
        ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
        of = {"normalize": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), "dtype": "float32"}
        ds = ds.decode_images("jpg", 224, "random_resized_crop", flip=True, layout="CHW", **of)
        def work():
            return count(batch["jpg"] for batch in p.DataLoader(ds, batch_size=64))
    elif package == "webdataset":
        ds = p.WebDataset(paths, shardshuffle=False).map(lambda s: (part(s["jpg"]),))
        def work():
            return count(torch.utils.data.DataLoader(ds, batch_size=64, num_workers=WORKERS))
    elif package == "datasets":
        ds = p.load_dataset("webdataset", data_files=paths, split="train", streaming=True)
        ds = ds.decode(False).map(lambda row: {"x": part(row["jpg"]["bytes"])}, remove_columns=ds.column_names)
        def work():
            loader = torch.utils.data.DataLoader(ds, batch_size=64, num_workers=WORKERS)
            return count(batch["x"] for batch in loader)
    else:
        class Parts(p.StreamingDataset):
            def __getitem__(self, index):
                return part(super().__getitem__(index)["jpg"])
        def work():
            loader = p.StreamingDataLoader(
                Parts(folder + "/litdata-" + SIZE, shuffle=False), batch_size=64, num_workers=WORKERS
            )
            return count(loader)
    def shown(n):
        return n
"""
)
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


LITDATA = """
import sys, tarfile
from litdata.streaming.writer import BinaryWriter
out, *paths = sys.argv[1:]
writer, i = BinaryWriter(out, chunk_bytes="64MB"), 0
for path in paths:
    with tarfile.open(path) as tar:
        for member in tar:
            writer[i] = {"jpg": tar.extractfile(member).read()}
            i += 1
writer.done()
writer.merge()
"""


def _write_litdata(size: str) -> None:
    """Write the photos of a size in litdata's own format, if they are not there yet."""
    out = DATA / f"litdata-{size}"
    if not out.exists():
        paths = map(str, sorted(DATA.glob(f"{size}-*.tar")))
        subprocess.run([python_of("litdata"), "-c", LITDATA, str(out), *paths], check=True)


def main() -> None:
    """Measure each workload and write the results."""
    make()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}

    def measure(name, code, *packages, times=3):
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            return
        sides = dict.fromkeys(("rowstream", *packages), code)
        found[name] = compare(name, sides, str(DATA), times=times)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")

    measure("8,192 samples in 16 archives", SAMPLES, "webdataset", "datasets")
    for size in ("256", "1024"):
        code = f"\n    SIZE = {size!r}" + ARRAYS
        others = ("simplejpeg", "PIL", "torchcodec", "datago")
        measure(f"JPEG of {size} pixels as arrays", code, *others)
        code = f"\n    SIZE, WORKERS = {size!r}, 0" + PARTS
        measure(f"random parts of {size} pixels, in the process", code, "webdataset", "datasets")
        code = f"\n    SIZE, WORKERS = {size!r}, 2" + PARTS
        measure(f"random parts of {size} pixels, beside 2 workers", code, "webdataset")
        _write_litdata(size)
        for workers in (0, 2):
            code = f"\n    SIZE, WORKERS = {size!r}, {workers}" + TRAINING
            name = f"parts of {size} pixels as normal batches of torch, beside {workers} workers"
            measure(name, code, "webdataset", "datasets", "litdata", times=1)
    measure("20,000 samples of 10 KiB, written", WRITING, "webdataset")
    measure("100 sounds of 10 s in FLAC as arrays", SOUNDS, "soundfile")


if __name__ == "__main__":
    main()
