"""Methods of streams that select, rename, add and cast columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.features.nested import requires_decoding
from rowstream.ops.project import Project
from rowstream.plan.cast import cast
from rowstream.plan.transforms import extended, names, typed_column


class StreamColumns(StreamBase):
    """Methods of streams that select, rename, add and cast columns."""

    def select_columns(self, column_names: str | Sequence[str]) -> Self:
        """Return the dataset with only the given columns, in the given order. Others are not read.

        Args:
            column_names: The name of a column, or a list of names.

        Raises:
            InvalidArgumentError: There is no such column, or it is named twice.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "b": [2], "c": [3]}).to_iterable_dataset()
            >>> next(iter(ds.select_columns(["c", "a"])))
            {'c': 3, 'a': 1}
        """
        if self._plan.python:
            return self._projected("select", {name: name for name in names(column_names)})
        return self._with(self._plan.select(names(column_names)))

    def remove_columns(self, column_names: str | Sequence[str]) -> Self:
        """Return the dataset without the given columns. They are not read.

        Args:
            column_names: The name of a column, or a list of names.

        Raises:
            InvalidArgumentError: There is no such column.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "b": [2]}).to_iterable_dataset()
            >>> ds.remove_columns("a").column_names
            ['b']
        """
        gone = names(column_names)
        if self._plan.python:
            return self._projected("remove", {name: name for name in gone})
        self._plan.select(gone)
        return self._with(
            self._plan.select(name for name in self._plan.column_names if name not in gone)
        )

    def rename_column(self, original_column_name: str, new_column_name: str) -> Self:
        """Return the dataset with another name for a column.

        Args:
            original_column_name: The current name.
            new_column_name: The new name.

        Raises:
            InvalidArgumentError: There is no such column, or the new name is taken.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "b": [2]}).to_iterable_dataset()
            >>> ds.rename_column("a", "label").column_names
            ['label', 'b']
        """
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: dict[str, str]) -> Self:
        """Return the dataset with other names for several columns.

        Args:
            column_mapping: A dict from current names to new names.

        Raises:
            InvalidArgumentError: There is no such column, or two columns would have the same name.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "b": [2]}).to_iterable_dataset()
            >>> ds.rename_columns({"a": "b", "b": "a"}).column_names
            ['b', 'a']
        """
        if self._plan.python:
            return self._projected("rename", column_mapping)
        return self._with(self._plan.rename(column_mapping))

    def _projected(self, kind: str, names: dict[str, str]) -> Self:
        """Select, remove or rename columns of rows that a function returned, and known types."""
        known = self._known
        if known is not None:
            if missing := [name for name in names if name not in known]:
                raise InvalidArgumentError(
                    f"there is no column {', '.join(map(repr, missing))} to {kind}; the columns are"
                    f" {list(known)}"
                )
            if kind == "select":
                known = Features({name: known[name] for name in names})
            elif kind == "remove":
                known = Features({name: of for name, of in known.items() if name not in names})
            else:
                known = Features({names.get(name, name): of for name, of in known.items()})
        partly = self._partly
        if partly is not None and kind != "rename":
            partly = Features(
                {name: of for name, of in partly.items() if (name in names) == (kind == "select")}
            )
        elif partly is not None:
            partly = Features({names.get(name, name): of for name, of in partly.items()})
        return self._with(
            self._plan.then(Project(kind, tuple(names.items()))), _known=known, _partly=partly
        )

    def cast(self, features: Any) -> Self:
        """Return the dataset with other types for all columns.

        Files are decoded into the new types directly. Strings become the integers of a `ClassLabel`
        by its names.

        Args:
            features: A `Features` or a dict with the new type of each column.

        Raises:
            InvalidArgumentError: `features` does not name exactly the columns of the dataset.
            SchemaError: While iterating: a value does not fit its new type.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "label": ["no"]}).to_iterable_dataset()
            >>> new = Features({"a": Value("float32"), "label": ClassLabel(names=["yes", "no"])})
            >>> next(iter(ds.cast(new)))
            {'a': 1.0, 'label': 1}
        """
        there = self.column_names
        if there is not None and sorted(features) != sorted(there):
            raise InvalidArgumentError(
                f"cast: features= names {sorted(features)}, the columns are {sorted(there)};"
                " cast_column() casts one"
            )
        return self._cast(dict(features), whole=True)

    def cast_column(self, column: str, feature: Any) -> Self:
        """Return the dataset with another type for one column, as in `cast`.

        Args:
            column: The name of the column.
            feature: The new type.

        Raises:
            InvalidArgumentError: There is no such column.
            SchemaError: While iterating: a value does not fit the new type.

        Example:
            >>> ds = Dataset.from_dict({"a": [1], "b": [2]}).to_iterable_dataset()
            >>> ds.cast_column("a", Value("float32")).features["a"]
            Value('float32')
        """
        there = self.column_names
        if there is not None and column not in there:
            raise InvalidArgumentError(
                f"cast_column: there is no column {column!r}; the columns are {there}"
            )
        return self._cast({column: feature})

    def _cast(self, features: dict[str, Any], *, whole: bool = False) -> Self:
        known = self.features
        plan, rest = cast(self._plan, features, known, whole=whole)
        if known is None or not plan.python:
            partly = (
                None if whole or not plan.python else Features({**(self._partly or {}), **rest})
            )
            return self._with(
                plan,
                _known=Features(features) if whole and plan.python else known,
                _partly=partly,
                _decoding=0,
            )
        # What was decoded already is stored again by the cast, as far as it is of these columns.
        again = self._decoding is not None or any(
            requires_decoding(of, True) for of in features.values()
        )
        return self._with(
            plan,
            _known=Features({name: rest.get(name, of) for name, of in known.items()}),
            _decoding=0 if again else None,
        )

    def add_column(self, name: str, column: Any) -> Self:
        """Return the dataset with one more column.

        The values go to the rows in the order in which they come out of this stream.

        Args:
            name: The name of the new column.
            column: A list or array with a value for each row.

        Raises:
            InvalidArgumentError: While iterating: the column exists, or has fewer values than there
                are rows.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset()
            >>> list(ds.add_column("b", ["x", "y"]))
            [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'y'}]
        """
        known, before = self.features, self._decoded()
        if known is None or self._plan.grouped:
            return self._with(extended(before, name, column), _known=None, _decoding=0)
        values, feature = typed_column(name, column)
        decoding = None if self._decodes() else 0
        return self._with(
            extended(before, name, values),
            _known=Features({**known, name: feature}),
            _decoding=decoding,
        )

    def with_source(self, file: str = "__file__", row: str = "__row__") -> Self:
        """Return the dataset with two more columns: the file of each row, and its number there.

        Formats that do not store row counts, such as JSON Lines, are read through first to count
        their rows.

        Args:
            file: The name of the column with the path or URL of the file.
            row: The name of the column with the row number in the file, from 0.

        Raises:
            InvalidArgumentError: A column of that name exists.
            UnsupportedError: It is called after a function, a mixture or `batch`.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}, {"a": 2}])
            2
            >>> ds = load_dataset("json", data_files="train.jsonl", split="train", streaming=True)
            >>> [row["__row__"] for row in ds.with_source()]
            [0, 1]
        """
        plan = self._plan
        if not plan.direct:
            raise UnsupportedError(
                "with_source says where rows of files are: call it before batch() and functions"
            )
        return self._with(plan.with_source(file, row))
