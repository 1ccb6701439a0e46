"""Files that are written completely or not at all.

Each is written to a temporary file in the same folder, which then replaces the file: a reader sees
the old one or the new one. Only this module does that, in two steps that others use: `aside` and
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
    """Return the permissions that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def aside(path: str | os.PathLike[str], suffix: str = "") -> tuple[int, str]:
    """Create a temporary file in the folder of another, for this user alone (mode 0600, O_EXCL).

    Returns:
        Its descriptor and its path.
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
    """Move a complete temporary file to its place, with the permissions of new files.

    Args:
        temporary: The temporary file; it does not exist afterwards.
        path: The place.
        private: Let only this user read the file.
        durable: Write the content to the disk first; otherwise the file may be empty after a power
            cut.
        exclusive: Raise an error if the file exists already.
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
    """Write a small file of a cache, for this user alone or with the permissions of new files.

    Nothing is raised if the folder cannot be written.
    """
    with suppress(OSError):
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        with _written_aside(path) as (handle, temporary):
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            publish_file(temporary, path, private=private, durable=False)


@contextmanager
def atomic_file(path_or_buf: Any) -> Iterator[Any]:
    """Open a binary file for the block, which replaces the existing one when it is complete.

    An open file is used as it is.
    """
    if hasattr(path_or_buf, "write"):
        yield path_or_buf
        return
    # A link stays one: what it leads to is replaced.
    path = Path(os.path.realpath(Path(os.fspath(path_or_buf)).expanduser()))
    if not path.parent.is_dir():
        raise InvalidArgumentError(f"there is no folder {path.parent}")
    if path.exists() and not path.is_file() and not path.is_dir():
        # A pipe or a device, such as /dev/stdout.
        with path.open("wb") as file:
            yield file
        return
    with _written_aside(path) as (handle, temporary):
        with os.fdopen(handle, "wb") as file:
            yield file
        publish_file(temporary, path)


def create_file(path: str, write: Callable[[str], None], anew: bool = False) -> None:
    """Create a file of a cache by a function that writes to a given path.

    If several processes do this at the same time, one complete copy stays.

    Args:
        path: The file. Its folder is created too.
        write: The function; it is called with the path of a temporary file.
        anew: Write the file even if it exists.
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
    """Open a temporary file for the block, and remove it if the block raises an error."""
    handle, temporary = aside(path, suffix)
    try:
        yield handle, temporary
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
