"""Where the files of steps lie: beside the data that the steps are of, or in the cache where
nothing can be written there.
"""

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
    """Return the folder in the cache for steps of what lies where nothing can be written. It is
    named by the data, which may be moved.
    """
    first = next(iter(table.files), "")
    return folder(
        None, "steps", sampled(first) if os.path.exists(first) else Hasher.hash(table.home)
    )


def writable(place: str) -> bool:
    """Return whether files can be made in a folder, which is made if it is not there: tried, as
    rights alone do not say it.
    """
    try:
        os.makedirs(place, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def parts_there(
    path: str, suffix: str = SUFFIX, usable: Callable[[str, int, int], bool] | None = None
) -> dict[int, int]:
    """Return how many files a result has already, by how many it is made of: one for each process,
    or one of its own.

    Args:
        path: the file of a result that is one.
        suffix: a template as `SUFFIX`.
        usable: says of a file, the number of its process and how many there are, whether it counts;
            all do if `None`.
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
    """Return the file for a result: beside the table's files, or in the cache, or in a folder that
    goes with the process.

    Args:
        table: what the result is made of. It has a home.
        name: that of the file.
        suffix: a template as `SUFFIX`.
        load: whether a whole result that is there is used, so that nothing has to be written.
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
    """Return the files of results beside a table's files and in the cache, where they may be
    removed.
    """
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
