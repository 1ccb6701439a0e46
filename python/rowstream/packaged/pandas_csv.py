"""CSV with options that only pandas has: separators of several characters, converters."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

import pyarrow as pa

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.packaged.base import Reader, Source, choose
from rowstream.resolve.csv_options import said
from rowstream.utils.optional import import_optional

_CHUNK = 10_000
"""The rows that show the types of the columns, as in `datasets`, and that are read at once."""


@dataclass
class PandasCsv(Reader):
    """The reader of CSV by `pandas.read_csv`.

    Attributes:
        options: The options of pandas.
    """

    name: ClassVar[str] = "csv"
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, options: dict[str, Any]) -> Reader:
        left = said(options)
        for name in ("filters", "on_error", "infer"):
            if name in left:
                raise UnsupportedError(
                    f"{name}= does not go together with options of CSV that only pandas has: use"
                    " filter() and features= once the rows are read"
                )
        names = left.pop("column_names", None)
        if names is not None:
            left["names"] = names
        columns = left.pop("columns", None)
        for name in ("chunksize", "iterator"):
            left.pop(name, None)
        known = list(inspect.signature(_pandas().read_csv).parameters)
        if unknown := [name for name in left if name not in known]:
            raise InvalidArgumentError(
                f"there is no option {', '.join(map(repr, unknown))} of load_dataset for csv, nor"
                f" of pandas; pandas has {', '.join(f'{name}=' for name in known[1:])}"
            )
        if "engine" not in left and (
            left.get("skipfooter")
            or len(left.get("delimiter") or left.get("sep", ",") or "any") > 1
        ):
            left["engine"] = "python"  # which pandas would take with a warning
        return cls(columns, left)

    def features(self, files: list[Source]) -> Features | None:
        for file in files:
            for table in islice(self._tables(file), 1):
                return choose(Features.from_arrow_schema(table.schema), self.columns)
        return None

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        for table in self._tables(unit):
            yield from table.to_pylist()

    def _tables(self, file: Source) -> Iterator[pa.Table]:
        # The end of a file is only found by reading all of it.
        chunk = None if self.options.get("skipfooter") else _CHUNK
        content = io.BytesIO(file.content())
        frames = _pandas().read_csv(content, chunksize=chunk, **self.options)
        for frame in frames if chunk is not None else [frames]:
            yield pa.Table.from_pandas(frame)


def _pandas() -> Any:
    return import_optional("pandas", "these options of CSV", "pandas")
