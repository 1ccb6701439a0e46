"""Files of any source, opened, listed and written; whole files on disk; archives; locks; what is kept."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest
import rowstream
from rowstream import DownloadConfig, DownloadManager, StreamingDownloadManager, load_dataset
from rowstream.exceptions import FileFormatError, SourceChangedError, UnsupportedError

from tests.wire.conftest import FAST, far, lines, parquet, rows


@pytest.fixture
def s3(server):
    return {**FAST, "endpoint_url": server.s3, "anon": True}


def test_a_file_is_read_at_any_place(server, s3):
    content = (server.root / "http" / "a.parquet").read_bytes()
    server.repo("org/open", {"a.parquet": content})
    for url, options in (
        (f"{server.http}/a.parquet", FAST),
        ("s3://bucket/a.parquet", s3),
        ("hf://datasets/org/open/a.parquet", FAST),
    ):
        with rowstream.open(url, "rb", storage_options=options) as file:
            assert file.read(100) == content[:100]
            assert file.seek(-50, os.SEEK_END) == len(content) - 50
            assert file.read() == content[-50:]
            assert file.seek(1000) == 1000
            assert file.read(70_000) == content[1000:71_000]
            assert file.tell() == 71_000
            assert file.seekable()
            assert file.readable()
        with rowstream.open(url, "rb", storage_options=options) as file:
            assert file.read() == content
    with rowstream.open(f"{server.http}/a.jsonl") as file:
        assert json.loads(file.readline()) == rows(1)[0]
    with rowstream.open(f"{server.http}/a.parquet", "rb") as file:
        import pyarrow.parquet as pq

        assert pq.read_table(file).num_rows == 6000


def test_what_is_written_is_there_whole_or_not_at_all(server, s3, tmp_path):
    for place, options in (
        (str(tmp_path / "file.txt"), None),
        ("s3://bucket/written/file.txt", s3),
    ):
        with rowstream.open(place, "w", storage_options=options) as file:
            file.write("one\n")
            assert not rowstream.exists(place, storage_options=options)
        with rowstream.open(place, storage_options=options) as file:
            assert file.read() == "one\n"

        def fail(place=place, options=options):
            with rowstream.open(place, "w", storage_options=options) as file:
                file.write("half")
                raise RuntimeError("stop")

        with pytest.raises(RuntimeError):
            fail()
        with rowstream.open(place, "rb", storage_options=options) as file:
            assert file.read() == b"one\n"
        with pytest.raises(FileExistsError):
            rowstream.open(place, "x", storage_options=options)
    assert [
        path.name for path in tmp_path.iterdir() if path.name.startswith((".rowstream", "file"))
    ] == ["file.txt"]
    with pytest.raises(UnsupportedError, match="written"):
        rowstream.open(f"{server.http}/new", "w")
    with pytest.raises(ValueError, match="mode"):
        rowstream.open(tmp_path / "file.txt", "r+")


def test_large_objects_are_written_in_parts(server, s3, moto):
    content = os.urandom(20 << 20)
    with rowstream.open("s3://made/large.bin", "wb", storage_options=moto) as file:
        file.write(content)
    with rowstream.open("s3://made/large.bin", "rb", storage_options=moto) as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(content).digest()


def test_lines_are_read_and_written(server, s3, tmp_path):
    some = [{"a": 1}, {"b": ["ö", None]}]
    for place, options in ((tmp_path / "rows.jsonl", None), ("s3://bucket/rows.jsonl", s3)):
        assert rowstream.write_jsonl(place, iter(some), storage_options=options) == 2
        assert [*rowstream.read_jsonl(place, storage_options=options)] == some
    (server.root / "http" / "bad.jsonl").write_text('{"a": 1}\nnope\n')
    with pytest.raises(FileFormatError, match="line 2"):
        [*rowstream.read_jsonl(f"{server.http}/bad.jsonl")]
    assert len([*rowstream.read_jsonl(f"{server.http}/a.jsonl.gz")]) == 6000


def test_exists_glob_list(server, s3, tmp_path):
    folder = server.root / "s3" / "bucket" / "tree" / "deep"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.txt", "b.txt", ".hidden"):
        (folder / name).write_text(name)
    assert rowstream.exists("s3://bucket/tree/deep/a.txt", storage_options=s3)
    assert rowstream.exists("s3://bucket/tree", storage_options=s3)
    assert not rowstream.exists("s3://bucket/tree/none", storage_options=s3)
    assert rowstream.glob("s3://bucket/tree/**/*.txt", storage_options=s3) == [
        "s3://bucket/tree/deep/a.txt",
        "s3://bucket/tree/deep/b.txt",
    ]
    assert rowstream.glob("s3://bucket/tree/*.none", storage_options=s3) == []
    assert rowstream.list("s3://bucket/tree", storage_options=s3) == [
        f"s3://bucket/tree/deep/{name}" for name in (".hidden", "a.txt", "b.txt")
    ]
    assert rowstream.exists(f"{server.http}/a.jsonl")
    assert not rowstream.exists(f"{server.http}/none")
    server.faults({"kind": "status", "status": 403})
    with pytest.raises(PermissionError):
        rowstream.exists(f"{server.http}/a.jsonl")
    server.faults()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "x").write_text("")
    assert rowstream.list(tmp_path / "here") == [str(tmp_path / "here" / "x")]


@pytest.fixture(scope="module")
def _moto():
    moto = pytest.importorskip("moto.server")
    made = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def moto(_moto, server, monkeypatch):
    """An S3 that nobody here wrote, with a bucket; signatures are made, for what they are worth there."""
    boto3 = pytest.importorskip("boto3")
    host, port = _moto.get_host_and_port()
    options = {
        "key": "canary-key",
        "secret": "canary-secret",
        "endpoint_url": f"http://{host}:{port}",
        "region": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="canary-key",
        aws_secret_access_key="canary-secret",
    )
    client.create_bucket(Bucket="made")
    for name in ("a.parquet", "a.jsonl"):
        client.put_object(
            Bucket="made", Key=f"data/{name}", Body=(server.root / "http" / name).read_bytes()
        )
    return {**FAST, "timeout": 5, **options}


@pytest.mark.heavy
def test_another_s3(moto, local):
    assert far("s3://made/data/a.parquet", "a.parquet", storage_options=moto) == local("a.parquet")
    assert far("s3://made/data/*.jsonl", "a.jsonl", storage_options=moto) == local("a.jsonl")
    with pytest.raises(FileNotFoundError, match="none"):
        far("s3://made/data/none.jsonl", "a.jsonl", storage_options=moto)


def test_a_profile_of_aws(server, tmp_path, monkeypatch):
    from rowstream.storage.options.clouds import of_cloud

    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[team]\naws_access_key_id = K\naws_secret_access_key = S\naws_session_token = T\n"
    )
    (tmp_path / ".aws" / "config").write_text("[profile team]\nregion = eu-west-3\n")
    made, _ = of_cloud("s3", {"profile": "team"})
    assert made["aws_access_key_id"] == "K"
    assert made["aws_session_token"] == "T"
    assert made["aws_region"] == "eu-west-3"
    with pytest.raises(ValueError, match="nobody"):
        of_cloud("s3", {"profile": "nobody"})


# ------------------------------------------------------------------------------------------------------------- downloads


def config(tmp_path, **options):
    return DownloadConfig(
        cache_dir=tmp_path / "downloads", disable_tqdm=True, storage_options=dict(FAST), **options
    )


def test_downloads_keep_the_form_of_what_is_asked(server, tmp_path):
    manager = DownloadManager(download_config=config(tmp_path))
    asked = {
        "train": [f"{server.http}/a.jsonl", f"{server.http}/a.csv"],
        "test": (f"{server.http}/a.txt",),
        "here": str(server.root / "http" / "a.tar"),
    }
    made = manager.download(asked)
    assert Path(made["train"][0]).read_bytes() == (server.root / "http" / "a.jsonl").read_bytes()
    assert isinstance(made["test"], tuple)
    assert made["here"] == asked["here"]
    server.control("DELETE", "log")
    assert manager.download(asked) == made
    assert all(entry["bytes"] <= 1 << 20 for entry in server.log())
    assert (
        manager.get_recorded_sizes_checksums()[f"{server.http}/a.csv"]["num_bytes"]
        == (server.root / "http" / "a.csv").stat().st_size
    )
    with pytest.raises(FileNotFoundError, match="404"):
        manager.download(f"{server.http}/none")


def test_another_version_is_downloaded_anew(server, tmp_path):
    path = server.root / "http" / "versions.bin"
    path.write_bytes(b"one" * 1000)
    manager = DownloadManager(download_config=config(tmp_path))
    assert Path(manager.download(f"{server.http}/versions.bin")).read_bytes() == b"one" * 1000
    path.write_bytes(b"other" * 1000)
    assert Path(manager.download(f"{server.http}/versions.bin")).read_bytes() == b"other" * 1000
    offline = DownloadManager(download_config=config(tmp_path, local_files_only=True))
    assert Path(offline.download(f"{server.http}/versions.bin")).read_bytes() == b"other" * 1000


def test_files_of_the_hub_lie_where_its_client_looks(server, tmp_path):
    small, large = lines(100), parquet(500)
    server.repo("org/download", {"small.jsonl": small, "folder/large.parquet": large})
    manager = DownloadManager(download_config=config(tmp_path))
    paths = manager.download(
        [
            "hf://datasets/org/download/small.jsonl",
            "hf://datasets/org/download@main/folder/large.parquet",
        ]
    )
    assert [Path(path).read_bytes() for path in paths] == [small, large]
    home = tmp_path / "hf" / "hub" / "datasets--org--download"
    sha = (home / "refs" / "main").read_text()
    assert {str(path) for path in (home / "snapshots" / sha).rglob("*.*")} == set(paths)
    assert (home / "blobs" / hashlib.sha256(large).hexdigest()).read_bytes() == large
    assert Path(paths[1]).is_symlink()
    server.control("DELETE", "log")
    assert manager.download("hf://datasets/org/download/folder/large.parquet") == paths[1]
    assert [entry["path"].split("/")[1] for entry in server.log()] == ["api"]


def test_a_download_that_has_not_its_hash_is_removed(server, tmp_path):
    server.repo("org/corrupt", {"large.bin": os.urandom(300_000)})
    server.faults({"kind": "corrupt", "at": 1234, "origin": "cdn", "times": 1})
    manager = DownloadManager(download_config=config(tmp_path))
    with pytest.raises(FileFormatError, match="SHA-256"):
        manager.download("hf://datasets/org/corrupt/large.bin")
    assert Path(manager.download("hf://datasets/org/corrupt/large.bin")).stat().st_size == 300_000


@pytest.mark.heavy
def test_a_download_goes_on_after_a_kill(server, tmp_path):
    content = os.urandom(60 << 20)
    (server.root / "http" / "long.bin").write_bytes(content)
    server.faults({"kind": "bandwidth", "bps": 6_000_000})
    code = f"""
        from rowstream import DownloadConfig, DownloadManager
        DownloadManager(download_config=DownloadConfig(cache_dir={str(tmp_path / "downloads")!r})).download("{server.http}/long.bin")
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    while not any(
        "\n0" in p.read_text() or p.read_text().count("\n") > 2
        for p in (tmp_path / "downloads").glob("*.parts")
    ):
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    server.clear()
    path = DownloadManager(download_config=config(tmp_path)).download(f"{server.http}/long.bin")
    assert hashlib.sha256(Path(path).read_bytes()).digest() == hashlib.sha256(content).digest()
    assert sum(entry["bytes"] for entry in server.log()) < len(content)
    (server.root / "http" / "long.bin").unlink()


