"""Remote files that can be read at any position."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from rowstream import _core


class RemoteFile(io.RawIOBase):
    """A remote file that is seekable and read in blocks."""

    def __init__(self, file: _core.File, name: str) -> None:
        self._file, self._at, self.name = file, 0, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}.get(whence)
        if base is None or base + offset < 0:
            raise InvalidArgumentError(f"seek({offset}, {whence}): there is no such place")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        end = min(self._at + len(view), self._file.size)
        if self._at >= end:
            return 0
        content = self._file.read(self._at, end)
        view[: len(content)] = content
        self._at += len(content)
        return len(content)
