"""Trainer, accelerate, Lightning, trl and Grain over our streams, natively: exact resume, in one process and on two ranks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("trl", "accelerate", "lightning", "grain")),
        reason="the trainers are not installed",
    ),
]

SCRIPT = Path(__file__).parent / "loops.py"
CASES = {
    ("even", 2): 1,
    ("trainer", 2): 4,
    ("trainer", 1): 4,
    ("accelerate", 1): 2,
    ("accelerate", 2): 2,
    ("lightning", 1): 3,
    ("lightning", 2): 3,
    ("trl", 1): 4,
    ("grain", 1): 6,
}


def run(what, ranks, folder):
    """Run a loop on so many ranks, and return what it said was done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    of_rank = {
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), what, str(folder)],
            env={
                **os.environ,
                **(of_rank if ranks > 1 else {}),
                **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if ranks > 1 else {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    done = []
    try:
        for process in processes:
            out, errors = process.communicate(timeout=280)
            done.append([line for line in out.splitlines() if line.startswith("done: ")])
            assert process.returncode == 0, f"after {done[-1][-1:]}: {errors[-4000:]}"
    finally:
        for process in processes:
            process.kill()
    return done[0]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("what", "ranks"), CASES)
def test_loops_resume_exactly(tmp_path, what, ranks):
    assert len(run(what, ranks, tmp_path)) == CASES[what, ranks]


@pytest.mark.timeout(300)
def test_a_checkpoint_of_two_ranks_goes_on_in_one(tmp_path):
    run("handover", 2, tmp_path)
    assert run("handover", 1, tmp_path) == ["done: Trainer, from two ranks to one"]
