"""Arrow tables that know the files from which they are memory-mapped."""

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
"""The attributes of a pyarrow table that do not read its rows."""
_UNKNOWN = object()


class Table:
    """A pyarrow table, with the files from which it is memory-mapped.

    It has all attributes of a pyarrow table; methods that return a table return one that knows its
    files. A mapped table is pickled as the names of its files and the operations on it, a table in
    memory with its content.

    Attributes:
        table: The pyarrow table.
        files: The mapped files, in order.
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
        """The folder of the cache for this table; `None` if it has no files.

        It is the folder of the files, unless `at_home` set another.
        """
        return (self._home or os.path.dirname(self.files[0])) if self.files else None

    def at_home(self, place: str) -> Table:
        """Return the same table with another folder for its cache."""
        return Table(self.table, self.files, self.replays, self._parts, place)

    def check(self, rows: Any = None, column: str | None = None) -> None:
        """Check the checksums of rows in sealed files that have not been checked before.

        Args:
            rows: A range or an array of positions; all rows if `None`.
            column: The only column to check; all columns if `None`.

        Raises:
            FileFormatError: The file is damaged.
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
        """A text for errors that says where the rows are."""
        return f"of {', '.join(self.files)}" if self.files else "in memory"

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the pyarrow table."""
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
        result = (
            table_cast(self.table, *args, **kwargs)
            if name == "cast"
            else getattr(self.table, name)(*args, **kwargs)
        )
        return Table(
            result, self.files, (*self.replays, (name, args, kwargs)), self._parts, self._home
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    def __eq__(self, other: object) -> bool:
        """Return whether the contents of two tables are equal."""
        return bool(self.table == (other.table if isinstance(other, Table) else other))

    __hash__ = object.__hash__

    def __getitem__(self, i: Any) -> pa.ChunkedArray:
        """Return a column by position or name."""
        self.check()
        return self.table[i]

    def __repr__(self) -> str:
        return f"{type(self).__name__}\n{self.table!r}"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:
        """Export the rows as an Arrow stream."""
        self.check()
        return self.table.__arrow_c_stream__(requested_schema)

    def __deepcopy__(self, memo: Any) -> Table:
        """Return this same table, since tables are immutable."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the names of the files and the operations on them, or the content."""
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
    result = [MemoryMappedTable.from_file(of) if kind == "file" else of for kind, of in parts]
    beside = any(kind == "beside" for kind, _ in parts)
    table = result[0] if len(result) == 1 else concat_tables(result, axis=int(beside))
    for name, args, kwargs in replays:
        table = table._replayed(name, *args, **kwargs)
    return table if home is None else table.at_home(home)


class InMemoryTable(Table):
    """Constructors of tables in memory."""

    @classmethod
    def from_file(cls, filename: str) -> Table:
        """Read an Arrow stream or file into memory."""
        path = os.path.expanduser(os.fspath(filename))
        return Table(restored(read_table(pa.OSFile(path), os.fspath(filename), whole=True)))

    @classmethod
    def from_buffer(cls, buffer: Any) -> Table:
        """Return the table of an Arrow stream in memory."""
        content(result := pa.py_buffer(buffer), "what is in memory", whole=True)
        return Table(restored(unmarked(table_of(pa.BufferReader(result)))))

    @classmethod
    def from_pydict(cls, *args: Any, **kwargs: Any) -> Table:
        """Create a table from a dict of columns, as `pyarrow.Table.from_pydict` does."""
        return Table(pa.Table.from_pydict(*args, **kwargs))

    @classmethod
    def from_pandas(cls, *args: Any, **kwargs: Any) -> Table:
        """Create a table from a data frame, as `pyarrow.Table.from_pandas` does."""
        return Table(pa.Table.from_pandas(*args, **kwargs))

    @classmethod
    def from_arrays(cls, *args: Any, **kwargs: Any) -> Table:
        """Create a table from arrays, as `pyarrow.Table.from_arrays` does."""
        return Table(pa.Table.from_arrays(*args, **kwargs))

    @classmethod
    def from_batches(cls, *args: Any, **kwargs: Any) -> Table:
        """Create a table from record batches, as `pyarrow.Table.from_batches` does."""
        return Table(pa.Table.from_batches(*args, **kwargs))


class MemoryMappedTable(Table):
    """Constructors of tables that are memory-mapped from a file."""

    @classmethod
    def from_file(cls, filename: str, replays: Any = None) -> Table:
        """Memory-map an Arrow stream or file, whose rows are read on access."""
        path = os.path.abspath(os.path.expanduser(os.fspath(filename)))
        return Table(restored(read_table(pa.memory_map(path), path)), (path,))


class ConcatenationTable(Table):
    """Constructors of tables that are concatenated from others."""

    @classmethod
    def from_tables(cls, tables: Iterable[Any], axis: int = 0) -> Table:
        """Concatenate tables by rows, or by columns if `axis` is 1."""
        return concat_tables(list(tables), axis)


def as_table(table: Any) -> Table:
    """Return a `Table` of a pyarrow table or a `Table`.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(table, Table):
        return table
    if isinstance(table, pa.Table):
        return Table(table)
    raise TypeError(
        f"Expected a pyarrow.Table or a rowstream.table.Table object, but got {table!r}."
    )


def concat_tables(tables: Sequence[Any], axis: int = 0) -> Table:
    """Concatenate tables by rows, or by columns if `axis` is 1.

    By rows, a column that a table lacks is null there.
    """
    result = [as_table(table) for table in tables]
    if len(result) == 1:
        return result[0]
    # The files are known once the tables are there.
    plain = [table.table for table in result]
    files = [file for table in result for file in table.files]
    home = next((table.home for table in result if table.files), None)
    # In memory, the content is what is pickled.
    parts = (
        tuple(("beside" if axis == 1 else "table", table) for table in result) if files else None
    )
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
