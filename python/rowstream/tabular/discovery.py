"""Modules of a folder, imported by their path."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from types import ModuleType

PREFIX = "rowstream_discovered_"
_SKIPPED = frozenset(["site-packages", "__pycache__", "build", "dist", "node_modules"])


def module_files(root: Path) -> Iterator[Path]:
    """Yield the modules called `*_dataset.py`, and those in folders called `datasets`.

    Hidden folders, virtual environments and what builds leave behind are passed over.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        inside = Path(folder).resolve().relative_to(root.resolve()).parts
        whole = "datasets" in (*inside, root.resolve().name)
        for name in sorted(files):
            if name.endswith("_dataset.py") or (whole and name.endswith(".py") and name[0] != "_"):
                yield Path(folder) / name


def module_at(path: Path) -> ModuleType:
    """Return the module of a file, imported once; as part of its package, if it is in one.

    While it is imported, its folder is where other modules are looked for first.

    Raises:
        InvalidArgumentError: It cannot be imported.
    """
    path = path.resolve()
    package = None
    for folder in path.parents:
        if not (folder / "__init__.py").exists():
            break
        package = folder
    try:
        if package is None:
            with _first_on_path(path.parent):
                return _loaded(path)
        with _first_on_path(package.parent):
            # Not by its own name, which another package may have, such as `datasets`.
            top = _loaded(package / "__init__.py", package)
            inside = (*path.relative_to(package).parent.parts, path.stem)
            return importlib.import_module(".".join((top.__name__, *inside)))
    except (Exception, SystemExit) as e:
        raise InvalidArgumentError(f"{path} cannot be imported: {type(e).__name__}: {e}") from e


def _loaded(path: Path, package: Path | None = None) -> ModuleType:
    """Return a module, or a package, by its path, under a name that is its own."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    stem = path.stem if package is None else package.name
    name = f"{PREFIX}{re.sub(r'[^0-9A-Za-z]', '_', stem)}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    places = None if package is None else [str(package)]
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise ImportError("it is no module of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def rebuilt(path: str, name: str, state: dict[str, object]) -> object:
    """Return an object of a class of a module that was imported by its path, in any process."""
    made: object = object.__new__(getattr(module_at(Path(path)), name))
    vars(made).update(state)
    return made
