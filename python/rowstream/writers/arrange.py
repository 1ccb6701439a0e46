"""Rows that are sorted, shuffled as a whole, or freed of duplicates before they are written, within
a number of bytes: on disk, where memory does not hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.arrow.empty import empty_table
from rowstream.arrow.order import is_ordered
from rowstream.exceptions import InvalidArgumentError
from rowstream.utils.arguments import check_number, convert_file_size_to_int
from rowstream.writers.external_sort import HEAD_COLUMNS, SortedRows, SortKeys, found, sorted_rows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from rowstream.writers.exports import ExportedRows

# The number of a row, which keeps rows with equal keys in their order; the number that it is
# shuffled by; its hash.
_ROW, _RANDOM = "rowstream:row", "rowstream:random"
_HIGH, _LOW = "rowstream:hash-high", "rowstream:hash-low"
_OURS = (_ROW, _RANDOM, _HIGH, _LOW, *HEAD_COLUMNS)
ARRANGED = 2
"""The version of how rows are arranged: what a killed run of another one left is not taken."""
_ROWS = 10_000  # of a table that is given to a writer, at most
_JOINED = 8 << 20  # bytes of tables that are numbered at once


def refuse(options: dict[str, Any], what: str, instead: str) -> None:
    """Raise if options of a writer are those that put rows in order.

    Args:
        options: The options, by name.
        what: The method.
        instead: What to call in its place.

    Raises:
        InvalidArgumentError: There is one.
    """
    names = {"sort_by", "shuffle_seed", "unique_by", "memory", "engine", "num_proc"}
    if found := sorted(names & set(options)):
        raise InvalidArgumentError(f"{what} has no {', '.join(found)}: {instead}")


@dataclass(frozen=True)
class Arrangement:
    """What is done with rows before they are written.

    Attributes:
        sort_by: The columns that they are sorted by.
        seed: The seed that they are shuffled with, if they are.
        unique_by: The columns by which duplicates are found: all if there are none. `None` if they
            are not looked for.
        memory: The bytes that it may take.
    """

    sort_by: SortKeys
    seed: int | None
    unique_by: list[str] | None
    memory: int

    @classmethod
    def of(
        cls, sort_by: Any, shuffle_seed: int | None, unique_by: Any, memory: str | int
    ) -> Arrangement | None:
        """Return what arguments of users say; `None` if rows stay as they are.

        Raises:
            InvalidArgumentError: They make no sense.
        """
        if sort_by is None and shuffle_seed is None and unique_by is None:
            return None
        if sort_by is not None and shuffle_seed is not None:
            raise InvalidArgumentError("give sort_by or shuffle_seed: rows have one order")
        if shuffle_seed is not None:
            check_number("shuffle_seed", shuffle_seed)
        if isinstance(memory, bool) or not isinstance(memory, (int, str)):
            raise InvalidArgumentError(f"memory is a size such as '4GB', found {memory!r}")
        most = convert_file_size_to_int(memory)
        if most < 1_000_000:
            raise InvalidArgumentError(f"memory is at least 1MB, found {memory!r}")
        return cls(_sort_keys(sort_by), shuffle_seed, _unique_columns(unique_by), most)

    @property
    def keys(self) -> SortKeys:
        """What the rows are sorted by at last."""
        if self.seed is not None:
            return [(_RANDOM, "ascending")]
        return [*self.sort_by, (_ROW, "ascending")]

    def found(self, folder: str) -> SortedRows | None:
        """Return the rows that an earlier run has sorted into a folder, if they are whole."""
        return found(f"{folder}/sorted", self.keys, self.memory)

    def sorted(
        self,
        rows: ExportedRows,
        folder: str,
        on_rows: Callable[[int], Any] = lambda _: None,
        batch_size: int | None = None,
    ) -> SortedRows:
        """Sort rows into a folder.

        Args:
            rows: The rows.
            folder: Where they are put.
            on_rows: It is called with the number of rows that were read.
            batch_size: How many are read at once.

        Raises:
            InvalidArgumentError: There is no such column, or it is of a type without an order.
        """
        if not rows.empty.column_names and (self.sort_by or self.unique_by is not None):
            # No row says which columns there are.
            plain = replace(self, sort_by=[], unique_by=None)
            return plain.sorted(rows, folder, on_rows, batch_size)
        self.check(rows.empty)
        read = _joined(rows.tables(batch_size or _ROWS), min(_JOINED, self.memory // 64))
        tables: Iterable[pa.Table] = _numbered(read, rows.empty)
        distinct = None
        if self.unique_by is not None:
            keys = [(name, "ascending") for name in (_HIGH, _LOW, _ROW)]
            hashed = (_hashed(table, self.unique_by) for table in tables)
            distinct = sorted_rows(hashed, keys, f"{folder}/hashed", self.memory, on_rows)
            tables, on_rows = _distinct(distinct.tables()), lambda _: None
        if self.seed is not None:
            tables = map(partial(_drawn, seed=self.seed), tables)
        result = sorted_rows(tables, self.keys, f"{folder}/sorted", self.memory, on_rows)
        if distinct is not None:
            distinct.remove()
        return result

    def check(self, empty: pa.Table) -> None:
        """Raise unless rows can be arranged.

        Args:
            empty: A table of their types.

        Raises:
            InvalidArgumentError: There is no such column, or it is of a type without an order.
        """
        there, plain = empty.column_names, empty_table(without_views(empty.schema))
        for what, names in (
            ("sort_by", [name for name, _ in self.sort_by]),
            ("unique_by", self.unique_by or []),
        ):
            if missing := [name for name in names if name not in there]:
                raise InvalidArgumentError(
                    f"{what}: there is no column {missing}; the columns are {there}"
                )
        if ours := [name for name in there if name in _OURS]:
            raise InvalidArgumentError(f"columns {ours}: rename them, rowstream needs these names")
        for name, _ in self.sort_by:
            one = plain.select([name]).rename_columns(["key"])
            if not is_ordered(one):
                raise InvalidArgumentError(
                    f"sort_by: column {name!r} is of the type {empty.schema.field(name).type},"
                    " which has no order"
                )


@dataclass(frozen=True)
class SortedPart:
    """A part of sorted rows, for one of several files.

    Attributes:
        rows: What is known of them, without tables.
        sorted: All of them.
        part, of: The number of the part, and of all.
        memory: The bytes that reading it may take.
    """

    rows: ExportedRows
    sorted: SortedRows
    part: int
    of: int
    memory: int

    def __call__(self) -> AbstractContextManager[ExportedRows]:
        """Open the rows of this part."""
        return nullcontext(given(self.rows, self.sorted, self.part, self.of, self.memory))


def given(
    rows: ExportedRows, sorted: SortedRows, part: int = 0, of: int = 1, memory: int | None = None
) -> ExportedRows:
    """Return rows as they are after they were sorted; the arguments are those of `SortedPart`."""
    from rowstream.features.cast import table_cast

    schema = rows.empty.schema

    def tables(size: int | None) -> Iterator[pa.Table]:
        kept = (one.select(schema.names) for one in sorted.tables(part, of, memory))
        for table in _of_size(kept, size or _ROWS):
            yield table if table.schema.equals(schema) else table_cast(table, schema)

    return replace(rows, tables=tables, count=sorted.count if of == 1 else None)


def _of_size(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """Yield the rows of tables in tables of so many rows; the last may have fewer."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += len(table)
        if rows < size:
            continue
        whole = pa.concat_tables(waiting)
        end = rows - rows % size
        for start in range(0, end, size):
            yield whole.slice(start, size)
        waiting, rows = [whole.slice(end)] if end < rows else [], rows - end
    if rows:
        yield pa.concat_tables(waiting)


