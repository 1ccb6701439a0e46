"""What a user sees of the wire: counts in `DataLoader.stats`, and messages of the logger."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
from rowstream import DataLoader, load_dataset
from rowstream.utils import core_log

from tests.server import ROOT
from tests.wire.conftest import FAST, parquet


def stream(url, **options):
    kind = "json" if ".jsonl" in url else "parquet"
    return load_dataset(
        kind, data_files=url, split="train", streaming=True, storage_options=FAST, **options
    )


@pytest.fixture
def large(server):
    """The URL of a file of which opening reads a part."""
    path = server.root / "http" / "large.parquet"
    if not path.exists():
        path.write_bytes(parquet(40_000))
    return f"{server.http}/large.parquet"


@pytest.fixture
def messages():
    logger, found = logging.getLogger("rowstream"), []

    class Handler(logging.Handler):
        def emit(self, record):
            found.append((record.name, record.levelname, record.getMessage()))

    handler, before = Handler(), logger.level
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(before)
    follower = core_log._follower
    if follower is not None and follower.thread.is_alive():
        follower.end()


def test_requests_and_tries_are_counted(server, large):
    loader = DataLoader(stream(large).select_columns(["id"]), 50, format="numpy")
    server.clear()
    server.faults({"kind": "status", "status": 503, "times": 2})
    rows = sum(len(batch["id"]) for batch in loader)
    found = loader.stats()
    assert (found["rows"], found["requests"]) == (rows, len(server.log()))
    assert found["retries"] == 2
    assert found["bytes_received"] > 100_000
    # They are counted from the loader's beginning on.
    other = DataLoader(stream(large), 50, format="numpy")
    assert other.stats()["retries"] == 0


def test_hits_of_the_cache_are_counted(large, tmp_path):
    def read():
        rows = stream(large, cache_dir=str(tmp_path / "ranges"))
        loader = DataLoader(rows.select_columns(["id"]), 50, format="numpy")
        return sum(len(batch["id"]) for batch in loader), loader.stats()

    first, found = read()
    assert found["cache_misses"] > 0
    assert found["cache_hits"] == 0
    second, found = read()
    assert second == first
    assert found["cache_hits"] > 0
    assert (found["cache_misses"], found["bytes_received"]) == (0, 0)
    assert found["cache_bytes"] > 100_000


def test_messages_show_requests_tries_and_files(server, messages):
    logging.getLogger("rowstream").setLevel(logging.DEBUG)
    server.faults({"kind": "status", "status": 503, "times": 1})
    list(stream(f"{server.http}/a.jsonl?token=hidden"))
    core_log._follower.end()
    assert {level for _, level, _ in messages} == {"DEBUG"}
    texts = {name: [text for of, _, text in messages if of == name] for name, _, _ in messages}
    asked = texts["rowstream.http"]
    assert any("GET" in text and "/a.jsonl" in text and ": 206 in" in text for text in asked)
    assert any(text.startswith("again in") and "503" in text for text in asked)
    assert any("opened" in text and "a.jsonl" in text for text in texts["rowstream.files"])
    assert not any("hidden" in text for _, _, text in messages)


def test_nothing_is_said_if_nobody_listens(server, messages):
    logging.getLogger("rowstream").setLevel(logging.WARNING)
    list(stream(f"{server.http}/a.jsonl"))
    assert messages == []


def test_a_process_that_ends_has_said_everything(server):
    code = f"""
import logging, rowstream
logging.getLogger("rowstream").setLevel("DEBUG")
url = "{server.http}/a.jsonl"
rows = rowstream.load_dataset("json", data_files=url, split="train", streaming=True)
print(next(iter(rows)) is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ},
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert "GET" in done.stderr
    assert "Traceback" not in done.stderr
