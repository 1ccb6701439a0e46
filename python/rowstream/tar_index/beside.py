"""The indexes of archives that a data set reads: beside them, or where the caller says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import (
    DataFilesNotFoundError,
    FileFormatError,
    FilePermissionError,
    InvalidArgumentError,
)
from rowstream.storage.urls import is_url, shown, without_query
from rowstream.tar_index.energon import read_database
from rowstream.tar_index.read import parse

if TYPE_CHECKING:
    from rowstream.storage.locations import FileLocations
    from rowstream.tar_index.model import TarIndex

_THREADS = 16  # indexes that are asked for at once
_DATABASE = "index.sqlite"


def find_indexes(archives: Sequence[str], where: Any, places: FileLocations) -> dict[str, TarIndex]:
    """Return the indexes of archives, by the archive's path.

    Args:
        archives: Paths and URLs.
        where: `None` looks beside remote archives: for all, if the first has one. `True` requires
            an index beside each; `False` uses none. A path or URL names an index, a folder of
            them, or an `index.sqlite` of Energon; a list names an index for each archive.
        places: How remote files are read.

    Raises:
        DataFilesNotFoundError: An index that is required does not exist.
        FileFormatError: A file is not an index.
    """
    if where is False:
        return {}
    if where is None:
        far = [one for one in archives if is_url(one) and without_query(one).endswith(".tar")]
        if not far or (first := _beside(far[0], places, ("{}.tar.idx",))) is None:
            return {}
        found = _all(far[1:], lambda one: _beside(one, places, ("{}.tar.idx",)))
        return {
            one: index for one, index in zip(far, [first, *found], strict=True) if index is not None
        }
    if where is True:
        names = ("{}.tar.idx", "{}.idx", "{}.json")
        indexes = _all(archives, lambda one: _beside(one, places, names))
        return {
            one: index if index is not None else _missing(one)
            for one, index in zip(archives, indexes, strict=True)
        }
    if isinstance(where, (str, os.PathLike)):
        return _named(archives, os.fspath(where), places)
    if not isinstance(where, (list, tuple)) or len(where) != len(archives):
        raise InvalidArgumentError(
            f"index= is a bool, a path, or a list of {len(archives)} paths, one for each archive,"
            f" found {where!r}"
        )
    found = _all(where, lambda one: read_index(os.fspath(one), places))
    return dict(zip(archives, found, strict=True))


def read_index(path: str, places: FileLocations) -> TarIndex:
    """Return the index that a file has.

    Raises:
        DataFilesNotFoundError: There is no such file.
        FileFormatError: It is not an index.
    """
    try:
        return parse(read_file(path, places))
    except FileFormatError as error:
        raise FileFormatError(f"{shown(path)}: {error}") from error


def read_file(path: str, places: FileLocations) -> bytes:
    """Return the content of a path or URL."""
    if not is_url(path):
        try:
            return Path(path.removeprefix("file://")).read_bytes()
        except FileNotFoundError as error:
            raise DataFilesNotFoundError(f"{path}: there is no such file") from error
    location, known = places.one(path)
    file = places.access.core(location).open(location, *known)
    return file.read(0, file.size)


def _missing(archive: str) -> Any:
    raise DataFilesNotFoundError(
        f"{shown(archive)}: there is no index beside it; rowstream.webdataset.index makes"
        " one, and without index=True none is needed"
    )


def _named(archives: Sequence[str], where: str, places: FileLocations) -> dict[str, TarIndex]:
    """Return the indexes that one path has."""
    folder = where.rstrip("/")
    if folder.endswith("/.nv-meta"):
        folder, where = folder.removesuffix("/.nv-meta"), f"{folder}/{_DATABASE}"
    if without_query(where).endswith(f"/{_DATABASE}"):
        database = read_database(where, lambda path: read_file(path, places))
        result = {}
        for one in archives:
            plain = without_query(one)
            fits = [name for name in database if plain.endswith(f"/{name}") or plain == name]
            if not fits:
                raise DataFilesNotFoundError(
                    f"{shown(where)} does not have the archive {shown(plain)}"
                )
            result[one] = database[max(fits, key=len)]
        return result
    if not is_url(where) and Path(where).is_dir():
        return {
            one: read_index(
                os.path.join(where, os.path.basename(without_query(one)) + ".idx"), places
            )
            for one in archives
        }
    if len(archives) != 1:
        raise InvalidArgumentError(
            f"index={shown(where)!r} is the index of one archive, and there are {len(archives)}:"
            " give a list of indexes, a local folder of them, or an index.sqlite of Energon"
        )
    return {archives[0]: read_index(where, places)}


def _beside(archive: str, places: FileLocations, names: Sequence[str]) -> TarIndex | None:
    """Return the index beside an archive, by one of several names; `None` if there is none."""
    plain = without_query(archive)
    stem, query = plain.removesuffix(".tar"), archive[len(plain) :]
    for name in names:
        path = name.format(stem) + query
        try:
            content = read_file(path, places)
        except (DataFilesNotFoundError, FilePermissionError):
            continue
        if content.lstrip()[:1] == b"<":
            # A page that says that there is no such file.
            continue
        try:
            return parse(content)
        except FileFormatError as error:
            raise FileFormatError(
                f"{shown(path)}, beside an archive, is no index of it: {error};"
                " index=False reads the archive without it"
            ) from error
    return None


def _all(items: Sequence[Any], work: Any) -> list[Any]:
    """Return the results of a function for each item, several at a time."""
    if len(items) < 2:
        return [work(one) for one in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_THREADS, len(items))) as pool:
        return list(pool.map(work, items))
