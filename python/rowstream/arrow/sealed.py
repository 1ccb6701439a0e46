"""Checksums in the Arrow files of the cache: a damaged file raises an error.

They are written after the end of the stream, where other readers do not look. Each buffer is
checked once per process, when it is first read. A file is sealed after it has been written as a
whole.
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


def marked(schema: Any) -> pa.Schema:
    """Add to a schema the mark that its file is sealed."""
    return schema.with_metadata({**(schema.metadata or {}), _MARK: b"1"})


def unmarked(table: Any) -> pa.Table:
    """Remove from a table's schema the mark that its file is sealed."""
    metadata = table.schema.metadata or {}
    if _MARK not in metadata:
        return table
    return table.replace_schema_metadata(
        {name: text for name, text in metadata.items() if name != _MARK} or None
    )


def seal(path: str) -> None:
    """Append the checksums of an Arrow stream to its file."""
    with pa.memory_map(path) as source:
        checksums = _core.seal(_bytes(source.read_buffer()))
    with Path(path).open("ab") as file:
        file.write(checksums)


def _bytes(buffer: Any) -> memoryview:
    """Return a pyarrow buffer as a view of unsigned bytes: pyarrow declares them signed."""
    return memoryview(buffer).cast("B")


def content(buffer: Any, path: str, whole: bool = False) -> tuple[Any, bool]:
    """Return the bytes of a file, and whether they have checksums.

    Args:
        buffer: The bytes, as a pyarrow buffer.
        path: The name of the file in errors.
        whole: Check all bytes now, instead of when they are read.

    Raises:
        FileFormatError: Damage was found in what is checked now, or in the parts that all batches
            need.
    """
    mapped = _core.Mapped.of(path, _bytes(buffer)) if len(buffer) else None
    if mapped is None:
        return buffer, False
    if whole:
        mapped.check()
        return buffer, True
    return pa.py_buffer(mapped), True


def check_end(schema: Any, buffer: Any, path: str) -> None:
    """Check that a marked file without checksums ends like a stream.

    Another program may have rewritten such a file without them.

    Raises:
        FileFormatError: The file ends otherwise, and so was cut or damaged.
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
    """Return whether a path is on this machine, so that its file can be memory-mapped."""
    return "://" not in os.fspath(path)
