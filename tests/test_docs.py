"""The docs say what is so: their code runs, their links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_quickstart_runs(tmp_path):
    """All of it, in order, in one process; what `print` gives is what the comments after it say."""
    pytest.importorskip("torch")
    code = "\n".join(blocks(ROOT / "docs" / "quickstart.md"))
    expected = [
        line
        for said in re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
        for line in said.split(" / ")
    ]
    at = expected.index("['id', 'label', 'text']")
    expected.insert(at, expected[at])  # printed for two rows
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**__import__("os").environ, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize(
    "name",
    [
        *("chat.md", "evaluation.md", "media.md", "results.md", "sampling.md", "tabular.md"),
        *(
            "mixtures.md",
            "mlx.md",
            "ranks.md",
            "tasks.md",
            "tokenizing.md",
            "training.md",
            "waiting.md",
            "webdataset.md",
        ),
        *("training_accelerate.md", "training_grain.md", "training_keras.md"),
        "training_lightning.md",
        "training_transformers.md",
    ],
)
def test_a_page_runs(tmp_path, name):
    code = "\n".join(blocks(ROOT / "docs" / name))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
            assert anchor in slugs, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_of_python_are_python(page):
    for block in blocks(page):
        compile(block, str(page), "exec", flags=0x2000)  # `await` at the top is fine


def test_variables_of_the_environment_are_listed():
    """Each that code reads stands in the table, and each that stands there is read."""
    read = set()
    for folder, ending in (("python", "*.py"), ("rust/core/src", "*.rs")):
        for file in (ROOT / folder).rglob(ending):
            read |= set(re.findall(r"\bROWSTREAM_[A-Z_]+\b", file.read_text(encoding="utf-8")))
    listed = set(re.findall(r"`(ROWSTREAM_[A-Z_]+)`", (ROOT / "docs" / "runtime.md").read_text()))
    assert read == listed


def test_files_that_contributors_are_sent_to_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:python|rust|tests|docs|benches)/[\w./]+)`", text):
        assert (ROOT / path).exists(), path
    defined = {
        name
        for folder, ending in (("python", "*.py"), ("rust", "*.rs"))
        for file in (ROOT / folder).rglob(ending)
        for name in re.findall(
            r"\b(?:class|def|struct|trait|fn) (\w+)|^([A-Z_]+)\b", file.read_text(), re.MULTILINE
        )
        for name in name
    }
    for name in re.findall(r"`([A-Z][A-Za-z]+|[A-Z_]{4,})`", text):
        assert name in defined or name == "PYTEST", name
