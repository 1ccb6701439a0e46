"""Arrow tables that know the files that they are mapped from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream import _core
from rowstream.arrow.files import read_table, table_of
from rowstream.arrow.sealed import content, unmarked
from rowstream.arrow.stored import restored, stored
from rowstream.features.cast import table_cast

_REPLAYED = (
    "slice",
    "select",
    "rename_columns",
    "cast",
    "drop",
    "replace_schema_metadata",
    "flatten",
    "set_column",
)


_WITHOUT_ROWS = frozenset(
    ("column_names", "field", "nbytes", "num_columns", "num_rows", "schema", "shape")
)
"""What a pyarrow table says without looking at its rows."""
_UNKNOWN = object()


class Table:
    """A pyarrow table, and the files that it is mapped from.

    Everything that a pyarrow table has, it has; what gives a table gives one that still knows its
    files. It is pickled as the names of its files and what was done with them, where it is mapped;
    by its content where it is in memory.

    Attributes:
        table: the pyarrow table.
        files: the files that it is mapped from, in order.
    """

    _checks: Any = _UNKNOWN

    def __init__(
        self,
        table: Any,
        files: Sequence[str] = (),
        replays: tuple[Any, ...] = (),
        parts: tuple[Any, ...] | None = None,
        home: str | None = None,
    ) -> None:
        self.table, self.files, self.replays = table, tuple(files), replays
        # What pickling says: how the parts are made that this was concatenated of.
        self._parts = parts
        self._home = home

    @property
    def home(self) -> str | None:
        """The folder for what is made of it: that of its files, or another that was named; `None`
        if it has no files.
        """
        return (self._home or os.path.dirname(self.files[0])) if self.files else None

    def at_home(self, place: str) -> Table:
        """Return the same with another folder for what is made of it."""
        return Table(self.table, self.files, self.replays, self._parts, place)

    def check(self, rows: Any = None, column: str | None = None) -> None:
        """Check what rows are made of, where it lies in a file with checksums and was not looked at
        before.

        Args:
            rows: a range, or an array of numbers; all rows if `None`.
            column: only that column.

        Raises:
            FileFormatError: it is not what was written.
        """
        # Another thread may be done with them meanwhile.
        checks = self._checks
        if checks is _UNKNOWN:
            checks = self._checks = _core.Checks.of(self.table) if _core.sealed_files() else None
        if checks is None:
            return
        at = None if column is None else self.table.schema.get_field_index(column)
        rows = range(self.table.num_rows) if rows is None else rows
        if isinstance(rows, range) and rows.step == 1:
            done = checks.run(rows.start, rows.stop, at)
        else:
            done = checks.rows(np.ascontiguousarray(rows, dtype=np.int64).tobytes(), at)
        if done:
            self._checks = None

    @property
    def where(self) -> str:
        """Where the rows are, for people."""
        return f"of {', '.join(self.files)}" if self.files else "in memory"

    def __getattr__(self, name: str) -> Any:
        """Return what the pyarrow table has."""
        if name.startswith("__") or name == "table":
            raise AttributeError(name)
        if name in _REPLAYED:
            return partial(self._replayed, name)
        if name not in _WITHOUT_ROWS:
            self.check()
        return getattr(self.table, name)

    def _replayed(self, name: str, *args: Any, **kwargs: Any) -> Table:
        if name == "cast":
            # What is converted is no longer where it can be checked.
            types = args[0] if args else kwargs["target_schema"]
            for of in self.table.schema:
                if types.get_field_index(of.name) < 0 or types.field(of.name).type != of.type:
                    self.check(column=of.name)
        made = (
            table_cast(self.table, *args, **kwargs)
            if name == "cast"
            else getattr(self.table, name)(*args, **kwargs)
        )
        return Table(
            made, self.files, (*self.replays, (name, args, kwargs)), self._parts, self._home
        )

    def __len__(self) -> int:
        """Return rows."""
        return int(self.table.num_rows)

    def __eq__(self, other: object) -> bool:
        """Return whether the content is the same."""
        return bool(self.table == (other.table if isinstance(other, Table) else other))

    __hash__ = object.__hash__

    def __getitem__(self, i: Any) -> Any:
        """Return a column."""
        self.check()
        return self.table[i]

    def __repr__(self) -> str:
        """Return that of pyarrow."""
        return f"{type(self).__name__}\n{self.table!r}"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return the rows, as an Arrow stream."""
        self.check()
        return self.table.__arrow_c_stream__(requested_schema)

    def __deepcopy__(self, memo: Any) -> Table:
        """Return the same: tables are not changed."""
        return self

    def __reduce__(self) -> Any:
        """Files and what was done with them, or the content."""
        if self._parts is not None:
            return _again, (self._parts, self.replays, self._home)
        if self.files:
            return _again, ((("file", self.files[0]),), self.replays, self._home)
        table = self.table
        # A slice would bring along all that it is a slice of.
        return _unpickled, (_written(table),)


