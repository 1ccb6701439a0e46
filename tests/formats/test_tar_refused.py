"""What would not be read again is not written to tar archives, and other archives are exact."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from rowstream import Dataset, Features, List, Value, load_dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.webdataset import ShardWriter, TarWriter, parse


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_sample_without_values_is_refused():
    with pytest.raises(InvalidArgumentError, match="no value but None"):
        Dataset.from_dict({"txt": ["a", None]}).to_webdataset("a.tar")
    with (
        pytest.raises(InvalidArgumentError, match="no value but None"),
        ShardWriter("b-%d.tar") as writer,
    ):
        writer.write({"__key__": "a", "txt": None})


def test_buffers_are_their_bytes():
    with TarWriter("a.tar") as writer:
        writer.write({"__key__": "a", "bin": memoryview(np.arange(6, dtype="i4").reshape(2, 3))})
        writer.write({"__key__": "b", "bin": memoryview(np.arange(8, dtype="u1"))[::2]})
    one, other = parse("a.tar")
    assert np.frombuffer(one["bin"], "i4").tolist() == [*range(6)]
    assert other["bin"] == bytes([0, 2, 4, 6])


@pytest.mark.parametrize(
    ("column", "value", "features"),
    [
        ("id", "a1", None),
        ("cls", 1.5, None),
        ("cls", 2**63 + 1, Features({"cls": Value("uint64")})),
        ("cls", -3, None),
        ("count", 7, None),
        ("json", '{"a":1}', None),
    ],
)
def test_columns_are_read_again_as_what_they_were(column, value, features):
    Dataset.from_dict({column: [value]}, features=features).to_webdataset("a.tar")
    row = load_dataset("webdataset", data_files="a.tar", split="train")[0]
    (found,) = (one for name, one in row.items() if not name.startswith("__"))
    assert found == ({"a": 1} if column == "json" else value)


def test_fields_that_would_be_one_member_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"'a\.txt'.*rename"):
        Dataset.from_dict({"a": ["x"], "a.txt": ["y"]}).to_webdataset("a.tar")
    with (
        pytest.raises(InvalidArgumentError, match=r"'a\.txt'.*rename"),
        TarWriter("b.tar") as writer,
    ):
        writer.write({"__key__": "k", "a": "x", "a.txt": "y"})
    with pytest.raises(InvalidArgumentError, match="is JSON, and 'plain' is none"):
        Dataset.from_dict({"json": ["plain"]}).to_webdataset("c.tar")


def test_keys_of_several_archives_in_one():
    for name in ("a.tar", "b.tar"):
        Dataset.from_dict({"txt": [name, "x"]}).to_webdataset(name)
    ds = load_dataset("webdataset", data_files=["a.tar", "b.tar"], split="train", streaming=True)
    with pytest.raises(InvalidArgumentError, match=r"remove_columns\('__key__'\)"):
        ds.to_webdataset("m.tar")
    ds.remove_columns("__key__").to_webdataset("m.tar")
    assert [one["txt"] for one in parse("m.tar")] == ["a.tar", "x", "b.tar", "x"]


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tbz2", "a.txz", "a.tar.zst", "a.tar.lz4"])
def test_the_same_samples_are_the_same_bytes(name, monkeypatch):
    contents = []
    for moment in (1e9, 2e9):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        Dataset.from_dict({"txt": ["a"]}).to_webdataset(name)
        with open(name, "rb") as file:
            contents.append(file.read())
    assert contents[0] == contents[1]
    assert b"\0" * 512 not in contents[0]
    assert [one["txt"] for one in parse(name)] == ["a"]


@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "lz4"])
def test_a_file_of_the_caller_stays_open(compression):
    file = io.BytesIO()
    Dataset.from_dict({"txt": ["a"]}).to_webdataset(file, compression=compression)
    assert file.getvalue()


def test_arrays_keep_their_type():
    features = Features({"npy": List(Value("float32"))})
    Dataset.from_dict({"npy": [[1.0, 2.0]]}, features=features).to_webdataset("a.tar")
    with TarWriter("b.tar") as writer:
        writer.write({"__key__": "a", "npy": np.float32(1.5)})
    assert [parse(name)[0]["npy"].dtype for name in ("a.tar", "b.tar")] == [np.float32] * 2


def test_archives_are_written_again_raw():
    with TarWriter("a.tar") as writer:
        writer.write({"__key__": "a", "json": {"x": 1}, "txt": "b"})
    with TarWriter("b.tar") as writer:
        for sample in parse("a.tar", decode=False):
            writer.write(sample)
    assert parse("b.tar")[0]["json"] == {"x": 1}


def test_on_error_is_of_what_cannot_be_decoded_too():
    with TarWriter("a.tar") as writer:
        writer.write({"__key__": "a", "txt": b"\xff\xfe"})
        writer.write({"__key__": "b", "txt": "ok"})
    errors = []
    assert [one["__key__"] for one in parse("a.tar", on_error="skip")] == ["b"]
    assert [one["__key__"] for one in parse("a.tar", on_error=errors.append)] == ["b"]
    assert "UTF-8" in str(errors[0])


def test_the_place_of_a_member_in_joined_archives():
    for name, content in (("a.tar", b"one"), ("b.tar", b"ONE")):
        with TarWriter(name) as writer:
            writer.write({"__key__": "a", "png": content})
    with open("c.tar", "wb") as joined:
        for name in ("a.tar", "b.tar"):
            with open(name, "rb") as file:
                joined.write(file.read())
    ds = load_dataset("webdataset", data_files="c.tar", split="train", streaming=True)
    with open("c.tar", "rb") as file:
        whole = file.read()
    for row in ds.decode(False):
        ref = row["png"]
        assert whole[ref.offset :][: ref.length] == ref.read()
