"""The faults that a network, a server and a disk have, and what must come of each: all rows in order, or a clear error.

Numbers are those of the table in docs/faults.md.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from rowstream import load_dataset
from rowstream.exceptions import FileFormatError, RowstreamError, SourceChangedError

from tests.server import ROOT
from tests.wire.conftest import FAST, FILES, far, lines, parquet, tar

FORMATS = ("a.jsonl", "a.jsonl.gz", "a.parquet", "a.tar")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "fault",
    [{"kind": "reset", "after": 40_000}, {"kind": "truncate", "after": 1}],
    ids=["reset", "cut"],
)
def test_1_a_connection_that_breaks_once(server, local, name, fault):
    server.faults({**fault, "times": 2})
    assert far(f"{server.http}/{name}", name) == local(name)


@pytest.mark.parametrize("name", FORMATS)
def test_2_a_connection_that_breaks_for_ever_but_goes_on(server, local, name):
    # Far more breaks than retries: each brought something, so none counts.
    server.faults({"kind": "reset", "after": 20_000 if not name.endswith(".gz") else 3000})
    assert far(f"{server.http}/{name}", name) == local(name)
    assert len(server.log()) > FAST["retries"]


def test_3_a_body_that_is_cut_without_a_length(server):
    server.faults(
        {"kind": "ignore_range"}, {"kind": "no_length"}, {"kind": "truncate", "after": 100_001}
    )
    with pytest.raises(RowstreamError):
        far(f"{server.http}/a.jsonl", "a.jsonl")


@pytest.mark.parametrize("after", [0, 30_000])
@pytest.mark.parametrize("name", FORMATS)
def test_4_a_stall(server, local, name, after):
    server.faults({"kind": "stall", "after": after, "seconds": 3, "times": 1})
    assert far(f"{server.http}/{name}", name) == local(name)


def test_4_a_stall_before_the_headers(server, local):
    server.faults({"kind": "latency", "ms": 2000, "times": 1})
    assert far(f"{server.http}/a.jsonl", "a.jsonl") == local("a.jsonl")


def test_5_a_stall_for_ever(server):
    server.faults({"kind": "stall", "after": 0, "seconds": 60})
    with pytest.raises(OSError, match=r"a\.jsonl.*gave up after \d+ tries"):
        far(
            f"{server.http}/a.jsonl",
            "a.jsonl",
            storage_options={"timeout": 0.1, "retries": 2, "deadline": 3},
        )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_6_a_server_that_is_busy(server, local, status):
    server.faults({"kind": "status", "status": status, "times": 2})
    assert far(f"{server.http}/a.jsonl", "a.jsonl") == local("a.jsonl")


def test_6_a_server_that_says_when_to_come_back(server, local):
    server.faults({"kind": "status", "status": 429, "retry_after": 1, "times": 1})
    began = time.monotonic()
    assert far(f"{server.http}/a.jsonl", "a.jsonl") == local("a.jsonl")
    assert time.monotonic() - began >= 1


def test_6_a_busy_object_store(server, local):
    server.faults({"kind": "status", "status": 503, "times": 2, "origin": "s3"})
    options = {**FAST, "endpoint_url": server.s3, "anon": True}
    assert far("s3://bucket/a.jsonl", "a.jsonl", storage_options=options) == local("a.jsonl")
    server.faults({"kind": "reset", "after": 50_000, "origin": "s3"})
    assert far("s3://bucket/a.parquet", "a.parquet", storage_options=options) == local("a.parquet")


def test_6_a_busy_hub(server):
    server.repo("org/busy", {"train.parquet": parquet(100)})
    server.faults(
        {"kind": "status", "status": 503, "times": 2, "match": "/api/"},
        {"kind": "status", "status": 429, "retry_after": 0, "times": 1, "match": "resolve"},
    )
    ds = load_dataset("org/busy", split="train", streaming=True, storage_options=FAST)
    assert len(list(ds)) == 100


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, PermissionError),
        (403, PermissionError),
        (404, FileNotFoundError),
        (410, FileNotFoundError),
    ],
)
def test_7_a_server_that_refuses(server, status, kind):
    server.faults({"kind": "status", "status": status})
    with pytest.raises(kind, match=str(status)):
        far(f"{server.http}/a.jsonl", "a.jsonl")
    assert len(server.log()) == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.tar"])
def test_8_a_file_that_changes_while_it_is_read(server, name):
    # Longer than what is looked at, which is not read again.
    content = {
        "a.jsonl": lambda: lines(40_000),
        "a.parquet": lambda: parquet(40_000),
        "a.tar": lambda: tar(8000),
    }[name]()
    name = name.replace("a.", "long.")
    (server.root / "http" / name).write_bytes(content)
    ds = load_dataset(
        FILES[name.replace("long.", "a.")][0],
        data_files=f"{server.http}/{name}",
        split="train",
        streaming=True,
        storage_options=FAST,
    )
    server.faults({"kind": "etag", "value": "new", "mutate": True})
    with pytest.raises(SourceChangedError):
        list(ds)


def test_8_a_file_that_changes_before_it_is_read(server):
    path = server.root / "http" / "changing.jsonl"
    path.write_bytes(lines(60_000))
    ds = load_dataset(
        "json",
        data_files=f"{server.http}/changing.jsonl",
        split="train",
        streaming=True,
        storage_options=FAST,
    )
    path.write_bytes(lines(60_000).replace(b"row", b"ROW"))
    with pytest.raises(SourceChangedError, match="load"):
        list(ds)


def test_8_content_of_the_hub_that_changes(server):
    server.repo("org/changing", {"train.parquet": parquet()})
    ds = load_dataset("org/changing", split="train", streaming=True, storage_options=FAST)
    seen = iter(ds)
    next(seen)
    server.faults({"kind": "etag", "value": "new", "mutate": True, "origin": "cdn"})
    with pytest.raises(RowstreamError):
        list(seen)


@pytest.mark.parametrize("name", FORMATS)
def test_9_a_server_that_ignores_ranges(server, local, name):
    server.faults({"kind": "ignore_range", "skip": 1})
    assert far(f"{server.http}/{name}", name) == local(name)


def test_9_a_server_that_gives_other_ranges(server, local):
    server.faults({"kind": "bad_range", "shift": 7})
    with pytest.raises(OSError, match=r"Content-Range|asked for"):
        far(f"{server.http}/a.parquet", "a.parquet")
    server.faults({"kind": "bad_range", "shift": 7, "times": 1})
    assert far(f"{server.http}/a.parquet", "a.parquet") == local("a.parquet")


@pytest.mark.parametrize("name", FORMATS)
def test_9_a_server_that_gives_less_than_was_asked(server, local, name):
    server.faults({"kind": "short_range", "by": 1000})
    assert far(f"{server.http}/{name}", name) == local(name)


def test_10_a_signed_url_that_expires(server):
    server.repo(
        "org/signed",
        {
            "train.tar": (server.root / "http" / "a.tar").read_bytes() * 1,
            "train.parquet": parquet(),
        },
    )
    server.control("POST", "ttl", {"seconds": 60})
    ds = load_dataset(
        "org/signed",
        data_files="train.parquet",
        split="train",
        streaming=True,
        storage_options=FAST,
    )
    seen = iter(ds)
    first = [next(seen) for _ in range(10)]
    server.control("POST", "advance", {"seconds": 3600})
    assert len(first) + len(list(seen)) == 6000
    again = load_dataset(
        "org/signed",
        data_files="train.parquet",
        split="train",
        streaming=True,
        storage_options=FAST,
    )
    assert len(list(again)) == 6000
    server.control("POST", "ttl", {"seconds": 3600})
    server.control("POST", "advance", {"seconds": -3600})


def test_11_no_such_host_and_nobody_there():
    for url in ("http://rowstream-no-such-host.invalid/a.jsonl", "http://127.0.0.1:9/a.jsonl"):
        with pytest.raises(OSError, match=r"a\.jsonl.*no connection"):
            far(url, "a.jsonl", storage_options={"timeout": 0.5, "retries": 1, "deadline": 5})


def test_11_redirects_without_end(server):
    server.faults({"kind": "redirect", "to": "/a.jsonl"})
    with pytest.raises(OSError, match="redirects"):
        far(f"{server.http}/a.jsonl", "a.jsonl")


def test_11_a_page_in_place_of_a_file(server):
    (server.root / "http" / "page.parquet").write_text("<!doctype html><title>Log in</title>" * 10)
    (server.root / "http" / "page.jsonl").write_text("<!doctype html><title>Log in</title>")
    for name, kind in (("page.parquet", "parquet"), ("page.jsonl", "json")):
        with pytest.raises(ValueError, match=r"page"):
            list(
                load_dataset(
                    kind, data_files=f"{server.http}/{name}", split="train", streaming=True
                )
            )


def test_11_a_server_that_says_that_it_compresses_and_does_not(server):
    # What comes of those that do: tests/wire/test_encoded.py.
    server.faults({"kind": "gzip"})
    with pytest.raises(FileFormatError, match="compresses"):
        far(f"{server.http}/a.jsonl", "a.jsonl")


def run(code: str, **env: str) -> subprocess.Popen[str]:
    """A process that runs Python."""
    environment = {**os.environ, **env}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def streaming(server, name: str, cache: object, then: str) -> str:
    options = ", ".join(f"{key}={value!r}" for key, value in FAST.items())
    return f"""
        from rowstream import load_dataset
        ds = load_dataset("{FILES[name][0]}", data_files="{server.http}/{name}", split="train", streaming=True,
                          cache_dir={str(cache)!r}, storage_options=dict({options}))
        {then}
    """


@pytest.mark.heavy
def test_12_a_process_that_is_killed(server, local, tmp_path):
    cache = tmp_path / "cache"
    for after in (3, 50, 900):
        child = run(
            streaming(
                server,
                "a.jsonl",
                cache,
                f"for i, row in enumerate(ds):\n            if i == {after}: print('here', flush=True)",
            )
        )
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
    assert far(f"{server.http}/a.jsonl", "a.jsonl", cache_dir=str(cache)) == local("a.jsonl")
    server.control("DELETE", "log")
    assert far(f"{server.http}/a.jsonl", "a.jsonl", cache_dir=str(cache)) == local("a.jsonl")


@pytest.mark.heavy
def test_13_processes_with_one_cache(server, local, tmp_path):
    code = streaming(
        server,
        "a.parquet",
        tmp_path / "cache",
        "import hashlib; print(hashlib.sha256(repr(list(ds)).encode()).hexdigest())",
    )
    children = [run(code) for _ in range(4)]
    told = {child.communicate(timeout=100)[0] for child in children}
    assert len(told) == 1
    assert [child.returncode for child in children] == [0] * 4


@pytest.mark.heavy
def test_14_a_disk_that_is_full(server, local, tmp_path):
    # A file may not grow beyond a few bytes: EFBIG, as a quota gives.
    code = streaming(
        server,
        "a.jsonl",
        tmp_path / "cache",
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); print(len(list(ds)))",
    )
    child = run(code)
    out, err = child.communicate(timeout=60)
    assert out.strip() == "6000", err
    assert far(f"{server.http}/a.jsonl", "a.jsonl", cache_dir=str(tmp_path / "cache")) == local(
        "a.jsonl"
    )


def test_15_a_cache_that_cannot_be_written(server, local, tmp_path, monkeypatch):
    file = tmp_path / "a-file"
    file.write_text("")
    monkeypatch.setenv("ROWSTREAM_CACHE", str(file / "cache"))
    assert far(f"{server.http}/a.jsonl", "a.jsonl", cache_dir=str(file / "below")) == local(
        "a.jsonl"
    )
    server.repo("org/readonly", {"train.jsonl": lines(5)})
    assert len(list(load_dataset("org/readonly", split="train", streaming=True))) == 5


@pytest.mark.parametrize("damage", ["cut", "zero", "flip", "empty"])
def test_16_a_cache_that_is_damaged(server, local, tmp_path, damage):
    cache = tmp_path / "cache"
    assert far(f"{server.http}/a.parquet", "a.parquet", cache_dir=str(cache)) == local("a.parquet")
    files = [
        path
        for path in [*cache.rglob("*"), *(tmp_path / "rowstream" / "heads").rglob("*")]
        if path.is_file()
    ]
    assert files
    for path in files:
        content = bytearray(path.read_bytes())
        if damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "zero":
            content = bytearray(len(content))
        elif damage == "flip":
            content[len(content) // 3] ^= 0x10
        else:
            content = bytearray()
        path.write_bytes(content)
    assert far(f"{server.http}/a.parquet", "a.parquet", cache_dir=str(cache)) == local("a.parquet")


def test_17_a_state_of_other_files(server):
    def stream(name):
        return load_dataset(
            "json", data_files=f"{server.http}/{name}", split="train", streaming=True
        )

    (server.root / "http" / "other.jsonl").write_bytes(lines(10))
    other = stream("other.jsonl")
    next(iter(other))
    for state in (other.state_dict(), {}, {"cursor": "nonsense"}):
        with pytest.raises((RowstreamError, ValueError)):
            stream("a.jsonl").load_state_dict(state)


@pytest.mark.heavy
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_19_signals_while_nothing_comes(server, sent):
    code = f"""
        from rowstream import load_dataset
        ds = load_dataset("json", data_files="{server.http}/a.jsonl", split="train", streaming=True)
        seen = iter(ds)
        print("ready", flush=True)
        while True:
            list(ds)
            print("again", flush=True)
    """
    child = run(code)
    assert child.stdout is not None
    child.stdout.readline()
    server.faults({"kind": "stall", "after": 0, "seconds": 30}, {"kind": "latency", "ms": 30_000})
    child.stdout.readline()
    while not any(fault["applied"] for fault in server.control("GET", "faults")):
        os.sched_yield()
    began = time.monotonic()
    child.send_signal(sent)
    child.communicate(timeout=30)
    assert time.monotonic() - began < 2
    assert child.returncode != 0


@pytest.mark.heavy
def test_20_a_fork_in_the_middle(server):
    code = f"""
        import os, warnings
        warnings.simplefilter("ignore")
        from rowstream import load_dataset
        ds = load_dataset("json", data_files="{server.http}/a.jsonl", split="train", streaming=True)
        seen = iter(ds)
        first = [next(seen)["id"] for _ in range(100)]
        child = os.fork()
        rest = [row["id"] for row in seen]
        ok = first + rest == list(range(6000))
        if child == 0:
            os._exit(0 if ok else 1)
        _, status = os.waitpid(child, 0)
        print(ok, status)
    """
    child = run(code)
    out, err = child.communicate(timeout=60)
    assert out.split() == ["True", "0"], err


@pytest.mark.heavy
def test_21_the_end_of_a_process_with_a_stream_half_read(server):
    child = run(f"""
        from rowstream import load_dataset
        seen = iter(load_dataset("webdataset", data_files="{server.http}/a.tar", split="train", streaming=True))
        next(seen)
    """)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (0, "")


def test_22_a_cache_smaller_than_anything(server, local, tmp_path):
    cache = tmp_path / "cache"
    for _ in range(2):
        assert far(
            f"{server.http}/a.parquet", "a.parquet", cache_dir=str(cache), cache_limit=1000
        ) == local("a.parquet")
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_all_at_once(server, local):
    """Everything that may be recovered from, in one epoch: bit by bit the same."""
    server.faults(
        {"kind": "latency", "ms": 3},
        {"kind": "reset", "after": 60_000, "skip": 1, "times": 6},
        {"kind": "status", "status": 503, "skip": 3, "times": 3},
        {"kind": "stall", "after": 1000, "seconds": 2, "skip": 5, "times": 1},
        {"kind": "short_range", "by": 77, "skip": 8, "times": 5},
        {"kind": "ignore_range", "skip": 14, "times": 1},
    )
    for name in FORMATS:
        assert far(f"{server.http}/{name}", name) == local(name), name


def test_the_docs_name_every_fault():
    text = (ROOT / "docs" / "faults.md").read_text()
    assert {int(n) for n in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == set(range(1, 26))