def _written(table: Any) -> Any:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, stored(table).schema) as writer:
        writer.write_table(stored(table))
    return sink.getvalue().to_pybytes()


def _unpickled(content: bytes) -> Table:
    return Table(restored(pa.ipc.open_stream(content).read_all()))


def _again(parts: tuple[Any, ...], replays: tuple[Any, ...], home: str | None = None) -> Table:
    made = [MemoryMappedTable.from_file(of) if kind == "file" else of for kind, of in parts]
    beside = any(kind == "beside" for kind, _ in parts)
    table = made[0] if len(made) == 1 else concat_tables(made, axis=int(beside))
    for name, args, kwargs in replays:
        table = table._replayed(name, *args, **kwargs)
    return table if home is None else table.at_home(home)


class InMemoryTable(Table):
    """A table in memory."""

    @classmethod
    def from_file(cls, filename: str) -> Table:
        """Return the rows of an Arrow stream or file, read."""
        path = os.path.expanduser(os.fspath(filename))
        return Table(restored(read_table(pa.OSFile(path), os.fspath(filename), whole=True)))

    @classmethod
    def from_buffer(cls, buffer: Any) -> Table:
        """Return the rows of an Arrow stream in memory."""
        content(made := pa.py_buffer(buffer), "what is in memory", whole=True)
        return Table(restored(unmarked(table_of(pa.BufferReader(made)))))

    @classmethod
    def from_pydict(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_pydict(*args, **kwargs))

    @classmethod
    def from_pandas(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_pandas(*args, **kwargs))

    @classmethod
    def from_arrays(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_arrays(*args, **kwargs))

    @classmethod
    def from_batches(cls, *args: Any, **kwargs: Any) -> Table:
        """As pyarrow has it."""
        return Table(pa.Table.from_batches(*args, **kwargs))


class MemoryMappedTable(Table):
    """A table that is mapped from a file."""

    @classmethod
    def from_file(cls, filename: str, replays: Any = None) -> Table:
        """Return the rows of an Arrow stream or file, mapped: read when they are looked at."""
        path = os.path.abspath(os.path.expanduser(os.fspath(filename)))
        return Table(restored(read_table(pa.memory_map(path), path)), (path,))


class ConcatenationTable(Table):
    """Tables together."""

    @classmethod
    def from_tables(cls, tables: Iterable[Any], axis: int = 0) -> Table:
        """Tables together."""
        return concat_tables(list(tables), axis)


def as_table(table: Any) -> Table:
    """Return a table of any kind as one of ours.

    Raises:
        TypeError: it is none.
    """
    if isinstance(table, Table):
        return table
    if isinstance(table, pa.Table):
        return Table(table)
    raise TypeError(
        f"Expected a pyarrow.Table or a rowstream.table.Table object, but got {table!r}."
    )


def concat_tables(tables: Sequence[Any], axis: int = 0) -> Table:
    """Tables one after another, or side by side if `axis` is 1. A column that one lacks is null
    there.
    """
    made = [as_table(table) for table in tables]
    if len(made) == 1:
        return made[0]
    # The files are known once the tables are there.
    plain = [table.table for table in made]
    files = [file for table in made for file in table.files]
    home = next((table.home for table in made if table.files), None)
    # In memory, the content is what is pickled.
    parts = tuple(("beside" if axis == 1 else "table", table) for table in made) if files else None
    if axis == 1:
        columns = [
            (field, column)
            for table in plain
            for field, column in zip(table.schema, table.columns, strict=True)
        ]
        whole = pa.Table.from_arrays(
            [column for _, column in columns], schema=pa.schema([field for field, _ in columns])
        )
        return Table(
            whole.replace_schema_metadata(plain[0].schema.metadata), files, (), parts, home
        )
    whole = pa.concat_tables(plain, promote_options="default")
    return Table(whole, files, (), parts, home)
