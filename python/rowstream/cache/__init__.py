"""The cache of rowstream on disk: list, verify and remove its entries.

- `datasets`: the rows of map-style datasets that `load_dataset` and builders wrote, and beside them
  the cached results of `map`, `sort` and others;
- `ranges`: what streams with `cache_dir=` read from other machines, in that folder;
- `heads`: the beginnings and ends of remote files, which tell their format (at most 256 MiB, the
  oldest are removed first);
- `points`: the places from which compressed files can be read (at most 1 GiB, the oldest are
  removed first);
- `listings`: the files of datasets on the Hub, by commit;
- `downloads` and `extracted`: whole files, and what was extracted from archives.

Datasets are in the folder `rowstream` of `HF_DATASETS_CACHE` or of the given `cache_dir=`, and
listings beside them; the rest is in `ROWSTREAM_CACHE` (`~/.cache/rowstream`). Downloaded files of
the Hub are in the cache of the Hub client, which manages them itself (`hf cache ls`).

`python -m rowstream.cache` prints the same table, and has `verify` and `remove`.
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
from rowstream.cache.entries import RANGES, Entries, Entry, times
from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.environment import listings, own_cache

_MARK = b"rsC1"
_KINDS = ("heads", "points", "listings", "downloads", "extracted")


def _folders(cache_dir: str | os.PathLike[str] | None) -> dict[str, Path]:
    result = {kind: listings() if kind == "listings" else own_cache() / kind for kind in _KINDS}
    return result if cache_dir is None else {"ranges": Path(cache_dir)}


def _kinds(cache_dir: str | os.PathLike[str] | None) -> tuple[str, ...]:
    return ("datasets", *_folders(cache_dir))


def _objects(folder: Path) -> Iterator[Path]:
    """Yield the folders of cached ranges, one for each remote file."""
    for group in sorted(folder.glob("??")):
        if group.is_dir() and not group.is_symlink():
            yield from (
                path for path in sorted(group.iterdir()) if path.is_dir() and not path.is_symlink()
            )


def _extents(home: Path) -> Iterator[tuple[Path, int]]:
    """Yield the cached ranges of a remote file, and the length of each."""
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
    """Return the entries of the cache, which print as a table.

    Args:
        cache_dir: The folder that was given as `cache_dir=`; rowstream's own folders if `None`.
        kind: Only entries of this kind, such as `"datasets"` (see the top of this module).
        name: Only datasets of this name: `"gsm8k"`, or `"gsm8k/main"` with its configuration.
        unused_days: Only entries that were not read for this number of days.

    Returns:
        A tuple of `Entry` objects.

    Raises:
        InvalidArgumentError: There is no such kind.

    Example:
        >>> rowstream.cache.list()  # doctest: +SKIP
        kind      of          parts        size     made        used         where
        datasets  gsm8k/main  train, test  9.1 MiB  3 days ago  2 hours ago  …/gsm8k/main/0f1c5d2e
        1 entry, 9.1 MiB
        >>> sum(entry.num_bytes for entry in rowstream.cache.list("cache"))
        0
    """
    if kind is not None and kind not in _kinds(cache_dir):
        raise InvalidArgumentError(f"there is no kind {kind!r}; there is {[*_kinds(cache_dir)]}")
    result = [*datasets.entries(cache_dir), *_others(cache_dir)]
    latest = time.time() - (unused_days or 0) * 86400
    return Entries(
        one
        for one in result
        if kind in (None, one.kind)
        and (
            name is None
            or (one.kind == "datasets" and (one.name == name or one.name.startswith(f"{name}/")))
        )
        and (unused_days is None or one.used <= latest)
    )


def _others(cache_dir: str | os.PathLike[str] | None) -> Iterator[Entry]:
    """Yield the entries that are not datasets."""
    for kind, folder in _folders(cache_dir).items():
        if kind in RANGES:
            for home in _objects(folder):
                extents = [*_extents(home)]
                _, result, used = times(path for path, _ in extents)
                yield Entry(
                    kind,
                    _about(home),
                    home,
                    sum(length for _, length in extents),
                    (),
                    (),
                    result,
                    used,
                )
        elif folder.is_dir():
            for path in sorted(folder.iterdir()):
                if not path.name.endswith((".lock", ".json")):
                    size, result, used = times(
                        [path]
                        if path.is_file()
                        else [one for one in path.rglob("*") if one.is_file()]
                    )
                    yield Entry(kind, "", path, size, (), (), result, used)


def verify(cache_dir: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Check the files of the cache, remove damaged ones, and return their paths.

    The files of datasets are read in full; cached ranges are compared with their checksums. What
    was removed is built or read again when it is needed.

    Args:
        cache_dir: As in `list`.

    Returns:
        The paths of the files that were removed.

    Example:
        >>> rowstream.cache.verify()
        ()
    """
    damaged = [
        path for entry in datasets.entries(cache_dir) for path in datasets.verify(entry.path)
    ]
    for kind, folder in _folders(cache_dir).items():
        if kind not in RANGES:
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
    """Remove entries from the cache and return the number of bytes that they had.

    Without arguments this removes everything. Streams that use an entry go on from the source, and
    open datasets keep their rows.

    Args:
        kind: Only entries of this kind, such as `"datasets"` (see the top of this module).
        cache_dir: The folder that was given as `cache_dir=`; rowstream's own folders if `None`.
        name: Only datasets of this name: `"gsm8k"`, or `"gsm8k/main"` with its configuration.
        unused_days: Only entries that were not read for this number of days.

    Returns:
        The number of bytes.

    Raises:
        InvalidArgumentError: There is no such kind.

    Example:
        >>> rowstream.cache.remove("heads")
        0
        >>> rowstream.cache.remove(name="gsm8k")
        0
        >>> rowstream.cache.remove(unused_days=30)
        0
        >>> rowstream.cache.remove(cache_dir="cache")
        0
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
