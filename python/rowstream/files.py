"""Files of any source: opened, listed and written alike, whether they are here or far away."""

from __future__ import annotations

import builtins
import contextlib
import gzip
import io
import json
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rowstream.access import CLOUDS, Access
from rowstream.exceptions import DataFilesNotFoundError, FileFormatError, FilePermissionError, InvalidArgumentError, UnsupportedError
from rowstream.permissions import umask
from rowstream.resolve.urls import Places, is_url, origins, without_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rowstream import _core

Names = builtins.list[str]

_BLOCK = 1 << 20  # bytes that are read at once

_MODES = frozenset(("r", "rt", "rb", "w", "wt", "wb", "x", "xt", "xb"))


class _Far(io.RawIOBase):
    """A file far away: seekable, and read in blocks."""

    def __init__(self, file: _core.File, name: str) -> None:
        self._file, self._at, self.name = file, 0, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}.get(whence)
        if base is None or base + offset < 0:
            raise InvalidArgumentError(f"seek({offset}, {whence}): there is no such place")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        end = min(self._at + len(view), self._file.size)
        if self._at >= end:
            return 0
        content = self._file.read(self._at, end)
        view[: len(content)] = content
        self._at += len(content)
        return len(content)


class _Whole(io.BufferedWriter):
    """A file that is there once it is closed, whole; or not at all, where what writes it raises."""

    def __init__(self, place: str, access: Access | None, *, exclusive: bool) -> None:
        self._place, self._access, self._exclusive = place, access, exclusive
        folder = None if access is not None else os.path.dirname(os.path.abspath(place))  # noqa: PTH100, PTH120
        handle, self._aside = tempfile.mkstemp(dir=folder, prefix=".rowstream-")
        super().__init__(io.FileIO(handle, "w"), _BLOCK)

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def discard(self) -> None:
        """Closes it without leaving anything."""
        if not self.closed:
            super().close()
            Path(self._aside).unlink(missing_ok=True)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
            os.fsync(self.fileno())
            super().close()
            if self._access is not None:
                self._access.core(self._place).write(self._place, self._aside)
            elif self._exclusive:
                os.link(self._aside, self._place)
            else:
                # As a plain `open` would have made it.
                Path(self._aside).chmod(0o666 & ~umask())
                Path(self._aside).replace(self._place)
        finally:
            super().close()
            Path(self._aside).unlink(missing_ok=True)

    def __del__(self) -> None:
        # Nobody closed it: what was written may be a part.
        self.discard()


