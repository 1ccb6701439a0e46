"""The directions that the code depends in."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests.imports import Package

ROOT = Path(__file__).parents[1]
CORE = ROOT / "rust" / "core"
PACKAGE = ROOT / "python" / "rowstream"

# What each part of the package may import from others; what is not here is below all of them.
BELOW = {
    "exceptions": set(),
    "utils": {"exceptions", "features", "progress"},
    "progress": set(),
    "config": set(),
    "version": set(),
    "permissions": set(),
    "expr": {"exceptions"},
    "skipped": {"exceptions"},
    # Casts of labels and JSON are the table's; what media name is opened by it.
    "features": {"exceptions", "table", "files"},
    "sealed": {"exceptions"},
    "table": {"exceptions", "features", "sealed"},
    "arrow_writer": {"config", "features", "files", "sealed", "table"},
    "fingerprint": {"config", "exceptions", "table", "utils"},
    "formatting": {"exceptions", "features"},
    "splits": {"exceptions", "resolve"},
    "info": {"config", "features", "files", "splits", "version"},
    "foreign": {"exceptions"},
    "options": {"exceptions"},
    "access": {"config", "exceptions", "foreign", "options"},
    "resolve": {"access", "foreign", "exceptions", "expr", "features", "permissions", "skipped", "version"},
    "formats": {"exceptions", "features", "formatting"},
    "ops": {"exceptions", "features", "formats"},
    "plan": {"access", "exceptions", "expr", "ops", "skipped"},
    "dataset": {
        *("access", "arrow_writer", "config", "exceptions", "expr", "features", "files", "fingerprint", "formats", "formatting", "info"),
        *("lock", "ops", "permissions", "plan", "progress", "resolve", "sealed", "skipped", "splits", "table", "utils"),
        # What reads files by their names is asked for by from_csv and its like.
        "load",
    },
    "distributed": {"dataset", "exceptions"},
    "files": {"access", "exceptions", "permissions", "resolve"},
    "downloads": {"access", "exceptions", "files", "resolve"},
    "cache": {"access", "exceptions"},
    "lock": {"access", "exceptions", "plan"},
    "builder": {
        *("access", "arrow_writer", "config", "dataset", "downloads", "exceptions", "features", "files", "fingerprint", "info", "load"),
        *("permissions", "progress", "resolve", "splits", "table", "utils", "version"),
    },
    "inspect": {"access", "builder", "dataset", "downloads", "features", "info", "load", "resolve", "splits"},
    # What only code for `datasets` asks for: nothing imports it but the alias, by name.
    "compat": {
        *("access", "builder", "dataset", "downloads", "exceptions", "files", "info", "inspect", "load", "permissions", "progress"),
        *("resolve", "splits", "table", "version"),
    },
    "alias": {"utils"},
    # What takes a builder's class asks for builders; what gives one, for that of files.
    "load": {
        "builder",
        "downloads",
        "inspect",
        "access",
        "config",
        "lock",
        "dataset",
        "exceptions",
        "features",
        "info",
        "plan",
        "resolve",
        "splits",
    },
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


@pytest.mark.parametrize("rule", ["files that import each other", "private names of other files", "imports in functions of what is light"])
def test_breaches_of_the_rules_only_get_fewer(rule):
    """What is not allowed, and is there still, stands in `known_breaches.json`, which only gets shorter."""
    found, known = set(Package().breaches()[rule]), set(json.loads((Path(__file__).parent / "known_breaches.json").read_text())[rule])
    assert not found - known, "docs/design/layers.md says how it goes without"
    assert not known - found, "it is mended: take it out of known_breaches.json"