def no_tables(_: int | None) -> Iterator[pa.Table]:
    """Yield nothing: in the place of rows that are given otherwise."""
    return iter(())


def _sort_keys(sort_by: Any) -> SortKeys:
    keys: dict[str, str] = {}
    wrong = InvalidArgumentError(
        "sort_by is a column, or a list of columns and of pairs such as"
        f" [('score', 'descending')], found {sort_by!r}"
    )
    if not isinstance(sort_by, (str, list, tuple, type(None))):
        raise wrong
    if isinstance(sort_by, tuple) and sort_by[1:] in (("ascending",), ("descending",)):
        # One pair.
        sort_by = [sort_by]
    for one in [sort_by] if isinstance(sort_by, str) else sort_by or []:
        pair = (one, "ascending") if isinstance(one, str) else one
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise wrong
        if pair[1] not in ("ascending", "descending"):
            raise wrong
        # A column that comes again decides nothing any more.
        keys.setdefault(pair[0], pair[1])
    if sort_by is not None and not keys:
        raise InvalidArgumentError("sort_by: no columns are named")
    return [*keys.items()]


def _unique_columns(unique_by: Any) -> list[str] | None:
    """Return the columns by which duplicates are found; none for all."""
    if unique_by is None or unique_by is False:
        return None
    if unique_by is True:
        return []
    names = [unique_by] if isinstance(unique_by, str) else unique_by
    if not isinstance(names, (list, tuple)) or not all(isinstance(one, str) for one in names):
        raise InvalidArgumentError(
            f"unique_by is a column, a list of them, or True for all, found {unique_by!r}"
        )
    if not names:
        raise InvalidArgumentError("unique_by: no columns are named; True stands for all")
    return [*names]


