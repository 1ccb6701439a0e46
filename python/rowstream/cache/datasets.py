"""Map-style datasets in the cache: folders of Arrow files with rows and with results of `map` and
others.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from rowstream.cache.entries import Entry, times
from rowstream.exceptions import RowstreamError
from rowstream.storage.environment import datasets_cache

BUILT = ".rowstream-builder"
"""The file that a builder writes next to the files that it built."""

ABOUT = ".about"
"""The file that lists the data files of the rows next to it."""

# How folders are named below ours: by a hash of what their rows follow from, alone or after
# "default-".
_HASHED = re.compile(r"[0-9a-f]{16}|default-.+")
_WRITING = 3600  # seconds after which nobody goes on writing a file
_DEEP = 5  # folders below ours that such a folder may be in


def root(cache_dir: str | os.PathLike[str] | None) -> Path:
    """Return rowstream's folder in the given cache, or in the cache of datasets."""
    return (datasets_cache() if cache_dir is None else Path(cache_dir).expanduser()) / "rowstream"


def entries(cache_dir: str | os.PathLike[str] | None) -> list[Entry]:
    """Return the cached datasets, one entry for each folder."""
    result = [
        _entry(home, home.relative_to(root(cache_dir)).parts) for home in _homes(root(cache_dir), 0)
    ]
    if cache_dir is not None:
        # A builder that is given a folder has no other one in it.
        there = Path(cache_dir).expanduser()
        found = {
            mark.parent for deep in ("*/*/*", "*/*/*/*") for mark in there.glob(f"{deep}/{BUILT}")
        }
        result += [
            _entry(home, home.relative_to(there).parts)
            for home in sorted(found)
            if root(cache_dir) not in home.parents
        ]
    return sorted(result, key=lambda one: (one.name, -one.used))


def _homes(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the folders that contain files of rowstream."""
    if depth > _DEEP or folder.is_symlink():
        return
    try:
        there = sorted(folder.iterdir())
    except OSError:
        return
    if (
        depth
        and (_HASHED.fullmatch(folder.name) or (folder / BUILT).exists())
        and (any(files(folder)) or any(_left(folder)))
    ):
        yield folder
    for one in there:
        if one.is_dir() and not one.name.startswith("."):
            yield from _homes(one, depth + 1)


def files(home: Path) -> Iterator[Path]:
    """Yield the files with rows in a folder: splits, and results of `map` and others."""
    for path in sorted(home.iterdir()):
        hidden = path.name.startswith(".") or path.is_symlink() or not path.is_file()
        if not hidden and (
            path.suffix == ".arrow" or (path.suffix == ".parquet" and (home / BUILT).exists())
        ):
            yield path


def _left(home: Path) -> Iterator[Path]:
    """Yield files that are being written, or whose writing was interrupted."""
    yield from (
        path for path in sorted(home.glob(".rowstream-*")) if path.name != BUILT and path.is_file()
    )


def _entry(home: Path, parts: tuple[str, ...]) -> Entry:
    there = [*files(home)]
    results = [path for path in there if path.name.startswith("cache-")]
    said = [*dict.fromkeys(_split(path, parts[0]) for path in there if path not in results)]
    if results:
        said.append(f"{len(results)} result{'s' if len(results) > 1 else ''}")
    name = [part.replace("___", "/") for part in parts[:2] if not _HASHED.fullmatch(part)]
    size, result, used = times([*there, *_left(home)])
    return Entry("datasets", "/".join(name), home, size, tuple(said), _about(home), result, used)


def _split(path: Path, folder: str) -> str:
    """Return the split of a file, or of a shard; builders put the dataset's name before it."""
    return re.sub(r"-\d{5}-of-\d{5}$", "", path.stem).removeprefix(
        f"{folder.rpartition('___')[2]}-"
    )


def _about(home: Path) -> tuple[str, ...]:
    """Return the data files from which a dataset was built, if they were recorded."""
    try:
        said = json.loads((home / ABOUT).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(map(str, said)) if isinstance(said, list) else ()


def verify(home: Path) -> Iterator[Path]:
    """Read the files with rows, remove damaged ones, and yield their paths.

    What was removed is built again when it is needed.
    """
    for path in [*files(home)]:
        if not _is_whole(path):
            path.unlink(missing_ok=True)
            yield path


def _is_whole(path: Path) -> bool:
    """Return whether a file can be read and all its checksums match."""
    import pyarrow as pa

    from rowstream.arrow.files import read_table

    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.read_table(path, page_checksum_verification=True).validate(full=True)
        else:
            read_table(pa.memory_map(str(path)), str(path), whole=True).validate(full=True)
    except (pa.ArrowException, RowstreamError, OSError, ValueError):
        return False
    return True


def remove(entry: Entry, cache_dir: str | os.PathLike[str] | None) -> None:
    """Remove rowstream's files from a folder, and the folders that are empty afterwards."""
    home = entry.path
    for path in [*files(home)]:
        path.unlink(missing_ok=True)
    for name in (BUILT, ABOUT, "dataset_info.json", "LICENSE"):
        (home / name).unlink(missing_ok=True)
    for path in [*_left(home)]:
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _WRITING:
                path.unlink()
    ours = root(cache_dir)
    top = ours if ours in home.parents or cache_dir is None else Path(cache_dir).expanduser()
    for folder in (home, *home.parents):
        if folder == top:
            return
        try:
            folder.rmdir()
        except OSError:
            return
