"""The database of an Energon data set, which has the places of all samples of its archives."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
from array import array
from collections.abc import Callable

from rowstream.exceptions import FileFormatError
from rowstream.tar_index.model import TarIndex


def read_database(path: str, read: Callable[[str], bytes]) -> dict[str, TarIndex]:
    """Return the indexes of the archives of a folder, by path within it.

    Args:
        path: The path or URL of `.nv-meta/index.sqlite`.
        read: Returns the content of a path or URL.

    Raises:
        FileFormatError: The database is not one of Energon, or `.info.json` beside it, which has
            the names of the archives, is not.
    """
    folder = path.rpartition("/")[0]
    names = _names(folder, read)
    result = {name: TarIndex(array("Q"), 0) for name in names}
    ends = [0] * len(names)
    with contextlib.ExitStack() as opened:
        if "://" in path:
            # SQLite reads files of this machine.
            place = opened.enter_context(tempfile.TemporaryDirectory())
            here = os.path.join(place, "index.sqlite")
            with open(here, "wb") as file:
                file.write(read(path))
            path = here
        database = opened.enter_context(
            contextlib.closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True))
        )
        try:
            rows = database.execute(
                "SELECT tar_file_id, byte_offset, byte_size FROM samples"
                " ORDER BY tar_file_id, sample_index"
            )
            for number, at, size in rows:
                result[names[number]].starts.append(at)
                ends[number] = at + size
        except (sqlite3.Error, TypeError, OverflowError, IndexError) as error:
            raise FileFormatError(f"{path} is no database of Energon: {error}") from error
    return {
        name: TarIndex(index.starts, end)
        for (name, index), end in zip(result.items(), ends, strict=True)
    }


def _names(folder: str, read: Callable[[str], bytes]) -> list[str]:
    """Return the archives of a data set, in the order of their numbers in the database."""
    path = f"{folder}/.info.json"
    try:
        return list(json.loads(read(path))["shard_counts"])
    except FileNotFoundError:
        path = f"{folder}/.info.yaml"
        import yaml

        try:
            return list(yaml.safe_load(read(path))["shard_counts"])
        except (yaml.YAMLError, TypeError, KeyError) as error:
            raise FileFormatError(f"{path} has no shard_counts: {error}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise FileFormatError(f"{path} has no shard_counts: {error}") from error


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(os.path.abspath(path))