def without_views(schema: pa.Schema) -> pa.Schema:
    """Return a schema with types that pyarrow can take rows of: none whose values are views."""
    import pyarrow as pa

    def plain(kind: Any) -> Any:
        if kind == pa.string_view():
            return pa.large_string()
        if kind == pa.binary_view():
            return pa.large_binary()
        if pa.types.is_list(kind) or pa.types.is_list_view(kind):
            return pa.list_(field(kind.value_field))
        if pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind):
            return pa.large_list(field(kind.value_field))
        if pa.types.is_struct(kind):
            return pa.struct([field(kind.field(i)) for i in range(kind.num_fields)])
        return kind

    def field(one: Any) -> Any:
        return one.with_type(plain(one.type))

    return pa.schema([field(one) for one in schema], schema.metadata)


def _joined(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """Yield tables of about so many bytes, at least, of the rows of smaller ones."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    held = 0
    for table in tables:
        waiting.append(table)
        # With the number of each row, which columns of nulls and truths hardly add to.
        held += table.nbytes + 8 * len(table)
        if held >= size:
            yield pa.concat_tables(waiting)
            waiting, held = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _numbered(tables: Iterable[pa.Table], empty: pa.Table) -> Iterator[pa.Table]:
    """Yield tables with the numbers of their rows; an empty one first, which says the types."""
    import numpy as np
    import pyarrow as pa

    at, schema = 0, without_views(empty.schema)
    for given_table in chain([empty], tables):
        table = given_table
        if not table.schema.equals(schema):
            table = table.cast(schema)
        numbers = np.arange(at, at + len(table), dtype=np.int64)
        at += len(table)
        yield table.append_column(_ROW, pa.array(numbers))


def _drawn(table: pa.Table, seed: int) -> pa.Table:
    """Return rows with a random number each in the place of theirs: no two have the same.

    Those of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
    2014), whose draw of a number is the row's. Its state is a draw of the seed: beside each other,
    seeds would have the same numbers, some rows apart.
    """
    import numpy as np
    import pyarrow as pa

    state = _draws(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64), np.uint64(0))[0]
    z = _draws(table.column(_ROW).to_numpy().astype(np.uint64), state)
    at = table.column_names.index(_ROW)
    return table.set_column(at, _RANDOM, pa.array(z))


def _draws(numbers: np.ndarray, state: np.uint64) -> np.ndarray:
    """Return the draws of these numbers from a state."""
    import numpy as np

    z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + state
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    z ^= z >> np.uint64(31)
    return z


def _hashed(table: pa.Table, columns: list[str]) -> pa.Table:
    """Return rows with a hash of some columns; of all if none are named."""
    import numpy as np
    import pyarrow as pa

    names = columns or [name for name in table.column_names if name != _ROW]
    hashes = _core.Table(table.select(names)).hashes() if names and len(table) else b""
    halves = np.frombuffer(hashes or bytes(16 * len(table)), np.uint64).reshape(-1, 2)
    for name, half in ((_HIGH, halves[:, 0]), (_LOW, halves[:, 1])):
        table = table.append_column(name, pa.array(np.ascontiguousarray(half)))
    return table


def _distinct(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the first of all rows with one hash, of tables that are sorted by it."""
    import numpy as np
    import pyarrow as pa

    last = None
    for table in tables:
        hashes = np.column_stack([table.column(name).to_numpy() for name in (_HIGH, _LOW)])
        new = np.ones(len(table), bool)
        if len(table):
            new[1:] = (hashes[1:] != hashes[:-1]).any(axis=1)
            new[0] = last is None or bool((hashes[0] != last).any())
            last = hashes[-1]
        yield table.filter(pa.array(new)).drop_columns([_HIGH, _LOW])
