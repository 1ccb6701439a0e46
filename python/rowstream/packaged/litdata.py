"""The chunks of litdata, read without it."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from rowstream.exceptions import DataFilesNotFoundError, FileFormatError, UnsupportedError
from rowstream.features.features import Features
from rowstream.features.media.audio import Audio
from rowstream.features.media.documents import Mesh, Nifti, Pdf
from rowstream.features.media.image import Image
from rowstream.features.media.video import Video
from rowstream.features.scalar import Value
from rowstream.features.text import Json
from rowstream.packaged.base import Reader, Source, choose
from rowstream.packaged.stored import of_array, offsets, raw_image, unpacked, unsafe

_NUMPY = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128", "bool"),
)
_TORCH = {
    0: "float32",
    1: "float32",
    2: "float64",
    3: "float64",
    8: "float16",
    9: "float16",
    11: "uint8",
    12: "int8",
    13: "int16",
    14: "int16",
    15: "int32",
    16: "int32",
    17: "int64",
    18: "int64",
    19: "bool",
    20: "uint16",
}
_FILES = ("audio", "file", "image", "jpeg", "mesh", "nifti", "pdf", "png", "tifffile", "video")


@dataclass
class LitData(Reader):
    """The reader of litdata: `index.json` and the chunks beside it; a row is an item.

    An item that is a dict has its columns; one that is a list has `"0"`, `"1"`, …; another has
    `"value"`. Pickled values are an error, unless `columns=` leaves
    them out; chunks of `TokensLoader` are rows of one array each.
    """

    name: ClassVar[str] = "litdata"

    def units(self, files: list[Source]) -> list[Any]:
        """Return the chunks that the indexes list, each with the index's settings."""
        indexes = [one for one in files if one.path.rpartition("/")[2] == "index.json"]
        if not indexes:
            raise DataFilesNotFoundError("there is no index.json, which a set of litdata has")
        result: list[Any] = []
        for source in indexes:
            try:
                index = json.loads(source.content())
                config, chunks = index["config"], index["chunks"]
            except (ValueError, KeyError) as error:
                raise FileFormatError(
                    f"{source}: no index of litdata, which has config and chunks: {error!r}"
                ) from error
            if config.get("encryption"):
                raise UnsupportedError(f"{source}: encrypted chunks are not read")
            folder = os.path.dirname(source.path)
            result += [
                (Source(f"{folder}/{chunk['filename']}", source.access), config) for chunk in chunks
            ]
        return result

    def features(self, files: list[Source]) -> Features | None:
        units = self.units(files)
        if not units:
            return None
        config = units[0][1]
        formats = config["data_format"]
        names = _names(config.get("data_spec"), len(formats))
        first = next(self.rows(units[0]), {})
        found = {
            name: of_array(first.get(name)) if feature is None else feature
            for name, feature in zip(names, map(_feature, formats), strict=True)
            if self.columns is None or name in self.columns
        }
        return choose(Features(found), self.columns)

    def rows(self, unit: tuple[Source, dict[str, Any]]) -> Iterator[dict[str, Any]]:
        source, config = unit
        content = unpacked(source)
        places = offsets(source, content)
        formats = config["data_format"]
        names = _names(config.get("data_spec"), len(formats))
        decoders = [
            None
            if self.columns is not None and name not in self.columns
            else _decoder(format, source, name)
            for name, format in zip(names, formats, strict=True)
        ]
        alone = config.get("item_loader") == "TokensLoader"
        for start, end in pairwise(places):
            if alone:
                decode = decoders[0]
                if decode is not None:
                    yield {names[0]: decode(content[start:end])}
                continue
            lengths = struct.unpack_from(f"<{len(formats)}I", content, start)
            at = start + 4 * len(formats)
            row = {}
            for name, decode, length in zip(names, decoders, lengths, strict=True):
                if decode is not None:
                    row[name] = decode(content[at : at + length])
                at += length
            yield row


def _names(spec: str | None, n: int) -> list[str]:
    """Return the names of the values of an item, from the tree that the index has of it."""
    found = [*_leaves(json.loads(spec)[1], "")] if spec else []
    names = [name or "value" for name in found]
    return names if len(names) == n else [str(i) for i in range(n)]


