"""Checksums of the Arrow files that are written for later: a damaged one is an error, not other
rows.

They stand after the end of the stream, where other readers do not look; each buffer is checked once
in a process, where it is first looked at. A file is written whole, and then sealed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from rowstream import _core
from rowstream.exceptions import FileFormatError

_MARK = b"rowstream.sealed"
_FILE = b"ARROW1"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def marked(schema: Any) -> Any:
    """Return a schema that says that its file is sealed."""
    return schema.with_metadata({**(schema.metadata or {}), _MARK: b"1"})


def unmarked(table: Any) -> Any:
    """Return a table without what its schema says of a seal."""
    metadata = table.schema.metadata or {}
    if _MARK not in metadata:
        return table
    return table.replace_schema_metadata(
        {name: text for name, text in metadata.items() if name != _MARK} or None
    )


def seal(path: str) -> None:
    """Write the checksums of an Arrow stream after its end."""
    with pa.memory_map(path) as source:
        checksums = _core.seal(_bytes(source.read_buffer()))
    with Path(path).open("ab") as file:
        file.write(checksums)


def _bytes(buffer: Any) -> memoryview:
    """Return a buffer of pyarrow, which says that its bytes have signs."""
    return memoryview(buffer).cast("B")


def content(buffer: Any, path: str, whole: bool = False) -> tuple[Any, bool]:
    """Return the bytes of a file, of which those that have checksums are checked, and whether they
    have.

    Args:
        buffer: the bytes, as pyarrow has them.
        path: what it is called in errors.
        whole: whether all of it is checked now.

    Raises:
        FileFormatError: what all batches need is damaged, or what is checked now.
    """
    mapped = _core.Mapped.of(path, _bytes(buffer)) if len(buffer) else None
    if mapped is None:
        return buffer, False
    if whole:
        mapped.check()
        return buffer, True
    return pa.py_buffer(mapped), True


def check_end(schema: Any, buffer: Any, path: str) -> None:
    """Look whether a file that was sealed, and has no seal, ends as a stream does: others may have
    written it again.

    Raises:
        FileFormatError: it does not.
    """
    whole = (
        buffer[: len(_FILE)].to_pybytes() == _FILE
        or buffer[-len(_END_OF_STREAM) :].to_pybytes() == _END_OF_STREAM
    )
    if _MARK in (schema.metadata or {}) and not whole:
        raise FileFormatError(
            f"{path}: its end is not what was written: the file was cut, or damaged since. Remove"
            " it and run again what made it: load_dataset, map and filter make files of the cache"
            " anew; a folder of save_to_disk has to be saved again"
        )


def is_local(path: Any) -> bool:
    """Return whether a path is one of this machine, whose files are mapped."""
    return "://" not in os.fspath(path)
