"""References of media that are not decoded: where their files lie, and what they hold."""

import copy
import gzip
import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from rowstream import (
    Dataset,
    Features,
    Image,
    IterableDataset,
    List,
    MediaRef,
    Value,
    load_dataset,
)
from rowstream.exceptions import UnsupportedError

N = 5


def png(i: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(np.full((2, 3 + i, 3), i, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for i in range(N):
            for name, content in ((f"./in/{i:03}.png", png(i)), (f"./in/{i:03}.cls", b"%d" % i)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                info.pax_headers = {"comment": "x" * 600} if i % 2 else {}
                tar.addfile(info, io.BytesIO(content))
    return path


def check_in_archive(ref: MediaRef, archive: Path, i: int) -> None:
    assert type(ref) is MediaRef
    assert ref == {"path": f"./in/{i:03}.png", "bytes": png(i)}
    assert (ref.url, ref.length) == (str(archive), len(png(i)))
    offset = ref.offset
    assert offset is not None
    assert archive.read_bytes()[offset : offset + len(png(i))] == ref.read() == png(i)
    assert ref.open().read() == png(i)
    assert ref.decode().size == (3 + i, 2)


@pytest.mark.parametrize("shuffled", [False, True])
def test_members_of_archives_know_where_they_lie(archive: Path, shuffled: bool) -> None:
    ds = load_dataset("webdataset", data_files=str(archive), split="train", streaming=True)
    ds = ds.shuffle(seed=1, buffer_size=10) if shuffled else ds
    for plain in (ds.decode(False), ds.cast_column("png", Image(decode=False))):
        rows = list(plain)
        assert sorted(row["cls"] for row in rows) == list(range(N))
        for row in rows:
            check_in_archive(row["png"], archive, row["cls"])
        for batch in (*plain.iter(2), *plain.batch(2)):
            for ref, i in zip(batch["png"], batch["cls"], strict=True):
                check_in_archive(ref, archive, i)
        for row in plain.map(lambda row: {"at": row["png"].offset}):
            check_in_archive(row["png"], archive, row["cls"])
            assert row["at"] == row["png"].offset

        seen = iter(plain)
        first = next(seen)["cls"]
        state = plain.state_dict()
        plain.load_state_dict(state)
        rest = [row["png"] for row in plain]
        assert [type(ref) for ref in rest] == [MediaRef] * (N - 1)
        assert first not in [int(ref["path"][5:8]) for ref in rest]


def test_map_style_rows_batches_and_columns_have_references(archive: Path) -> None:
    ds = load_dataset("webdataset", data_files=str(archive), split="train")
    ds = ds.cast_column("png", Image(decode=False))
    for row in (ds[3], ds.select([3])[0], ds.shuffle(seed=1).sort("cls")[3], list(ds)[3]):
        check_in_archive(row["png"], archive, 3)
    for i, ref in enumerate(ds[:]["png"]):
        check_in_archive(ref, archive, i)
    for row in ds.to_iterable_dataset():
        check_in_archive(row["png"], archive, row["cls"])
    # A column by itself has no archive beside it.
    assert ds["png"][2] == {"path": "./in/002.png", "bytes": png(2)}
    assert ds["png"][2].decode().size == (5, 2)
    assert ds.map(lambda row: {"size": row["png"].length})[1]["size"] == len(png(1))


def test_a_compressed_archive_has_no_offsets(archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "b.tar.gz"
    packed.write_bytes(gzip.compress(archive.read_bytes()))
    ds = load_dataset("webdataset", data_files=str(packed), split="train", streaming=True)
    ref = next(iter(ds.decode(False)))["png"]
    assert (ref.url, ref.offset, ref.length) == (str(packed), None, len(png(0)))
    assert ref.decode().size == (3, 2)


def test_an_archive_that_was_written_anew_is_read_anew(archive: Path) -> None:
    ref = next(
        iter(
            load_dataset(
                "webdataset", data_files=str(archive), split="train", streaming=True
            ).decode(False)
        )
    )["png"]
    before = ref.offset
    with tarfile.open(archive, "w") as tar:
        for name, content in (("first", b"x" * 2000), ("./in/000.png", png(0))):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert before is not None
    assert ref.offset == before + 512 + 2048


def test_paths_are_read_when_they_are_asked(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    paths = [str(tmp_path / f"{i}.png") for i in range(2)]
    features = Features({"image": Image(decode=False)})
    ds = Dataset.from_dict({"image": paths}, features=features)
    for row, i in ((ds[0], 0), (ds[1], 1), (list(ds.to_iterable_dataset())[1], 1)):
        ref = row["image"]
        assert ref == {"path": paths[i], "bytes": None}
        assert (ref.url, ref.offset, ref.length) == (paths[i], 0, len(png(i)))
        assert ref.read() == png(i)
        assert ref.decode().size == (3 + i, 2)
    Path(paths[0]).unlink()
    assert ds[0]["image"] == {"path": paths[0], "bytes": None}
    with pytest.raises(FileNotFoundError, match=r"0\.png"):
        ds[0]["image"].read()
    with pytest.raises(FileNotFoundError, match=r"0\.png"):
        ds[0]["image"].decode()


def test_a_folder_of_images_gives_references(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "0.png").write_bytes(png(0))
    for streaming in (False, True):
        ds = load_dataset("imagefolder", data_dir=str(tmp_path), split="train", streaming=streaming)
        refs = [row["image"] for row in ds.cast_column("image", Image(decode=False))]
        assert [Path(ref.url).parent.name for ref in refs] == ["cat", "dog"]
        assert [ref.length for ref in refs] == [len(png(0))] * 2


@pytest.mark.parametrize("streaming", [False, True])
def test_references_stand_in_lists_and_structs(streaming: bool) -> None:
    features = Features(
        {
            "images": List(Image(decode=False)),
            "one": {"image": Image(decode=False), "name": Value("string")},
            "shown": Image(),
            "text": Value("string"),
        }
    )
    rows = {
        "images": [[{"bytes": png(0), "path": None}, None], [], None],
        "one": [{"image": {"bytes": png(1), "path": "b.png"}, "name": "b"}, None, {"name": "c"}],
        "shown": [{"bytes": png(2), "path": None}, None, None],
        "text": ["a", None, "c"],
    }
    make = IterableDataset if streaming else Dataset
    got = list(make.from_dict(rows, features=features))
    assert [type(ref) for ref in got[0]["images"]] == [MediaRef, type(None)]
    assert got[0]["images"][0].decode().size == (3, 2)
    assert got[0]["one"]["image"] == {"bytes": png(1), "path": "b.png"}
    assert got[0]["one"]["image"].decode().size == (4, 2)
    assert (got[0]["one"]["image"].url, got[0]["one"]["image"].offset) == (None, None)
    assert got[0]["shown"].size == (5, 2)
    assert (got[1]["images"], got[1]["one"], got[1]["shown"]) == ([], None, None)
    assert (got[2]["images"], got[2]["one"]["image"], got[2]["one"]["name"]) == (None, None, "c")


def test_what_a_function_gives_becomes_a_reference(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    path.write_bytes(png(0))

    def rows():  # type: ignore[no-untyped-def]
        yield {"image": str(path)}
        yield {"image": png(1)}
        yield {"image": Pillow.open(io.BytesIO(png(2)))}
        yield {"image": None}

    features = Features({"image": Image(decode=False)})
    for ds in (
        IterableDataset.from_generator(rows, features=features),
        Dataset.from_generator(rows, features=features, cache_dir=str(tmp_path / "cache")),
    ):
        refs = [row["image"] for row in ds]
        assert [ref.decode().size for ref in refs[:3]] == [(3, 2), (4, 2), (5, 2)]
        assert refs[0] == {"path": str(path), "bytes": None}
        assert refs[3] is None


def test_references_are_dicts_that_travel(archive: Path) -> None:
    ds = load_dataset("webdataset", data_files=str(archive), split="train", streaming=True)
    ref = next(iter(ds.decode(False)))["png"]
    for other in (copy.copy(ref), copy.deepcopy(ref), pickle.loads(pickle.dumps(ref)), ref.copy()):
        check_in_archive(other, archive, 0)
    assert isinstance(ref, dict)
    assert list(ref) == ["bytes", "path"]
    assert "bytes=<" in repr(ref)
    assert json.loads(json.dumps({**ref, "bytes": None})) == {"path": "./in/000.png", "bytes": None}
    # It is stored as what it is made of.
    again = Dataset.from_dict({"png": [ref]}, features=Features({"png": Image()}))
    assert again[0]["png"].size == (3, 2)
    assert MediaRef({"bytes": None, "path": "a"}).url == "a"
    with pytest.raises(UnsupportedError, match=r"MediaRef\.of"):
        MediaRef({"bytes": b"", "path": None}).decode()


def test_decoded_media_and_tables_have_no_references(archive: Path) -> None:
    ds = load_dataset("webdataset", data_files=str(archive), split="train", streaming=True)
    assert next(iter(ds))["png"].size == (3, 2)
    table = next(ds.decode(False).with_format("arrow").iter(2))
    assert table["png"].to_pylist()[1] == {"path": "./in/001.png", "bytes": png(1)}


def test_a_row_may_have_a_url_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    path.write_bytes(png(0))
    features = Features({"image": Image(decode=False), "__url__": Value("string")})
    rows = {
        "image": [str(path), {"bytes": png(1), "path": None}, {"bytes": png(2), "path": "a"}],
        "__url__": ["x.tar", "https://example.invalid/page", "12"],
    }
    first, second, third = (row["image"] for row in Dataset.from_dict(rows, features=features))
    assert (first.url, first.offset, first.length) == (str(path), 0, len(png(0)))
    assert (second.url, second.offset, third.url, third.offset) == (None, None, None, None)
    numbered = Features({"image": Image(decode=False), "__url__": Value("int64")})
    ref = Dataset.from_dict({**rows, "__url__": [1, 2, 3]}, features=numbered)[1]["image"]
    assert (ref.offset, ref.length) == (None, len(png(1)))
    empty = MediaRef.of({"bytes": None, "path": None}, Image())
    for read in (empty.read, empty.open, empty.decode):
        with pytest.raises(ValueError, match="bytes"):
            read()