def _leaves(tree: dict[str, Any], path: str) -> Iterator[str]:
    if tree.get("type") is None:
        yield path
        return
    kind, context = tree["type"], tree.get("context")
    children = tree["children_spec"]
    if kind.endswith("dict"):
        keys: Any = json.loads(context) if isinstance(context, str) else context
        # An ordered or default dict has its keys within what else it says.
        keys = keys if len(keys) == len(children) else keys[-1]
    else:
        keys = range(len(children))
    for key, child in zip(keys, children, strict=True):
        yield from _leaves(child, f"{path}.{key}" if path else str(key))


def _feature(format: str) -> Any:
    """Return the feature for a format; `None` if the values show it."""
    kind = format.partition(":")[0]
    return {
        **dict.fromkeys(("str", "string", "text"), Value("string")),
        "int": Value("int64"),
        "float": Value("float64"),
        "bool": Value("bool"),
        "bytes": Value("binary"),
        "json": Json(),
        **dict.fromkeys(("image", "jpeg", "png", "pil", "tifffile"), Image()),
        "audio": Audio(),
        "video": Video(),
        "pdf": Pdf(),
        "nifti": Nifti(),
        "mesh": Mesh(),
        "file": {"bytes": Value("binary"), "path": Value("string")},
    }.get(kind)


def _decoder(format: str, source: Source, name: str) -> Callable[[bytes], Any]:
    import numpy as np

    kind, _, more = format.partition(":")
    if kind in ("str", "string", "text"):
        return lambda content: content.decode()
    if kind in ("int", "float"):
        dtype = "<q" if kind == "int" else "<d"
        return lambda content: struct.unpack(dtype, content)[0]
    if kind == "bool":
        return lambda content: content[0] != 0
    if kind == "bytes":
        return bytes
    if kind in _FILES:
        return lambda content: {"bytes": content, "path": f"{name}.{more}" if more else None}
    if kind == "pil":
        return raw_image
    if kind == "json":
        return nested
    if kind in ("no_header_numpy", "no_header_tensor"):
        i = int(more)
        number = _NUMPY[i] if kind == "no_header_numpy" else _TORCH.get(i)
        if number is None:
            raise unsafe(source, name, f"its numbers ({format}) are of no type of NumPy")
        return lambda content: np.frombuffer(content, number)
    if kind in ("numpy", "tensor"):
        order = "<" if kind == "numpy" else ">"

        def array(content: bytes) -> Any:
            i, rank = struct.unpack_from(f"{order}II", content)
            shape = struct.unpack_from(f"{order}{rank}I", content, 8)
            number = _NUMPY[i] if kind == "numpy" else _TORCH[i]
            return np.frombuffer(content, number, offset=8 + 4 * rank).reshape(shape)

        return array
    if kind == "pickle":
        raise unsafe(source, name)
    raise unsafe(source, name, f"the format {format!r} is not known")


def nested(content: bytes) -> Any:
    """Return what litdata stores as `json`: JSON, or values behind a tag each."""
    if not content or content[0] > 0x20:
        return json.loads(content)
    return _Nested(content).value()


class _Nested:
    """Values that stand one after another, each behind a byte that says what it is."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def _take(self, n: int) -> bytes:
        start = self._at
        self._at += n
        return self._content[start : self._at]

    def _number(self, format: str = "<I") -> Any:
        return struct.unpack(format, self._take(struct.calcsize(format)))[0]

    def _text(self) -> str:
        return self._take(self._number()).decode()

    def value(self) -> Any:
        """Return the next value."""
        return self._tagged(self._take(1)[0])

    def _tagged(self, tag: int) -> Any:
        match tag:
            case 0:
                return json.loads(self._take(self._number()))
            case 1:
                return [self._text() for _ in range(self._number())]
            case 2 | 3:
                n, kind = self._number(), "q" if tag == 2 else "d"
                return list(struct.unpack(f"<{n}{kind}", self._take(8 * n)))
            case 4:
                return [one != 0 for one in self._take(self._number())]
            case 5:
                return {self._text(): self.value() for _ in range(self._number())}
            case 6:
                n, names = self._number(), [self._text() for _ in range(self._number())]
                return [{name: self._of_record() for name in names} for _ in range(n)]
            case 7:
                return self._text()
            case 8 | 9:
                return self._number("<q" if tag == 8 else "<d")
            case 10:
                return self._take(1)[0] != 0
            case 11:
                return None
        raise FileFormatError(f"a nested value of litdata with the tag {tag}, which is not known")

    def _of_record(self) -> Any:
        return self._tagged(_OF_RECORDS[self._take(1)[0]])


_OF_RECORDS = {0x10: 11, 0x11: 7, 0x12: 8, 0x13: 9, 0x14: 10}
"""The tags of values in records, and those that they have elsewhere."""
