"""What is kept, as a person reads it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """An object of a cache.

    Attributes:
        kind: `"datasets"`, `"ranges"`, `"heads"`, `"listings"`, `"downloads"` or `"extracted"`.
        name: what it is of, without secrets: of data sets `"name/configuration"`; empty where that
            is not kept.
        path: where it is: a file, or a folder.
        num_bytes: its length.
        parts: what there is of a data set: its splits, and how many results of steps.
        files: the files that a data set is of, as far as that is known; at most ten.
        made: when it was last written, in seconds since 1970.
        used: when it was last read, as far as the file system says; else when it was written.
    """

    kind: str
    name: str
    path: Path
    num_bytes: int
    parts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    made: float = 0.0
    used: float = 0.0


class Entries(tuple[Entry, ...]):
    """Objects of a cache. Shown, they are a table: data sets one by one, other things by what they
    are of.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the table."""
        if not self:
            return "nothing is kept"
        rows = [_row([one]) for one in self if one.kind == "datasets"]
        others: dict[tuple[str, str], list[Entry]] = {}
        for one in self:
            if one.kind != "datasets":
                others.setdefault((one.kind, _group(one)), []).append(one)
        rows += [_row(some) for _, some in sorted(others.items())]
        table = [("kind", "of", "parts", "size", "made", "used", "where"), *rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                _padded(text, width, i == _SIZE)
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        total = (
            f"{len(self)} {'entry' if len(self) == 1 else 'entries'},"
            f" {size(sum(one.num_bytes for one in self))}"
        )
        return "\n".join([*(line.rstrip() for line in lines), total])

    __str__ = __repr__


_SIZE = 3  # the column that is set to the right
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"))


def size(n: int) -> str:
    """Bytes in words."""
    unit, name = next(((unit, name) for unit, name in _UNITS if n >= unit), (1, "B"))
    return f"{n / unit:.1f} {name}" if unit > 1 else f"{n} B"


def age(since: float) -> str:
    """Return how long ago something was."""
    seconds = max(0.0, time.time() - since)
    for unit, name in _AGES:
        if seconds >= unit:
            n = int(seconds // unit)
            return f"{n} {name}{'s' if n > 1 else ''} ago"
    return "now"


def _group(one: Entry) -> str:
    """Return what an object that is no data set is shown with: those of one folder far away
    together.
    """
    return f"{one.name.rpartition('/')[0]}/" if one.kind == "ranges" and "/" in one.name else ""


def _row(some: list[Entry]) -> tuple[str, ...]:
    first = some[0]
    made, used = (
        age(max(getattr(one, name) for one in some)) if first.made else ""
        for name in ("made", "used")
    )
    if first.kind == "datasets":
        of, parts, where = _named(first), ", ".join(first.parts), str(first.path)
    else:
        of, parts, where = (
            _group(first),
            f"{len(some)} object{'s' if len(some) > 1 else ''}",
            _folder(first),
        )
    return first.kind, of, parts, size(sum(one.num_bytes for one in some)), made, used, where


def _named(one: Entry) -> str:
    """Return a data set by its name, and the first file that it is of."""
    more = ", …" if len(one.files) > 1 else ""
    return f"{one.name} ({one.files[0].rpartition('/')[2]}{more})" if one.files else one.name


def _folder(one: Entry) -> str:
    """Return the folder that all of a kind are in."""
    return str(one.path.parent.parent if one.kind in ("ranges", "heads") else one.path.parent)


def _padded(text: str, width: int, right: Any) -> str:
    return text.rjust(width) if right else text.ljust(width)


def times(files: Iterable[Path]) -> tuple[int, float, float]:
    """Return the bytes of files, and when one of them was last written and read."""
    total, made, used = 0, 0.0, 0.0
    for path in files:
        try:
            said = path.stat()
        except OSError:
            continue
        total, made, used = (
            total + said.st_size,
            max(made, said.st_mtime),
            max(used, said.st_mtime, said.st_atime),
        )
    return total, made, used
