"""What rowstream keeps on disk: seen, checked, removed.

- `ranges`: what streams with `cache_dir=` read of other machines, in that folder;
- `heads`: the beginnings and ends of files that tell what they are (at most 256 MiB, the oldest go first);
- `listings`: which files data sets of the Hub have, by commit;
- `downloads` and `extracted`: whole files, and what was taken apart.

All but the first lie in `ROWSTREAM_CACHE` (`~/.cache/rowstream`). Files of the Hub that were downloaded lie in the Hub's own cache,
which its own client looks after (`hf cache ls`).
"""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rowstream.access import listings, own_cache
from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_MARK = b"rsC1"
_KINDS = ("heads", "listings", "downloads", "extracted")


@dataclass(frozen=True)
class Entry:
    """An object of a cache.

    Attributes:
        kind: `"ranges"`, `"heads"`, `"listings"`, `"downloads"` or `"extracted"`.
        name: what it is of, without secrets; empty where that is not kept.
        path: where it is: a file, or a folder of ranges.
        num_bytes: its length.
    """

    kind: str
    name: str
    path: Path
    num_bytes: int


def _folders(cache_dir: str | os.PathLike[str] | None) -> dict[str, Path]:
    made = {kind: listings() if kind == "listings" else own_cache() / kind for kind in _KINDS}
    return made if cache_dir is None else {"ranges": Path(cache_dir)}


def _objects(folder: Path) -> Iterator[Path]:
    """The folders of ranges, one for each object."""
    for group in sorted(folder.glob("??")):
        if group.is_dir() and not group.is_symlink():
            yield from (path for path in sorted(group.iterdir()) if path.is_dir() and not path.is_symlink())


def _extents(home: Path) -> Iterator[tuple[Path, int]]:
    """The ranges of an object, and how long each is."""
    for path in sorted(home.iterdir()):
        start, dash, end = path.name.partition("-")
        if dash and start.isdigit() and end.isdigit() and path.is_file() and not path.is_symlink():
            yield path, int(end) - int(start)


def _about(home: Path) -> str:
    try:
        return str(json.loads((home / "about").read_text())["location"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def list(cache_dir: str | os.PathLike[str] | None = None) -> tuple[Entry, ...]:
    """What is kept: in rowstream's own folder, or in the `cache_dir` of streams.

    Example:
        >>> sum(entry.num_bytes for entry in rowstream.cache.list("/scratch/cache"))
    """
    made = []
    for kind, folder in _folders(cache_dir).items():
        if kind in ("ranges", "heads"):
            made += [Entry(kind, _about(home), home, sum(length for _, length in _extents(home))) for home in _objects(folder)]
        elif folder.is_dir():
            for path in sorted(folder.iterdir()):
                if not path.name.endswith((".lock", ".json")):
                    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
                    made.append(Entry(kind, "", path, sum(one.stat().st_size for one in files)))
    return tuple(made)


def verify(cache_dir: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Checks all ranges against their checksums, and removes those that are damaged; gives which.

    A stream does the same with each range that it reads: this only tells earlier.
    """
    damaged = []
    for kind, folder in _folders(cache_dir).items():
        if kind not in ("ranges", "heads"):
            continue
        for home in _objects(folder):
            for path, length in _extents(home):
                content = path.read_bytes()
                body, mark, checksum = content[:length], content[length : length + 4], content[length + 4 :]
                if len(content) != length + 8 or mark != _MARK or checksum != zlib.crc32(body).to_bytes(4, "little"):
                    path.unlink(missing_ok=True)
                    damaged.append(path)
    return tuple(damaged)


def remove(kind: str | None = None, cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Removes what is kept, of one kind or of all; gives how many bytes. Streams that read it go on, from the source.

    Example:
        >>> rowstream.cache.remove("heads")
        >>> rowstream.cache.remove(cache_dir="/scratch/cache")
    """
    folders = _folders(cache_dir)
    if kind is not None and kind not in folders:
        raise InvalidArgumentError(f"there is no kind {kind!r}; there is {[*folders]}")
    gone = 0
    for name, folder in folders.items():
        if kind in (None, name):
            gone += sum(entry.num_bytes for entry in list(cache_dir) if entry.kind == name)
            # Only what is ours: a user may have named a folder with more in it.
            if name == "ranges":
                for home in _objects(folder):
                    shutil.rmtree(home, ignore_errors=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)
    return gone
