"""Entries of the cache, and the table that shows them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


RANGES = ("ranges", "heads", "points")  # kinds whose entries are folders of ranges


@dataclass(frozen=True)
class Entry:
    """An entry of the cache, as `rowstream.cache.list` returns them.

    Attributes:
        kind: `"datasets"`, `"ranges"`, `"heads"`, `"points"`, `"listings"`, `"downloads"` or
            `"extracted"`.
        name: The name, without secrets; `"name/configuration"` for datasets, and empty if unknown.
        path: The file or folder.
        num_bytes: The size in bytes.
        parts: For datasets, the splits and the number of cached results.
        files: The data files from which a dataset was built, if known; at most ten.
        made: The time of the last write, in seconds since 1970.
        used: The time of the last read, if the file system records it; else of the last write.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}])
        1
        >>> ds = load_dataset("json", data_files="train.jsonl", split="train")
        >>> [entry.parts for entry in rowstream.cache.list(kind="datasets")]
        [('train',)]
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
    """A tuple of cache entries that prints as a table.

    Datasets have a row each; other entries share a row for each source.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the table as text."""
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
    """Return a number of bytes as text, such as `1.5 GiB`."""
    unit, name = next(((unit, name) for unit, name in _UNITS if n >= unit), (1, "B"))
    return f"{n / unit:.1f} {name}" if unit > 1 else f"{n} B"


def age(since: float) -> str:
    """Return how long ago a time was, as text, such as `3 days ago`."""
    seconds = max(0.0, time.time() - since)
    for unit, name in _AGES:
        if seconds >= unit:
            n = int(seconds // unit)
            return f"{n} {name}{'s' if n > 1 else ''} ago"
    return "now"


def _group(one: Entry) -> str:
    """Return the name under which an entry shares a row of the table with others."""
    return f"{one.name.rpartition('/')[0]}/" if one.kind == "ranges" and "/" in one.name else ""


def _row(some: list[Entry]) -> tuple[str, ...]:
    first = some[0]
    result, used = (
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
    return first.kind, of, parts, size(sum(one.num_bytes for one in some)), result, used, where


def _named(one: Entry) -> str:
    """Return the name of a dataset, with its first data file."""
    more = ", …" if len(one.files) > 1 else ""
    return f"{one.name} ({one.files[0].rpartition('/')[2]}{more})" if one.files else one.name


def _folder(one: Entry) -> str:
    """Return the folder that contains all entries of a kind."""
    return str(one.path.parent.parent if one.kind in RANGES else one.path.parent)


def _padded(text: str, width: int, right: Any) -> str:
    return text.rjust(width) if right else text.ljust(width)


def times(files: Iterable[Path]) -> tuple[int, float, float]:
    """Return the total size of files, and the times of their last write and read."""
    total, result, used = 0, 0.0, 0.0
    for path in files:
        try:
            said = path.stat()
        except OSError:
            continue
        total, result, used = (
            total + said.st_size,
            max(result, said.st_mtime),
            max(used, said.st_mtime, said.st_atime),
        )
    return total, result, used
