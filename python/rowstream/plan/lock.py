"""Lock files: every file that a data set consists of, by location, length, version and hash, and
how they are read.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, UnsupportedError
from rowstream.plan.plan import Plan
from rowstream.utils.atomic import atomic_file

if TYPE_CHECKING:
    from rowstream.storage.access import StorageOptions

_VERSION = 1


def write(path: str | os.PathLike[str], plans: dict[str, Plan], label: str | None) -> None:
    """Write the files of some splits. The rows that a plan chooses of them, and their order, are
    not part of it.
    """
    splits = {}
    for split, plan in plans.items():
        if not plan.scan or plan.held:
            raise UnsupportedError(
                "lock: only data sets that consist of files can be locked; this one is made of"
                " others, or in memory"
            )
        splits[split] = plan.listing
    text = json.dumps(
        {"rowstream_lock": _VERSION, "dataset": label, "splits": splits}, indent=1, sort_keys=True
    )
    with atomic_file(path) as file:
        file.write(f"{text}\n".encode())


def read(
    path: str | os.PathLike[str], access: StorageOptions
) -> tuple[dict[str, Plan], str | None]:
    """Return the plans of a lock file's splits: of exactly those files and versions. Nothing is
    asked of anybody.
    """
    try:
        kept = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataFilesNotFoundError(f"there is no lock file {os.fspath(path)}") from None
    except ValueError as error:
        raise InvalidArgumentError(f"{os.fspath(path)} is no lock file: {error}") from None
    if (
        not isinstance(kept, dict)
        or kept.get("rowstream_lock") != _VERSION
        or not isinstance(kept.get("splits"), dict)
    ):
        raise InvalidArgumentError(
            f"{os.fspath(path)} is no lock file of this version of rowstream"
        )
    made: dict[str, Plan] = {}
    for split, listing in kept["splits"].items():
        plan = replace(Plan(json.dumps(listing)), access=access)
        plan.core  # noqa: B018 - what is not a listing is an error here
        made[str(split)] = plan
    return made, kept.get("dataset")
