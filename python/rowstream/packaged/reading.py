"""The files of a request with the reader in Python that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import FileFormatError, SchemaError
from rowstream.packaged.base import Reader, Source, version
from rowstream.packaged.registry import reader_of
from rowstream.storage.urls import shown

if TYPE_CHECKING:
    from rowstream.features.features import Features
    from rowstream.resolve.request import Request


@dataclass
class Reading:
    """How the splits of a request are read in Python.

    Attributes:
        reader: The reader, with the options of the request.
        sources: The files of each split.
        features: The types of the columns; `None` where the rows show them.
    """

    reader: Reader
    sources: dict[str, list[Source]]
    features: Features | None

    @classmethod
    def of(cls, request: Request, names: list[str]) -> Reading:
        """Return how some splits of a request are read.

        Raises:
            SchemaError: `features=` names columns of which the files have none.
        """
        found = request.found
        access = found.places.access
        reader = reader_of(request.reader or found.format).of(dict(request.how.options))
        if request.declared is not None:
            reader = reader.with_declared(request.declared)
        sources = {one: [Source(path, access) for path in found.files[one]] for one in names}
        every = [source for some in sources.values() for source in some]
        features = request.declared if request.declared is not None else reader.features(every)
        declared = request.declared if reader.columns is None else None
        if declared is not None and (there_are := reader.names_there(every)) is not None:
            if not any(name in there_are for name in declared):
                raise SchemaError(
                    f"features= names the columns {[*declared]}, which are not there: the"
                    f" columns are {there_are}"
                )
            reader = replace(reader, columns=[*declared])
        return cls(reader, sources, features)

    def arguments(self, split: str, *, versions: bool) -> dict[str, Any]:
        """Return the arguments of `rows_of` for a split.

        Args:
            split: The split.
            versions: Whether they differ once the files change, as the name of a cached result
                has to.
        """
        some = self.sources[split]
        return {
            "units": self.reader.units(some),
            "reader": (self.reader, tuple(map(version, some)) if versions else ()),
            "names": None if self.features is None else tuple(self.features),
        }


def rows_of(
    units: list[Any], reader: tuple[Reader, tuple[str, ...]], names: tuple[str, ...] | None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of units, with the declared columns only."""
    for unit in units:
        try:
            for row in reader[0].rows(unit):
                yield row if names is None else {name: row.get(name) for name in names}
        except UnicodeDecodeError as error:
            raise FileFormatError(f"{_named(unit)}: it is not UTF-8: {error}") from error
        except Exception as error:
            # What a library says of a file seldom says which it is.
            if (name := _named(unit)) not in str(error):
                error.add_note(name)
            raise


def _named(unit: Any) -> str:
    """Return what a unit of a reader is called: the path of its file."""
    first = unit[0] if isinstance(unit, tuple) and unit else unit
    return shown(str(getattr(first, "path", first)))
