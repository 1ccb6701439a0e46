"""Formats of files that can be written apart from each other, with their options."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from rowstream.features.convert import generate_from_arrow_type
from rowstream.features.features import Features
from rowstream.writers.exports import write_arrow, write_parquet
from rowstream.writers.shards import Output
from rowstream.writers.streams import ROW_GROUP
from rowstream.writers.tar import TarPart

if TYPE_CHECKING:
    from rowstream.writers.exports import ExportedRows


class Form(Protocol):
    """A format of files, with its options.

    Attributes:
        ending: That of the files, if the path is a folder.
        said: The name of the method, and what the form of the rows depends on.
    """

    @property
    def ending(self) -> str: ...
    @property
    def said(self) -> list[Any]: ...
    def write(self, rows: ExportedRows, output: Output) -> int:
        """Write rows, and return their bytes."""
        ...

    def part(self, i: int) -> Any:
        """Return a function that writes the rows of a file into a binary one."""
        ...


@dataclass(frozen=True)
class _Binary:
    """A format whose files do not depend on their number."""

    batch_size: int | None

    def part(self, _: int) -> Self:
        return self

    def __call__(self, rows: ExportedRows, file: Any) -> int:
        """Write rows into a binary file, and return the bytes of their columns."""
        return int(self.write(rows, Output(file, None, None, None)))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class ParquetForm(_Binary):
    """Parquet.

    Attributes:
        batch_size: Rows of a row group; of about 64 MiB if `None`.
        options: Those of `pyarrow.parquet.ParquetWriter`.
    """

    options: dict[str, Any]
    ending = ".parquet"

    @property
    def said(self) -> list[Any]:
        return ["to_parquet", 1, self.batch_size, self.options]

    def write(self, rows: ExportedRows, output: Output) -> int:
        """Write rows, and return the bytes of their columns."""
        least = 0 if self.batch_size is not None else ROW_GROUP
        notes = _notes(rows.features, rows.empty.schema)
        return write_parquet(
            rows, output, self.options, self.batch_size, lambda _, size: size >= least, notes
        )


@dataclass(frozen=True)
class ArrowForm(_Binary):
    """Arrow.

    Attributes:
        batch_size: Rows of a record batch.
        compression: `"lz4"`, `"zstd"` or `None`.
    """

    compression: str | None
    ending = ".arrow"

    @property
    def said(self) -> list[Any]:
        return ["to_arrow", 1, self.batch_size, self.compression]

    def write(self, rows: ExportedRows, output: Output) -> int:
        """Write rows, and return the bytes of their columns."""
        return write_arrow(rows, output, self.batch_size, self.compression)


class TarForm(TarPart):
    """Tar archives of samples."""

    ending = ".tar"

    @property
    def said(self) -> list[Any]:
        ending = str(self.name).rpartition(".")[2]
        return ["to_webdataset", 1, self.batch_size, self.compression, ending]

    def part(self, i: int) -> TarPart:
        """Return what writes an archive, whose rows without keys are numbered in it."""
        return replace(self, name=os.fspath(self.name), first=f"{i:05d}-000000000")


def _notes(features: Features | None, schema: Any) -> dict[str, str] | None:
    """Return what a Parquet file says of its columns that their types do not, such as the names of
    labels.
    """
    if features is None or set(features) != set(schema.names):
        return None
    types = features.arrow_schema
    same = {
        of.name: (
            features[of.name]
            if types.field(of.name).type == of.type
            else generate_from_arrow_type(of.type)
        )
        for of in schema
    }
    return {
        name.decode(): text.decode() for name, text in Features(same).arrow_schema.metadata.items()
    }
