"""Environments of peers that do not go together with each other, or with what the project is tested with: one each.

They are made when a side is first run, in `target/peers`, with the versions below.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path("target/peers")
PACKAGES = {
    "datasets+tokenizers1": ("datasets==5.2.0", "tokenizers==1.0.0rc3", "torch==2.15.0"),
    "datago": ("datago==2026.10.1", "numpy"),
    "grain": ("grain==0.2.18", "torch==2.15.0", "pyarrow==26.0.1"),
    "litdata": ("litdata==0.2.76", "torch==2.15.0", "pyarrow==26.0.1", "pillow==13.0.0"),
    "streaming": ("mosaicml-streaming==0.13.0", "torch==2.15.0", "pyarrow==26.0.1"),
    "torchcodec": ("torchcodec==0.17.0", "torch==2.15.0", "numpy"),
    "tokenizers+1": ("tokenizers==1.0.0rc3", "numpy"),
    "zephon": ("zephon[parquet]==0.2.0", "torch==2.15.0"),
}
"""What is installed for a peer, by the name of its module, and what tells it from others."""


def python_of(module: str) -> str:
    """Return the interpreter of a peer: this one, but for those of `PACKAGES`."""
    if module not in PACKAGES:
        return sys.executable
    python = FOLDER / module / "bin" / "python"
    if not (python.parent / "installed").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        folder = str(FOLDER / module)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", version, folder], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES[module]],
            check=True,
        )
        (python.parent / "installed").touch()
    return str(python)
