"""The examples: each proves itself what it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def run(name, **environment):
    """The standard output of an example that ended well."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.heavy
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "tokenizers")),
    reason="torch is not installed",
)
def test_training_goes_on_after_a_kill():
    assert "every token of every row was trained on once" in run("training.py")


@pytest.mark.heavy
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("ray", "mlx", "sklearn")),
    reason="Ray, MLX or scikit-learn is not installed",
)
def test_handwriting_is_read_by_ray_and_learned_by_mlx():
    said = run("handwriting.py", RAY_AUTH_MODE="disabled")
    assert "183 of them are threes" in said
    assert "MLX: " in said
