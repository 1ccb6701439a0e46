"""The public surface of `datasets`, by introspection: `python -m tests.surface > tests/surface.json` where that package is installed.

`surface.json` is what it says of `datasets` 5.2.0. `test_surface.py` holds ours against it, and `compat/test_surface.py` it
against the package.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import sys
from typing import Any

# Names that are not where `datasets` itself has them.
ELSEWHERE = {"split_dataset_by_node": "distributed", "IterableColumn": "iterable_dataset"}
DUNDERS = (
    "__add__",
    "__delitem__",
    "__getitem__",
    "__getitems__",
    "__iter__",
    "__len__",
    "__setitem__",
    "__enter__",
    "__exit__",
)


def named(package: str, name: str) -> Any:
    """What a package has by that name; `None` if it does not."""
    module = importlib.import_module(package)
    if not hasattr(module, name) and name in ELSEWHERE:
        module = importlib.import_module(f"{package}.{ELSEWHERE[name]}")
    return getattr(module, name, None)


def names(package: str) -> list[str]:
    """The public classes and functions of a package."""
    module = importlib.import_module(package)
    found = [
        n
        for n in dir(module)
        if not n.startswith("_")
        and (inspect.isclass(m := getattr(module, n)) or inspect.isfunction(m))
    ]
    # A progress bar is tqdm's own class, whose members come and go with its state.
    return sorted({*found, *ELSEWHERE} - {"tqdm"})


def parameters(of: Any) -> dict[str, str | None] | None:
    """The parameters of a function or class, with the text of their defaults; `None` where Python does not know them."""
    try:
        signature = inspect.signature(of)
    except (TypeError, ValueError):
        return None
    made: dict[str, str | None] = {}
    for name, one in signature.parameters.items():
        if name in ("self", "cls"):
            continue
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        made[stars + name] = None if one.default is one.empty else repr(one.default)
    return made


def surface(package: str) -> dict[str, Any]:
    """Functions with their parameters; classes with those of their methods, and their attributes."""
    made: dict[str, Any] = {}
    for name in names(package):
        of = named(package, name)
        if not inspect.isclass(of):
            made[name] = {"parameters": parameters(of)}
            continue
        members = [
            m for m in dir(of) if (not m.startswith("_") or m in DUNDERS) and _own(of, m, package)
        ]
        attributes = [
            m for m in members if not callable(getattr(of, m)) or inspect.isclass(getattr(of, m))
        ]
        if dataclasses.is_dataclass(of):
            attributes += [
                field.name
                for field in dataclasses.fields(of)
                if not field.name.startswith("_") and field.init
            ]
        made[name] = {
            "parameters": parameters(of),
            # What operators call is called by position.
            "methods": {
                m: None if m in DUNDERS else parameters(getattr(of, m))
                for m in members
                if m not in attributes
            },
            "attributes": sorted(set(attributes)),
        }
    return made


def _own(of: type, member: str, package: str) -> bool:
    """Whether a member is of a class of the package, and not of Python's or of PyTorch's."""
    owner = next((base for base in of.__mro__ if member in vars(base)), None)
    return owner is not None and owner.__module__.partition(".")[0] == package


if __name__ == "__main__":
    json.dump(surface("datasets"), sys.stdout, indent=1)
    sys.stdout.write("\n")
