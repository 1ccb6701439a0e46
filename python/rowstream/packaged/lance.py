"""Lance, by pylance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError
from rowstream.features.features import Features
from rowstream.packaged.base import Reader, Source, choose
from rowstream.utils.optional import import_optional


@dataclass
class Lance(Reader):
    """The reader of Lance: data sets, which are folders, and single files.

    Attributes:
        batch_size: Rows that are read at once.
    """

    name: ClassVar[str] = "lance"
    batch_size: int = 256

    def units(self, files: list[Source]) -> list[Any]:
        """Return the fragments of each data set, in the version of now, and single files."""
        result: list[Any] = []
        for path in _places(files):
            if not os.path.isdir(path):
                result.append((path, None, None))
                continue
            ds = _dataset(path)
            # A deletion changes no file with rows: the version tells it from what was cached.
            result += [(path, ds.version, one.fragment_id) for one in ds.get_fragments()]
        return result

    def features(self, files: list[Source]) -> Features | None:
        path = next(_places(files), None)
        if path is None:
            return None
        if os.path.isdir(path):
            schema = self._scanner(_dataset(path), None).projected_schema
        else:
            schema = _file(path, None).metadata().schema
        return choose(Features.from_arrow_schema(schema), self.columns)

    def rows(self, unit: tuple[str, int | None, int | None]) -> Iterator[dict[str, Any]]:
        path, version, fragment = unit
        if fragment is None:
            read = _file(path, self.columns).read_all(batch_size=self.batch_size)
        else:
            read = self._scanner(_dataset(path, version).get_fragment(fragment), self.columns)
        for batch in read.to_batches():
            yield from batch.to_pylist()

    def _scanner(self, of: Any, columns: list[str] | None) -> Any:
        """Return what reads a data set or a fragment, with blobs as bytes."""
        return of.scanner(columns=columns, batch_size=self.batch_size, blob_handling="all_binary")


def _places(files: list[Source]) -> Iterator[str]:
    """Yield the folders of data sets, each once, and the files that belong to none."""
    seen = set()
    for source in files:
        path = source.local("Lance")
        place = _root(path) or path
        if place not in seen and (place != path or path.endswith(".lance")):
            seen.add(place)
            yield place


def _root(path: str) -> str | None:
    """Return the folder of the data set that a file belongs to."""
    folder = os.path.dirname(os.path.abspath(path))
    while folder != os.path.dirname(folder):
        if os.path.isdir(os.path.join(folder, "_versions")):
            return folder
        folder = os.path.dirname(folder)
    return None


def _dataset(path: str, version: int | None = None) -> Any:
    return import_optional("lance", "Lance data sets", "pylance").dataset(path, version=version)


def _file(path: str, columns: list[str] | None) -> Any:
    lance = import_optional("lance.file", "Lance files", "pylance")
    try:
        return lance.LanceFileReader(path, columns=columns)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path}: no Lance file: {error}") from error
