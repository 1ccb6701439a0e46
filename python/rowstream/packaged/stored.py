"""What MDS and litdata have in common: values in bytes, and files that are compressed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import FileFormatError, UnsupportedError
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.utils.optional import import_optional

if TYPE_CHECKING:
    from rowstream.packaged.base import Source

PICKLED = (
    "its values are pickled, and what is pickled is never loaded, since it could run any program"
)


def unpacked(source: Source) -> bytes:
    """Return the bytes of a file, decompressed if its first bytes say that it is compressed."""
    content = source.content()
    if content[:4] == b"\x28\xb5\x2f\xfd":
        zstandard = import_optional(
            "zstandard", "files that are compressed by Zstandard", "zstandard"
        )
        with zstandard.ZstdDecompressor().stream_reader(content) as reader:
            result: bytes = reader.read()
        return result
    if content[:2] == b"\x1f\x8b":
        import gzip

        return gzip.decompress(content)
    if content[:3] == b"BZh":
        import bz2

        return bz2.decompress(content)
    return content


def offsets(source: Source, content: bytes) -> tuple[int, ...]:
    """Return where the samples of a file begin, and where the last ends.

    Both formats begin with the number of samples and these places, as 32-bit numbers.
    """
    try:
        (n,) = struct.unpack_from("<I", content)
        places = struct.unpack_from(f"<{n + 1}I", content, 4)
    except struct.error as error:
        raise FileFormatError(f"{source}: the file is cut in its table of samples") from error
    if list(places) != sorted(places) or places[-1] > len(content):
        raise FileFormatError(
            f"{source}: the samples should end at byte {places[-1]}, the file has"
            f" {len(content)}: it was cut"
        )
    return places


def raw_image(content: bytes) -> Any:
    """Return an image whose pixels are stored as they are, as a Pillow image."""
    pillow = import_optional("PIL.Image", "images", "Pillow")
    width, height, length = struct.unpack_from("<III", content)
    mode = content[12 : 12 + length].decode()
    return pillow.frombytes(mode, (width, height), content[12 + length :])


def unsafe(source: Source, name: str, what: str = PICKLED) -> UnsupportedError:
    """Return the error of a column that is not read."""
    return UnsupportedError(f"{source}: the column {name!r} is not read: {what}")


def of_array(array: Any) -> Any:
    """Return the feature of arrays like one: nested lists of its type of numbers."""
    if array is None:
        return Value("null")
    feature: Any = Value(array.dtype.name)
    for _ in array.shape or (1,):
        feature = List(feature)
    return feature
