"""Files that are there whole or not at all.

Each is written aside, in the folder where it will be, and then put in its place: a reader sees the
old one or the new one. That is done here alone, in two steps that others use: `aside` and
`publish_file`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def umask() -> int:
    """Return the rights that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def aside(path: str | os.PathLike[str], suffix: str = "") -> tuple[int, str]:
    """Open a new file in the folder of another, for this user alone (mode 0600, O_EXCL).

    Returns:
        Its descriptor, and its path.
    """
    return tempfile.mkstemp(
        prefix=".rowstream-", suffix=suffix, dir=os.path.dirname(os.path.abspath(path))
    )


def publish_file(
    temporary: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    private: bool = False,
    durable: bool = True,
    exclusive: bool = False,
) -> None:
    """Put a whole file in its place, with the rights that new files have.

    Args:
        temporary: The file, which is gone then.
        path: Its place.
        private: Whether it stays for this user alone.
        durable: Whether its content reaches the disk first: else it may be empty after a power cut.
        exclusive: Whether it is an error that there is a file already.
    """
    if durable:
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
    if not private:
        os.chmod(temporary, 0o666 & ~umask())
    if exclusive:
        os.link(temporary, path)
        os.remove(temporary)
    else:
        os.replace(temporary, path)


def write_small(path: Path, text: str, *, private: bool = True) -> None:
    """Write a small file of a cache: for this user alone, or with the rights that new files have.

    A folder that cannot be written is no reason to fail.
    """
    with suppress(OSError):
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        with _written_aside(path) as (handle, temporary):
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            publish_file(temporary, path, private=private, durable=False)


@contextmanager
def atomic_file(path_or_buf: Any) -> Iterator[Any]:
    """Open a binary file for writing, which takes the place of what is there once it is whole. A
    file that is open already is used as it is.
    """
    if hasattr(path_or_buf, "write"):
        yield path_or_buf
        return
    path = Path(os.fspath(path_or_buf)).expanduser()
    if not path.parent.is_dir():
        raise InvalidArgumentError(f"there is no folder {path.parent}")
    with _written_aside(path) as (handle, temporary):
        with os.fdopen(handle, "wb") as file:
            yield file
        publish_file(temporary, path)


def create_file(path: str, write: Callable[[str], None], anew: bool = False) -> None:
    """Create a file of a cache by a function that is given a path to write to.

    Where several processes do it at the same time, one good copy stays.

    Args:
        path: The file. Its folder is created too.
        write: Writes it.
        anew: Whether it is written although it is there.
    """
    if os.path.exists(path) and not anew:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with _written_aside(path, ".arrow") as (handle, temporary):
        os.close(handle)
        write(temporary)
        publish_file(temporary, path)


@contextmanager
def _written_aside(path: str | Path, suffix: str = "") -> Iterator[tuple[int, str]]:
    """Open a file aside, and remove it where writing it fails."""
    handle, temporary = aside(path, suffix)
    try:
        yield handle, temporary
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
