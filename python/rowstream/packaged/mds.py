"""MDS, the shards of mosaicml-streaming, read without it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError
from rowstream.features.features import Features
from rowstream.features.media.image import Image
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.features.text import Json
from rowstream.packaged.base import Reader, Source, choose
from rowstream.packaged.stored import of_array, offsets, raw_image, unpacked, unsafe

_SCALARS = (
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)
_IN_ARRAYS = {
    8: "uint8",
    9: "int8",
    16: "uint16",
    17: "int16",
    18: "float16",
    32: "uint32",
    33: "int32",
    34: "float32",
    64: "uint64",
    65: "int64",
    66: "float64",
}
_IMAGES = ("jpeg", "png", "pil")


@dataclass
class Mds(Reader):
    """The reader of MDS shards: a row is a sample.

    Each shard says its columns: `.mds` files are read as they are, and `.mds.zstd`, `.mds.gz` and
    `.mds.bz2` decompressed. Images are `Image()`; columns of pickles are an error, unless
    `columns=` leaves them out.
    """

    name: ClassVar[str] = "mds"

    def features(self, files: list[Source]) -> Features | None:
        names, encodings, _, _ = _header(files[0], unpacked(files[0]))
        found = {
            name: _feature(encoding, files[0], name)
            for name, encoding in zip(names, encodings, strict=True)
            if self.columns is None or name in self.columns
        }
        if None in found.values():
            first = next(self.rows(files[0]), {})
            found = {
                name: of_array(first.get(name)) if feature is None else feature
                for name, feature in found.items()
            }
        return choose(Features(found), self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        content = unpacked(unit)
        names, encodings, sizes, places = _header(unit, content)
        decoders = [
            None
            if self.columns is not None and name not in self.columns
            else _decoder(encoding, unit, name)
            for name, encoding in zip(names, encodings, strict=True)
        ]
        varied = [i for i, size in enumerate(sizes) if not size]
        for start, end in pairwise(places):
            lengths = [size or 0 for size in sizes]
            found = struct.unpack_from(f"<{len(varied)}I", content, start)
            for i, length in zip(varied, found, strict=True):
                lengths[i] = length
            at = start + 4 * len(varied)
            row = {}
            for name, decode, length in zip(names, decoders, lengths, strict=True):
                if decode is not None:
                    row[name] = decode(content[at : at + length])
                at += length
            if at != end:
                raise FileFormatError(
                    f"{unit}: a sample at byte {start} has {at - start} bytes, not {end - start}"
                )
            yield row


def _header(
    source: Source, content: bytes
) -> tuple[list[str], list[str], list[int | None], tuple[int, ...]]:
    places = offsets(source, content)
    try:
        said = json.loads(content[4 * (len(places) + 1) : places[0]])
        names, encodings, sizes = (
            said[key] for key in ("column_names", "column_encodings", "column_sizes")
        )
    except (ValueError, KeyError) as error:
        raise FileFormatError(f"{source}: no MDS shard: its header is damaged") from error
    return names, encodings, sizes, places


def _feature(encoding: str, source: Source, name: str) -> Any:
    """Return the feature for an encoding; `None` if the values show it."""
    kind, _, more = encoding.partition(":")
    if kind in _SCALARS:
        return Value(kind)
    if kind in ("int", "str_int"):
        return Value("int64")
    if kind == "str_float":
        return Value("float64")
    if kind in ("str", "str_decimal"):
        return Value("string")
    if kind == "bytes":
        return Value("binary")
    if kind == "json":
        return Json()
    if kind in _IMAGES:
        return Image()
    if kind in ("jpeg_array", "jpegarray") or kind.startswith("list["):
        return List(Image())
    if kind == "ndarray":
        dtype, _, shape = more.partition(":")
        if not dtype or not shape:
            return None
        feature: Any = Value(dtype)
        for length in reversed(shape.split(",")):
            feature = List(feature, length=int(length))
        return feature
    if kind == "pkl":
        raise unsafe(source, name)
    raise unsafe(source, name, f"the encoding {encoding!r} is not known")


def _decoder(encoding: str, source: Source, name: str) -> Callable[[bytes], Any]:
    import numpy as np

    kind, _, more = encoding.partition(":")
    if kind in _SCALARS:
        return lambda content: np.frombuffer(content, kind)[0].item()
    if kind == "int":
        return lambda content: int.from_bytes(content, "little", signed=True)
    if kind in ("str", "str_decimal"):
        return lambda content: content.decode()
    if kind == "str_int":
        return int
    if kind == "str_float":
        return float
    if kind == "bytes":
        return bytes
    if kind == "json":
        return json.loads
    if kind == "pil":
        return raw_image
    if kind in _IMAGES:
        return _file
    if kind == "ndarray":
        dtype, _, shape = more.partition(":")
        fixed = tuple(int(n) for n in shape.split(",")) if shape else None
        return lambda content: _array(content, dtype or None, fixed)
    if kind in ("jpeg_array", "jpegarray"):
        return lambda content: [_file(one) for one in _several(content, 0)]
    if kind.startswith("list["):
        one = raw_image if kind == "list[pil]" else _file
        return lambda content: [one(part) for part in _several(content, 4)]
    raise unsafe(source, name)


def _file(content: bytes) -> dict[str, Any]:
    return {"bytes": content, "path": None}


def _several(content: bytes, start: int) -> Iterator[bytes]:
    """Yield values that stand one after another, below their number and their lengths."""
    (n,) = struct.unpack_from("<I", content, start)
    lengths = struct.unpack_from(f"<{n}I", content, start + 4)
    at = start + 4 * (n + 1)
    for length in lengths:
        yield content[at : at + length]
        at += length


def _array(content: bytes, dtype: str | None, shape: tuple[int, ...] | None) -> Any:
    """Return an array: what the header does not say of it stands before its values."""
    import numpy as np

    at = 0
    if dtype is None:
        dtype, at = _IN_ARRAYS[content[0]], 1
    if shape is None:
        dimensions, width = content[at] >> 2, 1 << (content[at] & 3)
        at += 1
        shape = tuple(
            np.frombuffer(content, f"<u{width}", dimensions, at).astype(np.int64).tolist()
        )
        at += dimensions * width
    return np.frombuffer(content, dtype, offset=at).reshape(shape)
