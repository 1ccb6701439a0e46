"""The list of the public surface of `datasets` is that of the package that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.surface import surface

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]


@pytest.mark.skipif(datasets.__version__ != "5.2.0", reason="the list is of datasets 5.2.0")
def test_the_list_is_that_of_the_package():
    listed = json.loads((Path(__file__).parents[1] / "surface.json").read_text())
    found = json.loads(json.dumps(surface("datasets")))
    assert listed == found
