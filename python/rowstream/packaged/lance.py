"""Lance, by pylance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.features.features import Features
from rowstream.packaged.base import Reader, Source, choose, needed


@dataclass
class Lance(Reader):
    """The reader of Lance: data sets, which are folders, and single files.

    Attributes:
        batch_size: Rows that are read at once.
    """

    name: ClassVar[str] = "lance"
    batch_size: int = 1024

    def units(self, files: list[Source]) -> list[Any]:
        """Return the fragments of each data set, and files that belong to none."""
        lance = needed("lance", "Lance data sets", "pylance")
        result: list[Any] = []
        seen = set()
        for source in files:
            root = _root(source.local("Lance"))
            if root is None:
                if source.path.endswith(".lance"):
                    result.append((source.path, None))
            elif root not in seen:
                seen.add(root)
                fragments = lance.dataset(root).get_fragments()
                result += [(root, fragment.fragment_id) for fragment in fragments]
        return result

    def features(self, files: list[Source]) -> Features | None:
        units = self.units(files)
        if not units:
            return None
        found = Features.from_arrow_schema(_schema(*units[0]))
        return choose(found, self.columns)

    def rows(self, unit: tuple[str, int | None]) -> Iterator[dict[str, Any]]:
        path, fragment = unit
        if fragment is None:
            file = needed("lance.file", "Lance files", "pylance")
            batches = file.LanceFileReader(path).read_all(batch_size=self.batch_size).to_batches()
        else:
            lance = needed("lance", "Lance data sets", "pylance")
            batches = (
                lance.dataset(path)
                .get_fragment(fragment)
                .to_batches(columns=self.columns, batch_size=self.batch_size)
            )
        for batch in batches:
            yield from batch.to_pylist()


def _root(path: str) -> str | None:
    """Return the folder of the data set that a file belongs to."""
    folder = os.path.dirname(path)
    while folder not in ("", os.sep):
        if os.path.isdir(os.path.join(folder, "_versions")):
            return folder
        folder = os.path.dirname(folder)
    return None


def _schema(path: str, fragment: int | None) -> Any:
    if fragment is None:
        file = needed("lance.file", "Lance files", "pylance")
        return file.LanceFileReader(path).metadata().schema
    return needed("lance", "Lance data sets", "pylance").dataset(path).schema
