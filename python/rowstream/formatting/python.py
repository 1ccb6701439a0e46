"""Formatters for Python objects and Arrow tables, and the base class of those for data frames."""

from __future__ import annotations

from typing import Any

from rowstream.features.media.ref import references
from rowstream.features.rows import pydict
from rowstream.formatting.base import Formatter, unnest
from rowstream.formatting.lazy import LazyBatch, LazyRow
from rowstream.utils.cached import cached_property


class PythonFormatter(Formatter):
    """The formatter that returns dicts of Python objects."""

    reads_selected = True

    def __init__(
        self, features: Any = None, lazy: bool = False, token_per_repo_id: Any = None
    ) -> None:
        super().__init__(features, token_per_repo_id)
        self.lazy = lazy

    def format_row(self, pa_table: Any) -> Any:
        """Return the first row as a dict; if lazy, its values are formatted on first access."""
        if self.lazy:
            return LazyRow(pa_table, self)
        return unnest(self._batch(pa_table.slice(0, 1)))

    def format_column(self, pa_table: Any) -> Any:
        """Return the first column as a list."""
        name = pa_table.column_names[0]
        column = self._read(pa_table.select([0]))[name]
        return self._decoded(name, column) if self._decodes(name) else column

    def format_batch(self, pa_table: Any) -> Any:
        """Return a dict of lists; if lazy, its columns are formatted on first access."""
        return LazyBatch(pa_table, self) if self.lazy else self._batch(pa_table)

    @cached_property
    def _refs(self) -> Any:
        return references(self.features)

    def _read(self, pa_table: Any) -> dict[str, Any]:
        """Return the stored values of columns as lists, with references of media."""
        result = pydict(pa_table)
        return result if self._refs is None else self._refs.batch(result)

    def _batch(self, pa_table: Any) -> dict[str, Any]:
        result = self._read(pa_table)
        return {
            name: self._decoded(name, column) if self._decodes(name) else column
            for name, column in result.items()
        }


class ArrowFormatter(Formatter):
    """The formatter that returns pyarrow tables."""

    name = "arrow"

    def format_row(self, pa_table: Any) -> Any:
        """Return a table of one row."""
        return pa_table

    def format_column(self, pa_table: Any) -> Any:
        """Return the first column as a chunked array."""
        return pa_table.column(0)

    def format_batch(self, pa_table: Any) -> Any:
        """Return the table as it is."""
        return pa_table


class FrameFormatter(Formatter):
    """The base class of the formatters for data frames."""

    def _frame(self, pa_table: Any) -> Any:
        raise NotImplementedError

    def format_row(self, pa_table: Any) -> Any:
        """Return a data frame of one row."""
        return self._frame(pa_table.slice(0, 1))

    def format_column(self, pa_table: Any) -> Any:
        """Return the first column as a series."""
        return self._frame(pa_table.select([0]))[pa_table.column_names[0]]

    def format_batch(self, pa_table: Any) -> Any:
        """Return the table as a data frame."""
        return self._frame(pa_table)
