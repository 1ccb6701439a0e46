"""Columns of streams."""

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
    """Columns: chosen, renamed, added, of other types."""

    def select_columns(self, column_names: str | Sequence[str]) -> Self:
        """Only these columns, in this order. Others are not read."""
        if self._plan.python:
            return self._projected("select", {name: name for name in names(column_names)})
        return self._with(self._plan.select(names(column_names)))

    def remove_columns(self, column_names: str | Sequence[str]) -> Self:
        """Return all columns but these."""
        gone = names(column_names)
        if self._plan.python:
            return self._projected("remove", {name: name for name in gone})
        self._plan.select(gone)
        return self._with(
            self._plan.select(name for name in self._plan.column_names if name not in gone)
        )

    def rename_column(self, original_column_name: str, new_column_name: str) -> Self:
        """Another name for a column."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: dict[str, str]) -> Self:
        """Other names for columns."""
        if self._plan.python:
            return self._projected("rename", column_mapping)
        return self._with(self._plan.rename(column_mapping))

    def _projected(self, kind: str, names: dict[str, str]) -> Self:
        """Columns of rows that a function made: chosen, left out, renamed; their types with them,
        where they are known.
        """
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
        """Other types for all columns: those of files are read so, where the decoder makes them.

        What does not fit is an error that names file and column. Strings become a `ClassLabel`'s
        integers by its names.
        """
        there = self.column_names
        if there is not None and sorted(features) != sorted(there):
            raise InvalidArgumentError(
                f"cast: features= names {sorted(features)}, the columns are {sorted(there)};"
                " cast_column() casts one"
            )
        return self._cast(dict(features), whole=True)

    def cast_column(self, column: str, feature: Any) -> Self:
        """Another type for one column."""
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
        """One more column: a list or array with a value for each row of the stream, in its
        order.
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
        """Two more columns: the file that a row is of, and its number there, from 0.

        Files of lines do not say how many rows come before a place, so they are counted once.
        """
        plan = self._plan
        if not plan.direct:
            raise UnsupportedError(
                "with_source says where rows of files are: call it before batch() and functions"
            )
        return self._with(plan.with_source(file, row))
