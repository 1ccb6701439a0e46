"""ferroload: its own format, made of the archive beforehand; 256 samples at a time."""

import tarfile
from pathlib import Path

import ferroload

ROOT = Path("data/bench/cache/ferroload")


def prepare(files):
    if (ROOT / "done").exists():
        return
    ROOT.mkdir(parents=True, exist_ok=True)
    writer = ferroload.Writer(str(ROOT), "samples")
    writer.declare("bin", "bin", "bytes", "raw")
    writer.declare("json", "json", "bytes", "raw")
    with tarfile.open(files[0], "r|") as archive:
        blobs = {}
        for member in archive:
            key, _, field = member.name.partition(".")
            blobs[field] = archive.extractfile(member).read()
            if len(blobs) == 2:
                writer.add(key, blobs)
                blobs = {}
    writer.close()
    (ROOT / "done").touch()


def samples(files):
    data = ferroload.FerroDataset.open(str(ROOT))
    for _ in files:
        for at in range(0, len(data), 256):
            some = list(range(at, min(at + 256, len(data))))
            for content, text in zip(
                data.read_many(some, "bin"), data.read_many(some, "json"), strict=True
            ):
                yield {"bin": content, "json": text}
