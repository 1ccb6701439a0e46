"""Revisions with slashes: pull requests, and what the Hub converted."""

from __future__ import annotations

import pytest
import rowstream
from rowstream import DownloadConfig, DownloadManager, load_dataset
from rowstream.exceptions import DataFilesNotFoundError, DatasetNotFoundError

from tests.wire.conftest import lines, parquet

REVISIONS = {
    "refs/pr/1": 8,
    "refs/pr/12": 9,
    "refs/convert/parquet": 6,
    "refs/convert/duckdb": 7,
    "v1.0": 4,
    "feature": 5,
}


@pytest.fixture
def revised(server):
    """A repository whose revisions have each another number of rows."""
    folder = server.repo(
        "revs/revised",
        {
            "data/train.jsonl": lines(3),
            "pr/1/data/train.jsonl": lines(99),
            "a@b/train.jsonl": lines(2),
        },
    )
    for revision, rows in REVISIONS.items():
        made = folder / ".revisions" / revision.replace("/", "%2F") / "data"
        made.mkdir(parents=True, exist_ok=True)
        (made / "train.jsonl").write_bytes(lines(rows))
    return server


def count(path, **options):
    return sum(1 for _ in load_dataset(path, split="train", streaming=True, **options))


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("escaped", [False, True])
def test_every_way_to_a_revision(revised, tmp_path, revision, escaped):
    rows, said = REVISIONS[revision], revision.replace("/", "%2F") if escaped else revision
    root = f"hf://datasets/revs/revised@{said}"
    for pattern in ("data/train.jsonl", "data/*.jsonl", "**/*.jsonl", "{data,none}/t*.jsonl"):
        assert count("json", data_files=f"{root}/{pattern}") == rows
    assert count("json", data_files={"train": "data/*"}, data_dir=root) == rows
    assert count(f"{root}/data/train.jsonl") == rows
    assert count(f"{root}/data") == rows
    assert count("revs/revised", revision=said) == rows
    assert (
        len(
            load_dataset(
                "json", data_files=f"{root}/data/*", split="train", cache_dir=str(tmp_path / "made")
            )
        )
        == rows
    )
    with rowstream.open(f"{root}/data/train.jsonl", "rb") as file:
        assert file.read() == lines(rows)
    assert rowstream.exists(f"{root}/data/train.jsonl")
    assert not rowstream.exists(f"{root}/data/none.jsonl")
    assert [url.split("/", 5)[5] for url in rowstream.list(f"{root}/data")] == ["data/train.jsonl"]
    assert len(rowstream.glob(f"{root}/*/*.jsonl")) == 1


@pytest.mark.parametrize("revision", ["refs/pr/1", "refs%2Fpr%2F1", "v1.0"])
def test_downloads_are_noted_under_the_name_of_the_revision(revised, tmp_path, revision):
    manager = DownloadManager(download_config=DownloadConfig(disable_tqdm=True))
    path = manager.download(f"hf://datasets/revs/revised@{revision}/data/train.jsonl")
    refs = tmp_path / "hf" / "hub" / "datasets--revs--revised" / "refs"
    noted = {
        str(one.relative_to(refs)): one.read_text() for one in refs.rglob("*") if one.is_file()
    }
    assert list(noted) == [revision.replace("%2F", "/")]
    assert noted.popitem()[1] in path


def test_what_only_looks_like_one(revised):
    # A folder with an `@`, a branch whose name has a slash and is escaped, a pull request that is not there.
    assert count("json", data_files="hf://datasets/revs/revised/a@b/train.jsonl") == 2
    assert count("json", data_files="hf://datasets/revs/revised@main/pr/1/data/*") == 99
    with pytest.raises(DatasetNotFoundError, match="refs/pr/77"):
        count("json", data_files="hf://datasets/revs/revised@refs/pr/77/data/train.jsonl")
    with pytest.raises(DataFilesNotFoundError):
        count("json", data_files="hf://datasets/revs/revised@refs/pr/1/none.jsonl")


def test_a_converted_file_by_its_url(server):
    folder = server.repo("revs/turned", {"data.bin": b"x"})
    path = folder / ".revisions" / "refs%2Fconvert%2Fparquet" / "default" / "train" / "0000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(parquet(6))
    assert (
        count(
            "parquet",
            data_files="hf://datasets/revs/turned@refs/convert/parquet/default/train/*.parquet",
        )
        == 6
    )
