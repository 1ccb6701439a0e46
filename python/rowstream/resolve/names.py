"""What the first argument of `load_dataset` refers to, and suggestions if it refers to nothing."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import DatasetNotFoundError, ReadError
from rowstream.resolve import formats
from rowstream.storage.hub import is_name, repo
from rowstream.storage.urls import is_url

if TYPE_CHECKING:
    from rowstream.storage.access import StorageOptions
    from rowstream.storage.hub import Repo


# How much two names must have in common: one letter may be too many, missing, wrong or moved.
_ALIKE = 0.75
_WAIT = 2.0  # seconds for the Hub to answer where a name that is here was meant, probably


def format_named(path: str, data_files: Any = None, data_dir: str | None = None) -> str | None:
    """Return the format that a name stands for: its own name, or a file ending such as `"jsonl"`.

    It is `None` for other names, and for an ending that is also a local path.
    """
    if path in formats.BUILDERS:
        return path
    of = formats.ENDINGS.get(path)
    return (
        None
        if of is None or (data_files is None and data_dir is None and Path(path).exists())
        else of
    )


def is_of_hub(path: str, data_files: Any = None, data_dir: str | None = None) -> bool:
    """Return whether a name can only be that of a dataset of the Hub."""
    if is_url(path) or not is_name(path) or path.endswith((".py", ".json")):
        return False
    folder = path.rpartition("/")[0]
    if formats.by_name(path) is not None and (not folder or Path(folder).is_dir()):
        return False  # the name of a file
    return format_named(path, data_files, data_dir) is None and not Path(path).expanduser().exists()


def meant(path: str | os.PathLike[str]) -> str:
    """Return names similar to a missing path, for the end of an error; empty if there are none."""
    return _asked(_like_here(os.fspath(path)))


def named_repo(
    path: str, revision: str | None, access: StorageOptions, data_files: Any = None
) -> Repo:
    """Return the repository of a dataset of the Hub.

    Names that resemble a format, or are a file ending that is not supported, are not looked up. For
    a name that resembles a local file, the Hub is asked without waiting long.

    Raises:
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.
        UnsupportedError: The name is a file ending that is not supported.
    """
    alone = "/" not in path and revision is None
    if alone and _some_end_with(data_files, path):
        raise formats.not_read(path)
    like = _close(path, formats.NAMES) if alone else []
    here = _like_here(path)
    if like:
        raise DatasetNotFoundError(
            f"there is no format {path!r}, and no folder {path!r} here{_asked([*here, *like])}"
        )
    try:
        return repo(path, revision, access.once(_WAIT) if here else access)
    except (DatasetNotFoundError, ReadError) as error:
        if here:
            raise DatasetNotFoundError(
                f"there is no folder {path!r} here{_asked(here)} Of the Hub: {error}"
            ) from None
        raise type(error)(f"{error}; and there is no folder {path!r} here") from None


def _asked(names: list[str]) -> str:
    """Return the question whether one of some names was meant."""
    return f"; did you mean {' or '.join(map(repr, names))}?" if names else ""


def _close(name: str, among: Any) -> list[str]:
    """Return the names that resemble one, ignoring case."""
    lower, by_lower = name.lower(), {one.lower(): one for one in among}
    same = [one for one in by_lower if sorted(one) == sorted(lower)]
    return [
        by_lower[one]
        for one in dict.fromkeys([*same, *get_close_matches(lower, by_lower, 2, _ALIKE)])
    ]


def _like_here(path: str) -> list[str]:
    """Return the folders and data files in the same folder whose names resemble a path."""
    folder, _, name = path.rstrip("/").rpartition("/")
    start = f"{folder}/" if folder or path.startswith("/") else ""
    try:
        there = [
            one for one in Path(start or ".").expanduser().iterdir() if not one.name.startswith(".")
        ]
    except OSError:
        return []
    return [
        f"{start}{one}"
        for one in _close(
            name, [one.name for one in there if one.is_dir() or formats.by_name(one.name)]
        )
    ]


def _some_end_with(data_files: Any, name: str) -> bool:
    """Return whether some of `data_files` end with this name."""
    if isinstance(data_files, (str, os.PathLike)):
        return os.fspath(data_files).lower().endswith(f".{name.lower()}")
    some = (
        data_files.values()
        if isinstance(data_files, dict)
        else data_files
        if isinstance(data_files, (list, tuple))
        else ()
    )
    return any(_some_end_with(one, name) for one in some)
