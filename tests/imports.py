"""Who imports whom: each file of the package, and the files that define what it imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# From the bottom up: a file imports what is in its own entry, or in a row before. The longest name that fits a file counts.
LAYERS = (
    ("exceptions", "version"),
    ("config", "utils"),
    ("storage", "arrow"),
    ("features", "splits", "cache", "tar_index"),
    ("table",),
    ("info", "fingerprint", "formatting"),
    ("ops",),
    ("writers",),
    ("plan",),
    ("resolve", "streams"),
    ("packaged",),
    ("prepare",),
    ("transforms", "integrations"),
    ("dataset.base", "dataset.each_split", "dataset.preview"),
    ("dataset.iterable",),
    ("dataset.convert",),
    ("dataset.map_style",),
    ("dataset.combine",),
    ("dataset.mix",),
    ("dataset.splits", "dataset.stream_splits"),
    ("packaged.folders",),
    ("packaged.iceberg", "packaged.load"),
    ("packaged.requested",),
    ("builder",),
    ("load", "distributed"),
    ("loader",),
    (
        "integrations.accelerate",
        "integrations.grain",
        "integrations.keras",
        "integrations.lightning",
        "integrations.ray",
        "integrations.trainer",
    ),
    ("chat",),
    ("tasks",),
    ("evaluate", "tabular", "webdataset"),
    ("inspect",),
    ("view",),
    ("cli",),
    ("dataset", "arrow_writer", "compat", "alias", ""),
)
# A shim that is its package under another name.
SHIMS = {("rowstream.alias", "rowstream"), ("rowstream.alias.path.datasets", "rowstream.alias")}

PACKAGE = Path(__file__).parent.parent / "python" / "rowstream"
HEAVY = frozenset(
    [
        "PIL",
        "datasets",
        "fsspec",
        "huggingface_hub",
        "jax",
        "mlx",
        "numpy",
        "pandas",
        "ray",
        "polars",
        "pyarrow",
        "sqlalchemy",
        "tensorflow",
        "torch",
        "torchcodec",
        "torchdata",
    ]
)


@dataclass(frozen=True)
class Import:
    """That a file imports a name from another one. `inside`: in a function."""

    file: str
    other: str
    name: str
    inside: bool


class Package:
    """All files of the package, by the names of their modules."""

    def __init__(self, root: Path = PACKAGE) -> None:
        self.root = root
        parts = (
            (path, (root.name, *path.relative_to(root).with_suffix("").parts))
            for path in sorted(root.rglob("*.py"))
        )
        self.files = {".".join(name).removesuffix(".__init__"): path for path, name in parts}
        self.trees = {
            name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.files.items()
        }
        self.facades = {
            name: self._given_on(name)
            for name, path in self.files.items()
            if path.name == "__init__.py"
        }

    def _given_on(self, module: str) -> dict[str, tuple[str, str]]:
        """The names that a package has from files: its own `__init__` defines none of them."""
        imports = (
            node
            for node in ast.walk(self.trees[module])
            if isinstance(node, ast.ImportFrom) and self._own(node.module)
        )
        return {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in imports
            for alias in node.names
        }

    def _own(self, module: str | None) -> bool:
        return (module or "").split(".")[0] == self.root.name

    def definer(self, module: str, name: str) -> str | None:
        """The file that defines a name which is imported from a module; `None` for the core, which is no file."""
        if (module, name) == (self.root.name, "_core") or module == f"{self.root.name}._core":
            return None
        inner = f"{module}.{name}"
        if inner in self.files:
            return inner
        if name in self.facades.get(module, {}):
            return self.definer(*self.facades[module][name])
        return module if module in self.files else None

    @cached_property
    def imports(self) -> list[Import]:
        """All imports of own files, wherever they stand."""
        found = []
        for file, tree in self.trees.items():
            functions = (
                node
                for node in ast.walk(tree)
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            )
            inside = {id(node) for function in functions for node in ast.walk(function)}
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and self._own(node.module):
                    pairs = [
                        (self.definer(node.module or "", alias.name), alias.name)
                        for alias in node.names
                    ]
                elif isinstance(node, ast.Import):
                    pairs = [(alias.name, "") for alias in node.names if alias.name in self.files]
                else:
                    continue
                found += [
                    Import(file, other, name, id(node) in inside)
                    for other, name in pairs
                    if other not in (None, file)
                ]
        return found

    @cached_property
    def heavy(self) -> set[str]:
        """The files that load a heavy library, or another file that does, when they are imported."""

        def loads(statement: ast.stmt) -> set[str]:
            nodes = ast.walk(statement) if isinstance(statement, (ast.If, ast.Try)) else [statement]
            names = [
                alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
            ]
            names += [
                node.module or ""
                for node in ast.walk(statement)
                if isinstance(node, ast.ImportFrom) and node in nodes
            ]
            return {name.split(".")[0] for name in names}

        def checked_only(statement: ast.stmt) -> bool:
            return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)

        bodies = {
            name: [one for one in tree.body if not checked_only(one)]
            for name, tree in self.trees.items()
        }
        heavy = {
            name
            for name, body in bodies.items()
            if any(loads(statement) & HEAVY for statement in body)
        }
        outside: dict[str, set[str]] = {}
        for one in self.imports:
            if not one.inside:
                outside.setdefault(one.file, set()).add(one.other)
        while more := {
            file for file, others in outside.items() if file not in heavy and others & heavy
        }:
            heavy |= more
        return heavy

    def circles(self) -> list[list[str]]:
        """The groups of files that import each other."""
        edges: dict[str, set[str]] = {file: set() for file in self.files}
        for one in self.imports:
            edges[one.file].add(one.other)
        reached = {file: self._reached(file, edges) for file in edges}
        groups = {
            tuple(sorted(other for other in reached[file] if file in reached[other]))
            for file in edges
            if file in reached[file]
        }
        return sorted(map(list, groups))

    @staticmethod
    def _reached(file: str, edges: dict[str, set[str]]) -> set[str]:
        seen: set[str] = set()
        waiting = [file]
        while waiting:
            for other in edges[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        return seen

    def layer(self, file: str) -> tuple[int, str]:
        """The layer of a file, and the entry that it is of."""
        known = {name: i for i, names in enumerate(LAYERS) for name in names}
        parts = file.split(".")[1:]
        name = next(of for n in range(len(parts), -1, -1) if (of := ".".join(parts[:n])) in known)
        return known[name], name

    def upward(self) -> list[str]:
        """The imports that do not go down."""
        found = set()
        for one in self.imports:
            (own, entry), (other, of) = self.layer(one.file), self.layer(one.other)
            if (other > own or (other == own and of != entry)) and (
                one.file,
                one.other,
            ) not in SHIMS:
                found.add(f"{one.file}: {one.other}.{one.name}")
        return sorted(found)

    def breaches(self) -> dict[str, list[str]]:
        """What the four rules of `docs/design/layers.md` do not allow."""
        private = {
            f"{one.file}: {one.other}.{one.name}"
            for one in self.imports
            if one.name.startswith("_") and not one.name.startswith("__")
        }
        light = {
            f"{one.file}: {one.other}"
            for one in self.imports
            if one.inside and one.other not in self.heavy
        }
        return {
            "imports that go up": self.upward(),
            "files that import each other": [name for circle in self.circles() for name in circle],
            "private names of other files": sorted(private),
            "imports in functions of what is light": sorted(light),
        }
