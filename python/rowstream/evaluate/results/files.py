"""Files of results: written whole, under names that no task or model can lead elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rowstream.utils.atomic import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 100


def write_text(path: Path, text: str) -> None:
    """Write a text file, and the folders that lead to it; whatever fails is an error."""
    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        # Half a pair of surrogates, which models can write, is no character.
        file.write(text.encode("utf-8", "backslashreplace"))


def safe_name(name: str) -> str:
    """Return a name as a part of a path: without separators, and not too long."""
    plain = re.sub(r'[\x00-\x1f"<>:/\\|?*\[\]]+', "__", name).strip(". ") or "unnamed"
    return plain[:_LONGEST]


def free(path: Path, taken: list[str]) -> Path:
    """Return a path that is not among some, and add it to them: with a number, if need be."""
    made, number = path, 2
    while str(made) in taken:
        made = path.with_stem(f"{path.stem}_{number}")
        number += 1
    taken.append(str(made))
    return made
