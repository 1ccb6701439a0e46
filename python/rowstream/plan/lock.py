"""Lock files: location, size, version and hash of every file of a dataset, and how it is read."""

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
    """Write a lock file for some splits. How their rows are chosen and ordered is not stored."""
    splits = {}
    for split, plan in plans.items():
        if not plan.scan or plan.in_memory:
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
    """Return the plans of the splits in a lock file, and the name of the dataset.

    The plans read exactly those files and versions; no server is asked for them here.
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
    result: dict[str, Plan] = {}
    for split, listing in kept["splits"].items():
        plan = replace(Plan(json.dumps(listing)), access=access)
        plan.core  # noqa: B018 - what is not a listing is an error here
        result[str(split)] = plan
    return result, kept.get("dataset")
