"""Where the samples of a tar archive begin."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from rowstream.exceptions import FileFormatError

BLOCK = 512  # bytes that headers and contents of an archive fill


@dataclass(frozen=True)
class TarIndex:
    """Where the samples of a tar archive begin.

    Attributes:
        starts: The byte at which each sample begins: the header of its first member.
        end: The byte at which the last sample ends.
        unsure: Whether a sample may begin at `end`, since the index may have no end; the archive
            shows it.

    Example:
        >>> from rowstream.webdataset import TarWriter, index, read_index
        >>> with TarWriter("d.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "bin": b"..."})
        >>> _ = index("d.tar")
        >>> found = read_index("d.tar.idx")
        >>> len(found), list(found.starts), found.end
        (1, [0], 1024)
    """

    starts: array[int]
    end: int
    unsure: bool = False

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.starts)

    def to_bytes(self) -> bytes:
        """Return the starts as little-endian unsigned 64-bit integers.

        Example:
            >>> from array import array
            >>> from rowstream.webdataset import TarIndex
            >>> TarIndex(array("Q", [0, 1024]), 2048).to_bytes().hex()
            '00000000000000000004000000000000'
        """
        numbers = self.starts
        if sys.byteorder == "big":
            numbers = array("Q", numbers)
            numbers.byteswap()
        return numbers.tobytes()


def from_bytes(content: bytes) -> array[int]:
    """Return the numbers of little-endian unsigned 64-bit integers."""
    numbers = array("Q")
    numbers.frombytes(content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def from_contents(members: Iterable[tuple[Hashable, int, int]]) -> TarIndex:
    """Return the index of an archive of which only the contents of members are known.

    A sample begins where the member before it ends: what stands between is of the headers of its
    first member, or is no sample.

    Args:
        members: The key of the sample that each member is of (`None` for what is of none), the
            first byte of its content, and its length; in any order.

    Raises:
        FileFormatError: Members overlap.
    """
    starts, last, end = array("Q"), None, 0
    for key, at, size in sorted(members, key=lambda member: member[1]):
        if at % BLOCK or at < end + BLOCK:
            raise FileFormatError(
                f"no member's content can begin at byte {at}: the one before it ends at byte {end}"
            )
        if key is not None and key != last:
            starts.append(end)
            last = key
        end = at + -(-size // BLOCK) * BLOCK
    return TarIndex(starts, end)


def key_of(name: str) -> str | None:
    """Return the key of the sample that a member is of; `None` if it is of none."""
    folder, _, base = name.rpartition("/")
    key, dot, _ = base.partition(".")
    return f"{folder}/{key}" if key and dot and not left_behind(name) else None


def left_behind(name: str) -> bool:
    """Return whether a member is hidden, or is what macOS leaves in archives: of no sample."""
    return any(
        (part.startswith(".") and part not in (".", "..")) or part == "__MACOSX"
        for part in name.split("/")
    )
