"""`rowstream.webdataset`: samples as they are, of archives by several writers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile

import numpy as np
import pytest
from rowstream import exceptions, load_dataset
from rowstream.webdataset import TarWriter, parse, parse_shards, stream, stream_shards


def archive(path, members, **options):
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


MEMBERS = [
    ("d/0.txt", b" a cat\n"),
    ("d/0.json", b'{"id": 0}'),
    ("d/0.cls", b"3\n"),
    ("d/0.npy", npy(np.arange(3))),
    ("e/0.json", b'{"other": null, "more": [1, "x"]}'),
    ("e/0.seg.PNG", b"\x89PNG"),
    ("no_extension", b"?"),
    ("._1.txt", b"left behind by macOS"),
    ("__MACOSX/1.txt", b"likewise"),
    (".DS_Store", b"likewise"),
]


def test_samples_are_as_they_are_written(tmp_path):
    path = archive(tmp_path / "a.tar", MEMBERS)
    first, second = parse(path)
    assert first.pop("npy").tolist() == [0, 1, 2]
    assert first == {
        "__key__": "d/0",
        "__url__": path,
        "txt": "a cat",
        "json": {"id": 0},
        "cls": "3",
    }
    # What the first has is not in the second, in its JSON neither.
    assert second == {
        "__key__": "e/0",
        "__url__": path,
        "json": {"other": None, "more": [1, "x"]},
        "seg.PNG": b"\x89PNG",
    }


def test_decode_and_extensions_and_decoders(tmp_path):
    path = archive(tmp_path / "a.tar", MEMBERS)
    first = parse(path, decode=False)[0]
    assert first["txt"] == "a cat"
    assert first["json"] == b'{"id": 0}'
    assert isinstance(first["npy"], bytes)
    assert [sorted(s) for s in parse(path, extensions=[".json", "png"])] == [
        ["__key__", "__url__", "json"],
        ["__key__", "__url__", "json", "seg.PNG"],
    ]
    assert [s["__key__"] for s in parse(path, extensions=["txt"])] == ["d/0"]
    assert parse(path, decoders={"png": len, "json": bytes})[1]["seg.PNG"] == 4
    assert len(parse(path, max_samples=1)) == 1
    assert parse(path, max_samples=0) == []


@pytest.mark.parametrize(
    ("end", "pack"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)],
)
def test_compressed_archives_of_changing_members(tmp_path, end, pack):
    # Later samples have members that the beginning of the archive does not show.
    members = [(f"{i:04}.{'bin' if i < 400 else 'late'}", bytes(4000)) for i in range(450)]
    archive(tmp_path / "a.tar", members)
    packed = tmp_path / f"a.tar.{end}"
    packed.write_bytes(pack((tmp_path / "a.tar").read_bytes()))
    samples = parse(packed)
    assert len(samples) == 450
    assert "late" in samples[-1]
    assert "late" not in samples[0]


def test_shards_globs_and_braces(tmp_path):
    for name in ("a0", "a1", "b"):
        archive(tmp_path / f"{name}.tar", [("k.txt", name.encode())])
    texts = lambda samples: [sample["txt"] for sample in samples]
    assert texts(parse(tmp_path / "a*.tar")) == ["a0", "a1"]
    assert texts(parse(f"{tmp_path}/{{b,a1}}.tar")) == ["b", "a1"]
    assert texts(stream_shards([tmp_path / "b.tar", f"{tmp_path}/a{{0..1}}.tar"])) == [
        "b",
        "a0",
        "a1",
    ]
    assert texts(parse_shards([tmp_path / "b.tar"] * 2, max_samples=1)) == ["b"]
    with pytest.raises(exceptions.DataFilesNotFoundError, match="c"):
        parse(tmp_path / "c*.tar")
    with pytest.raises(exceptions.InvalidArgumentError, match="commands are not run"):
        parse("pipe:cat a.tar")
    with pytest.raises(exceptions.InvalidArgumentError, match="a list of paths"):
        parse_shards(str(tmp_path / "b.tar"))


def test_json_that_is_none_is_text(tmp_path):
    path = archive(tmp_path / "a.tar", [("0.json", b"{oops"), ("1.json", b"\xff\xfe")])
    assert [sample["json"] for sample in parse(path)] == ["{oops", b"\xff\xfe"]


def test_pickles_are_never_loaded(tmp_path):
    objects = npy(np.array([{1}], dtype=object))
    path = archive(tmp_path / "a.tar", [("0.npy", objects), ("1.pkl", b"\x80\x04N.")])
    with pytest.raises(exceptions.FileFormatError, match="pickle") as error:
        parse(path)
    assert "'0'" in "".join(error.value.__notes__)
    assert parse(path, extensions=["pkl"])[0]["pkl"] == b"\x80\x04N."


def test_samples_that_are_torn_or_have_a_member_twice(tmp_path):
    torn = archive(tmp_path / "t.tar", [("a.txt", b"1"), ("b.txt", b"2"), ("a.cls", b"3")])
    with pytest.raises(exceptions.FileFormatError, match='"a" do not stand together'):
        parse(torn)
    twice = archive(tmp_path / "d.tar", [("a.txt", b"1"), ("a.txt", b"2")])
    with pytest.raises(exceptions.FileFormatError, match=r'"txt" twice in the sample "a"'):
        parse(twice)


def test_damaged_archives(tmp_path):
    whole = archive(tmp_path / "a.tar", [(f"{i}.txt", b"x") for i in range(3)])
    content = (tmp_path / "a.tar").read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(content[: 512 * 4 + 100])
    for paths in ([whole, cut, whole],):
        with pytest.raises(exceptions.FileFormatError, match="cut"):
            parse_shards(paths)
        seen = []
        keys = [s["__key__"] for s in parse_shards(paths, on_error=seen.append)]
        # Whether the second sample of the cut archive was whole, nobody knows.
        assert keys == ["0", "1", "2", "0", "0", "1", "2"]
        assert "cut.tar" in str(seen[0])
    empty = tmp_path / "empty.tar"
    tarfile.open(empty, "w").close()
    assert parse(empty) == []


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_without_its_end_marker(tmp_path, packed):
    archive(tmp_path / "a.tar", [(f"{i}.txt", b"x") for i in range(3)])
    content = (tmp_path / "a.tar").read_bytes()[: 6 * 512]
    path = tmp_path / ("b.tar.gz" if packed else "b.tar")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(exceptions.FileFormatError, match="end_marker=False"):
        parse(path)
    assert len(parse(path, end_marker=False)) == 3
    options = {"split": "train", "streaming": True, "end_marker": False}
    ds = load_dataset("webdataset", data_files=str(path), **options)
    assert [row["txt"] for row in ds] == ["x"] * 3


def test_names_that_are_not_utf8(tmp_path):
    names = ["a.txt", "é.txt", "b\\x.txt", "b\\xe9.txt"]
    options = {"encoding": "latin-1", "format": tarfile.GNU_FORMAT}
    path = archive(tmp_path / "a.tar", [(name, b"x") for name in names], **options)
    with pytest.raises(exceptions.FileFormatError, match='names="escape"'):
        parse(path)
    keys = [sample["__key__"] for sample in parse(path, names="escape")]
    assert keys == ["a", "\\xe9", "b\\\\x", "b\\\\xe9"]
    seen = []
    assert [s["__key__"] for s in stream(path, on_error=seen.append)] == ["a", "b\\x", "b\\xe9"]
    assert len(seen) == 1


SPARSE = (
    ["--format=gnu"],
    ["--format=posix", "--sparse-version=0.0"],
    ["--format=posix", "--sparse-version=0.1"],
    ["--format=posix", "--sparse-version=1.0"],
)


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no GNU tar")
@pytest.mark.parametrize("format", SPARSE)
def test_sparse_members(tmp_path, format):
    with (tmp_path / "a.bin").open("wb") as file:
        for i in range(40):
            file.seek(i << 17)
            file.write(bytes([i + 1]) * 1000)
        file.truncate((40 << 17) + 77)
    with (tmp_path / "a.json").open("wb") as file:
        file.write(b'{"a": "' + b"x" * 5000)
        file.seek(1 << 16)
        file.write(b'"}')
    # Holes are zeros, which no JSON has.
    json = (tmp_path / "a.json").read_bytes()
    names = ["a.bin", "a.json"]
    subprocess.run(["tar", "-cSf", "a.tar", *format, *names], cwd=tmp_path, check=True)
    assert (tmp_path / "a.tar").stat().st_size < 1 << 20, "there are holes"
    content = (tmp_path / "a.bin").read_bytes()
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    for path in (tmp_path / "a.tar", packed):
        (sample,) = parse(path, decode=False)
        assert sample["bin"] == content
        assert sample["json"] == json


def test_what_is_written_is_read(tmp_path):
    with TarWriter(tmp_path / "a.tar") as writer:
        for i in range(10):
            writer.write({"__key__": f"{i}", "json": {"i": i, f"k{i}": None}, "npy": np.eye(i)})
    samples = parse(tmp_path / "a.tar")
    assert [s["json"] for s in samples] == [{"i": i, f"k{i}": None} for i in range(10)]
    assert all(np.array_equal(s["npy"], np.eye(i)) for i, s in enumerate(samples))


def test_columns_come_back_as_what_they_were(tmp_path):
    from decimal import Decimal

    from PIL import Image as Pillow
    from rowstream import ClassLabel, Dataset, Features, Image, Json

    row = {
        "meta.author": "Ann",
        "count": 3,
        "n.count": 2.5,
        "flag.index": True,
        "cls": 4,
        "plain": "t",
        "id": "7",
        "inx": 1.5,
        "list": [1, 2],
        "caption": "c",
        "price": [Decimal("1.5")],
        "z.text": 3,
    }
    path = str(tmp_path / "a.tar")
    Dataset.from_list([row]).to_webdataset(path)
    (back,) = load_dataset("webdataset", data_files=path, split="train", streaming=True)
    found = {name.removesuffix(".txt").removesuffix(".json"): of for name, of in back.items()}
    assert {name: found[name] for name in row} == {**row, "price": ["1.5"]}
    features = Features({"image": Image(), "label": ClassLabel(names=["a", "b"])})
    images = {"image": [Pillow.new("RGB", (2, 2))], "label": [1]}
    Dataset.from_dict(images, features=features).to_webdataset(path)
    (back,) = load_dataset("webdataset", data_files=path, split="train", streaming=True)
    assert back["image.png"].size == (2, 2)
    assert back["label.json"] == 1
    mixed = Dataset.from_dict({"j": [{"a": 1}, [1]]}, features=Features({"j": Json()}))
    mixed.to_webdataset(str(tmp_path / "m.tar"), num_shards=2)
    ds = load_dataset("webdataset", data_files=str(tmp_path / "m-*.tar"), split="train")
    assert ds["j.json"][:] == [{"a": 1}, [1]]
