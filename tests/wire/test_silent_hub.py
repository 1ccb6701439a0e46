"""A Hub that does not answer: what was listed and read before is used, and found whoever filled the cache."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest
import rowstream
from rowstream import DownloadConfig, DownloadManager, config, load_dataset
from rowstream.exceptions import DatasetNotFoundError, ReadError

from tests.wire.conftest import FAST, lines, parquet

BUSY = [{"kind": "status", "status": status} for status in (500, 503, 504, 429)]
NOBODY = {"refused": "http://127.0.0.1:9", "no such host": "http://rowstream-no-such-host.invalid"}
QUICK = {"timeout": 0.4, "retries": 1, "deadline": 3}


def commit(server, name, token=None):
    """The commit that `main` is now."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{server.hub}/api/datasets/{name}/revision/main", headers=headers)
    ) as answer:
        return json.load(answer)["sha"]


@pytest.fixture
def cached(server, tmp_path, monkeypatch):
    """Two data sets that were read before, by number and as a stream with a cache."""
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "hf" / "datasets")
    server.repo("quiet/lines", {"train.jsonl": lines(15_000)})
    server.repo("quiet/packed", {"train.parquet": parquet(15_000, 5_000)})
    for name in ("quiet/lines", "quiet/packed"):
        rows(name)
        rows(name, streaming=True, cache_dir=str(tmp_path / "ranges"))
    server.control("DELETE", "log")
    return server


def rows(name, **options):
    """How many rows there are."""
    return sum(
        1
        for _ in load_dataset(name, split="train", storage_options=QUICK, **options).select_columns(
            "id"
        )
    )


def streamed(tmp_path):
    return {"streaming": True, "cache_dir": str(tmp_path / "ranges")}


@pytest.mark.parametrize("fault", [*BUSY, {"kind": "latency", "ms": 700}, *NOBODY], ids=str)
@pytest.mark.parametrize("stream", [False, True])
def test_the_last_revision_is_taken_with_a_warning(cached, tmp_path, monkeypatch, fault, stream):
    sha = commit(cached, "quiet/lines")
    if isinstance(fault, str):
        monkeypatch.setenv("HF_ENDPOINT", NOBODY[fault])
    else:
        cached.faults({**fault, "origin": "hub"})
    options = streamed(tmp_path) if stream else {}
    with pytest.warns(UserWarning, match=f"quiet/lines.*{sha}"):
        assert rows("quiet/lines", **options) == 15_000
    with pytest.warns(UserWarning, match="quiet/packed"):
        assert rows("quiet/packed", **options) == 15_000


def test_what_was_seen_of_files_need_not_be_there(cached, tmp_path):
    """The beginnings and ends of files are a cache of their own, which forgets what is oldest."""
    shutil.rmtree(tmp_path / "rowstream", ignore_errors=True)
    code = f"""
        import warnings
        from rowstream import load_dataset
        warnings.simplefilter("ignore")
        for name in ("quiet/lines", "quiet/packed"):
            print(sum(1 for _ in load_dataset(name, split="train", storage_options={QUICK!r})))
    """
    cached.faults({"kind": "status", "status": 503})
    # Another process, which has seen nothing.
    assert run(code, HF_DATASETS_CACHE=str(tmp_path / "hf" / "datasets")) == "15000\n15000"


def test_what_was_never_listed_is_an_error(cached):
    cached.faults({"kind": "status", "status": 503})
    with pytest.raises(ReadError, match="503"):
        rows("quiet/unknown")
    with pytest.raises(ReadError, match="503"):
        rows("quiet/lines", revision="other")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_hub_that_refuses_did_answer(cached, status):
    cached.faults({"kind": "status", "status": status, "match": "/api/"})
    with pytest.raises((DatasetNotFoundError, PermissionError)):
        rows("quiet/lines")


def test_every_way_to_a_file_of_the_hub(cached, tmp_path):
    manager = DownloadManager(
        download_config=DownloadConfig(disable_tqdm=True, storage_options=dict(QUICK))
    )
    url = "hf://datasets/quiet/packed/train.parquet"
    path = manager.download(url)
    rowstream.get_dataset_config_names("quiet/lines")
    cached.faults({"kind": "status", "status": 503})
    with pytest.warns(UserWarning, match="quiet/packed"):
        assert manager.download(url) == path
    with pytest.warns(UserWarning, match="quiet/packed"):
        ds = load_dataset("parquet", data_files=url, split="train", storage_options=QUICK)
    assert len(ds) == 15_000
    with (
        pytest.warns(UserWarning, match="quiet/packed"),
        rowstream.open(url, "rb", storage_options=QUICK) as file,
    ):
        assert file.read(4) == b"PAR1"


def test_a_hub_that_answers_again_is_believed(cached):
    cached.faults({"kind": "status", "status": 503})
    with pytest.warns(UserWarning, match="quiet/lines"):
        assert rows("quiet/lines") == 15_000
    cached.faults()
    cached.repo("quiet/lines", {"train.jsonl": lines(5)})
    assert rows("quiet/lines") == 5


def test_the_converted_revision_too(server, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "hf" / "datasets")
    folder = server.repo("quiet/turned", {"data.bin": b"x"})
    path = folder / ".revisions" / "refs%2Fconvert%2Fparquet" / "default" / "train" / "0000.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(parquet(6))
    assert rows("quiet/turned") == 6
    server.faults({"kind": "status", "status": 503})
    with pytest.warns(UserWarning, match="quiet/turned"):
        assert rows("quiet/turned") == 6


