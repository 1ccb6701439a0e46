"""Vortex, by vortex-data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.features.features import Features
from rowstream.packaged.base import Reader, Source, choose, needed


@dataclass
class Vortex(Reader):
    """The reader of Vortex files.

    Attributes:
        batch_size: Rows that are read at once.
    """

    name: ClassVar[str] = "vortex"
    batch_size: int | None = None

    def features(self, files: list[Source]) -> Features | None:
        schema = _file(files[0]).dtype.to_arrow_schema()
        return choose(Features.from_arrow_schema(_plain(schema)), self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        scan = _file(unit).scan(self.columns, batch_size=self.batch_size)
        for array in scan:
            yield from array.to_arrow_array().to_pylist()


def _file(source: Source) -> Any:
    vortex = needed("vortex", "Vortex files", "vortex-data")
    return vortex.open(source.local("Vortex"))


def _plain(schema: Any) -> Any:
    """Return a schema with texts and bytes in the types that features have."""
    import pyarrow as pa

    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return pa.schema([field.with_type(plain.get(field.type, field.type)) for field in schema])