@pytest.mark.heavy
def test_processes_download_a_file_once(server, tmp_path):
    server.repo("org/once", {"large.bin": os.urandom(3 << 20)})
    code = """
        from rowstream import DownloadConfig, DownloadManager
        print(DownloadManager(download_config=DownloadConfig(disable_tqdm=True)).download("hf://datasets/org/once/large.bin"))
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    told = {child.communicate(timeout=60)[0] for child in children}
    assert len(told) == 1
    assert sum(entry["bytes"] for entry in server.log() if entry["origin"] == "cdn") < 2 * (3 << 20)


def archive(kind: str, names: list[str]) -> bytes:
    sink = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(sink, "w") as made:
            for name in names:
                made.writestr(name, name)
    else:
        with tarfile.open(fileobj=sink, mode="w:gz") as made:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(name)
                made.addfile(info, io.BytesIO(name.encode()))
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_taken_apart(server, tmp_path, kind):
    (server.root / "http" / f"set.{kind}").write_bytes(
        archive(kind, ["a/one.txt", "two.txt", "a/.hidden"])
    )
    manager = DownloadManager(download_config=config(tmp_path))
    folder = manager.download_and_extract(f"{server.http}/set.{kind}")
    assert (Path(folder) / "a" / "one.txt").read_text() == "a/one.txt"
    assert sorted(Path(path).name for path in manager.iter_files(folder)) == ["one.txt", "two.txt"]
    for each in (
        manager.iter_archive(manager.download(f"{server.http}/set.{kind}")),
        StreamingDownloadManager().iter_archive(f"{server.http}/set.{kind}"),
    ):
        for _ in range(2):
            assert [(name, file.read().decode()) for name, file in each] == [
                ("a/one.txt", "a/one.txt"),
                ("two.txt", "two.txt"),
            ]
    streaming = StreamingDownloadManager(base_path=server.http)
    assert streaming.download("x.csv") == f"{server.http}/x.csv"
    assert streaming.is_streaming
    assert not manager.is_streaming


def test_compressed_files_are_decompressed(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"content"))
    manager = DownloadManager(download_config=config(tmp_path))
    assert Path(manager.extract(str(path))).read_bytes() == b"content"
    (tmp_path / "plain").write_text("x")
    assert manager.extract(str(tmp_path / "plain")) == str(tmp_path / "plain")
    path.write_bytes(gzip.compress(b"content" * 1000)[:-10])
    with pytest.raises(FileFormatError, match="cannot extract"):
        manager.extract(str(path))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt"])
def test_archives_cannot_write_outside(tmp_path, kind, name):
    path = tmp_path / f"evil.{kind}"
    path.write_bytes(archive(kind, ["good.txt", name]))
    made = ""
    if kind == "tar.gz" and name.startswith("/"):
        # As tar itself does, without the slash.
        made = DownloadManager(download_config=config(tmp_path)).extract(str(path))
    else:
        with pytest.raises(FileFormatError):
            DownloadManager(download_config=config(tmp_path)).extract(str(path))
    assert all(str(found).startswith(made or "nowhere") for found in tmp_path.rglob("evil.txt"))
    assert not Path("/tmp/evil.txt").exists()


def test_links_of_archives_cannot_lead_outside(tmp_path):
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as made:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(info)
    with pytest.raises(FileFormatError):
        DownloadManager(download_config=config(tmp_path)).extract(str(path))


# ----------------------------------------------------------------------------------------------------------------- locks


def test_a_lock_says_all_files_and_asks_nobody(server, tmp_path):
    server.repo("org/locked", {"train.jsonl": lines(60_000), "test.jsonl": lines(5)})
    path = tmp_path / "set.lock"
    ds = load_dataset("org/locked", streaming=True)
    ds.lock(path)
    server.control("DELETE", "log")
    again = load_dataset(lock=path, streaming=True)
    assert not server.log()
    assert {split: [row["id"] for row in of] for split, of in again.items()} == {
        split: [row["id"] for row in of] for split, of in ds.items()
    }
    assert list(load_dataset(lock=path, split="test", streaming=True).shuffle(seed=1)) == list(
        ds["test"].shuffle(seed=1)
    )
    said = json.loads(path.read_text())["splits"]["train"]["files"][0]
    assert said["size"] == len(lines(60_000))
    assert said["version"].startswith("git:")
    with pytest.raises(ValueError, match="lock file"):
        load_dataset(lock=server.root / "http" / "a.jsonl", streaming=True)
    with pytest.raises(FileNotFoundError, match="lock file"):
        load_dataset(lock=tmp_path / "none", streaming=True)


def test_a_lock_of_files_that_changed(server, tmp_path):
    target = server.root / "http" / "locked.jsonl"
    target.write_bytes(lines(60_000))
    load_dataset(
        "json", data_files=f"{server.http}/locked.jsonl", split="train", streaming=True
    ).lock(tmp_path / "lock")
    target.write_bytes(lines(60_000).replace(b"row", b"ROW"))
    with pytest.raises(SourceChangedError):
        list(
            load_dataset(
                lock=tmp_path / "lock", split="train", streaming=True, storage_options=FAST
            )
        )


# ---------------------------------------------------------------------------------------------------------- what is kept


def test_a_second_epoch_reads_nothing_over_the_wire(server, local, tmp_path):
    for name in ("a.jsonl", "a.parquet", "a.tar"):
        kind = {"a.jsonl": "json", "a.parquet": "parquet", "a.tar": "webdataset"}[name]
        ds = load_dataset(
            kind,
            data_files=f"{server.http}/{name}",
            split="train",
            streaming=True,
            cache_dir=tmp_path / "ranges",
        )
        first = list(ds.shuffle(seed=1, buffer_size=100))
        # What is kept is written beside the stream, which does not wait for it.
        size = (server.root / "http" / name).stat().st_size
        kept = lambda name=name: sum(
            entry.num_bytes
            for entry in rowstream.cache.list(tmp_path / "ranges")
            if name in entry.name
        )
        while kept() < (size if kind != "parquet" else size // 2):
            os.sched_yield()
        server.control("DELETE", "log")
        assert list(ds.shuffle(seed=1, buffer_size=100)) == first
        assert not server.log(), name


def test_what_is_kept_is_listed_verified_and_removed(server, tmp_path):
    far(f"{server.http}/a.parquet?sig=canary", "a.parquet", cache_dir=str(tmp_path / "ranges"))
    entries = rowstream.cache.list(tmp_path / "ranges")
    assert [entry.kind for entry in entries] == ["ranges"]
    assert entries[0].name.startswith(f"{server.http}/a.parquet")
    assert "canary" not in entries[0].name
    assert entries[0].num_bytes > 0
    assert rowstream.cache.verify(tmp_path / "ranges") == ()
    extent = next(path for path in entries[0].path.iterdir() if "-" in path.name)
    extent.write_bytes(b"x" + extent.read_bytes()[1:])
    assert rowstream.cache.verify(tmp_path / "ranges") == (extent,)
    rowstream.cache.remove(cache_dir=tmp_path / "ranges")
    assert rowstream.cache.list(tmp_path / "ranges") == ()
    server.repo("org/kept", {"train.parquet": parquet(10)})
    next(iter(load_dataset("org/kept", split="train", streaming=True)))
    assert {entry.kind for entry in rowstream.cache.list()} == {"heads", "listings"}
    assert rowstream.cache.remove() > 0
    assert rowstream.cache.list() == ()


def test_a_stream_with_secrets_is_pickled_without_them(server):
    ds = load_dataset(
        "json",
        data_files=f"{server.http}/a.jsonl",
        split="train",
        streaming=True,
        token="hf_canary",
        storage_options=dict(FAST),
    )
    assert b"canary" not in pickle.dumps(ds)
    assert "canary" not in repr(ds)
    assert "canary" not in json.dumps(ds.state_dict())


def test_a_file_that_changed_is_read_anew_by_readers_in_python(server, tmp_path):
    path = server.root / "http" / "changed-reader.xml"
    given = {
        "data_files": f"{server.http}/changed-reader.xml",
        "split": "train",
        "cache_dir": str(tmp_path),
    }
    for text in ("<a/>", "<a/>", "<b></b>"):
        path.write_text(text)
        assert rowstream.load_dataset("xml", **given)["xml"][:] == [text]
