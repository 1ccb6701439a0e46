"""Files of any source: opened, listed and written alike, whether they are here or far away."""

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
from rowstream.storage.access import CLOUDS, StorageOptions
from rowstream.storage.locations import FileLocations, origins
from rowstream.storage.remote_file import RemoteFile
from rowstream.storage.urls import is_url
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
    """Open a file of any source, for reading at any place or for writing whole.

    What is written is there when the file is closed, whole; it is not there, and what was there
    stays, where the `with` block raises.

    Args:
        path: a path, or a URL: `https://`, `s3://`, `gs://`, `az://`,
            `hf://datasets/org/name@revision/…`, or one of fsspec.
        mode: `"r"` and `"rb"` to read; `"w"`, `"wb"` and `"x"`, `"xb"` to write a new file (local
            ones and those of object stores).
        encoding: of text; UTF-8 if `None`.
        errors: what becomes of bytes that are not of the encoding.
        newline: as in the built-in `open`.
        storage_options: credentials and settings, as in `load_dataset`.
        token: the token of the Hub.

    Raises:
        DataFilesNotFoundError: there is no such file.
        FilePermissionError: it may not be read, or written.
        UnsupportedError: files of this source are not written.

    Example:
        >>> with rowstream.open("s3://bucket/notes.txt", "w") as file:
        ...     file.write("done")
        >>> with rowstream.open("hf://datasets/org/name@main/data.bin", "rb") as file:
        ...     file.seek(-8, 2)
        ...     tail = file.read()
    """
    text = os.fspath(path)
    if mode not in _MODES:
        raise InvalidArgumentError(f"mode is one of {sorted(_MODES)}, found {mode!r}")
    binary = mode.endswith("b")
    if binary and (encoding or errors or newline):
        raise InvalidArgumentError(f"mode {mode!r} has no encoding, errors or newline")
    made: Any
    if mode.startswith("r"):
        if is_url(text):
            access = StorageOptions(token, storage_options, origins=origins(text))
            location, known = _located(text, access)
            made = io.BufferedReader(
                RemoteFile(access.core(location).open(location, *known), location), BLOCK
            )
        else:
            made = _here(text)
        return made if binary else io.TextIOWrapper(made, encoding or "utf-8", errors, newline)
    exclusive = mode.startswith("x")
    far = is_url(text)
    if far and text.partition("://")[0] not in CLOUDS:
        raise UnsupportedError(
            f"{text}: files of this machine and objects of s3://, gs:// and az:// are written, no"
            " others"
        )
    if exclusive and exists(text, storage_options=storage_options, token=token):
        raise FileExistsError(f"{text} is there already")
    made = AtomicWriter(
        text, StorageOptions(token, storage_options) if far else None, exclusive=exclusive
    )
    return made if binary else AtomicText(made, encoding or "utf-8", errors, newline)


def _here(path: str) -> IO[bytes]:
    try:
        return Path(path.removeprefix("file://")).open("rb")
    except FileNotFoundError as error:
        raise DataFilesNotFoundError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise FilePermissionError(f"{path}: {error.strerror}") from error


def _located(url: str, access: StorageOptions) -> tuple[str, tuple[Any, ...]]:
    """Return where a file is, and what is known of it: of the Hub, at one commit."""
    if not url.startswith("hf://"):
        return url, ()
    places = FileLocations(access)
    found = places.resolve(url, ".")
    if len(found) != 1:
        raise InvalidArgumentError(f"{url} names {len(found)} files")
    return found[0], places.known[found[0]]


def exists(
    path: str | os.PathLike[str],
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> bool:
    """Return whether there is a file at a path or URL, or anything in a folder of it. What cannot
    be asked raises.

    Example:
        >>> rowstream.exists("s3://bucket/model/done")
    """
    text = os.fspath(path)
    if not is_url(text):
        return Path(text.removeprefix("file://")).exists()
    access = StorageOptions(token, storage_options, origins=origins(text))
    try:
        location, known = _located(text, access)
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
    """Return the files that a pattern names, sorted; none of them if there is none. Patterns are
    those of `load_dataset`.

    Example:
        >>> rowstream.glob("s3://bucket/run-*/metrics.jsonl")
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
    """Return all files below a folder, sorted, as paths or URLs: those included whose names begin
    with a dot.

    Example:
        >>> rowstream.list("gs://bucket/data")
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