def test_offline_asks_nobody(server, monkeypatch):
    server.repo("quiet/far", {"train.parquet": parquet(15_000, 5_000)})
    load_dataset("quiet/far", split="train", streaming=True)
    server.control("DELETE", "log")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match="HF_HUB_OFFLINE"):
        list(load_dataset("quiet/far", split="train", streaming=True, storage_options=FAST))
    with pytest.raises(OSError, match="HF_HUB_OFFLINE"):
        DownloadManager(download_config=DownloadConfig(disable_tqdm=True)).download(
            "hf://datasets/quiet/far/train.parquet"
        )
    assert not server.log()
    # Other servers are no Hub.
    assert (
        len(
            list(
                load_dataset(
                    "json", data_files=f"{server.http}/a.jsonl", split="train", streaming=True
                )
            )
        )
        == 6000
    )


# ------------------------------------------------------------------------------------------------ one cache, many users

FILL = """
    from rowstream import load_dataset
    for name in ("quiet/lines", "quiet/private"):
        print(len(load_dataset(name, split="train")), len(list(load_dataset(name, split="train", streaming=True))))
"""


def run(code: str, **env: str) -> str:
    """What a process prints that knows of no other variables than these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "ROWSTREAM_", "XDG_"))
    }
    kept |= {
        name: os.environ[name]
        for name in ("HF_ENDPOINT", "ROWSTREAM_CACHE")
        if not env or name == "HF_ENDPOINT"
    }
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert out.returncode == 0, out.stderr
    return out.stdout.strip()


@pytest.mark.heavy
@pytest.mark.parametrize("variable", ["HF_HOME", "HF_DATASETS_CACHE"])
def test_offline_finds_what_others_filled(server, tmp_path, variable):
    server.repo("quiet/lines", {"train.jsonl": lines(30)})
    server.repo("quiet/private", {"train.parquet": parquet(20)}, private=True)
    shared = {variable: str(tmp_path / "shared")}
    made = run(FILL, HOME=str(tmp_path / "one"), HF_TOKEN="hf_member", **shared)
    assert made == "30 30\n20 20"
    for other in (
        {"HOME": str(tmp_path / "two"), "HF_TOKEN": "hf_member"},
        {"HOME": str(tmp_path / "one")},
        {"HOME": str(tmp_path / "two"), "HF_TOKEN": "hf_stranger"},
        {"HOME": str(tmp_path / "two"), "HF_ENDPOINT": "https://mirror.invalid"},
    ):
        assert run(FILL, HF_HUB_OFFLINE="1", **{**shared, **other}) == made


@pytest.mark.heavy
def test_a_token_sees_no_more_than_the_hub_lets_it(server, tmp_path):
    server.repo("quiet/private", {"train.parquet": parquet(20)}, private=True)
    server.repo("quiet/lines", {"train.jsonl": lines(30)})
    shared = {"HF_HOME": str(tmp_path / "shared"), "HOME": str(tmp_path / "one")}
    run(FILL, HF_TOKEN="hf_member", **shared)
    code = f"""
        from rowstream import load_dataset
        from rowstream.exceptions import DatasetNotFoundError
        for revision in (None, "main", {commit(server, "quiet/private", "hf_member")!r}):
            for stream in (False, True):
                try:
                    print("seen", load_dataset("quiet/private", revision=revision, split="train", streaming=stream))
                except DatasetNotFoundError as error:
                    print("not seen")
    """
    for token in ({}, {"HF_TOKEN": "hf_stranger"}):
        assert set(run(code, **shared, **token).splitlines()) == {"not seen"}


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_the_shared_cache_of_the_hub_has_the_rights_of_new_files(server, tmp_path, mask):
    server.repo("quiet/rights", {"train.jsonl": lines(10), "folder/train.parquet": parquet(10)})
    before = os.umask(mask)
    try:
        manager = DownloadManager(download_config=DownloadConfig(disable_tqdm=True))
        manager.download(
            [
                f"hf://datasets/quiet/rights/{name}"
                for name in ("train.jsonl", "folder/train.parquet")
            ]
        )
    finally:
        os.umask(before)
    made = [path for path in (tmp_path / "hf" / "hub").rglob("*") if not path.is_symlink()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o777 & ~mask}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o666 & ~mask}


def refuse(path: Path) -> None:
    """Makes a folder one that this user may only read."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o555)


@pytest.mark.heavy
@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
@pytest.mark.parametrize(
    "refused",
    ["hub", "hub/datasets--quiet--refused", "hub/datasets--quiet--refused/blobs", "hub/.locks"],
)
def test_what_another_users_folder_refuses_is_put_elsewhere(server, tmp_path, refused):
    server.repo("quiet/refused", {"train.parquet": parquet(10)})
    home = tmp_path / "home"
    home.mkdir()
    refuse(tmp_path / "hf" / refused)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011 if folder != tmp_path else 0o777)
    home.chmod(0o777)
    code = f"""
        import os
        from rowstream import DownloadConfig, DownloadManager
        manager = DownloadManager(download_config=DownloadConfig(disable_tqdm=True))
        # All is imported before this user may not read it any more.
        manager.download("{server.http}/a.csv")
        os.environ.update(HF_HOME={str(tmp_path / "hf")!r}, HOME={str(home)!r}, ROWSTREAM_CACHE={str(home / "own")!r})
        if os.getuid() == 0:
            os.setuid(65534)
        print(manager.download("hf://datasets/quiet/refused/train.parquet"))
    """
    path = Path(run(code, ROWSTREAM_CACHE=str(tmp_path / "warm"), HF_HOME=str(tmp_path / "warm")))
    assert path.read_bytes() == parquet(10)
    assert (home / "own") in path.parents
