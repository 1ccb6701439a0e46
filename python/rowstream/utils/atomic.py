"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def umask() -> int:
    """Return the rights that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_small(path: Path, text: str, *, private: bool = True) -> None:
    """Write a small file whole or not at all: for this user alone, or with the rights that new
    files have. A folder that cannot be written is no reason to fail.
    """
    import tempfile

    try:
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600, O_EXCL
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            if not private:
                Path(name).chmod(0o666 & ~umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return


@contextmanager
def atomic_file(path_or_buf: Any) -> Iterator[Any]:
    """Return a binary file to write, in place of what is there only once it is whole: a reader sees
    the old one or the new one.
    """
    if hasattr(path_or_buf, "write"):
        yield path_or_buf
        return
    path = Path(os.fspath(path_or_buf)).expanduser()
    if not path.parent.is_dir():
        raise InvalidArgumentError(f"there is no folder {path.parent}")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

        mode = 0o666 & ~umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def publish_file(temporary: str, path: str) -> None:
    """Put a whole file in its place, with the rights that new files have."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.chmod(temporary, 0o666 & ~umask())
    os.replace(temporary, path)


def create_file(path: str, write: Callable[[str], None], anew: bool = False) -> None:
    """Has a file made, whole or not at all. Where several processes do it at once, one good copy
    stays.
    """
    if os.path.exists(path) and not anew:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        prefix=".rowstream-", suffix=".arrow", dir=os.path.dirname(path)
    )
    os.close(handle)
    try:
        write(temporary)
        publish_file(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
