"""Functions of `datasets.filesystems`, about file systems of fsspec."""

from __future__ import annotations

import shutil
from typing import Any


def is_remote_filesystem(fs: Any) -> bool:
    """Return whether a file system of fsspec is not the local one."""
    from fsspec.implementations.local import LocalFileSystem

    return not isinstance(fs, LocalFileSystem)


def rename(fs: Any, src: str, dst: str) -> None:
    """Move a file or folder of a file system to another name."""
    if is_remote_filesystem(fs):
        fs.mv(src, dst, recursive=True)
    else:
        shutil.move(fs._strip_protocol(src), fs._strip_protocol(dst))
