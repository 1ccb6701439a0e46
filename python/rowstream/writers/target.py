"""Where rows are written to: paths, URLs, files that are open; compressed or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rowstream.exceptions import UnsupportedError
from rowstream.storage.files import open as open_file
from rowstream.storage.urls import shown
from rowstream.utils.atomic import atomic_file


def has_scheme(path: str) -> bool:
    """Return whether a path is a URL, other than one of a file of this machine."""
    return "://" in path and not path.startswith("file://")


def open_path(path: str, mode: str, storage_options: Any) -> Any:
    """Open a file of this machine or of a URL."""
    if has_scheme(path) or path.startswith("file://"):
        return open_file(path, mode, storage_options=storage_options)
    return open(path, mode, encoding=None if "b" in mode else "utf-8")


def file_system(path: str, storage_options: Any) -> tuple[Any, ...]:
    """Return the file system of fsspec that a URL is of, and the path in it; `None` for files of
    this machine.
    """
    if not has_scheme(path) and not storage_options:
        return None, os.path.expanduser(path.removeprefix("file://"))
    from fsspec.core import url_to_fs

    fs, inside = url_to_fs(path, **(storage_options or {}))
    local = type(fs).__name__ == "LocalFileSystem"
    return (None, inside) if local else (fs, inside.rstrip("/"))


class Target:
    """A file to write, whole or not at all; or one that was given, which stays open.

    At a URL, what stood there before is gone once something is written.
    """

    def __init__(self, path_or_buf: Any, storage_options: Any) -> None:
        self.of, self.options = path_or_buf, storage_options
        self.inner: Any = None
        self.remote: Any = None

    def __enter__(self) -> Any:
        if hasattr(self.of, "write"):
            return self.of
        path = os.fspath(self.of)
        fs, inside = file_system(path, self.options)
        try:
            self.inner = atomic_file(inside) if fs is None else fs.open(inside, "wb")
        except NotImplementedError as error:
            raise UnsupportedError(
                f"{shown(path)}: no file can be written there: write to local disk or an object"
                " store, such as s3://"
            ) from error
        self.remote = None if fs is None else (fs, inside)
        return self.inner.__enter__()

    def __exit__(self, *error: object) -> Any:
        try:
            return None if self.inner is None else self.inner.__exit__(*error)
        finally:
            if error[0] is not None and self.remote is not None:
                fs, inside = self.remote
                with suppress(OSError):
                    fs.rm(inside)


def open_target(path_or_buf: Any, storage_options: Any) -> Any:
    """Return a context that gives a binary file to write: a buffer as it is, a file of this
    machine, or one of a URL.
    """
    return Target(path_or_buf, storage_options)


_COMPRESSIONS = {
    ".gz": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zst": "zstd",
    ".zip": "zip",
    ".lz4": "lz4",
    ".tgz": "gzip",
    ".tbz2": "bz2",
    ".txz": "xz",
    ".tzst": "zstd",
}


class _StaysOpen:
    """A file that is not closed with what writes into it."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.write, self.flush = file.write, file.flush

    def close(self) -> None:
        """Say that nothing more is written."""
        self.closed = True


def compressed(name: Any, compression: Any) -> Callable[[Any], Any] | None:
    """Return a function that opens a compressed file inside another; `None` if nothing is
    compressed.

    Args:
        name: The path of the file, whose ending says how it is compressed.
        compression: `"gzip"`, `"bz2"`, `"xz"`, `"zstd"` or `"lz4"`; `"infer"` goes by the name.

    Raises:
        NotImplementedError: It is another compression.
    """
    kind = compression
    if kind == "infer":
        # A file that is open already has no name to go by.
        named = isinstance(name, (str, os.PathLike))
        kind = _COMPRESSIONS.get(os.path.splitext(os.fspath(name))[1].lower()) if named else None
    if kind is None:
        return None
    if kind == "gzip":
        import gzip

        # Without a time and a name: the same content is the same file.
        return lambda raw: gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0)
    if kind == "bz2":
        import bz2

        return lambda raw: bz2.BZ2File(raw, "wb")
    if kind == "xz":
        import lzma

        return lambda raw: lzma.LZMAFile(raw, "wb")
    if kind in ("zstd", "lz4"):
        import pyarrow as pa

        return lambda raw: pa.CompressedOutputStream(pa.PythonFile(_StaysOpen(raw), "w"), kind)
    raise NotImplementedError(
        f"nothing is written with the compression {kind!r}: 'gzip', 'bz2', 'xz', 'zstd' and 'lz4'"
        " are there"
    )
