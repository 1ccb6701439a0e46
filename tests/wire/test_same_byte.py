"""Servers that break off again and again: as long as something new comes it goes on, and where nothing does it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rowstream import load_dataset

from tests.wire.conftest import lines, parquet

PATIENCE = {"timeout": 1, "retries": 2, "deadline": 6}
WAYS = {
    "lines": "sum(1 for _ in load_dataset('json', data_files=base + '/long.jsonl', split='train', streaming=True, storage_options=options))",
    "shuffled": "sum(1 for _ in load_dataset('json', data_files=base + '/long.jsonl', split='train', streaming=True, "
    "storage_options=options).shuffle(seed=1, buffer_size=100))",
    "parquet": "sum(1 for _ in load_dataset('parquet', data_files=base + '/long.parquet', split='train', streaming=True, "
    "storage_options=options))",
    "by number": "len(load_dataset('json', data_files=base + '/long.jsonl', split='train', storage_options=options, cache_dir=folder))",
    "download": "DownloadManager(download_config=DownloadConfig(disable_tqdm=True, storage_options=options, cache_dir=folder))"
    ".download(base + '/long.jsonl')",
    "open": "len(rowstream.open(base + '/long.jsonl', 'rb', storage_options=options).read())",
}


@pytest.fixture(scope="module")
def _long(_served):
    (_served.root / "http" / "long.jsonl").write_bytes(lines(40_000))
    (_served.root / "http" / "long.parquet").write_bytes(parquet(40_000, 10_000))


@pytest.fixture
def long(_long, server):
    return server


def run(base: str, folder: object, way: str) -> str:
    """What a process prints that reads in some way; how it ends by itself, within its patience."""
    code = f"""
        import rowstream
        from rowstream import DownloadConfig, DownloadManager, load_dataset
        base, folder, options = {base!r}, {str(folder)!r}, {PATIENCE!r}
        try:
            print("read", {WAYS[way]})
        except rowstream.exceptions.RowstreamError as error:
            print(type(error).__name__, error)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    return out.stdout.strip() or out.stderr


@pytest.mark.heavy
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_a_server_without_ranges_that_always_breaks_at_the_same_byte(long, tmp_path, way, kind):
    long.faults({"kind": "ignore_range"}, {"kind": kind, "after": 2_000_000})
    assert run(long.http, tmp_path, way).startswith(("ReadError", "SourceChangedError"))
    assert len(long.log()) < 60


@pytest.mark.heavy
@pytest.mark.parametrize("way", ["lines", "parquet"])
def test_a_server_that_forgets_ranges_later(long, tmp_path, way):
    long.faults({"kind": "ignore_range", "skip": 1}, {"kind": "reset", "after": 2_000_000})
    assert run(long.http, tmp_path, way).startswith("ReadError")


@pytest.mark.heavy
def test_a_server_that_always_stalls_at_the_same_byte(long, tmp_path):
    long.faults({"kind": "ignore_range"}, {"kind": "stall", "after": 2_000_000, "seconds": 30})
    assert run(long.http, tmp_path, "lines").startswith("ReadError")


@pytest.mark.parametrize("name", ["long.jsonl", "long.parquet"])
def test_each_break_is_farther_than_the_last(long, name):
    """More breaks than there are tries: each brings something new."""
    breaks = [
        {"kind": "reset", "after": 1_300_000 + 150_000 * i, "skip": i, "times": 1} for i in range(9)
    ]
    long.faults({"kind": "ignore_range"}, *breaks)
    ds = load_dataset(
        "json" if name.endswith("jsonl") else "parquet",
        data_files=f"{long.http}/{name}",
        split="train",
        streaming=True,
        storage_options=dict(PATIENCE),
    )
    assert [row["id"] for row in ds] == list(range(40_000))


class Nameless(BaseHTTPRequestHandler):
    """Gives ranges, but no version, and no more than so many bytes at once."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.asked += 1
        content = self.server.content
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(last), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(content[first : last + 1][:300_000])
        self.close_connection = True


@pytest.mark.heavy
@pytest.mark.parametrize("way", ["lines", "download"])
def test_a_file_without_a_version_whose_answers_always_break(server, tmp_path, way):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Nameless)
    made.daemon_threads, made.content, made.asked = True, lines(40_000), 0
    made.handle_error = lambda *_: None
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        said = run(f"http://127.0.0.1:{made.server_address[1]}", tmp_path, way)
        # What cannot be told from another version is not put together; but it ends.
        assert said.startswith(("ReadError", "read"))
        assert made.asked < 200
    finally:
        made.shutdown()
        thread.join()
        made.server_close()
