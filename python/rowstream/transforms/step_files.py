"""Where results of transforms are stored: next to the data, or in the cache if it is read-only."""

from __future__ import annotations

import glob
import os
import re
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from rowstream.fingerprint.caching import get_temporary_cache_files_directory
from rowstream.fingerprint.hasher import Hasher
from rowstream.fingerprint.transform import sampled
from rowstream.prepare.cache import folder
from rowstream.utils import logging

if TYPE_CHECKING:
    from rowstream.table.table import Table


_logger = logging.get_logger(__name__)
SUFFIX = "_{rank:05d}_of_{num_proc:05d}"
"""What the files of processes add to a result's name."""


def aside(table: Table) -> str:
    """Return the cache folder for results whose data is in a folder that can't be written to.

    Its name depends on the data, which may be moved.
    """
    first = next(iter(table.files), "")
    return folder(
        None, "steps", sampled(first) if os.path.exists(first) else Hasher.hash(table.home)
    )


def writable(place: str) -> bool:
    """Return whether files can be created in a folder, by trying; it is created if needed."""
    try:
        os.makedirs(place, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def parts_there(
    path: str, suffix: str = SUFFIX, usable: Callable[[str, int, int], bool] | None = None
) -> dict[int, int]:
    """Return how many files of a result exist, by the number of files that it consists of.

    Args:
        path: The path of a result in one file.
        suffix: A template such as `SUFFIX`.
        usable: Takes a file, its rank and the number of files, and returns whether it counts; all
            files do if `None`.
    """
    stem, ending = os.path.splitext(path)
    there: dict[int, int] = {}
    name = re.escape(f"{os.path.basename(stem)}{suffix}{ending}")
    pattern = re.compile(re.sub(r"\\\{(rank|num_proc)[^}]*\\\}", r"(?P<\1>\\d+)", name))
    for file in glob.glob(f"{glob.escape(stem)}*{ending}"):
        found = pattern.fullmatch(os.path.basename(file))
        rank, of = (
            (0, 1)
            if file == path
            else (int(found["rank"]), int(found["num_proc"]))
            if found
            else (0, 0)
        )
        if of and (usable is None or usable(file, rank, of)):
            there[of] = there.get(of, 0) + 1
    return there


def place_of(table: Table, name: str, suffix: str, *, load: bool) -> str:
    """Return the path for a result: next to the table's files, in the cache, or in a folder that is
    removed when the process ends.

    Args:
        table: The table that the transform is applied to, which has a home folder.
        name: The name of the file.
        suffix: A template such as `SUFFIX`.
        load: Whether a complete result may be used, so that nothing has to be written.
    """
    beside = os.path.join(str(table.home), name)
    if (load and _whole(beside, suffix)) or writable(os.path.dirname(beside)):
        return beside
    other = os.path.join(aside(table), name)
    if (load and _whole(other, suffix)) or writable(os.path.dirname(other)):
        return other
    _logger.warning(
        f"Results are kept until this process ends: neither {os.path.dirname(beside)} nor"
        f" {os.path.dirname(other)} can be written. HF_DATASETS_CACHE names another folder."
    )
    return os.path.join(get_temporary_cache_files_directory(), name)


def _whole(path: str, suffix: str) -> bool:
    return any(n >= of for of, n in parts_there(path, suffix).items())


def results_of(table: Table) -> list[str]:
    """Return the files of results next to a table's files and in the cache that can be removed."""
    places = [
        place
        for place in (str(table.home), aside(table))
        if os.path.isdir(place) and writable(place)
    ]
    return [
        path
        for place in places
        for path in sorted(glob.glob(os.path.join(glob.escape(place), "cache-*.arrow")))
    ]
