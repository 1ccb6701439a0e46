"""Threats, by the numbers of docs/faults.md."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import pytest
import rowstream
from rowstream import Dataset, load_dataset
from rowstream.storage.access import StorageOptions as Access
from rowstream.storage.urls import shown

from tests.wire.conftest import FAST, far, lines, parquet


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_s1_a_token_goes_to_its_own_origin_only(server):
    server.repo(
        "org/mine", {"train.parquet": parquet(3000), "small.jsonl": lines(10)}, private=True
    )
    ds = load_dataset(
        "org/mine", data_files="train.parquet", split="train", streaming=True, token="hf_member"
    )
    assert len(list(ds)) == 3000
    log = server.log()
    assert {entry["authorization"] for entry in log if entry["origin"] == "hub"} == {True}
    assert {entry["authorization"] for entry in log if entry["origin"] == "cdn"} == {False}
    # Nor to what a caller names beside it, nor where that leads.
    server.control("DELETE", "log")
    far(f"{server.http}/a.jsonl", "a.jsonl", token="hf_member")
    server.faults({"kind": "redirect", "to": f"{server.cdn}/x", "origin": "hub", "match": "small"})
    with pytest.raises((OSError, PermissionError)):
        list(
            load_dataset(
                "org/mine",
                data_files="small.jsonl",
                split="train",
                streaming=True,
                token="hf_member",
            )
        )
    assert not [
        entry
        for entry in server.log()
        if entry["origin"] in ("http", "cdn") and entry["authorization"]
    ]


def test_s1_headers_name_the_origin_that_they_are_for(server):
    headers = {server.http: {"Authorization": "Bearer canary"}}
    far(f"{server.http}/a.jsonl", "a.jsonl", storage_options={**FAST, "headers": headers})
    assert server.log()[0]["authorization"]
    server.control("DELETE", "log")
    server.faults({"kind": "redirect", "to": f"{server.hub}/elsewhere", "times": 1})
    with pytest.raises(FileNotFoundError):
        far(f"{server.http}/a.jsonl", "a.jsonl", storage_options={**FAST, "headers": headers})
    # Two origins write the log, each when it has answered.
    told = {entry["origin"]: entry["authorization"] for entry in server.log()}
    assert told == {"http": True, "hub": False}
    # What names none is for those of the files that are named: tests/wire/test_headers.py.
    server.repo("org/elsewhere", {"train.jsonl": lines(3)})
    with pytest.raises(ValueError, match="origin"):
        load_dataset(
            "org/elsewhere",
            streaming=True,
            storage_options={"headers": {"Authorization": "canary"}},
        )


def test_s2_secrets_are_nowhere(server, tmp_path, capfd):
    secret = {
        "key": "canary-key",
        "secret": "canary-secret",
        "token": "canary-session",
        "endpoint_url": server.s3,
    }
    texts = []
    ds = load_dataset(
        "parquet",
        data_files="s3://bucket/a.parquet",
        split="train",
        streaming=True,
        storage_options={**FAST, **secret},
        token="hf_canary",
        cache_dir=tmp_path / "ranges",
    )
    rows = iter(ds.shuffle(seed=1, buffer_size=10))
    for _ in range(100):
        next(rows)
    texts += [
        repr(ds),
        str(ds.info),
        json.dumps(ds.state_dict()),
        repr(ds._plan),
        str(pickle.dumps(ds)),
        repr(rowstream.cache.list()),
    ]
    ds.lock(tmp_path / "lock")
    server.faults({"kind": "status", "status": 403, "body": "refused"})
    for attempt in (
        lambda: far("s3://bucket/a.jsonl", "a.jsonl", storage_options={**FAST, **secret}),
        lambda: load_dataset("org/name", split="train", streaming=True, token="hf_canary"),
        lambda: far(f"{server.http}/a.jsonl?X-Amz-Signature=canary", "a.jsonl"),
        lambda: far(server.http.replace("://", "://user:canary@") + "/a.jsonl", "a.jsonl"),
        lambda: rowstream.open(f"{server.http}/x?token=canary"),
        lambda: far(
            "s3://bucket/a.jsonl",
            "a.jsonl",
            storage_options={"endpoint_url": "http://[canary", "key": "canary", "secret": "canary"},
        ),
    ):
        with pytest.raises(Exception) as error:  # noqa: PT011 - of any kind
            attempt()
        texts += [str(error.value), repr(error.value)]
        cause = error.value.__cause__ or error.value.__context__
        texts.append(str(cause))
    texts += [str(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
    texts += list(capfd.readouterr())
    leaks = [text[:300] for text in texts if "canary" in text.replace("http://[canary", "")]
    assert not leaks


@pytest.mark.parametrize(
    ("url", "as_shown"),
    [
        ("/data/a?b@c.csv", "/data/a?b@c.csv"),
        ("https://me:canary@h/a.csv?sig=canary#canary", "https://h/a.csv"),
        ("http://[::1]:80/a?sig=canary", "http://[::1]:80/a"),
        ("ftp://canary@h/a.csv", "ftp://h/a.csv"),
        ("s3://key:canary@bucket/a?b.csv", "s3://bucket/a?b.csv"),
        ("abfss://container@account/a.csv", "abfss://container@account/a.csv"),
        ("hf://datasets/org/name@main/a.csv", "hf://datasets/org/name@main/a.csv"),
        ("zip://a.csv::https://canary@h/b.zip?sig=canary", "zip://a.csv::https://h/b.zip"),
    ],
)
def test_s2_urls_as_messages_show_them(url, as_shown):
    assert shown(url) == as_shown


BROKEN = {
    "a.jsonl": b'{"a": 1}\n{"a": "\xe9"}\n{"a": \n',
    "b.jsonl": b'{"a": 1}\n' * 200_000 + b'{"a": ["x"]}\n',
    "a.csv": b"a,b\n1,2\n3,4,5\n",
    "a.txt": b"\xff\xfe\xfa",
    "a.parquet": b"PAR1" + b"x" * 100 + b"PAR1",
    "a.arrow": b"ARROW1\0\0" + b"x" * 100,
    "a.tar": b"x" * 1024,
    "a.json": b'[{"a": 1}, ',
    "a.fasta": b">\xff\n\xff\n",
    "a.fastq": b"@a\nACGT\n+\n!\n",
    "a.gb": b"LOCUS nothing\n",
    "a.xml": b"<a><b></a>",
    "a.mds": b"\0" * 10,
    "a.conll": b"\xff\t\xff\n",
    "a.png": b"no image",
    "a.bin": b"\0\1\2",
    "a.zip": b"PK no archive",
    "a.jsonl.gz": b"\x1f\x8b broken",
    "a.h5": b"\x89HDF no",
    "index.json": b"{}",
}


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("where", ["?X-Amz-Signature=canary", "user:canary@"])
def test_s2_nor_where_content_is_broken(server, tmp_path, streaming, where):
    leaks = []

    def texts(error):
        while error is not None:
            yield from (str(error), repr(error), *getattr(error, "__notes__", ()))
            error = error.__cause__ or error.__context__

    for name, content in BROKEN.items():
        # In a folder of their own: other tests read files of these names.
        path = server.root / "http" / "broken" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        url = f"{server.http}/broken/{name}"
        url = url.replace("://", f"://{where}") if where.endswith("@") else url + where
        for call in (
            lambda url=url: list(
                load_dataset(
                    url,
                    split="train",
                    streaming=streaming,
                    cache_dir=str(tmp_path),
                    storage_options=FAST,
                )
            ),
            lambda url=url: rowstream.webdataset.parse(url),
            lambda url=url: rowstream.webdataset.index(url),
            lambda url=url: rowstream.open(url, "w"),
            lambda url=url: Dataset.from_dict({"a": [1]}).to_csv(url),
            lambda url=url: [rowstream.Image().decode_example({"path": url, "bytes": None})],
            lambda url=url: list(rowstream.read_jsonl(url)),
            lambda url=url: rowstream.load_from_disk(url),
        ):
            try:
                call()
            except Exception as error:
                leaks += [f"{name}: {text[:300]}" for text in texts(error) if "canary" in text]
    assert not leaks


def test_s2_a_spawned_process_has_what_it_needs(server, monkeypatch):
    access = Access("hf_canary", {"timeout": 1})
    assert b"canary" not in pickle.dumps(access)
    again = pickle.loads(pickle.dumps(access))
    assert again.token is None
    from multiprocessing import context

    monkeypatch.setattr(context, "get_spawning_popen", lambda: object())
    assert pickle.loads(pickle.dumps(access)).token == "hf_canary"


@pytest.mark.parametrize("end", ["pyd", "pkl", "pickle", "pth", "pt", "npy"])
def test_s3_nothing_is_unpickled(server, tmp_path, end):
    mark = tmp_path / "unpickled"
    content = pickle.dumps(Bomb(mark))
    with tarfile.open(server.root / "http" / "bomb.tar", "w") as made:
        info = tarfile.TarInfo(f"0.{end}")
        info.size = len(content)
        made.addfile(info, io.BytesIO(content))
    row = next(
        iter(
            load_dataset(
                "webdataset", data_files=f"{server.http}/bomb.tar", split="train", streaming=True
            )
        )
    )
    assert row[end] == content
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "org/../../evil",
        "org/na me",
        "org/name/more/parts",
        "org/..",
        "a--b/c",
        "/etc/passwd/x",
        "org/name.git",
    ],
)
def test_s4_names_of_repositories(server, name):
    with pytest.raises((ValueError, FileNotFoundError)):
        load_dataset(name, split="train", streaming=True)
    assert not server.log()


def test_s4_a_listing_that_leads_outside(server, monkeypatch):
    from rowstream.storage import hub

    answer = {
        "id": "org/evil",
        "sha": "0" * 40,
        "siblings": [{"rfilename": "../../evil.jsonl", "size": 1, "blobId": "x"}],
    }
    with pytest.raises(OSError, match="outside"):
        hub._of_answer(answer, "datasets")
    with pytest.raises(OSError, match="no commit"):
        hub._of_answer({"id": "../evil", "sha": "0" * 40, "siblings": []}, "datasets")


def test_s5_what_is_kept_is_of_this_user_alone(server, tmp_path):
    server.repo("org/private", {"train.parquet": parquet(3000)}, private=True)
    ds = load_dataset(
        "org/private",
        split="train",
        streaming=True,
        token="hf_member",
        cache_dir=tmp_path / "ranges",
    )
    list(ds)
    for root in (tmp_path / "ranges", tmp_path / "rowstream"):
        made = [path for path in root.rglob("*") if path.is_file()]
        assert made
        assert {path.stat().st_mode & 0o077 for path in made} == {0}


def test_s9_redirects_stay_with_http(server):
    for to in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        server.faults({"kind": "redirect", "to": to})
        with pytest.raises((OSError, PermissionError), match="redirect"):
            far(f"{server.http}/a.jsonl", "a.jsonl")


def test_proxies_are_honoured(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.http)
    monkeypatch.setenv("NO_PROXY", "")
    import subprocess
    import sys

    code = "from rowstream import load_dataset; list(load_dataset('json', data_files='http://no-such-host.invalid/a.jsonl', split='train', streaming=True))"
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # The proxy is asked for the whole URL, which it takes for a path.
    assert "no-such-host" in str(server.log()) or out.returncode == 0
