"""Members of tar archives as bytes: headers, and what fills their last blocks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

BLOCK = 512
LONGEST_NAME = 100
LARGEST = 8**11 - 1
ZEROS = bytes(BLOCK)


def _head(kind: bytes) -> bytes:
    """Return a header without name, size and check sum, which is spaces."""
    fields = (
        *(b"\0" * 100, b"0000644\0", b"0000000\0", b"0000000\0"),
        *(b"\0" * 12, b"00000000000\0", b" " * 8, kind, b"\0" * 100),
        *(b"ustar\00000", b"\0" * 247),
    )
    return b"".join(fields)


def _around(head: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Return the sum of a header's bytes, and what lies around its size and its check sum."""
    return sum(head), head[100:124], head[136:148], head[156:]


_FILE, _MORE = _around(_head(b"0")), _around(_head(b"x"))


@lru_cache(1024)
def _sized(size: int, head: tuple[int, bytes, bytes, bytes]) -> tuple[int, bytes]:
    """Return the sum of a header of such a size without its name, and what lies between its name
    and its check sum.
    """
    total, owner, time, _ = head
    digits = b"%011o" % size
    return total + sum(digits), owner + digits + b"\0" + time


def header(name: bytes, size: int, head: tuple[int, bytes, bytes, bytes] = _FILE) -> bytes:
    """Return the header of a file of such a name and size."""
    total, between = _sized(size, head)
    return b"%s%s%06o\0 %s" % (name.ljust(LONGEST_NAME, b"\0"), between, total + sum(name), head[3])


def member(name: str, content: Any) -> list[Any]:
    """Return a member of an archive: its header, its content, and what fills its last block.

    Names of more than 100 bytes and sizes from 8 GiB on have a header of their own (pax).
    """
    if type(content) is not bytes and isinstance(content, memoryview):
        # Of bytes, whatever its items are.
        content = content.cast("B") if content.c_contiguous else content.tobytes()
    path, size = name.encode("utf-8", "surrogateescape"), len(content)
    parts = []
    if len(path) > LONGEST_NAME or size > LARGEST:
        records = b"".join(
            _record(key, value)
            for key, value, needed in (
                (b"path", path, len(path) > LONGEST_NAME),
                (b"size", b"%d" % size, size > LARGEST),
            )
            if needed
        )
        parts += [header(path[:LONGEST_NAME], len(records), _MORE), records, _fill(len(records))]
    parts += [header(path[:LONGEST_NAME], min(size, LARGEST)), content]
    return [*parts, _fill(size)] if size % BLOCK else parts


def _record(key: bytes, value: bytes) -> bytes:
    """Return a record of a pax header, which begins with its own length."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _fill(size: int) -> bytes:
    return ZEROS[: -size % BLOCK]
