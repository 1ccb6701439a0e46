"""From `data_files`, folders, URLs and names of the Hub to the files of each split."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.resolve import formats
from rowstream.resolve.card_folder import folder
from rowstream.resolve.configurations import configuration
from rowstream.resolve.folder_files import data_files_of
from rowstream.resolve.names import format_named, is_of_hub, meant, named_repo
from rowstream.splits.names import SPLIT_NAME
from rowstream.storage.urls import is_url, without_query

if TYPE_CHECKING:
    from rowstream.storage.hub import Repo
    from rowstream.storage.locations import FileLocations

DataFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]


@dataclass
class ResolvedFiles:
    """The files of each split, and how to read them."""

    files: dict[str, list[str]]
    format: str
    label: str
    places: FileLocations
    config: str = "default"
    options: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    cut: bool = False


def resolve_files(
    path: str,
    name: str | None,
    data_dir: str | None,
    data_files: DataFiles | None,
    revision: str | None,
    places: FileLocations,
) -> ResolvedFiles:
    """Return the files of each split, their format and the name of the dataset."""
    here = Path(path).expanduser()
    if is_of_hub(path, data_files, data_dir):
        return _of_hub(path, name, data_dir, data_files, revision, places)
    format_name = format_named(path, data_files, data_dir)
    if (
        format_name is None
        and data_files is None
        and here.is_dir()
        and (of := folder(path)) is not None
    ):
        return _configured(of, name, data_dir, here.resolve().name, places)
    if name not in (None, "default") and format_name is None:
        raise InvalidArgumentError(
            f"files have only the configuration 'default', not {name!r}; data sets of the Hub have"
            " others"
        )
    if format_name is not None:
        formats.require(format_name)
        if data_files is None and data_dir is None:
            raise InvalidArgumentError(f"load_dataset({path!r}, …) needs data_files or data_dir")
        base = data_dir or "."
        found = (
            listed_files(data_files, base, places)
            if data_files is not None
            else _discovered(base, format_name, places)
        )
        return ResolvedFiles(found, format_name, format_name, places, config=name or "default")
    if is_url(path):
        base = f"{path.rstrip('/')}/{data_dir}" if data_dir else path
        found = (
            listed_files(data_files, base, places)
            if data_files is not None
            else _of_url(base, places)
        )
        label = without_query(path).rstrip("/").rsplit("/", 1)[-1]
    elif here.is_dir():
        base = str(here / data_dir) if data_dir else str(here)
        found = (
            listed_files(data_files, base, places)
            if data_files is not None
            else _discovered(base, None, places)
        )
        label = here.resolve().name
    elif here.is_file():
        found, label = {"train": [str(here.absolute())]}, here.resolve().name
    else:
        raise DataFilesNotFoundError(
            f"{path!r} is no folder or file here, no format ({', '.join(formats.ALL)}), no URL,"
            f" and no name of a data set of the Hub (org/name){meant(path)}"
        )
    return ResolvedFiles(
        found,
        formats.require(formats.of_files(file for files in found.values() for file in files)),
        label,
        places,
    )


def of_tabs(file: str) -> bool:
    """Return whether a file is CSV with tabs, by its name."""
    return without_query(file).lower().endswith((".tsv", ".tsv.gz"))


def _of_url(url: str, places: FileLocations) -> dict[str, list[str]]:
    """Return the files of a URL: itself, those that match it as a pattern, or those below it."""
    if formats.by_name(without_query(url)) or "*" in url:
        return {"train": places.resolve(url, ".")}
    if "[" in url:
        with contextlib.suppress(DataFilesNotFoundError):
            return {"train": places.resolve(url, ".")}
    return _discovered(places.pinned(url), None, places)


def _of_hub(
    path: str,
    name: str | None,
    data_dir: str | None,
    data_files: DataFiles | None,
    revision: str | None,
    places: FileLocations,
) -> ResolvedFiles:
    """Return the files of a dataset of the Hub."""
    of = named_repo(path, revision, places.access, data_files)
    label = of.id.rsplit("/", 1)[-1]
    if data_files is None:
        return _configured(of, name, data_dir, label, places)
    base = f"{of.location('')}{data_dir.strip('/')}" if data_dir else of.location("").rstrip("/")
    files = listed_files(data_files, base, places)
    return ResolvedFiles(
        files,
        formats.require(formats.of_files(file for some in files.values() for file in some)),
        label,
        places,
        name or "default",
    )


def _configured(
    of: Repo, name: str | None, data_dir: str | None, label: str, places: FileLocations
) -> ResolvedFiles:
    """Return the files of a configuration that a card lists."""
    config = configuration(of, name, data_dir, places.access)
    files = {
        split: config.repo.locate(paths, places.known) for split, paths in config.files.items()
    }
    return ResolvedFiles(
        files, config.format, label, places, config.name, config.options, config.info
    )


def listed_files(data_files: Any, base: str, places: FileLocations) -> dict[str, list[str]]:
    """Return the files by split that `data_files` lists."""
    if isinstance(data_files, dict):
        by_name = data_files
    elif hasattr(data_files, "items"):
        by_name = dict(data_files.items())
    else:
        by_name = {"train": data_files}
    result = {}
    for split, patterns in by_name.items():
        if not SPLIT_NAME.fullmatch(str(split)):
            raise InvalidArgumentError(
                f"data_files: {split!r} is no name of a split: use letters, digits, _ and dots"
            )
        if not isinstance(patterns, (str, os.PathLike, list, tuple)):
            raise InvalidArgumentError(
                f"data_files: expected a pattern or a list of them for {str(split)!r}, found"
                f" {patterns!r}"
            )
        some = [patterns] if isinstance(patterns, (str, os.PathLike)) else list(patterns)
        if not some:
            raise InvalidArgumentError(f"data_files: the split {str(split)!r} has no files")
        # A file that is named twice is read twice, as `datasets` does.
        result[str(split)] = [file for pattern in some for file in places.resolve(pattern, base)]
    if not result:
        raise InvalidArgumentError("data_files names no files")
    return result


def _discovered(
    folder: str, format_name: str | None, places: FileLocations
) -> dict[str, list[str]]:
    """Return the files by split of a folder, by their names; only those of its format."""
    far = is_url(folder)
    if not far and not Path(folder).is_dir():
        raise DataFilesNotFoundError(f"there is no folder {folder}{meant(folder)}")
    try:
        there = places.walk(folder)
    except DataFilesNotFoundError:
        raise DataFilesNotFoundError(f"the folder {folder} has no data files") from None
    root = folder.rstrip("/") if far else os.path.abspath(folder)
    format_name, splits = data_files_of(there, root, format_name)
    if not splits:
        raise DataFilesNotFoundError(f"the folder {folder} has no {format_name} files")
    return {split: [f"{root}/{path}" for path in paths] for split, paths in splits.items()}
