"""Which module of the core names which other: `use` and paths of `crate`, `super` and `self`, tests left out."""

from __future__ import annotations

import re
from pathlib import Path

CORE = Path(__file__).parent.parent / "rust" / "core" / "src"
_PATH = re.compile(r"\b(crate|super)((?:::\w+)+)(?:::\{([^;]*?)\})?", re.DOTALL)


def modules(root: Path = CORE) -> dict[str, Path]:
    """The modules of a crate, by their paths in it."""
    found = {}
    for file in sorted(root.rglob("*.rs")):
        parts = file.relative_to(root).with_suffix("").parts
        found["::".join(parts[:-1] if parts[-1] in ("mod", "lib") else parts)] = file
    return found


def _items(inner: str) -> list[str]:
    """What stands in the braces of a `use`, up to the braces within."""
    items, depth, item = [], 0, ""
    for letter in re.sub(r"\s", "", inner) + ",":
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            items.append(item.split("{")[0])
            item = ""
        else:
            item += letter
    return [item for item in items if item]


def uses(root: Path = CORE) -> dict[str, set[str]]:
    """The modules that each module names."""
    known = modules(root)

    def of(parts: list[str]) -> str:
        while parts and "::".join(parts) not in known:
            parts = parts[:-1]
        return "::".join(parts)

    found: dict[str, set[str]] = {}
    for name, file in known.items():
        text = re.split(r"#\[cfg\(test\)\]\s*mod tests", file.read_text())[0]
        found[name] = set()
        for match in _PATH.finditer(re.sub(r"//.*", "", text)):
            above = name.split("::") if file.name == "mod.rs" else name.split("::")[:-1]
            base = [] if match[1] == "crate" else above[: len(above) - (file.name == "mod.rs")]
            parts = [part for part in match[2].split("::") if part]
            while parts and parts[0] == "super":
                base, parts = base[:-1], parts[1:]
            inner = _items(match[3]) if match[3] else [""]
            found[name] |= {of([*base, *parts, *filter(None, item.split("::"))]) for item in inner}
        found[name] -= {name, ""}
    return found


def circles(root: Path = CORE) -> list[list[str]]:
    """The groups of modules that name each other, a module and those within it aside."""
    edges = uses(root)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for other in edges.get(waiting.pop(), set()) - seen:
                seen.add(other)
                waiting.append(other)
        return seen

    all_reached = {name: reached(name) for name in edges}
    groups = {
        tuple(sorted(other for other in all_reached[name] if name in all_reached[other]))
        for name in edges
        if name in all_reached[name]
    }
    return sorted(map(list, groups))
