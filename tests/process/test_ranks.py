"""Two real ranks under DDP, on every route that accelerate has: all rows, as many batches on each, and an epoch that ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("torch", "transformers", "accelerate")),
        reason="accelerate is not installed",
    ),
]

BALANCED = [  # routes that give each rank a part
    *(f"{kind}; sharded" for kind in ("uneven", "two", "three", "many")),
    *(f"{steps}; sharded" for steps in ("shuffled", "mapped", "mapped in batches", "in memory")),
    "uneven; sharded, not even",
    "uneven; stateful",
    "uneven; sharded, workers",
    "uneven; Trainer",
]
FILLED = [  # routes that repeat some rows, until each rank has a whole last batch
    "one; sharded",
    "uneven; sharded, split",
    "uneven; dispatched",
    "uneven; dispatched, split",
    "uneven; as it comes",
    "map-style; sharded",
    "uneven; Trainer, dispatched",
]
TWICE = ["concatenated; sharded", "interleaved; sharded"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the two ranks were given in each case."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    ranks = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rowstream.alias",
                str(Path(__file__).parent / "ranks.py"),
                str(folder),
            ],
            env={
                **os.environ,
                **shared,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "HF_DATASETS_CACHE": str(folder / f"cache-{rank}"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    cases = {}
    try:
        for rank in ranks:
            out, errors = rank.communicate(timeout=240)
            assert rank.returncode == 0, errors[-3000:]
            cases |= dict(
                json.loads(line.removeprefix("found: "))
                for line in out.splitlines()
                if line.startswith("found: ")
            )
    finally:
        for rank in ranks:
            rank.kill()
    return cases


def rows_of(case):
    assert "error" not in case, case["error"]
    assert case["steps"] is not None, (
        f"batches {[len(rank) for rank in case['ranks']]}: DDP would never end"
    )
    assert [len(rank) for rank in case["ranks"]] == [case["steps"]] * 2
    return [[row for batch in rank for row in batch] for rank in case["ranks"]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BALANCED)
def test_each_row_once_and_as_many_on_each_rank(found, name):
    rows = rows_of(found[name])
    assert sorted(rows[0] + rows[1]) == list(range(203))
    assert abs(len(rows[0]) - len(rows[1])) <= 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FILLED)
def test_each_row_and_a_few_again(found, name):
    rows = rows_of(found[name])
    assert len(rows[0]) == len(rows[1])
    assert set(rows[0] + rows[1]) == set(range(203))
    assert len(rows[0] + rows[1]) - 203 < 2 * 8


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", TWICE)
def test_several_streams(found, name):
    rows = rows_of(found[name])
    assert Counter(rows[0] + rows[1]) == dict.fromkeys(range(203), 2)
    assert abs(len(rows[0]) - len(rows[1])) <= 1


@pytest.mark.timeout(300)
def test_what_a_shuffle_and_a_take_chose(found):
    rows = rows_of(found["taken; sharded"])
    assert [len(one) for one in rows] == [75, 75]
    assert len(set(rows[0] + rows[1])) == 150


@pytest.mark.timeout(300)
def test_a_generator_beside_files(found):
    """Its one shard is one rank's, so an epoch would not end; but every row is somebody's, and nothing fails before."""
    case = found["beside a generator; sharded"]
    assert "error" not in case, case["error"]
    assert sorted(row for rank in case["ranks"] for batch in rank for row in batch) == [
        *range(203),
        *range(1000, 1020),
    ]
