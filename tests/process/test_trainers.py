"""trl, transformers and accelerate over the alias: they look at types, formats and fingerprints, and never see the difference."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("trl", "transformers", "accelerate")),
        reason="trl is not installed",
    ),
]


@pytest.mark.timeout(600)
def test_trainers(tmp_path):
    script = Path(__file__).parent / "trainers.py"
    done = subprocess.run(
        [sys.executable, "-m", "rowstream.alias", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    finished = [line for line in done.stdout.splitlines() if line.startswith("done: ")]
    assert done.returncode == 0, f"after {finished[-1:]}: {done.stderr[-3000:]}"
    assert len(finished) == 10
