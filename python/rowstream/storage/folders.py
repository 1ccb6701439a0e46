"""Folders on this machine, each visited once, whatever links lead to it."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

_Known = set[tuple[int, int]]


def matches(pattern: str) -> Iterator[str]:
    """Yield the paths that match a pattern without braces.

    `**` goes down into folders, through links too, and visits each of them once.
    """
    parts = pattern.split("/")
    if "**" not in parts:
        yield from glob.glob(pattern)
        return
    at = parts.index("**")
    before, after = "/".join(parts[:at]), "/".join(parts[at + 1 :]) or "*"
    for root in glob.glob(before or "/") if at else ["."]:
        for folder in below(root):
            yield from matches(f"{glob.escape(folder)}/{after}")


def below(root: str) -> Iterator[str]:
    """Yield a folder and all folders below it, except hidden ones, each once.

    Those that only links lead to come last; links to a parent are not followed.
    """
    known: _Known = {_identity(str(folder)) for folder in Path(os.path.abspath(root)).parents}
    plain, linked = deque([root]), deque[str]()
    while plain or linked:
        folder = (plain or linked).popleft()
        if (identity := _identity(folder)) in known:
            continue
        known.add(identity)
        yield folder
        try:
            with os.scandir(folder) as entries:
                inside = sorted(
                    (entry.name, entry.is_symlink())
                    for entry in entries
                    if entry.name[:1] != "." and entry.is_dir()
                )
        except OSError:
            continue  # what may not be read has no files for us
        for name, link in inside:
            (linked if link else plain).append(os.path.join(folder, name))


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
