"""Parquet and tar files of this machine as tables, read where they are without an Arrow copy.

Rows in order come from the core's stream. Rows at random are looked up in row groups of Parquet,
which are decoded at the first access and kept as long as all kept ones fit into half of
`ROWSTREAM_MEMORY`; of tar archives only the bytes of the samples are read, anew each time. When
random access has decoded more bytes of row groups than that a second time, an Arrow copy is
written, once for all processes, and memory-mapped. The same goes for what needs a whole table, such
as a cast. A copy is announced, and `ROWSTREAM_ARROW_COPIES=0` refuses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rowstream import _core, config
from rowstream.arrow.empty import empty_table
from rowstream.exceptions import SchemaError, UnsupportedError
from rowstream.features.features import Features
from rowstream.fingerprint.hasher import Hasher
from rowstream.formatting.query import gather
from rowstream.prepare.arrow_copy import BATCH, ArrowCopy
from rowstream.prepare.file_rows import Rows
from rowstream.prepare.row_groups import (
    RowGroups,
    features_as_read,
    files_of,
    keeps_types,
    row_group_cache,
    stream_row_groups,
)
from rowstream.prepare.samples import Samples
from rowstream.table.rows import arrow_table
from rowstream.table.table import Table
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


if hasattr(os, "register_at_fork"):
    # Another thread may have held the lock when this one forked.
    os.register_at_fork(after_in_child=lambda: setattr(row_group_cache, "lock", Lock()))


def lookup_of(plan: Plan, features: Features) -> RowGroups | Samples:
    """Return how rows of a plan are looked up by their numbers."""
    return (RowGroups if plan.listing["format"] == "parquet" else Samples)(plan, features)


class FileTable(Table):
    """A table whose rows stay in their files until they are accessed.

    Args:
        plan: What is read; its columns are those of the table.
        features: The types of the columns.
        copy: The Arrow copy, for what needs one.
        start, stop: The range of rows of the files that the table has; all rows by default.
        metadata: The metadata of the schema; that of the features by default.
        groups: How rows are looked up, to share what another table has kept.
    """

    replays = ()
    _parts = None

    def __init__(
        self,
        plan: Plan,
        features: Features,
        copy: ArrowCopy,
        start: int = 0,
        stop: int | None = None,
        metadata: Any = None,
        groups: RowGroups | Samples | None = None,
    ) -> None:
        self.plan, self.features, self.copy = plan, features, copy
        self._groups = groups or lookup_of(plan, features)
        self._start, self._stop = start, self._groups.starts[-1] if stop is None else stop
        self._selected: dict[tuple[str, ...], FileTable] = {}
        self.schema: Any = (
            features.arrow_schema
            if metadata is None
            else features.arrow_schema.with_metadata(metadata)
        )

    @property
    def files(self) -> tuple[str, ...]:  # type: ignore[override]  # known when there is a copy
        """The file of the Arrow copy, if the table is memory-mapped from it."""
        return (self.copy.path,) if "table" in self.__dict__ and self.copy.there() else ()

    @property
    def home(self) -> str:
        """The folder for the cached results of transforms."""
        return os.path.dirname(self.copy.path)

    @property
    def where(self) -> str:
        """The origin of the rows, as text for users."""
        return f"of {files_of(self.plan)}"

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return list(self.features)

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return self._stop - self._start

    @property
    def nbytes(self) -> int:
        """The approximate size of the rows in bytes, by their size in the files."""
        return int(sum(self.plan.piece_bytes) * self.num_rows // max(1, self._groups.starts[-1]))

    @property
    def whole(self) -> bool:
        """Whether the table has all rows of the files, in the types that the core reads."""
        return self.num_rows == self._groups.starts[-1] and keeps_types(self.plan, self.features)

    def joined(self, others: Sequence[Any]) -> FileTable | None:
        """Return one table of the rows of this and of other tables.

        Returns:
            `None` unless all are whole files of one format with the same columns.
        """
        plans = [
            self.plan,
            *(
                other.plan
                for other in others
                if isinstance(other, FileTable) and other.features == self.features
            ),
        ]
        alike = len(plans) == 1 + len(others) and all(
            plan.columns == self.plan.columns for plan in plans
        )
        if not alike or not all(table.whole for table in (self, *others)):
            return None
        try:
            plan = replace(self.plan, scan=_core.join_scans([plan.scan for plan in plans]))
        except (UnsupportedError, SchemaError):
            return None
        if not keeps_types(plan, self.features):
            return None
        # The copy is of the files: whichever columns are looked at, and by whatever names, it has
        # all.
        files = replace(plan, columns=None)
        name = Hasher.hash([self.copy.name, *(other.copy.name for other in others)])
        path = os.path.join(os.path.dirname(self.home), name, os.path.basename(self.copy.path))
        copy = ArrowCopy(files, path, features_as_read(files), name, self.copy.split)
        return FileTable(plan, self.features, copy, metadata=self.schema.metadata)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.num_rows

    def __repr__(self) -> str:
        """Return the files, the number of rows and the schema as text."""
        return (
            f"FileTable({files_of(self.plan)}, {self.num_rows}"
            f" rows)\n{self.schema.to_string(show_schema_metadata=False)}"
        )

    def said(self) -> list[Any]:
        """Return what the rows depend on, except for the contents of the files."""
        listing = {
            key: value
            for key, value in self.plan.listing.items()
            if key not in ("files", "pieces", "lanes", "floor")
        }
        return [listing, repr(self.plan.columns), self.features.to_dict(), self._start, self._stop]

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the arguments to create the table again, without rows that were read."""
        return FileTable, (
            self.plan,
            self.features,
            self.copy,
            self._start,
            self._stop,
            self.schema.metadata,
        )

    def _replayed(self, name: str, *args: Any, **kwargs: Any) -> Table:
        """Return the result of a method that needs a whole table, applied to the Arrow copy."""
        result = Table(self.table)._replayed(name, *args, **kwargs)
        return Table(result.table, self.files, ((name, args, kwargs),), (("table", self),))

    def _columns(self, plan: Plan, features: Features) -> FileTable:
        return FileTable(plan, features, self.copy, self._start, self._stop, self.schema.metadata)

    def select(self, columns: Sequence[Any]) -> FileTable:
        """Return a table of the given columns; other columns are not read."""
        names = [self.column_names[one] if isinstance(one, int) else str(one) for one in columns]
        if names == self.column_names:
            return self
        # A column that is asked for again and again, as ds["text"][i] does, finds its row groups
        # again.
        result = self._selected.get(tuple(names))
        if result is None:
            result = self._columns(
                self.plan.select(names), Features({name: self.features[name] for name in names})
            )
            self._selected[tuple(names)] = result
        if "table" in self.__dict__ and "table" not in result.__dict__:
            result.__dict__["table"] = self.table.select(names)
        return result

    def drop(self, columns: Any) -> FileTable:
        """Return the table without the given columns."""
        gone = [columns] if isinstance(columns, str) else list(columns)
        return self.select([name for name in self.column_names if name not in gone])

    def rename_columns(self, names: Any) -> FileTable:
        """Return the table with other column names: a list of all, or a dict from old to new."""
        after = (
            [names.get(name, name) for name in self.column_names]
            if isinstance(names, dict)
            else list(names)
        )
        features = Features(dict(zip(after, self.features.values(), strict=True)))
        return self._columns(
            self.plan.rename(dict(zip(self.column_names, after, strict=True))), features
        )

    def replace_schema_metadata(self, metadata: Any = None) -> FileTable:
        """Return the table with other metadata of its schema."""
        return FileTable(
            self.plan,
            self.features,
            self.copy,
            self._start,
            self._stop,
            metadata or {},
            self._groups,
        )

    def cast(self, target_schema: Any, *args: Any, **kwargs: Any) -> Table:
        """Return the table with other types; where values are stored alike, nothing is read."""
        if target_schema.types != self.schema.types or target_schema.names != self.schema.names:
            return self._replayed("cast", target_schema, *args, **kwargs)
        features = Features.from_arrow_schema(target_schema)
        metadata = target_schema.metadata
        return FileTable(
            self.plan, features, self.copy, self._start, self._stop, metadata, self._groups
        )

    def slice(self, offset: int = 0, length: int | None = None) -> FileTable:
        """Return a table of consecutive rows."""
        start = min(self._start + offset, self._stop)
        stop = self._stop if length is None else min(start + length, self._stop)
        return FileTable(
            self.plan, self.features, self.copy, start, stop, self.schema.metadata, self._groups
        )

    def _read(self) -> tuple[Any, int]:
        """Return a stream from the row group of the first row on, and how many rows to skip."""
        groups = self._groups
        first = groups.of(self._start) if self.num_rows else 0
        return (
            stream_row_groups(self.plan, first, len(groups.starts) - 1),
            self._start - groups.starts[first],
        )

    def tables(self, size: int = BATCH) -> Iterator[Any]:
        """Yield the rows in order, as pyarrow tables of at most `size` rows, which are not kept."""
        if not self.num_rows:
            return
        (stream, skip), left = self._read(), self.num_rows
        while left and (batch := stream.next_batch(size, False)) is not None:
            table = self._groups.fitted(batch).slice(skip, left)
            skip = max(0, skip - batch.num_rows)
            left -= table.num_rows
            if table.num_rows:
                yield table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:
        """Return the rows as an Arrow stream, which reads the files as it is consumed."""
        batches = (batch for table in self.tables() for batch in table.to_batches())
        reader = pa.RecordBatchReader.from_batches(self.features.arrow_schema, batches)
        return reader.__arrow_c_stream__(requested_schema)

    def gather(self, positions: Any) -> pa.Table:
        """Return the rows at the given positions, a range or an array, as a pyarrow table."""
        if self.mapped:
            self._copied.check(positions)
            return gather(self.table, positions)
        if isinstance(positions, range) and positions.step == 1:
            start, stop = self._start + positions.start, self._start + positions.stop
            return self._groups.table(start, stop) if start < stop else self._empty
        rows = np.asarray(positions, dtype=np.int64)
        core = self.core
        if core is None or not len(rows):
            return gather(self.table, rows) if len(rows) else self._empty
        return arrow_table(core.select(rows.tobytes()))

    @property
    def _empty(self) -> pa.Table:
        return empty_table(self.features.arrow_schema)

    @property
    def mapped(self) -> bool:
        """Whether rows are looked up in a whole table: it exists, or the copy is due."""
        if (
            "table" not in self.__dict__
            and config.ARROW_COPIES
            and self._groups.again > row_group_cache.budget
        ):
            _ = self.table
        return "table" in self.__dict__

    def check(self, rows: Any = None, column: str | None = None) -> None:
        """Do nothing: the rows of the copy are checked when they are gathered."""

    @cached_property
    def _copied(self) -> Table:
        return Table(self.table)

    @cached_property
    def table(self) -> pa.Table:
        """The pyarrow table: of the Arrow copy, or in memory where copies are refused."""
        if not config.ARROW_COPIES and not self.copy.there():
            result = pa.concat_tables([*self.tables(), self._empty])
            return result.replace_schema_metadata(self.schema.metadata)
        whole = self.copy.made().table
        # Columns by the names that they have in the files.
        named = dict(
            self.copy.plan.columns or zip(whole.column_names, whole.column_names, strict=True)
        )
        columns = (
            [of for of, _ in self.plan.columns] if self.plan.columns is not None else list(named)
        )
        result = whole.select([named[of] for of in columns]).rename_columns(self.column_names)
        return result.slice(self._start, self.num_rows).replace_schema_metadata(
            self.schema.metadata
        )

    @property
    def core(self) -> Any:
        """The core's reader of rows; `None` if a column has a type that the core can't return."""
        try:
            _core.Table(self._empty)
        except NotImplementedError:
            return None
        return Rows(self)
