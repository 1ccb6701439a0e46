"""What tar archives are written and read again as: arrays with nulls, names with braces, links."""

from __future__ import annotations

import io
import tarfile

import pyarrow as pa
import pytest
from rowstream import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.webdataset import TarWriter, parse


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("value", [[True, None], [1.0, None], [1, None], [[1], [1, 2]]])
def test_arrays_have_all_their_numbers(value):
    with pytest.raises(InvalidArgumentError, match="'npy' of the sample"):
        Dataset.from_dict({"npy": [value]}).to_webdataset("a.tar")


def test_braces_in_names(tmp_path):
    (tmp_path / "f{a,b}").mkdir()
    for name in ("x{1,2}.tar", "x1.tar", "f{a,b}/s.tar"):
        with TarWriter(name) as writer:
            writer.write({"__key__": "k", "txt": name})
    for name in ("x{1,2}.tar", "f{a,b}/s.tar"):
        assert [one["txt"] for one in parse(name)] == [name]
    assert [one["txt"] for one in parse("x{1..1}.tar")] == ["x1.tar"]


def test_a_link_by_the_name_of_json():
    with tarfile.open("a.tar", "w") as tar:
        member = tarfile.TarInfo("a.bin")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"foo"))
        link = tarfile.TarInfo("a.json")
        link.type, link.linkname = tarfile.LNKTYPE, "a.bin"
        tar.addfile(link)
    assert parse("a.tar")[0]["json"] == "foo"
    assert parse("a.tar", decode=False)[0]["json"] == b"foo"


def test_lists_of_no_length_by_number():
    kind = pa.list_(pa.list_(pa.list_(pa.int64()), 0))
    table = pa.table({"a": pa.array([[[], []]], kind).take(pa.array([0, 0, 0, 0]))})
    ds = Dataset(table)
    assert ds[[0, 2, 1, 0]] == {"a": [[[], []]] * 4}
    assert [*ds.shuffle(seed=1)] == [{"a": [[], []]}] * 4
