"""Tar archives that are written: read again here, by Python and by `webdataset`; the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rowstream import (
    ClassLabel,
    Dataset,
    Features,
    Json,
    Value,
    exceptions,
    load_dataset,
    write_jsonl,
)
from rowstream.webdataset import ShardWriter, TarWriter, parse

SAMPLES = [
    {
        "__key__": f"folder/{i:04d}",
        "bin": bytes([0xFF, 0xD8, i]) * (i * 300),
        "txt": f"text {i} é數",
        "cls": i,
        "json": {"a": [i, None], "b": {"c": "x"}},
        "npy": np.arange(i, dtype=np.float32),
        "caption": None if i % 2 else "a caption",
    }
    for i in range(5)
]


def read(path, **options):
    stream = load_dataset(
        "webdataset", data_files=str(path), split="train", streaming=True, **options
    )
    return [*stream]


def members(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive}


def written(samples, **options):
    file = io.BytesIO()
    with TarWriter(file, **options) as writer:
        sizes = [writer.write(sample) for sample in samples]
    assert sum(sizes) + 1024 == writer.size
    return file.getvalue()


def test_samples_come_back(tmp_path):
    path = tmp_path / "x.tar"
    with TarWriter(path) as writer:
        for sample in SAMPLES:
            writer.write(sample)
    assert writer.count == 5
    assert path.stat().st_size == writer.size
    rows = read(path)
    for row, sample in zip(rows, SAMPLES, strict=True):
        assert row["__key__"] == sample["__key__"]
        assert row["bin"] == sample["bin"]
        assert row["txt"] == sample["txt"]
        assert row["cls"] == sample["cls"]
        assert row["json"] == sample["json"]
        assert np.load(io.BytesIO(row["npy"])).tolist() == sample["npy"].tolist()
        assert row["caption"] == (None if sample["caption"] is None else b"a caption")


def test_the_bytes_are_always_the_same():
    content = written(SAMPLES)
    assert content == written(SAMPLES)
    assert len(content) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for one in archive:
            assert (one.mtime, one.uid, one.gid, one.uname, one.mode) == (0, 0, 0, "", 0o644)
    # As tarfile writes them, but for the size of the whole.
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members(content).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    theirs = file.getvalue().rstrip(b"\0")
    assert content.rstrip(b"\0") == theirs


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_as_webdataset_reads_them(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    with TarWriter(tmp_path / "x.tar") as writer:
        for sample in SAMPLES:
            writer.write(sample)
    found = [*webdataset.WebDataset(str(tmp_path / "x.tar"), shardshuffle=False).decode()]
    assert [one["__key__"] for one in found] == [one["__key__"] for one in SAMPLES]
    assert [one["json"] for one in found] == [one["json"] for one in SAMPLES]
    assert [one["cls"] for one in found] == [one["cls"] for one in SAMPLES]
    assert [one["npy"].tolist() for one in found] == [one["npy"].tolist() for one in SAMPLES]


KEYS = st.text(
    st.characters(exclude_characters="./\0", exclude_categories=["Cs"]), min_size=1, max_size=120
)


@given(
    st.lists(
        st.tuples(
            KEYS,
            st.binary(max_size=1200),
            st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        ),
        max_size=8,
        unique_by=lambda one: one[0],
    )
)
def test_any_samples_come_back(samples):
    content = written([{"__key__": k, "bin": b, "txt": t} for k, b, t in samples])
    expected = {f"{k}.bin": b for k, b, _ in samples}
    expected |= {f"{k}.txt": t.encode() for k, _, t in samples if t is not None}
    assert members(content) == expected


def test_long_names_and_what_stands_after_them(tmp_path):
    keys = ["a" * n for n in (90, 95, 96, 97, 100, 101, 250, 3000)] + ["dir/" * 60 + "x", "數" * 50]
    path = tmp_path / "x.tar"
    with TarWriter(path) as writer:
        for key in keys:
            writer.write({"__key__": key, "txt": key})
    assert [row["__key__"] for row in read(path)] == keys
    assert [row["txt"] for row in read(path)] == keys


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "tar.zst"])
def test_compressed_archives(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    with TarWriter(path) as writer:
        for sample in SAMPLES:
            writer.write(sample)
    assert [row["txt"] for row in read(path)] == [sample["txt"] for sample in SAMPLES]
    ds = Dataset.from_list([{"__key__": s["__key__"], "txt": s["txt"]} for s in SAMPLES])
    for rows in (ds, ds.to_iterable_dataset()):
        rows.to_webdataset(tmp_path / f"y.{ending}")
        assert [row["txt"] for row in read(tmp_path / f"y.{ending}")] == ds["txt"][:]


@pytest.mark.parametrize(
    ("sample", "match"),
    [
        ({"txt": "x"}, "'__key__', found"),
        ("text", "found str"),
        ({"__key__": "a.b", "txt": ""}, "no key"),
        ({"__key__": "", "txt": ""}, "no key"),
        ({"__key__": "a/", "txt": ""}, "no key"),
        ({"__key__": "../a", "txt": ""}, "no key"),
        ({"__key__": "/a", "txt": ""}, "no key"),
        ({"__key__": "a//b", "txt": ""}, "no key"),
        ({"__key__": 5, "txt": ""}, "no key"),
        ({"__key__": "last", "txt": ""}, "'last'"),
        ({"__key__": "a", "json": object()}, "'json' of the sample 'a'"),
        ({"__key__": "a", "npy": [object()]}, "'npy' of the sample 'a'"),
    ],
)
def test_samples_that_cannot_be_written(tmp_path, sample, match):
    path = tmp_path / "x.tar"
    writer = TarWriter(path)
    writer.write({"__key__": "last", "txt": "x"})
    with pytest.raises(exceptions.InvalidArgumentError, match=match):
        writer.write(sample)
    # It goes on as if nothing was.
    writer.write({"__key__": "next", "txt": "y"})
    writer.close()
    assert [row["__key__"] for row in read(path)] == ["last", "next"]
    with pytest.raises(exceptions.InvalidArgumentError, match="closed"):
        writer.write({"__key__": "z", "txt": ""})


def test_half_an_archive_is_none(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"before")

    def stopped(writer, samples):
        with writer:
            for sample in samples:
                writer.write(sample)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped(TarWriter(tmp_path / "x.tar"), SAMPLES[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]
    assert (tmp_path / "x.tar").read_bytes() == b"before"
    writer = ShardWriter(tmp_path / "s-%d.tar", maxcount=2)
    with pytest.raises(RuntimeError):
        stopped(writer, SAMPLES[:3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-0.tar", "x.tar"]
    assert writer.shards == [str(tmp_path / "s-0.tar")]


def test_half_an_archive_at_a_url_is_none():
    fs = pytest.importorskip("fsspec").filesystem("memory")

    def stopped():
        with TarWriter("memory://half/x.tar") as writer:
            writer.write(SAMPLES[0])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped()
    assert not fs.exists("/half/x.tar")
    with pytest.raises(exceptions.InvalidArgumentError, match="key"):
        Dataset.from_dict({"__key__": ["a.b"], "txt": ["x"]}).to_webdataset("memory://half/y.tar")
    assert not fs.exists("/half/y.tar")
    with ShardWriter("memory://half/s-%d.tar", maxcount=2) as writer:
        for sample in SAMPLES:
            writer.write(sample)
    assert [len(members(fs.cat(path[8:]))) for path in writer.shards] == [11, 11, 6]


def test_shards(tmp_path):
    with ShardWriter(tmp_path / "a-%03d.tar", maxcount=2, start_shard=7) as writer:
        for sample in SAMPLES:
            writer.write(sample)
    assert [path[-7:] for path in writer.shards] == ["007.tar", "008.tar", "009.tar"]
    assert [len(read(path)) for path in writer.shards] == [2, 2, 1]
    assert [row["txt"] for row in read(tmp_path / "a-*.tar")] == [s["txt"] for s in SAMPLES]
    with ShardWriter(tmp_path / "b-%d.tar", maxsize=8000) as writer:
        for i in range(20):
            writer.write({"__key__": f"{i}", "bin": bytes(3000)})
    assert all(len((tmp_path / f"b-{i}.tar").read_bytes()) <= 8000 for i in range(10))
    with ShardWriter(tmp_path / "c-%d.tar", maxsize=10) as writer:
        for i in range(3):
            writer.write({"__key__": f"{i}", "bin": bytes(3000)})
    assert len(writer.shards) == 3
    for pattern in ("x.tar", "x-%s%s.tar", "x-%%.tar"):
        with pytest.raises(exceptions.InvalidArgumentError, match="place for a number"):
            ShardWriter(tmp_path / pattern)
    for limits in ({"maxcount": 0}, {"maxsize": 0}):
        with pytest.raises(exceptions.InvalidArgumentError, match="1 or more"):
            ShardWriter("x-%d.tar", **limits)


def test_encoders():
    content = written(
        [{"__key__": "a", "x.upper": "abc", "JSON": [1]}],
        encoders={"upper": lambda v: v.upper().encode()},
    )
    assert members(content) == {"a.x.upper": b"ABC", "a.JSON": b"[1]"}


def test_images_of_pillow():
    image = pytest.importorskip("PIL.Image").new("RGB", (4, 3), (255, 0, 0))
    found = members(written([{"__key__": "a", "png": image, "jpg": image}]))
    for name in ("a.png", "a.jpg"):
        assert pytest.importorskip("PIL.Image").open(io.BytesIO(found[name])).size == (4, 3)


# Rows of datasets


@pytest.fixture
def rows():
    return Dataset.from_dict(
        {
            "n": [*range(25)],
            "name": [f"row {i}" for i in range(25)],
            "tags": [["a"] * (i % 3) for i in range(25)],
            "meta": [{"x": i, "y": None} for i in range(25)],
            "bin": [bytes([i]) * 100 for i in range(25)],
            "label": [i % 2 for i in range(25)],
            "any": [[1, "a"][i % 2] for i in range(25)],
        },
        features=Features(
            {
                "n": Value("int64"),
                "name": Value("string"),
                "tags": [Value("string")],
                "meta": {"x": Value("int64"), "y": Value("string")},
                "bin": Value("binary"),
                "label": ClassLabel(names=["no", "yes"]),
                "any": Json(),
            }
        ),
    )


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"num_shards": 4}, {"max_shard_size": 12_000}, {"batch_size": 7}]
)
def test_rows_come_back(tmp_path, rows, streaming, options):
    ds = rows.to_iterable_dataset() if streaming else rows
    size = ds.to_webdataset(tmp_path / "x.tar", **options)
    files = sorted(tmp_path.iterdir())
    assert size + 1024 * len(files) == sum(file.stat().st_size for file in files)
    if "num_shards" in options:
        assert len(files) == 4
    if "max_shard_size" in options:
        assert len(files) > 2
        assert all(f.stat().st_size <= 12_000 for f in files)
    found = [row for file in files for row in read(file)]
    assert [row["__key__"] for row in found] == [f"{i:09d}" for i in range(25)]
    for i, row in enumerate(found):
        assert row["n.json"] == i
        assert row["name.txt"] == f"row {i}"
        assert row["tags.json"] == ["a"] * (i % 3)
        assert row["meta.json"]["x"] == i
        assert row["bin"] == bytes([i]) * 100
        assert row["label.json"] == i % 2
        assert row["any.json"] == json.loads(json.dumps([1, "a"][i % 2]))


def test_the_same_rows_in_threads(tmp_path, rows):
    rows.to_webdataset(tmp_path / "a.tar", batch_size=3)
    rows.to_webdataset(tmp_path / "b.tar", batch_size=5, num_proc=2)
    digests = {hashlib.sha256((tmp_path / f"{c}.tar").read_bytes()).hexdigest() for c in "ab"}
    assert len(digests) == 1


def test_the_same_archives_by_several_processes(tmp_path, rows):
    for name, num_proc in (("a", None), ("b", 1), ("c", 2)):
        rows.to_webdataset(tmp_path / f"{name}.tar", num_shards=4, num_proc=num_proc)
    digests = [[digest(f) for f in sorted(tmp_path.glob(f"{name}-*.tar"))] for name in "abc"]
    assert digests[0] == digests[1] == digests[2]
    assert len(digests[0]) == 4
    stream = rows.to_iterable_dataset()
    with pytest.raises(exceptions.InvalidArgumentError, match="num_shards"):
        stream.to_webdataset(tmp_path / "d.tar", num_proc=2)
    stream.to_webdataset(tmp_path / "d.tar", num_shards=3, num_proc=2)
    found = read(tmp_path / "d-*.tar")
    assert sorted(row["n.json"] for row in found) == list(range(25))
    assert [row["n.json"] for row in found[:9]] == [r["n"] for r in stream.shard(3, 0)]
    assert (found[0]["__key__"], found[24]["__key__"]) == ("00000-000000000", "00002-000000007")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


KILLED = """
import os, signal, sys
from rowstream import load_dataset
from rowstream.writers.tar import TarSink

