"""The columns of datasets, which read only the values that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rowstream.exceptions import InvalidArgumentError


class IterableColumn:
    """The values of a column of a stream; each iteration reads the stream from its beginning.

    A column of structs can be indexed by the name of a field.

    Example:
        >>> rows = [{"text": f"t{i}", "meta": {"id": i}} for i in range(2)]
        >>> ds = Dataset.from_list(rows).to_iterable_dataset()
        >>> list(ds["text"])
        ['t0', 't1']
        >>> list(ds["meta"]["id"])
        [0, 1]
    """

    def __init__(self, source: Any, column_name: str) -> None:
        self.source, self.column_name = source, column_name

    def __iter__(self) -> Iterator[Any]:
        """Yield the values one by one, from the beginning of the stream."""
        for row in self.source:
            yield row[self.column_name]

    def __getitem__(self, column_name: str) -> IterableColumn:
        """Return a field of a struct as a column."""
        return IterableColumn(self, column_name)


class Column(Sequence[Any]):
    """The values of a column, like a list that reads only what is asked for.

    An index returns a value; a slice or a list of positions returns several values in the dataset's
    format; the name of a field of a struct returns the column of this field.

    Example:
        >>> ds = Dataset.from_list([{"text": f"t{i}", "meta": {"id": i}} for i in range(3)])
        >>> ds["text"][0], ds["text"][1:]
        ('t0', ['t1', 't2'])
        >>> ds["meta"]["id"][:]
        [0, 1, 2]
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
        """Return the dataset to read: this column alone, unless a user's function formats rows."""
        if isinstance(self.source, Column) or self.source._format_type == "custom":
            return self.source
        # Chosen once: the same column is asked for row after row.
        key = (self.source._format_type, self.source._format_columns, self.source._format_kwargs)
        if self._chosen is None or self._chosen[0] != key:
            self._chosen = (key, self.source._fast_select_column(self.column_name))
        return self._chosen[1]

    def __iter__(self) -> Iterator[Any]:
        """Yield the values one by one."""
        for row in self._rows():
            yield row[self.column_name]

    def __getitem__(self, key: Any) -> Any:
        """Return a value, several values, or the column of a struct's field."""
        if isinstance(key, str):
            return Column(self, key)
        rows = self._rows()
        if isinstance(rows, Column) and not hasattr(key, "__index__"):
            return [row[self.column_name] for row in rows[key]]
        return rows[key][self.column_name]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.source)

    def __repr__(self) -> str:
        """Return the first five values as text."""
        return f"Column({list(self[:5])!r}"[:-1] + (", ...])" if len(self) > 5 else "])")

    __str__ = __repr__

    def __eq__(self, value: object) -> bool:
        """Compare the values, with those of a column or a list."""
        return bool((list(value) if isinstance(value, Column) else value) == list(self))

    __hash__ = object.__hash__
