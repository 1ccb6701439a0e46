"""What `datasets.filesystems` says of file systems of fsspec."""

from __future__ import annotations

import shutil
from typing import Any


def is_remote_filesystem(fs: Any) -> bool:
    """Return whether a file system of fsspec is not that of this machine."""
    from fsspec.implementations.local import LocalFileSystem

    return not isinstance(fs, LocalFileSystem)


def rename(fs: Any, src: str, dst: str) -> None:
    """Give a file or folder of a file system another name."""
    if is_remote_filesystem(fs):
        fs.mv(src, dst, recursive=True)
    else:
        shutil.move(fs._strip_protocol(src), fs._strip_protocol(dst))