class _Text(io.TextIOWrapper):
    """Text over a file that is there whole or not at all."""

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None and isinstance(self.buffer, _Whole):
            self.buffer.discard()
            return
        self.close()


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
    """Opens a file of any source, for reading at any place or for writing whole.

    What is written is there when the file is closed, whole; it is not there, and what was there stays, where the `with` block raises.

    Args:
        path: a path, or a URL: `https://`, `s3://`, `gs://`, `az://`, `hf://datasets/org/name@revision/…`, or one of fsspec.
        mode: `"r"` and `"rb"` to read; `"w"`, `"wb"` and `"x"`, `"xb"` to write a new file (local ones and those of object stores).
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
            access = Access(token, storage_options, origins=origins(text))
            location, known = _located(text, access)
            made = io.BufferedReader(_Far(access.core(location).open(location, *known), location), _BLOCK)
        else:
            made = _here(text)
        return made if binary else io.TextIOWrapper(made, encoding or "utf-8", errors, newline)
    exclusive = mode.startswith("x")
    far = is_url(text)
    if far and text.partition("://")[0] not in CLOUDS:
        raise UnsupportedError(f"{text}: files of this machine and objects of s3://, gs:// and az:// are written, no others")
    if exclusive and exists(text, storage_options=storage_options, token=token):
        raise FileExistsError(f"{text} is there already")
    made = _Whole(text, Access(token, storage_options) if far else None, exclusive=exclusive)
    return made if binary else _Text(made, encoding or "utf-8", errors, newline)


def _here(path: str) -> IO[bytes]:
    try:
        return Path(path.removeprefix("file://")).open("rb")
    except FileNotFoundError as error:
        raise DataFilesNotFoundError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise FilePermissionError(f"{path}: {error.strerror}") from error


def _located(url: str, access: Access) -> tuple[str, tuple[Any, ...]]:
    """Where a file is, and what is known of it: of the Hub, at one commit."""
    if not url.startswith("hf://"):
        return url, ()
    places = Places(access)
    found = places.resolve(url, ".")
    if len(found) != 1:
        raise InvalidArgumentError(f"{url} names {len(found)} files")
    return found[0], places.known[found[0]]


def exists(path: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None, token: bool | str | None = None) -> bool:
    """Whether there is a file at a path or URL, or anything in a folder of it. What cannot be asked raises.

    Example:
        >>> rowstream.exists("s3://bucket/model/done")
    """
    text = os.fspath(path)
    if not is_url(text):
        return Path(text.removeprefix("file://")).exists()
    access = Access(token, storage_options, origins=origins(text))
    try:
        location, known = _located(text, access)
        access.core(location).open(location, *known)
    except FileNotFoundError:
        if text.partition("://")[0] not in CLOUDS:
            return False
        return bool(access.core(text).list(text.rstrip("/") + "/"))
    return True


def glob(pattern: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None, token: bool | str | None = None) -> Names:
    """The files that a pattern names, sorted; none of them if there is none. Patterns are those of `load_dataset`.

    Example:
        >>> rowstream.glob("s3://bucket/run-*/metrics.jsonl")
    """
    try:
        return Places(Access(token, storage_options, origins=origins(os.fspath(pattern)))).resolve(pattern, ".")
    except DataFilesNotFoundError:
        return []


def list(path: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None, token: bool | str | None = None) -> Names:
    """All files below a folder, sorted, as paths or URLs: those included whose names begin with a dot.

    Example:
        >>> rowstream.list("gs://bucket/data")
    """
    text = os.fspath(path)
    if not is_url(text):
        root = Path(text.removeprefix("file://"))
        if not root.is_dir():
            raise DataFilesNotFoundError(f"there is no folder {root}")
        return sorted(str(found) for found in root.rglob("*") if found.is_file())
    access = Access(token, storage_options, origins=origins(text))
    if text.partition("://")[0] in CLOUDS:
        return [location for location, _, _ in access.core(text).list(text.rstrip("/") + "/")]
    return Places(access).resolve(text.rstrip("/") + "/**/*", ".")


def read_jsonl(
    path: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None, token: bool | str | None = None
) -> Iterator[Any]:
    """The values of the lines of a file of any source, one after another: as JSON has them, whatever they are. A file of gzip is
    decompressed.

    Raises:
        FileFormatError: a line is not JSON; the message says which.

    Example:
        >>> rows = [*rowstream.read_jsonl("s3://bucket/results.jsonl")]
    """
    with contextlib.ExitStack() as stack:
        lines: Any = stack.enter_context(open(path, "rb", storage_options=storage_options, token=token))
        # By its first bytes: a server may take the end of a name for the way to send a file, and then they are not there.
        if lines.peek(2)[:2] == b"\x1f\x8b":
            lines = stack.enter_context(gzip.open(lines))
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as error:
                raise FileFormatError(f"{without_query(os.fspath(path))}: line {number} is not JSON: {error}") from None


def write_jsonl(
    path: str | os.PathLike[str],
    rows: Iterable[Any],
    *,
    storage_options: dict[str, Any] | None = None,
) -> int:
    """Writes rows as JSON Lines, a file that is there whole or not at all; gives how many.

    Example:
        >>> rowstream.write_jsonl("results.jsonl", ({"id": i} for i in range(3)))
        3
    """
    n = 0
    with open(path, "w", newline="\n", storage_options=storage_options) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n += 1
    return n
