"""`push_to_hub`, of each kind of data set, to a client of the Hub that only notes what it is asked for."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from rowstream import Dataset, DatasetDict, Features, Image, IterableDatasetDict, List

hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def asked(monkeypatch):
    """What was asked for: `(method, arguments)`."""
    seen = []

    class Api:
        def __init__(self, **given):
            seen.append(("HfApi", given))

        def create_repo(self, repo_id, **given):
            seen.append(("create_repo", given))
            return SimpleNamespace(repo_id=repo_id)

        def list_repo_tree(self, *args, **given):
            old = SimpleNamespace(path="data/old-00000-of-00001.parquet", size=1)
            return [old, SimpleNamespace(path="data/train-00000-of-00009.parquet", size=1)]

        def hf_hub_download(self, *args, **given):
            error = hub.utils.EntryNotFoundError
            raise error.__new__(error)

        def create_branch(self, *args, **given):
            seen.append(("create_branch", given))

        def create_commit(self, repo_id, operations, **given):
            seen.append(("create_commit", {**given, "operations": list(operations)}))
            return "a commit"

        def preupload_lfs_files(self, *args, **given):
            seen.append(("preupload", given))

    monkeypatch.setattr(hub, "HfApi", Api)
    return seen


def uploaded(asked):
    """Rows by path, paths that go, and what was said of the commit."""
    commit = next(given for method, given in asked if method == "create_commit")
    added, gone = {}, []
    for operation in commit["operations"]:
        if type(operation).__name__ == "CommitOperationDelete":
            gone.append(operation.path_in_repo)
        elif operation.path_in_repo.endswith(".parquet"):
            table = pq.read_table(BytesIO(operation.path_or_fileobj))
            added[operation.path_in_repo] = table["a"].to_pylist()
    return added, gone, commit


def ds(n=10):
    return Dataset.from_dict({"a": list(range(n))})


@pytest.mark.parametrize("kind", ["map-style", "stream"])
def test_one_split(asked, kind):
    rows = ds() if kind == "map-style" else ds().to_iterable_dataset()
    done = rows.push_to_hub(
        "org/name", split="train", num_shards=2, commit_message="more", token="t"
    )
    added, gone, commit = uploaded(asked)
    assert done == "a commit"
    assert added == {
        "data/train-00000-of-00002.parquet": list(range(5)),
        "data/train-00001-of-00002.parquet": list(range(5, 10)),
    }
    assert gone == ["data/train-00000-of-00009.parquet"], "of the same split only"
    assert commit["commit_message"] == "more"
    assert asked[0] == ("HfApi", {"endpoint": asked[0][1]["endpoint"], "token": "t"})


@pytest.mark.parametrize("kind", [DatasetDict, IterableDatasetDict])
def test_several_splits(asked, kind):
    made = {"train": ds(4), "test": ds(2)}
    if kind is IterableDatasetDict:
        made = {name: one.to_iterable_dataset() for name, one in made.items()}
    kind(made).push_to_hub("org/name", private=True, num_shards={"train": 2})
    added, gone, _ = uploaded(asked)
    assert added == {
        "data/train-00000-of-00002.parquet": [0, 1],
        "data/train-00001-of-00002.parquet": [2, 3],
        "data/test-00000-of-00001.parquet": [0, 1],
    }
    assert len(gone) == 2, "other splits of the configuration go"
    assert ("create_repo", {"repo_type": "dataset", "private": True, "exist_ok": True}) in asked


def test_what_is_refused(asked):
    for rows in (ds(), ds().to_iterable_dataset(), DatasetDict({"train": ds()})):
        with pytest.raises(ValueError, match="not both"):
            rows.push_to_hub("org/name", max_shard_size="1MB", num_shards=2)
        with pytest.raises(TypeError, match="unexpected keyword"):
            rows.push_to_hub("org/name", nonsense=1)
    with pytest.raises(TypeError, match="unexpected keyword"):
        DatasetDict({"train": ds()}).push_to_hub("org/name", split="train")
    with pytest.raises(ValueError, match="num_shards"):
        DatasetDict({"train": ds()}).push_to_hub("org/name", num_shards=2)
    assert not asked


@pytest.mark.parametrize("embed", [True, False])
@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("nested", [False, True])
def test_media_are_uploaded_inside_the_files(asked, tmp_path, embed, decode, nested):
    (tmp_path / "a.bin").write_bytes(b"abc")
    path = str(tmp_path / "a.bin")
    feature = Image(decode=decode)
    features = Features({"a": List(feature) if nested else feature})
    ds = Dataset.from_dict({"a": [[path] if nested else path]}).cast(features)
    ds.push_to_hub("me/mine", embed_external_files=embed)
    ((stored,),) = uploaded(asked)[0].values()
    stored = stored[0] if nested else stored
    expected = {"bytes": b"abc", "path": "a.bin"} if embed else {"bytes": None, "path": path}
    assert stored == expected
