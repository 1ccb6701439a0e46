"""The wheel, in a clean environment, without Rust."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_listing

DIST = Path(__file__).parents[2] / "dist"


@pytest.mark.heavy
def test_the_wheel_streams_a_file_without_rust(tmp_path):
    (wheel,) = DIST.glob("*.whl")
    assert "-cp311-abi3-" in wheel.name
    write_listing(tmp_path / "data", [10])
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    # What pip itself is told, such as an index, is kept; nothing else of this environment is.
    env |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    # Streaming rows needs no other package, so none is installed.
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", wheel],
        check=True,
        timeout=120,
        env=env,
    )
    script = (
        "import shutil, rowstream; assert shutil.which('cargo') is None\n"
        f"ds = rowstream.load_dataset({str(tmp_path / 'data')!r}, split='train', streaming=True)\n"
        "print(sum(row['id'] for row in ds.shuffle(seed=1)))"
    )
    out = subprocess.run(
        [python, "-c", script],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
    ).stdout
    assert out == "45\n"
