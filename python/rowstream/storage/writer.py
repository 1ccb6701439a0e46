"""Files that are written completely or not at all, local and remote."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rowstream.exceptions import DataFilesNotFoundError
from rowstream.utils.atomic import aside, publish_file

if TYPE_CHECKING:
    from rowstream.storage.access import StorageOptions


BLOCK = 1 << 20  # bytes that are read at once


class AtomicWriter(io.BufferedWriter):
    """A binary file that appears when it is closed, or not at all if the block raises an error."""

    def __init__(self, place: str, access: StorageOptions | None, *, exclusive: bool) -> None:
        self._place, self._access, self._exclusive = place, access, exclusive
        self._aside = ""
        folder = os.path.dirname(os.path.abspath(place))
        if access is None and not os.path.isdir(folder):
            raise DataFilesNotFoundError(f"{place}: there is no folder {folder}; create it first")
        if access is not None:
            handle, self._aside = tempfile.mkstemp(prefix=".rowstream-")
        else:
            handle, self._aside = aside(place)
        super().__init__(io.FileIO(handle, "w"), BLOCK)

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def discard(self) -> None:
        """Close the file without writing anything to its place."""
        if not self.closed:
            super().close()
            Path(self._aside).unlink(missing_ok=True)

    def close(self) -> None:
        if self.closed:
            return
        try:
            super().close()
            if self._access is not None:
                self._access.core(self._place).write(self._place, self._aside)
            else:
                publish_file(self._aside, self._place, exclusive=self._exclusive)
        finally:
            super().close()
            Path(self._aside).unlink(missing_ok=True)

    def __del__(self) -> None:
        # Nobody closed it: what was written may be a part.
        if self._aside:
            self.discard()


class AtomicText(io.TextIOWrapper):
    """Text over a file that is written completely or not at all."""

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None and isinstance(self.buffer, AtomicWriter):
            self.buffer.discard()
            return
        self.close()
