"""Build the docs site into target/site: the pages, a reference of all public names, and what language models read.

    python docs/site.py

The reference is made of the docstrings of what the package exports. Beside each page lies its Markdown, and `llms.txt` lists them
(https://llmstxt.org). A warning is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "target" / "docs", ROOT / "target" / "site"
# A page of the reference: its title, and the modules whose public names it has, or the names.
REFERENCE = {
    "datasets": (
        "Datasets",
        "rowstream: load_dataset load_dataset_builder load_from_disk Dataset IterableDataset DatasetDict IterableDatasetDict"
        " concatenate_datasets interleave_datasets mix_datasets split_dataset_by_node merge_state_dicts col",
    ),
    "features": (
        "Features",
        "rowstream: Features Value ClassLabel List LargeList Image Audio Video Pdf Nifti Mesh BioSequence BioStructure Json MediaRef"
        " Translation TranslationVariableLanguages",
    ),
    "loader": (
        "Loaders",
        "rowstream: DataLoader",
        "rowstream.loader: MLXDataLoader MLXLoaderConfig StreamingPipeline StreamingConfig UnifiedMemoryManager MemoryConfig",
        "rowstream.loader.profile: Profile",
    ),
    "files": (
        "Files and the cache",
        "rowstream: open exists glob list read_jsonl write_jsonl DownloadManager DownloadConfig",
        "rowstream.cache: list verify remove",
    ),
    "webdataset": ("WebDataset", "rowstream.webdataset", "rowstream.webdataset.compat"),
    "tasks": (
        "Tasks and evaluation",
        "rowstream.tasks",
        "rowstream.chat",
        "rowstream.evaluate",
        "rowstream.evaluate.results",
        "rowstream.tabular",
    ),
    "integrations": (
        "Integrations",
        "rowstream.integrations.ray: read",
        "rowstream.integrations.duckdb: table",
        "rowstream.integrations.polars",
        "rowstream.integrations.grain",
        "rowstream.integrations.keras",
        "rowstream.integrations.lightning",
        "rowstream.integrations.accelerate",
        "rowstream.integrations.trainer",
    ),
    "tools": ("Command line and viewer", "rowstream.cli: main", "rowstream.view"),
    "exceptions": ("Exceptions", "rowstream.exceptions"),
}


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module: those it exports, or defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def entries(of: str) -> list[str]:
    """Return the blocks of a module's names, each from where it is defined."""
    name, _, chosen = of.partition(": ")
    module = import_module(name)
    blocks = []
    for one in chosen.split() or public(module):
        value = getattr(module, one)
        defined, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if not str(defined).startswith("rowstream.") or not qualified or "<" in qualified:
            # A value, or what a function made: there is no docstring to show.
            continue
        blocks.append(f"::: {defined}.{qualified}\n    options:\n      heading: {name}.{one}\n")
    return blocks


def write_pages() -> None:
    """Copy the pages, and write those of the reference."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("*.py"))
    shutil.copy(ROOT / "CONTRIBUTING.md", PAGES)
    for page in PAGES.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        # What lies beside the folder of the pages lies in it.
        text = text.replace("](../CONTRIBUTING.md", "](CONTRIBUTING.md").replace("](docs/", "](")
        page.write_text(text, encoding="utf-8")
    (PAGES / "reference").mkdir()
    for page, (title, *modules) in REFERENCE.items():
        blocks = [block for of in modules for block in entries(of)]
        text = f"# {title}\n\n" + "\n".join(blocks)
        (PAGES / "reference" / f"{page}.md").write_text(text, encoding="utf-8")


def build() -> None:
    """Build the site, and end with an error for a warning."""
    shutil.rmtree(SITE, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    print(said.strip())
    if done.returncode or re.search(r"warning|error", said, re.IGNORECASE):
        sys.exit("the docs site has warnings")


def for_models() -> None:
    """Put the Markdown of each page beside it, and write the list of all."""
    lines = [
        "# rowstream",
        "",
        "> Machine-learning datasets, streamed in one exact order, with exact resume.",
        "",
    ]
    for page in sorted(PAGES.rglob("*.md")):
        place = page.relative_to(PAGES)
        text = page.read_text(encoding="utf-8")
        (SITE / place).parent.mkdir(parents=True, exist_ok=True)
        (SITE / place).write_text(text, encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        lines.append(f"- [{title[1] if title else place.stem}]({place.as_posix()})")
    (SITE / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_links() -> None:
    """End with an error for a link that leads nowhere."""
    broken = []
    for page in SITE.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"#?]+)', page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:|//", link):
                continue
            target = SITE / link.lstrip("/") if link.startswith("/") else page.parent / link
            if not target.exists() and page.name != "404.html":
                broken.append(f"{page.relative_to(SITE)}: {link}")
    if broken:
        sys.exit("links that lead nowhere:\n" + "\n".join(sorted(set(broken))))


def main() -> None:
    """Build the whole site, and check its links."""
    write_pages()
    build()
    for_models()
    check_links()
    pages = sum(1 for _ in SITE.rglob("*.html"))
    print(f"{pages} pages in {SITE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
