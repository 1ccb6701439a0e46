"""The directions that the code depends in."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = ROOT / "rust" / "core"
PACKAGE = ROOT / "python" / "rowstream"

# What each part of the package may import from others; what is not here is below all of them.
BELOW = {
    "exceptions": set(),
    "info": {"features"},
    "expr": {"exceptions"},
    "skipped": {"exceptions"},
    "features": {"exceptions"},
    "foreign": {"exceptions"},
    "access": {"exceptions", "foreign"},
    "resolve": {"access", "foreign", "exceptions", "expr", "features", "skipped"},
    "formats": {"exceptions"},
    "ops": {"exceptions", "formats"},
    "plan": {"access", "exceptions", "expr", "ops", "skipped"},
    "dataset": {"access", "exceptions", "expr", "features", "formats", "info", "lock", "ops", "plan", "resolve", "skipped"},
    "distributed": {"dataset", "exceptions"},
    "files": {"access", "exceptions", "resolve"},
    "downloads": {"access", "exceptions", "files", "resolve"},
    "cache": {"access", "exceptions"},
    "lock": {"access", "exceptions", "plan"},
    "load": {"access", "lock", "dataset", "exceptions", "features", "info", "plan", "resolve"},
}


def test_the_core_knows_nothing_of_python():
    assert "pyo3" not in (CORE / "Cargo.toml").read_text()


def test_formats_and_plans_do_no_io():
    for folder in ("format", "plan"):
        for file in (CORE / "src" / folder).rglob("*.rs"):
            assert not re.search(r"\b(std::fs|std::net|tokio|crate::(source|exec|engine))\b", file.read_text()), file


def test_nothing_imports_upward():
    for file in PACKAGE.rglob("*.py"):
        part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for statement in ast.walk(ast.parse(file.read_text())):
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("rowstream."):
                other = statement.module.split(".")[1]
                assert other == part or other in BELOW[part], f"{file.relative_to(PACKAGE)} imports {other}"
