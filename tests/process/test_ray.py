"""Datasets as sources of Ray, on a cluster of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rowstream import exceptions

pytest.importorskip("ray")

N = 4000


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_a_job_on_a_local_cluster(tmp_path):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ray_job.py")), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=380,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "HF_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["columns"] == ["id", "x", "text"]
    assert found["ids"] == [*range(N)]
    assert found["count"] == N
    wanted = [i for i in range(N - 10, N) if i % 7 in (1, 2)]
    assert found["filtered"] == [{"id": i, "x": i % 7, "text": f"t{i}"} for i in wanted]
    assert (found["filtered, other columns"], found["tasks"]) == (30, 3)
    assert found["empty"] == 0
    assert (found["generated"], found["together"], found["mapped, filtered"]) == (7, 2 * N, 10)
    assert found["map style"] == N * (N - 1) // 2
    assert found["written"] == [*range(100)]


def test_what_is_no_dataset_is_an_error():
    from rowstream.integrations.ray import read

    with pytest.raises(exceptions.InvalidArgumentError, match="found list"):
        read([1, 2])