class Killed(TarSink):
    closed = 0

    def close(self):
        Killed.closed += 1
        if Killed.closed == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        super().close()

import rowstream.writers.tar as tar
tar.TarSink = Killed
ds = load_dataset("json", data_files="rows.jsonl", split="train", streaming=sys.argv[1] == "stream")
more = {"num_proc": 1} if sys.argv[1] == "stream" else {}
ds.to_webdataset("x.tar", num_shards=5, **more)
print(Killed.closed)
"""


@pytest.mark.parametrize("kind", ["stream", "map"])
def test_what_a_killed_run_has_written_is_kept(tmp_path, kind):
    write_jsonl(tmp_path / "rows.jsonl", [{"txt": f"row {i}"} for i in range(50)])

    def run(die):
        return subprocess.run(
            [sys.executable, "-c", KILLED, kind, str(die)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")},
        )

    assert run(4).returncode == -signal.SIGKILL
    assert not list(tmp_path.glob("x-*"))
    kept = {path.stat().st_ino for path in tmp_path.glob(".x-*")}
    done = run(0)
    # Three of the five were there.
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    files = sorted(tmp_path.glob("x-*"))
    assert len({path.stat().st_ino for path in files} & kept) == 3
    assert not list(tmp_path.glob(".x-*"))
    assert [row["txt"] for row in read(tmp_path / "x-*.tar")] == [f"row {i}" for i in range(50)]
    # Other rows are written anew, and an error leaves nothing behind.
    assert run(2).returncode == -signal.SIGKILL
    write_jsonl(tmp_path / "rows.jsonl", [{"txt": f"new {i}"} for i in range(50)])
    assert run(0).stdout == "5\n"
    assert not list(tmp_path.glob(".x-*"))
    bad = Dataset.from_dict({"__key__": ["b", "b", "c"], "txt": ["x"] * 3})
    with pytest.raises(exceptions.InvalidArgumentError, match="have the key"):
        bad.to_webdataset(tmp_path / "bad.tar", num_shards=2)
    assert not [path for path in tmp_path.iterdir() if "bad" in path.name]


def test_several_archives_at_a_url(rows):
    fs = pytest.importorskip("fsspec").filesystem("memory")
    rows.to_webdataset("memory://new/folder/x.tar", num_shards=3)
    names = [f"/new/folder/x-0000{i}-of-00003.tar" for i in range(3)]
    assert sorted(fs.ls("/new/folder", detail=False)) == names
    keys = [key for name in names for key in members(fs.cat(name))]
    assert {key.partition(".")[0] for key in keys} == {f"{i:09d}" for i in range(25)}
    fs.rm("/new", recursive=True)


def test_shards_go_on_after_those_that_are_there(tmp_path):
    samples = [{"__key__": f"{i}", "bin": bytes(i)} for i in range(9)]
    writer = ShardWriter(tmp_path / "a-%d.tar", maxcount=2)
    for sample in samples[:7]:
        writer.write(sample)
    del writer
    with ShardWriter(tmp_path / "a-%d.tar", maxcount=2, resume=True) as writer:
        assert writer.count == 6
        for sample in samples[writer.count :]:
            writer.write(sample)
    assert (writer.count, len(writer.shards)) == (9, 5)
    assert [row["bin"] for row in read(tmp_path / "a-*.tar")] == [s["bin"] for s in samples]


def test_columns_that_readers_take_for_bytes_get_an_ending(tmp_path):
    Dataset.from_dict({"caption": ["a"], "title": ["b"]}).to_webdataset(tmp_path / "x.tar")
    (row,) = read(tmp_path / "x.tar")
    assert (row["caption.txt"], row["title.txt"]) == ("a", "b")


def test_keys_of_rows(tmp_path):
    ds = Dataset.from_dict({"__key__": ["a", "b/c"], "__url__": ["x", "y"], "txt": ["1", "2"]})
    ds.to_webdataset(tmp_path / "x.tar")
    found = read(tmp_path / "x.tar")
    assert [(row["__key__"], row["txt"]) for row in found] == [("a", "1"), ("b/c", "2")]
    for keys in (["a", "a"], ["a.b"], [None]):
        with pytest.raises(exceptions.InvalidArgumentError, match="key"):
            Dataset.from_dict({"__key__": keys, "txt": ["x"] * len(keys)}).to_webdataset(
                tmp_path / "y.tar"
            )
    assert not (tmp_path / "y.tar").exists()
    Dataset.from_dict({"txt": []}).to_webdataset(tmp_path / "z.tar")
    assert (tmp_path / "z.tar").read_bytes() == bytes(1024)
    ds.filter(lambda row: row["txt"] == "1").to_webdataset(tmp_path / "w.tar")
    assert len(read(tmp_path / "w.tar")) == 1


def test_media_are_written_as_they_are(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    path = tmp_path / "red.png"
    pil.new("RGB", (4, 3), (255, 0, 0)).save(path)
    from rowstream import Image

    ds = Dataset.from_dict({"png": [str(path)]}, features=Features({"png": Image()}))
    for rows in (ds, ds.to_iterable_dataset()):
        rows.to_webdataset(tmp_path / "x.tar")
        row = next(
            iter(load_dataset("webdataset", data_files=str(tmp_path / "x.tar"), split="train"))
        )
        assert row["png"].getpixel((0, 0)) == (255, 0, 0)
        (raw,) = parse(tmp_path / "x.tar")
        assert raw["png"] == path.read_bytes()


def test_and_back_to_parquet(tmp_path, rows):
    rows.to_webdataset(tmp_path / "x.tar")
    stream = load_dataset(
        "webdataset", data_files=str(tmp_path / "x.tar"), split="train", streaming=True
    )
    stream.to_parquet(tmp_path / "x.parquet")
    again = Dataset.from_parquet(str(tmp_path / "x.parquet"))
    assert again["name.txt"][:] == rows["name"][:]
    assert again["bin"][:] == rows["bin"][:]
