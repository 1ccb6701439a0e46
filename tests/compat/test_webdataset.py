"""The habits of the package `webdataset`: each pipeline beside the real one."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image as Pillow
from rowstream import exceptions
from rowstream.webdataset import ShardWriter
from rowstream.webdataset import compat as ours

theirs = pytest.importorskip("webdataset")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    pattern = str(folder / "a-%06d.tar")
    with ShardWriter(pattern, maxcount=10) as writer:
        for i in range(37):
            buffer = io.BytesIO()
            Pillow.new("RGB", (5, 4), (i * 6, 0, 255 - i)).save(buffer, "PNG")
            writer.write(
                {
                    "__key__": f"{i:03}",
                    "png": buffer.getvalue(),
                    "cls": i % 7,
                    "json": {"i": i},
                    "txt": f"text {i}",
                }
            )
    return str(folder / "a-{000000..000003}.tar")


def plain(value):
    """A sample with what tells ours from theirs apart."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if not k.startswith("__") or k == "__key__"}
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tolist())
    if isinstance(value, Pillow.Image):
        return (value.mode, np.asarray(value).tolist())
    return value


def odd(sample):
    return sample["json"]["i"] % 2


PIPELINES = {
    "bytes": lambda ds: ds,
    "decode": lambda ds: ds.decode(),
    "pil": lambda ds: ds.decode("pil").to_tuple("png", "cls"),
    "rgb": lambda ds: ds.decode("rgb").to_tuple("png", "json"),
    "rgb8": lambda ds: ds.decode("rgb8").to_tuple("png"),
    "l": lambda ds: ds.decode("l").to_tuple("png"),
    "rgba8": lambda ds: ds.decode("rgba8").to_tuple("png"),
    "either name": lambda ds: ds.decode().to_tuple("jpg;png", "cls"),
    "one text": lambda ds: ds.decode().to_tuple("txt cls"),
    "missing": lambda ds: ds.decode().to_tuple("txt", "none", missing_is_error=False),
    "map": lambda ds: ds.decode().map(lambda s: {"n": s["cls"] + 1}),
    "map_dict": lambda ds: ds.decode().map_dict(cls=str, txt=len),
    "map_tuple": lambda ds: ds.decode().to_tuple("cls", "txt").map_tuple(str, len),
    "map_tuple short": lambda ds: ds.decode().to_tuple("cls", "txt").map_tuple(str),
    "select": lambda ds: ds.decode().select(odd).to_tuple("txt"),
    "rename": lambda ds: ds.decode().rename(image="jpg;png", label="cls"),
    "rename only": lambda ds: ds.decode().rename(label="cls", keep=False),
    "extract_keys": lambda ds: ds.decode().extract_keys("*.txt", "c?s"),
    "slice": lambda ds: ds.decode().to_tuple("txt").slice(3, 20, 4),
    "batched": lambda ds: ds.decode("rgb").to_tuple("png", "cls", "txt").batched(8),
    "batched whole": lambda ds: ds.decode().to_tuple("cls").batched(8, partial=False),
    "unbatched": lambda ds: ds.decode().to_tuple("cls", "txt").batched(8).unbatched(),
    "listed": lambda ds: ds.decode().to_tuple("cls").listed(8).unlisted(),
    "compose": lambda ds: ds.decode().compose(lambda items: (s["cls"] for s in items)),
    "with_epoch": lambda ds: ds.decode().to_tuple("txt").with_epoch(50),
    "repeat": lambda ds: ds.decode().to_tuple("txt").repeat(2),
    "only": lambda ds: ds.decode(only="txt"),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_as_theirs(shards, name):
    make = PIPELINES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = [plain(s) for s in make(theirs.WebDataset(shards, shardshuffle=False))]
    assert [plain(sample) for sample in make(ours.WebDataset(shards))] == want


def test_shuffles(shards):
    def keys(**options):
        ds = ours.WebDataset(shards, **options).shuffle(20)
        return [sample["__key__"] for sample in ds]

    first = keys()
    assert sorted(first) == [f"{i:03}" for i in range(37)]
    assert first != sorted(first)
    assert keys() == first
    assert keys(shardshuffle=True, seed=1) != first
    ds = ours.WebDataset(shards).shuffle(20)
    ds.set_epoch(1)
    assert sorted(s["__key__"] for s in ds) == sorted(first)
    assert [s["__key__"] for s in ds] != first
    assert [s["__key__"] for s in ours.WebDataset(shards).shuffle(0)] == sorted(first)


def test_resampled_archives_go_on(shards):
    assert len(list(ours.WebDataset(shards, resampled=True).slice(90))) == 90
    ds = ours.WebDataset(shards, resampled=True).with_epoch(100)
    keys = [sample["__key__"] for sample in ds]
    assert len(keys) == 100
    assert len(set(keys)) <= 37
    assert len(ds.with_length(100)) == 100
    with pytest.raises(TypeError, match="with_length"):
        len(ds)


def test_handlers(shards):
    def fails(sample):
        if sample["cls"] == 3:
            raise ValueError("three")
        return sample

    with pytest.raises(ValueError, match="three"):
        list(ours.WebDataset(shards).decode().map(fails))
    some = ours.WebDataset(shards).decode().map(fails, handler=ours.ignore_and_continue)
    assert all(sample["cls"] != 3 for sample in some)
    assert len(list(some)) == 32
    stopped = ours.WebDataset(shards).decode().map(fails, handler=ours.ignore_and_stop)
    assert len(list(stopped)) == 3
    with pytest.warns(UserWarning, match="three"):
        list(ours.WebDataset(shards).decode().map(fails, handler=ours.warn_and_continue))


def test_mix(shards):
    a = ours.WebDataset(shards).decode().map(lambda s: {"of": "a", "txt": s["txt"]})
    b = ours.WebDataset(shards).decode().map(lambda s: {"of": "b", "txt": s["txt"]})
    both = list(ours.RandomMix([a, b], longest=True))
    assert sum(s["of"] == "a" for s in both) == sum(s["of"] == "b" for s in both) == 37
    most = [s["of"] for s in ours.RandomMix([a, b], [9, 1])]
    assert most.count("a") > most.count("b")


def test_loaders_and_workers(shards):
    pytest.importorskip("torch")
    ds = ours.WebDataset(shards).decode("torchrgb").to_tuple("png", "cls").batched(4)
    loader = ours.WebLoader(ds, num_workers=2).unbatched().batched(10)
    batches = list(loader)
    assert sum(len(batch[1]) for batch in batches) == 37
    assert tuple(batches[0][0].shape[1:]) == (3, 4, 5)


def test_ranks(shards, monkeypatch):
    seen = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "2")
        ds = ours.WebDataset(shards, nodesplitter=ours.split_by_node)
        seen += [sample["__key__"] for sample in ds]
    assert sorted(seen) == [f"{i:03}" for i in range(37)]


def test_what_is_refused(tmp_path):
    with pytest.raises(exceptions.InvalidArgumentError, match="commands are not run"):
        ours.WebDataset("pipe:cat a.tar")
    with ShardWriter(str(tmp_path / "%d.tar")) as writer:
        writer.write({"__key__": "0", "pkl": b"\x80\x04N."})
    with pytest.raises(exceptions.UnsupportedError, match="pickled"):
        list(ours.WebDataset(str(tmp_path / "0.tar")).decode())
    with pytest.raises(exceptions.InvalidArgumentError, match="rgb8"):
        ours.WebDataset(str(tmp_path / "0.tar")).decode("cmyk")
