"""The docs site is built without a warning, and its links lead somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.heavy
def test_the_site_is_built():
    pytest.importorskip("zensical")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "site.py")],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    site = ROOT / "target" / "site"
    listed = (site / "llms.txt").read_text()
    assert "(reference/datasets.md)" in listed
    page = (site / "reference" / "datasets.html").read_text()
    for name in ("load_dataset", "IterableDataset", "state_dict", "to_parquet"):
        assert name in page
