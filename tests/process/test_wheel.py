"""The wheel, in a clean environment, without Rust."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import write_listing

DIST = Path(__file__).parents[2] / "dist"


@pytest.mark.heavy
def test_the_wheel_streams_a_file_without_rust(tmp_path):
    (wheel,) = DIST.glob("*-cp311-abi3-*.whl")
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


def test_each_wheel_names_its_crates_and_is_of_its_processor():
    wheels = list(DIST.glob("*.whl"))
    assert wheels
    for wheel in wheels:
        with ZipFile(wheel) as file:
            (sbom,) = [name for name in file.namelist() if ".dist-info/sboms/" in name]
            bill = json.loads(file.read(sbom))
            assert bill["bomFormat"] == "CycloneDX"
            assert {"arrow-array", "parquet", "tokio"} <= {
                one["name"] for one in bill["components"]
            }
            (core,) = [
                name
                for name in file.namelist()
                if name.startswith("rowstream/_core.") and name.endswith(".so")
            ]
            with file.open(core) as library:
                head = library.read(20)
        if head.startswith(b"\x7fELF"):
            # 62: x86-64, 183: aarch64.
            assert {62: "x86_64", 183: "aarch64"}[
                struct.unpack_from("<H", head, 18)[0]
            ] in wheel.name
