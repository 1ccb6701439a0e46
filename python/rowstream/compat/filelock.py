"""Locks of files between processes, by the package `filelock`.

It is installed together with torch and huggingface_hub.
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
    """A file lock with the permissions of ordinary files.

    A file name that is too long is shortened, with a hash that distinguishes it from others.

    Args:
        lock_file: The path of the lock file.
        args, kwargs: As in `filelock.FileLock`.
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
