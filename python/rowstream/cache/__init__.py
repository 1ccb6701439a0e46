"""What rowstream keeps on disk: seen, checked, removed.

- `datasets`: the rows of map-style data sets that `load_dataset` and builders made, and beside them
  the results of steps (`map`, `sort`);
- `ranges`: what streams with `cache_dir=` read of other machines, in that folder;
- `heads`: the beginnings and ends of files that tell what they are (at most 256 MiB, the oldest go
  first);
- `listings`: which files data sets of the Hub have, by commit;
- `downloads` and `extracted`: whole files, and what was extracted of archives.

Data sets lie in the folder `rowstream` of `HF_DATASETS_CACHE`, or of the `cache_dir=` that was
given, and listings beside them; the rest in `ROWSTREAM_CACHE` (`~/.cache/rowstream`). Files of the
Hub that were downloaded lie in the Hub's own cache, which its own client looks after (`hf cache
ls`).

`python -m rowstream.cache` shows the same as a table, and has `verify` and `remove`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from rowstream.cache import datasets
from rowstream.cache.entries import Entries, Entry, times
from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.environment import listings, own_cache

_MARK = b"rsC1"
_KINDS = ("heads", "listings", "downloads", "extracted")


def _folders(cache_dir: str | os.PathLike[str] | None) -> dict[str, Path]:
    made = {kind: listings() if kind == "listings" else own_cache() / kind for kind in _KINDS}
    return made if cache_dir is None else {"ranges": Path(cache_dir)}


def _kinds(cache_dir: str | os.PathLike[str] | None) -> tuple[str, ...]:
    return ("datasets", *_folders(cache_dir))


def _objects(folder: Path) -> Iterator[Path]:
    """Yield the folders of ranges, one for each object."""
    for group in sorted(folder.glob("??")):
        if group.is_dir() and not group.is_symlink():
            yield from (
                path for path in sorted(group.iterdir()) if path.is_dir() and not path.is_symlink()
            )


def _extents(home: Path) -> Iterator[tuple[Path, int]]:
    """Yield the ranges of an object, and how long each is."""
    for path in sorted(home.iterdir()):
        start, dash, end = path.name.partition("-")
        if dash and start.isdigit() and end.isdigit() and path.is_file() and not path.is_symlink():
            yield path, int(end) - int(start)


def _about(home: Path) -> str:
    try:
        return str(json.loads((home / "about").read_text())["location"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def list(
    cache_dir: str | os.PathLike[str] | None = None,
    kind: str | None = None,
    *,
    name: str | None = None,
    unused_days: float | None = None,
) -> Entries:
    """Return what is kept: in the folders of rowstream, or in one that was given as `cache_dir=`.
    Shown, it is a table.

    Args:
        cache_dir: the folder.
        kind: only what is of this kind.
        name: only data sets of this name: `"gsm8k"`, or `"gsm8k/main"` with its configuration.
        unused_days: only what was not used for so many days.

    Example:
        >>> rowstream.cache.list()
        kind      of          parts        size     made        used         where
        datasets  gsm8k/main  train, test  9.1 MiB  3 days ago  2 hours ago  …/gsm8k/main/0f1c5d2e
        1 entry, 9.1 MiB
        >>> sum(entry.num_bytes for entry in rowstream.cache.list("/scratch/cache"))
    """
    if kind is not None and kind not in _kinds(cache_dir):
        raise InvalidArgumentError(f"there is no kind {kind!r}; there is {[*_kinds(cache_dir)]}")
    made = [*datasets.entries(cache_dir), *_others(cache_dir)]
    latest = time.time() - (unused_days or 0) * 86400
    return Entries(
        one
        for one in made
        if kind in (None, one.kind)
        and (
            name is None
            or (one.kind == "datasets" and (one.name == name or one.name.startswith(f"{name}/")))
        )
        and (unused_days is None or one.used <= latest)
    )


def _others(cache_dir: str | os.PathLike[str] | None) -> Iterator[Entry]:
    """Yield what is kept besides data sets."""
    for kind, folder in _folders(cache_dir).items():
        if kind in ("ranges", "heads"):
            for home in _objects(folder):
                extents = [*_extents(home)]
                _, made, used = times(path for path, _ in extents)
                yield Entry(
                    kind,
                    _about(home),
                    home,
                    sum(length for _, length in extents),
                    (),
                    (),
                    made,
                    used,
                )
        elif folder.is_dir():
            for path in sorted(folder.iterdir()):
                if not path.name.endswith((".lock", ".json")):
                    size, made, used = times(
                        [path]
                        if path.is_file()
                        else [one for one in path.rglob("*") if one.is_file()]
                    )
                    yield Entry(kind, "", path, size, (), (), made, used)


def verify(cache_dir: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Check what is kept, and removes what is damaged; gives which files. What is missing then is
    made or read again when it is wanted.

    Ranges are checked against their checksums, as a stream does with each that it reads; the files
    of data sets are read.
    """
    damaged = [
        path for entry in datasets.entries(cache_dir) for path in datasets.verify(entry.path)
    ]
    for kind, folder in _folders(cache_dir).items():
        if kind not in ("ranges", "heads"):
            continue
        for home in _objects(folder):
            for path, length in _extents(home):
                content = path.read_bytes()
                body, mark, checksum = (
                    content[:length],
                    content[length : length + 4],
                    content[length + 4 :],
                )
                if (
                    len(content) != length + 8
                    or mark != _MARK
                    or checksum != zlib.crc32(body).to_bytes(4, "little")
                ):
                    path.unlink(missing_ok=True)
                    damaged.append(path)
    return tuple(damaged)


def remove(
    kind: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    unused_days: float | None = None,
) -> int:
    """Remove what is kept: all of it, or what `list` gives for the same arguments; gives how many
    bytes.

    Streams that read it go on, from the source. Data sets that are open keep their rows; loaded
    again they are made again.

    Example:
        >>> rowstream.cache.remove("heads")
        >>> rowstream.cache.remove(name="gsm8k")
        >>> rowstream.cache.remove(unused_days=30)
        >>> rowstream.cache.remove(cache_dir="/scratch/cache")
    """
    gone = list(cache_dir, kind, name=name, unused_days=unused_days)
    for entry in gone:
        # Only what is ours: a user may have named a folder with more in it.
        if entry.kind == "datasets":
            datasets.remove(entry, cache_dir)
        elif entry.path.is_dir():
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            entry.path.unlink(missing_ok=True)
    if name is None and unused_days is None:
        for of, folder in _folders(cache_dir).items():
            if kind in (None, of) and of != "ranges":
                shutil.rmtree(folder, ignore_errors=True)
    return sum(entry.num_bytes for entry in gone)


__all__ = ["Entries", "Entry", "list", "remove", "verify"]
