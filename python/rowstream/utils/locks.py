"""Locks of files, which one process at a time holds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@contextlib.contextmanager
def held_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock for the block: give whether it is held.

    A process that ends leaves no lock. File systems without locks are used without them.

    Args:
        path: The file of the lock, in a folder that is there.
        wait: Wait for another process that holds it; otherwise it is not held then.
    """
    with path.open("a+") as file:
        try:
            import fcntl
        except ImportError:
            yield wait
            return
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    yield False
                    return
                time.sleep(0.05)
                continue
            except OSError:
                pass  # a file system without locks
            break
        yield True


@contextlib.contextmanager
def locked(path: Path, rights: int = 0o700) -> Iterator[None]:
    """Hold a lock for the block, so that no other process does the same work.

    Args:
        path: The file of the lock, whose folder is made.
        rights: The permissions of that folder.
    """
    path.parent.mkdir(rights, parents=True, exist_ok=True)
    with held_lock(path):
        yield
