"""References of media that are not decoded: dicts that know where their files lie."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import UnsupportedError
from rowstream.features.media.base import MediaFeature, content_of
from rowstream.features.nested import LargeList, List, Pairs, with_decoding
from rowstream.storage.files import open as open_file
from rowstream.storage.urls import is_url

if TYPE_CHECKING:
    from rowstream.features.features import Features

_ARCHIVES = 16  # whose members are remembered


class MediaRef(dict[str, Any]):
    """A file of media that is not decoded, as rows of a feature with `decode=False` have it.

    It is the dict that is stored, `{"bytes": …, "path": …}`, and knows where the file lies. Where
    only the path is stored, nothing is read before `read`, `open` or `decode` is called.

    Attributes:
        feature: The feature of the column, such as `Image(decode=False)`.
        archive: The path or URL of the tar archive whose member it is, if its row names one in
            `__url__`; else `None`.

    Example:
        >>> features = Features({"sound": Audio(decode=False)})
        >>> ref = Dataset.from_dict({"sound": [b"RIFF"]}, features=features)[0]["sound"]
        >>> ref
        MediaRef(path=None, bytes=<4 bytes>)
        >>> ref["bytes"], ref.length
        (b'RIFF', 4)
    """

    __slots__ = ("archive", "feature")

    feature: Any
    archive: str | None

    def __getattr__(self, name: str) -> Any:
        """Return `None` for the feature and the archive of a dict that was made without them."""
        if name in MediaRef.__slots__:
            return None
        raise AttributeError(f"a MediaRef has no attribute {name!r}")

    @classmethod
    def of(cls, stored: Mapping[str, Any], feature: Any, archive: str | None = None) -> MediaRef:
        """Return the reference of a stored value.

        Args:
            stored: The dict of `"bytes"` and `"path"`.
            feature: The feature that decodes it.
            archive: The tar archive whose member it is.

        Example:
            >>> MediaRef.of({"bytes": None, "path": "a.png"}, Image()).url
            'a.png'
        """
        result = cls(stored)
        result.feature, result.archive = feature, archive
        return result

    def _archive(self) -> str | None:
        """Return the archive with the bytes, if the row names one."""
        archive = self.archive if self.get("bytes") is not None else None
        return archive if isinstance(archive, str) and ".tar" in archive else None

    @property
    def url(self) -> str | None:
        """The path or URL of the file, or of the archive with it; `None` for bytes of a row.

        Example:
            >>> MediaRef.of({"bytes": None, "path": "a.wav"}, Audio()).url
            'a.wav'
        """
        return self._archive() or (None if self.get("bytes") is not None else self.get("path"))

    @property
    def offset(self) -> int | None:
        """The byte of `url` at which the file begins.

        `None` where there is no such place: for the bytes of a row, in a compressed archive, and
        for members that are links, sparse or of names that were escaped.
        The headers of an archive are read when the first of its members is asked.

        Raises:
            DataFilesNotFoundError: The archive is not there any more.

        Example:
            >>> import pathlib
            >>> from rowstream.webdataset import TarWriter
            >>> with TarWriter("a.tar") as writer:
            ...     _ = writer.write({"__key__": "0", "wav": b"RIFF"})
            >>> ds = load_dataset("webdataset", data_files="a.tar", split="train", streaming=True)
            >>> ref = next(iter(ds.decode(False)))["wav"]
            >>> pathlib.Path(ref.url).read_bytes()[ref.offset :][: ref.length]
            b'RIFF'
        """
        if (archive := self._archive()) is not None:
            content = self["bytes"]
            named = _members(archive, _version(archive)).get(self.get("path") or "", [])
            places = [at for at, size in named if size == len(content)]
            if len(places) > 1:
                # Archives may be joined, and have members of one name.
                with open_file(archive, "rb") as file:
                    places = [at for at in places if _at(file, at, len(content)) == content]
            return places[0] if places else None
        return None if self.url is None else 0

    @property
    def length(self) -> int | None:
        """The number of bytes of the file; `None` where there is none.

        Raises:
            DataFilesNotFoundError: The file is not there.

        Example:
            >>> MediaRef.of({"bytes": b"RIFF", "path": None}, Audio()).length
            4
        """
        if (content := self.get("bytes")) is not None:
            return len(content)
        path = self.get("path")
        if path is None:
            return None
        if not is_url(path) and os.path.isfile(path):
            return os.path.getsize(path)
        with self.open() as file:
            return file.seek(0, os.SEEK_END)

    def read(self) -> bytes:
        """Return the bytes of the file, which is read if they are not there.

        Raises:
            DataFilesNotFoundError: The file is not there.
            ValueError: There are neither bytes nor a path.

        Example:
            >>> MediaRef.of({"bytes": b"RIFF", "path": None}, Audio()).read()
            b'RIFF'
        """
        return content_of(self.get("bytes"), self._there())

    def open(self) -> IO[bytes]:
        """Open the file for reading: it is seekable, and a remote file is read in blocks.

        Raises:
            DataFilesNotFoundError: The file is not there.
            ValueError: There are neither bytes nor a path.

        Example:
            >>> with MediaRef.of({"bytes": b"RIFF", "path": None}, Audio()).open() as file:
            ...     file.read(2)
            b'RI'
        """
        content = self.get("bytes")
        if content is not None:
            return BytesIO(content)
        file: IO[bytes] = open_file(self._there(), "rb")
        return file

    def _there(self) -> str:
        """Return the path, which has to be there where the bytes are not."""
        path = self.get("path")
        if path is None and self.get("bytes") is None:
            raise ValueError("a MediaRef without bytes and without a path has no file to read")
        return path or ""

    def decode(self) -> Any:
        """Return what the feature makes of the file, such as an image, a sound or a video.

        Raises:
            UnsupportedError: It has no feature.
            ValueError: There are neither bytes nor a path.
            ImportError: The library that reads such files is not installed.

        Example:
            >>> import PIL.Image
            >>> PIL.Image.new("L", (3, 2)).save("a.png")
            >>> MediaRef.of({"bytes": None, "path": "a.png"}, Image()).decode().size
            (3, 2)
        """
        if not isinstance(self.feature, MediaFeature):
            raise UnsupportedError(
                f"a MediaRef is decoded by a feature of media such as Image(), and it has"
                f" {self.feature!r}: make it by MediaRef.of(stored, Image())"
            )
        return with_decoding(self.feature, enable=True).decode_example(self)

    def __repr__(self) -> str:
        """Return a short text: without the bytes, but with their number."""
        content = self.get("bytes")
        shown = None if content is None else f"<{len(content)} bytes>"
        return f"MediaRef(path={self.get('path')!r}, bytes={shown})"

    def __reduce__(self) -> Any:
        return MediaRef.of, (dict(self), self.feature, self.archive)

    def copy(self) -> MediaRef:
        """Return a copy, of the same feature and archive.

        Example:
            >>> MediaRef.of({"bytes": None, "path": "a.wav"}, Audio()).copy().url
            'a.wav'
        """
        return MediaRef.of(self, self.feature, self.archive)


def _version(archive: str) -> tuple[int, int]:
    """Return what differs once a local file was written anew."""
    if is_url(archive) or not os.path.isfile(archive):
        return 0, 0
    stat = os.stat(archive)
    return stat.st_mtime_ns, stat.st_size


@lru_cache(_ARCHIVES)
def _members(archive: str, _version: tuple[int, int]) -> dict[str, list[tuple[int, int]]]:
    """Return where the members of each name are, and their sizes; none of a compressed archive."""
    found: dict[str, list[tuple[int, int]]] = {}
    try:
        with (
            open_file(archive, "rb") as file,
            # Behind the end marker another archive may follow.
            tarfile.open(fileobj=file, mode="r:", ignore_zeros=True) as tar,
        ):
            for one in tar:
                if one.isreg() and not one.issparse():
                    found.setdefault(one.name, []).append((one.offset_data, one.size))
    except tarfile.ReadError:
        return {}
    return found


def _at(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    content: bytes = file.read(size)
    return content


def references(features: Features | None) -> _core.MediaRefs | None:
    """Return what puts references into rows with these features; `None` if nothing is to be put.

    Args:
        features: The types of the columns.
    """
    spec = _spec(features or {})
    return None if spec is None else _core.MediaRefs(MediaRef, spec)


def _spec(feature: Any) -> Any:
    """Return which parts of a feature are media that are not decoded; `None` if none is."""
    if isinstance(feature, Mapping):
        found = {name: spec for name, one in feature.items() if (spec := _spec(one)) is not None}
        return found or None
    if isinstance(feature, (List, LargeList)) and not isinstance(feature, Pairs):
        inner = _spec(feature.feature)
        return None if inner is None else [inner]
    return feature if isinstance(feature, MediaFeature) and not feature.decode else None
