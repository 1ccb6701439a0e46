"""Transforms of map-style datasets that remove, select and rename columns."""

from __future__ import annotations

from typing import Any, Self

from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.dataset.map_style.selection import RowSelection
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.fingerprint.transform import fingerprint_transform


class ColumnMethods(RowSelection):
    """The transforms that choose and rename columns, without touching the rows."""

    def _known(self, names: Any) -> list[str]:
        several = [names] if isinstance(names, str) else list(names)
        if missing := [name for name in several if name not in self.column_names]:
            raise InvalidArgumentError(
                f"Column name {missing} not in the dataset. Current columns in the dataset:"
                f" {self.column_names}"
            )
        return several

    @transmit_format
    @fingerprint_transform(inplace=False)
    def remove_columns(
        self, column_names: str | list[str], new_fingerprint: str | None = None
    ) -> Self:
        """Return the dataset without some columns.

        Nothing is copied or rewritten.

        Args:
            column_names: The name of a column, or a list of names.
            new_fingerprint: The fingerprint of the result; computed if `None`.

        Raises:
            InvalidArgumentError: There is no such column.

        Example:
            >>> ds = Dataset.from_dict({"id": [1, 2], "text": ["a", "b"]})
            >>> ds.remove_columns("id").column_names
            ['text']
        """
        gone = self._known(column_names)
        kept = [name for name in self.column_names if name not in gone]
        return self._selected(kept, new_fingerprint)

    @transmit_format
    @fingerprint_transform(inplace=False)
    def select_columns(
        self, column_names: str | list[str], new_fingerprint: str | None = None
    ) -> Self:
        """Return the dataset with the given columns only, in the given order.

        Nothing is copied or rewritten.

        Args:
            column_names: The name of a column, or a list of names.
            new_fingerprint: The fingerprint of the result; computed if `None`.

        Raises:
            InvalidArgumentError: There is no such column.

        Example:
            >>> ds = Dataset.from_dict({"id": [1, 2], "text": ["a", "b"], "label": [0, 1]})
            >>> ds.select_columns(["label", "text"])[0]
            {'label': 0, 'text': 'a'}
        """
        return self._selected(self._known(column_names), new_fingerprint)

    def _selected(self, names: list[str], new_fingerprint: str | None) -> Self:
        result = self._retabled(
            self._data.select(names),
            Features({name: self.features[name] for name in names}),
            new_fingerprint,
        )
        if result._format_columns is not None:
            result._format_columns = [name for name in result._format_columns if name in names]
        return result

    @fingerprint_transform(inplace=False)
    def rename_column(
        self, original_column_name: str, new_column_name: str, new_fingerprint: str | None = None
    ) -> Self:
        """Return the dataset with one column renamed.

        Nothing is copied or rewritten.

        Args:
            original_column_name: The name that the column has.
            new_column_name: The name that it gets.
            new_fingerprint: The fingerprint of the result; computed if `None`.

        Raises:
            InvalidArgumentError: There is no such column, or the new name is empty or already used.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"]}).rename_column("text", "title").column_names
            ['title']
        """
        if not new_column_name:
            raise InvalidArgumentError("New column name is empty.")
        return self._renamed({original_column_name: new_column_name}, new_fingerprint)

    @fingerprint_transform(inplace=False)
    def rename_columns(
        self, column_mapping: dict[str, str], new_fingerprint: str | None = None
    ) -> Self:
        """Return the dataset with several columns renamed.

        Nothing is copied or rewritten.

        Args:
            column_mapping: The new names by the old ones; other columns keep their names.
            new_fingerprint: The fingerprint of the result; computed if `None`.

        Raises:
            InvalidArgumentError: There is no such column, or a new name is empty or would be there
                twice.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "b": [2], "c": [3]})
            >>> ds.rename_columns({"a": "b", "b": "a"})[0]
            {'b': 1, 'a': 2, 'c': 3}
        """
        if empty := [old for old, new in column_mapping.items() if not new]:
            raise InvalidArgumentError(f"New column names are empty for {empty}.")
        return self._renamed(column_mapping, new_fingerprint)

    def _renamed(self, names: dict[str, str], new_fingerprint: str | None) -> Self:
        if missing := set(names) - set(self.column_names):
            raise InvalidArgumentError(
                f"Original column names {missing} not in the dataset. Current columns in the"
                f" dataset: {self.column_names}"
            )
        after = [names.get(name, name) for name in self.column_names]
        if twice := sorted({name for name in after if after.count(name) > 1}):
            raise InvalidArgumentError(
                f"New column names must all be different, but {twice} would be there twice."
            )
        features = Features({names.get(name, name): one for name, one in self.features.items()})
        result = self._retabled(self._data.rename_columns(after), features, new_fingerprint)
        if result._format_columns is not None:
            result._format_columns = [names.get(name, name) for name in result._format_columns]
        return result

    def unique(self, column: str) -> list[Any]:
        """Return the different values of a column, in the order in which they first occur.

        Args:
            column: The name of the column.

        Raises:
            InvalidArgumentError: There is no such column.

        Example:
            >>> Dataset.from_dict({"label": [1, 0, 1, None]}).unique("label")
            [1, 0, None]
        """
        if column not in self.column_names:
            raise InvalidArgumentError(
                f"Column ({column}) not in table columns ({self.column_names})."
            )
        result: list[Any] = self._query(column).column(0).unique().to_pylist()
        return result
