"""The example that trains, is killed, and goes on with more ranks: it proves itself that nothing was lost."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.mark.heavy
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "tokenizers")),
    reason="torch is not installed",
)
def test_training_goes_on_after_a_kill():
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "training.py")],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "every token of every row was trained on once" in done.stdout
