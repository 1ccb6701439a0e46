"""The directions that the code depends in."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests import rust_modules
from tests.imports import Package

ROOT = Path(__file__).parents[1]
CORE = ROOT / "rust" / "core"
PACKAGE = ROOT / "python" / "rowstream"


def test_the_core_knows_nothing_of_python():
    assert "pyo3" not in (CORE / "Cargo.toml").read_text()


def test_formats_and_plans_do_no_io():
    for folder in ("format", "plan"):
        for file in (CORE / "src" / folder).rglob("*.rs"):
            assert not re.search(
                r"\b(std::fs|std::net|tokio|crate::(source|exec|engine))\b", file.read_text()
            ), file


def test_modules_of_the_core_do_not_name_each_other():
    assert not rust_modules.circles()


def test_a_circle_of_the_core_is_found(tmp_path):
    files = {
        "a.rs": "use crate::b::{self, Thing};",
        "b/mod.rs": "mod c;",
        "b/c.rs": "fn f(_: super::super::a::Other) {}",
        "lib.rs": "mod a; mod b; mod d;",
        "d.rs": "#[cfg(test)]\nmod tests { use crate::e::X; }",
        "e.rs": "use crate::d::Y;",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert rust_modules.uses(tmp_path)["b::c"] == {"a"}
    assert rust_modules.circles(tmp_path) == []
    (tmp_path / "a.rs").write_text("use crate::b::c::Thing;")
    assert rust_modules.circles(tmp_path) == [["a", "b::c"]]


RULES = [
    "imports that go up",
    "files that import each other",
    "private names of other files",
    "imports in functions of what is light",
]


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_of_imports(rule):
    assert not Package().breaches()[rule], "docs/design/layers.md says how it goes without"


def test_a_breach_of_each_rule_is_found(tmp_path):
    """What the test above would not see is no rule."""
    files = {
        "rowstream/__init__.py": "",
        "rowstream/utils/__init__.py": "",
        "rowstream/utils/low.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from rowstream.load import _load",
        "rowstream/load.py": "def _load():\n    from rowstream.utils import low",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    assert Package(tmp_path / "rowstream").breaches() == {
        "imports that go up": ["rowstream.utils.low: rowstream.load._load"],
        "files that import each other": ["rowstream.load", "rowstream.utils.low"],
        "private names of other files": ["rowstream.utils.low: rowstream.load._load"],
        "imports in functions of what is light": ["rowstream.load: rowstream.utils.low"],
    }


def test_no_file_is_long():
    """Of files that are not a table of names. A long one has more than one purpose."""
    long = {
        str(file.relative_to(PACKAGE)): n
        for file in PACKAGE.rglob("*.py")
        if (n := len(file.read_text().splitlines())) > 400
    }
    assert not long


def test_names_that_are_public_are_there():
    """`from module import *` of each module that says what it has."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] == "__main__" or "alias" in parts:
            continue
        module = importlib.import_module(name)
        missing = [one for one in getattr(module, "__all__", ()) if not hasattr(module, one)]
        assert not missing, f"{name}: {missing}"
