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


def run(job, folder):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(job)), str(folder)],
        capture_output=True,
        text=True,
        timeout=580,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "HF_HOME": str(folder / "home")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_training_goes_on_after_a_worker_was_lost(tmp_path):
    pytest.importorskip("torch")
    found = run("ray_train_job.py", tmp_path)
    # Of Ray Data each worker has a part; of a loader each row comes once, also with other workers.
    for name in ("shards", "failed", "fewer"):
        assert sorted(found[name]) == [*range(1000)], name


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_a_job_on_a_local_cluster(tmp_path):
    pytest.importorskip("datasets")
    found = run("ray_job.py", tmp_path)
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
    total = N * (N - 1) // 2
    assert found["huggingface"] == [total, total, 2 * total]
    assert found["engine, mapped"] == [N, N * (N - 1), 12]
    assert found["engine, failed"] in ("row 0", "row 2000")
    for kind in ("parquet", "arrow", "webdataset"):
        assert found[f"engine, {kind}"] is True


def test_what_is_no_dataset_is_an_error():
    from rowstream.integrations.ray import read

    with pytest.raises(exceptions.InvalidArgumentError, match="found list"):
        read([1, 2])
