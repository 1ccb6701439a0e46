"""A column of a data set, read when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rowstream.exceptions import InvalidArgumentError


class IterableColumn:
    """The values of a column of a stream, read as they are iterated, each time from where the
    stream begins.

    Example:
        >>> for text in ds["text"]:
        ...     ...
        >>> sources = ds["meta"]["source"]  # a field of a struct
    """

    def __init__(self, source: Any, column_name: str) -> None:
        self.source, self.column_name = source, column_name

    def __iter__(self) -> Iterator[Any]:
        """Yield the values, one after another."""
        for row in self.source:
            yield row[self.column_name]

    def __getitem__(self, column_name: str) -> IterableColumn:
        """Return the column of a field."""
        return IterableColumn(self, column_name)


class Column(Sequence[Any]):
    """The values of a column. Only what is asked for is read.

    Example:
        >>> for text in ds["text"]:
        ...     ...
        >>> ds["meta"]["source"][:3]  # a field of a struct
        ['web', 'book', 'web']
    """

    def __init__(self, source: Any, column_name: str) -> None:
        if not isinstance(source.features, dict) or column_name not in source.features:
            there = list(source.features) if isinstance(source.features, dict) else "none"
            raise InvalidArgumentError(
                f"Column '{column_name}' doesn't exist. The columns are: {there}"
            )
        self.source, self.column_name, self.features = (
            source,
            column_name,
            source.features[column_name],
        )
        self._chosen: Any = None

    def _rows(self) -> Any:
        """Return what is read: of a data set, this column alone, unless a function of the user's
        makes rows.
        """
        if isinstance(self.source, Column) or self.source._format_type == "custom":
            return self.source
        # Chosen once: the same column is asked for row after row.
        key = (self.source._format_type, self.source._format_columns, self.source._format_kwargs)
        if self._chosen is None or self._chosen[0] != key:
            self._chosen = (key, self.source._fast_select_column(self.column_name))
        return self._chosen[1]

    def __iter__(self) -> Iterator[Any]:
        """Yield the values, one after another."""
        for row in self._rows():
            yield row[self.column_name]

    def __getitem__(self, key: Any) -> Any:
        """Return a value, some values, or, by name, the column of a field."""
        if isinstance(key, str):
            return Column(self, key)
        rows = self._rows()
        if isinstance(rows, Column) and not hasattr(key, "__index__"):
            return [row[self.column_name] for row in rows[key]]
        return rows[key][self.column_name]

    def __len__(self) -> int:
        """Return rows."""
        return len(self.source)

    def __repr__(self) -> str:
        """Return the first values."""
        return f"Column({list(self[:5])!r}"[:-1] + (", ...])" if len(self) > 5 else "])")

    __str__ = __repr__

    def __eq__(self, value: object) -> bool:
        """By values."""
        return bool((list(value) if isinstance(value, Column) else value) == list(self))

    __hash__ = object.__hash__
