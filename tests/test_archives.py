"""tar archives in the convention of WebDataset, as users meet them."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zipfile

import pytest
from rowstream import exceptions, load_dataset


def write(path, samples, fmt=tarfile.PAX_FORMAT):
    """An archive of `(key, {field: content})`."""
    with tarfile.open(path, "w", format=fmt) as archive:
        for key, fields in samples:
            for field, content in fields.items():
                info = tarfile.TarInfo(f"{key}.{field}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return str(path)


def opened(path, **kwargs):
    return load_dataset("webdataset", data_files=str(path), split="train", streaming=True, **kwargs)


def many(n, key="{:06}"):
    rnd = random.Random(1)
    made = []
    for i in range(n):
        fields = {"bin": rnd.randbytes(rnd.randrange(6000))}
        if i % 3:
            fields["json"] = json.dumps({"id": i, "tags": ["a", "é"] * (i % 3)}).encode()
        if i % 4 == 1:
            fields["txt"] = ("ü" * (i % 40)).encode()
        made.append((key.format(i), fields))
    return made


def expected(key, fields, path):
    made = {"bin": fields["bin"], "json": None, "txt": None, "__key__": key, "__url__": path}
    if "json" in fields:
        made["json"] = json.loads(fields["json"])
    if "txt" in fields:
        made["txt"] = fields["txt"].decode()
    return made


@pytest.mark.parametrize("fmt", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_become_samples(tmp_path, fmt):
    long = (
        "folder.with.dots/"
        + "f" * 90
        + "/"
        + ("k" * (40 if fmt == tarfile.USTAR_FORMAT else 140))
        + "{:06}"
    )
    samples = many(200, long)
    path = write(tmp_path / "a.tar", samples, fmt)
    rows = list(opened(path))
    assert rows == [expected(key, fields, path) for key, fields in samples]
    assert list(opened(path).features) == ["bin", "txt", "json", "__key__", "__url__"] or set(
        rows[0]
    ) == set(opened(path).features)


def test_one_archive_is_many_pieces_and_goes_on_exactly(tmp_path):
    path = write(tmp_path / "a.tar", many(1200))
    ds = opened(path)
    assert ds.num_shards > 2
    assert ds.info.splits["train"].num_examples == 1200
    shuffled = ds.shuffle(seed=1, buffer_size=100).select_columns(["__key__"])
    whole = [row["__key__"] for row in shuffled]
    assert sorted(whole) == [f"{i:06}" for i in range(1200)]
    rows = iter(shuffled)
    first = [next(rows)["__key__"] for _ in range(345)]
    state = shuffled.state_dict()
    shuffled.load_state_dict(state)
    assert first + [row["__key__"] for row in shuffled] == whole
    assert [row["__key__"] for row in ds.skip(1195)] == [f"{i:06}" for i in range(1195, 1200)]


def test_compressed_archives(tmp_path):
    samples = many(150)
    path = write(tmp_path / "a.tar", samples)
    packed = tmp_path / "b.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    ds = load_dataset(str(packed), split="train", streaming=True)
    assert list(ds) == [expected(key, fields, str(packed)) for key, fields in samples]
    assert len(list(ds.shuffle(seed=1).take(70))) == 70
    whole = packed.read_bytes()
    for cut in (5, len(whole) // 2, len(whole) - 3):
        packed.write_bytes(whole[:cut])
        with pytest.raises(exceptions.RowstreamError, match=r"b\.tar\.gz"):
            list(load_dataset(str(packed), split="train", streaming=True))
    assert path


def test_a_cut_archive_is_an_error_wherever_it_was_cut(tmp_path):
    path = tmp_path / "a.tar"
    write(path, many(20))
    data = path.read_bytes()
    end = len(data.rstrip(b"\0"))
    for cut in range(0, end, 512):
        path.write_bytes(data[:cut])
        with pytest.raises(exceptions.FileFormatError, match=r"a\.tar"):
            list(opened(path))


def test_what_is_no_sample_and_what_no_sample_may_be(tmp_path):
    path = tmp_path / "a.tar"
    write(path, [("a", {"txt": b"1"}), ("b", {"txt": b"2"}), ("a", {"bin": b"3"})])
    with pytest.raises(exceptions.FileFormatError, match='sample "a" do not stand together'):
        opened(path)
    write(path, [("a", {"json": b"{"})])
    with pytest.raises(exceptions.FileFormatError, match=r'member "a\.json"'):
        opened(path)
    write(path, [("a", {"txt": b"\xff"})])
    with pytest.raises(
        exceptions.FileFormatError, match=r'member "a\.txt" \(byte 0\): it is not UTF-8'
    ):
        list(opened(path))
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("folder", tarfile.DIRTYPE),
            ("link.txt", tarfile.SYMTYPE),
            ("README", tarfile.REGTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type = kind
            archive.addfile(info)
    assert list(opened(path)) == []


def test_json_that_does_not_fit_the_first_megabyte(tmp_path):
    path = tmp_path / "a.tar"
    samples = [
        (f"{i:05}", {"json": json.dumps({"x": i, "pad": "p" * 2000}).encode()}) for i in range(600)
    ]
    write(path, [*samples, ("z", {"json": b'{"x": 0.5}'})])
    with pytest.raises(
        exceptions.SchemaError, match=r'member "z\.json".*field "json\.x".*infer="all"'
    ):
        list(opened(path))
    assert list(opened(path, infer="all"))[-1]["json"]["x"] == 0.5


def test_a_folder_of_zip_archives_has_the_format_of_their_members(tmp_path):
    for n in range(2):
        with zipfile.ZipFile(tmp_path / f"{n}.zip", "w") as archive:
            archive.writestr("notes/readme.md", "x")
            archive.writestr("rows.csv", f"a,b\n{n},x\n")
    assert load_dataset(
        str(tmp_path), split="train", cache_dir=str(tmp_path / "cache")
    ).to_list() == [
        {"a": 0, "b": "x"},
        {"a": 1, "b": "x"},
    ]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.zip").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="no known format"):
        load_dataset(str(tmp_path / "bad"), split="train")
