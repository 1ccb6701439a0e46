"""Functions to open, list and find files of any source, local or remote."""

from __future__ import annotations

import builtins
import io
import os
from pathlib import Path
from typing import IO, Any

from rowstream.exceptions import (
    DataFilesNotFoundError,
    FilePermissionError,
    InvalidArgumentError,
    UnsupportedError,
)
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import FileLocations, origins
from rowstream.storage.remote_file import RemoteFile
from rowstream.storage.urls import CLOUDS, is_url, shown
from rowstream.storage.writer import BLOCK, AtomicText, AtomicWriter

Names = builtins.list[str]


_MODES = frozenset(("r", "rt", "rb", "w", "wt", "wb", "x", "xt", "xb"))


def open(
    path: str | os.PathLike[str],
    mode: str = "r",
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> IO[Any]:
    """Open a local or remote file for reading, or for writing a new file.

    A remote file is seekable and read in blocks. A written file appears when it is closed; if the
    `with` block raises an error, nothing is written and an existing file stays as it was.

    Args:
        path: A path, or a URL: `https://`, `s3://`, `gs://`, `az://`,
            `hf://datasets/org/name@revision/…`, or one that fsspec reads.
        mode: `"r"` or `"rb"` to read; `"w"` or `"wb"` to write; `"x"` or `"xb"` to write a file
            that must not exist yet. Only local files and object stores can be written.
        encoding: The encoding of text; UTF-8 if `None`.
        errors: How to treat bytes that are not in the encoding, as in the built-in `open`.
        newline: How to treat line ends, as in the built-in `open`.
        storage_options: Credentials and settings, as in `load_dataset`.
        token: The Hub token.

    Raises:
        DataFilesNotFoundError: The file does not exist.
        FilePermissionError: The file may not be read or written.
        FileExistsError: The mode is `"x"` and the file exists.
        InvalidArgumentError: The mode is unknown or does not go with the other arguments.
        UnsupportedError: Files of this source cannot be written.

    Example:
        >>> with rowstream.open("notes.txt", "w") as file:
        ...     _ = file.write("done")
        >>> with rowstream.open("notes.txt", "rb") as file:
        ...     _ = file.seek(-3, 2)
        ...     file.read()
        b'one'
        >>> with rowstream.open("s3://bucket/notes.txt") as file:  # doctest: +SKIP
        ...     text = file.read()
    """
    text = os.fspath(path)
    if mode not in _MODES:
        raise InvalidArgumentError(f"mode is one of {sorted(_MODES)}, found {mode!r}")
    binary = mode.endswith("b")
    if binary and (encoding or errors or newline):
        raise InvalidArgumentError(f"mode {mode!r} has no encoding, errors or newline")
    result: Any
    if mode.startswith("r"):
        if is_url(text):
            access = StorageOptions(token, storage_options, origins=origins(text))
            location, known = FileLocations(access).one(text)
            result = io.BufferedReader(
                RemoteFile(access.core(location).open(location, *known), location), BLOCK
            )
        else:
            result = _here(text)
        return result if binary else io.TextIOWrapper(result, encoding or "utf-8", errors, newline)
    exclusive = mode.startswith("x")
    far = is_url(text)
    if far and text.partition("://")[0] not in CLOUDS:
        raise UnsupportedError(
            f"{shown(text)}: only local files and objects of s3://, gs:// and az:// are written:"
            " choose another path"
        )
    if exclusive and exists(text, storage_options=storage_options, token=token):
        raise FileExistsError(f"{shown(text)} is there already")
    result = AtomicWriter(
        text, StorageOptions(token, storage_options) if far else None, exclusive=exclusive
    )
    return result if binary else AtomicText(result, encoding or "utf-8", errors, newline)


def _here(path: str) -> IO[bytes]:
    try:
        return Path(path.removeprefix("file://")).open("rb")
    except FileNotFoundError as error:
        raise DataFilesNotFoundError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise FilePermissionError(f"{path}: {error.strerror}") from error


def exists(
    path: str | os.PathLike[str],
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> bool:
    """Return whether a file or folder exists at a path or URL.

    In object stores, a folder exists if it contains an object.

    Args:
        path: The path or URL, as in `rowstream.open`.
        storage_options: Credentials and settings, as in `load_dataset`.
        token: The Hub token.

    Raises:
        FilePermissionError, ReadError: The source refuses or does not answer.

    Example:
        >>> write_jsonl("results.jsonl", [])
        0
        >>> rowstream.exists("results.jsonl"), rowstream.exists("other.jsonl")
        (True, False)
        >>> rowstream.exists("s3://bucket/model/done")  # doctest: +SKIP
        True
    """
    text = os.fspath(path)
    if not is_url(text):
        return Path(text.removeprefix("file://")).exists()
    access = StorageOptions(token, storage_options, origins=origins(text))
    try:
        location, known = FileLocations(access).one(text)
        access.core(location).open(location, *known)
    except FileNotFoundError:
        if text.partition("://")[0] not in CLOUDS:
            return False
        return bool(access.core(text).list(text.rstrip("/") + "/"))
    return True


def glob(
    pattern: str | os.PathLike[str],
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> Names:
    """Return the files that match a pattern, sorted, as paths or URLs.

    Patterns are those of `data_files=` in `load_dataset`: `*`, `**`, `?`, `[ab]`, `{a,b}`,
    `{000..099}`.

    Args:
        pattern: The path or URL with a pattern.
        storage_options: Credentials and settings, as in `load_dataset`.
        token: The Hub token.

    Returns:
        A list of absolute paths or URLs; empty if no file matches.

    Example:
        >>> write_jsonl("run-1.jsonl", []), write_jsonl("run-2.jsonl", [])
        (0, 0)
        >>> rowstream.glob("run-*.jsonl")
        ['...run-1.jsonl', '...run-2.jsonl']
        >>> rowstream.glob("s3://bucket/run-*/metrics.jsonl")  # doctest: +SKIP
    """
    try:
        return FileLocations(
            StorageOptions(token, storage_options, origins=origins(os.fspath(pattern)))
        ).resolve(pattern, ".")
    except DataFilesNotFoundError:
        return []


def list(
    path: str | os.PathLike[str],
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> Names:
    """Return all files in a folder and its subfolders, sorted, as paths or URLs.

    Hidden files are included in local folders and object stores. On the Hub, hidden files and files
    that describe a dataset (`README.md`, …) are left out.

    Args:
        path: The path or URL of the folder.
        storage_options: Credentials and settings, as in `load_dataset`.
        token: The Hub token.

    Raises:
        DataFilesNotFoundError: The folder does not exist.

    Example:
        >>> write_jsonl("results.jsonl", [])
        0
        >>> rowstream.list(".")
        ['results.jsonl']
        >>> rowstream.list("gs://bucket/data")  # doctest: +SKIP
    """
    text = os.fspath(path)
    if not is_url(text):
        root = Path(text.removeprefix("file://"))
        if not root.is_dir():
            raise DataFilesNotFoundError(f"there is no folder {root}")
        return sorted(str(found) for found in root.rglob("*") if found.is_file())
    access = StorageOptions(token, storage_options, origins=origins(text))
    if text.partition("://")[0] in CLOUDS:
        return [location for location, _, _ in access.core(text).list(text.rstrip("/") + "/")]
    return FileLocations(access).resolve(text.rstrip("/") + "/**/*", ".")
