"""Locks of files between processes: those of the package `filelock`, which comes with torch and
huggingface_hub.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from filelock import BaseFileLock, SoftFileLock, Timeout, UnixFileLock, WindowsFileLock
from filelock import FileLock as _FileLock

from rowstream.utils.atomic import umask

_LONGEST = 255  # bytes of a file's name


class FileLock(_FileLock):  # type: ignore[misc]  # filelock may come without types
    """A lock with the rights of plain files. A name that is too long for a file is cut, and told
    from others by its hash.

    Args:
        lock_file: the file.
        args, kwargs: as those of `filelock.FileLock`.
    """

    def __init__(self, lock_file: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("mode", 0o666 & ~umask())
        super().__init__(
            _short(os.path.abspath(os.path.expanduser(os.fspath(lock_file)))), *args, **kwargs
        )


def _short(path: str) -> str:
    folder, name = os.path.split(path)
    if len(os.fsencode(name)) <= _LONGEST:
        return path
    ending = f"...{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.lock"
    head = os.fsencode(name)[: _LONGEST - len(ending)].decode("utf-8", "ignore")
    return os.path.join(folder, head + ending)


__all__ = ["BaseFileLock", "FileLock", "SoftFileLock", "Timeout", "UnixFileLock", "WindowsFileLock"]
