"""Rows sorted on disk, where memory does not hold them: an external sort.

Rows are cut into runs. Each is sorted in memory and written as an Arrow file of small batches, and
the key of the first row of each batch is kept. These keys, which are a sample of all, cut the rows
into ranges that fit into memory. A range is read from all runs, sorted again, and given before the
next one: any range can be read by itself, by any process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_BATCH_BYTES = 256 << 10  # of a run: what is read of it beside a range
_BATCHES = 128  # of a run, at least, if it has as many rows
# What is held at once, in parts of the memory: the run or range that is made, its sorted copy, and
# the one before or after it.
_PARTS = 16
_LARGEST = 1 << 30  # bytes of a run or range, however much memory there is
_RUN, _BATCH, _ROWS, _BYTES = HEAD_COLUMNS = (
    "rowstream:run",
    "rowstream:batch",
    "rowstream:rows",
    "rowstream:bytes",
)
"""What the first rows of batches have beside their keys: where these are, and how large."""
_HEADS = "heads.arrow"

SortKeys = list[tuple[str, str]]
"""Columns, each with `"ascending"` or `"descending"`, as pyarrow has them. No two rows may have the
same values in all of them.
"""


@dataclass(frozen=True)
class SortedRows:
    """Rows in runs on disk, which are read in their order.

    Attributes:
        folder: Where the runs are.
        keys: What the rows are sorted by.
        memory: The bytes that reading may take.
    """

    folder: str
    keys: SortKeys
    memory: int

    def tables(self, part: int = 0, of: int = 1, memory: int | None = None) -> Iterator[pa.Table]:
        """Yield the rows in order.

        Args:
            part, of: Only the part of this number, of so many parts of about as many rows.
            memory: The bytes that it may take, if not those of all.
        """
        heads, runs = self._heads()
        if runs == 1:
            yield from self._only(heads, part, of)
            return
        ranges = self._ranges(heads, runs, part, of, memory or self.memory)
        yield from _one_ahead(lambda bounds: self._range(*bounds), ranges)

    @property
    def count(self) -> int:
        """The number of rows."""
        return int(self._heads()[0].schema.metadata[b"rows"])

    def remove(self) -> None:
        """Remove the runs from the disk."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _heads(self) -> tuple[pa.Table, int]:
        """Return the first rows of all batches in their order, and the number of runs."""
        heads = _read(f"{self.folder}/{_HEADS}")
        runs = int(heads.schema.metadata[b"runs"])
        return heads, runs

    def _only(self, heads: pa.Table, part: int, of: int) -> Iterator[pa.Table]:
        """Yield a part of the only run: exactly as many rows as the others, or one more."""
        rows, step = (int(heads.schema.metadata[name]) for name in (b"rows", b"step"))
        begin, end = (rows * i // of for i in (part, part + 1))
        if begin == end and rows:
            return
        with _Run(self.folder, 0) as run:
            if not rows:
                yield run.read(0, 0)
            for i in range(begin // step, -(-end // step)):
                first, stop = max(begin - i * step, 0), min(end - i * step, step)
                yield run.read(i, i + 1).slice(first, stop - first)

    def _ranges(
        self, heads: pa.Table, runs: int, part: int, of: int, memory: int
    ) -> Iterator[tuple[Any, int | None, int | None]]:
        """Yield ranges: where the batches of each run lie among all, and the places among them of
        the first row of the range, and of the first after it.
        """
        import numpy as np

        rows, count = int(heads.schema.metadata[b"rows"]), len(heads)
        # How many rows come before each batch, if all of its rows came with its first.
        before = np.concatenate([[0], np.cumsum(heads.column(_ROWS).to_numpy())])
        begin, end = (int(np.searchsorted(before, rows * i // of)) for i in (part, part + 1))
        if begin == end:
            return
        # By bytes: rows with keys beside each other may be larger than others.
        sizes = np.concatenate([[0], np.cumsum(heads.column(_BYTES).to_numpy())])
        inside = sizes[end] - sizes[begin]
        pieces = max(1, -(-int(inside) // _run_bytes(memory)))
        wanted = sizes[begin] + np.arange(pieces + 1) * (inside / pieces)
        between = np.clip(np.searchsorted(sizes, wanted[1:-1]), begin, end)
        cuts = np.unique([begin, *between, end]).tolist()
        run, at = heads.column(_RUN).to_numpy(), heads.column(_BATCH).to_numpy()
        # The places of each run's batches among all, by their numbers.
        order = np.lexsort((at, run))
        starts = np.searchsorted(run[order], np.arange(runs + 1))
        places = [order[starts[i] : starts[i + 1]] for i in range(runs)]
        for low, high in pairwise(cuts):
            yield places, low or None, high if high < count else None

    def _range(self, places: list[np.ndarray], low: int | None, high: int | None) -> pa.Table:
        """Return the rows of a range, sorted.

        Args:
            places: Those of each run's batches among all.
            low: The place of the batch that the range begins with; `None` at the beginning.
            high: That of the batch that the next one begins with; `None` if there is none.
        """
        import numpy as np
        import pyarrow as pa

        pieces: list[pa.Table] = []
        begins, rows, after = None, 0, None
        for i, of in enumerate(places):
            first = 0 if low is None else max(int(np.searchsorted(of, low, "right")) - 1, 0)
            stop = len(of) if high is None else int(np.searchsorted(of, high, "left"))
            with _Run(self.folder, i) as run:
                if first < stop:
                    if low is not None and of[first] == low:
                        begins = rows
                    pieces.append(run.read(first, stop))
                    rows += pieces[-1].num_rows
                if high is not None and stop < len(of) and of[stop] == high:
                    after = run.read(stop, stop + 1).slice(0, 1)
        if after is not None:
            pieces.append(after)
        # To take rows of many chunks takes more than twice as long.
        whole = pa.concat_tables(pieces).combine_chunks()
        del pieces
        order = _order(whole, self.keys)
        # Keys are all different: a place has one row.
        start = 0 if begins is None else int(np.flatnonzero(order == begins)[0])
        end = len(order) if after is None else int(np.flatnonzero(order == rows)[0])
        return whole.take(pa.array(order[start:end]))


def sorted_rows(
    tables: Iterable[pa.Table],
    keys: SortKeys,
    folder: str,
    memory: int,
    on_rows: Callable[[int], Any] = lambda _: None,
) -> SortedRows:
    """Sort tables into runs in a folder.

    Args:
        tables: The rows, of one schema.
        keys: What they are sorted by.
        folder: Where the runs are written. What it has from an earlier call is removed.
        memory: The bytes that sorting, and reading then, may take.
        on_rows: It is called with the number of rows that were read.

    Returns:
        The rows, sorted.
    """
    import pyarrow as pa

    result = SortedRows(folder, keys, memory)
    result.remove()
    os.makedirs(folder)
    numbered = enumerate(_runs(tables, _run_bytes(memory), on_rows))
    made = [*_one_ahead(lambda run: _written(folder, keys, *run), numbered)]
    heads, counts, steps = zip(*made, strict=True)
    first = pa.concat_tables(heads)
    all_heads = first.take(pa.array(_order(first, keys))).select([*HEAD_COLUMNS])
    # The rows of a batch are said for the case that there is one run.
    numbers = {"runs": len(heads), "rows": sum(counts), "step": steps[0]}
    # Its being there says that all runs are.
    aside = f"{folder}/.{_HEADS}"
    said = {name: str(value) for name, value in numbers.items()}
    _write(aside, all_heads.replace_schema_metadata(said), None)
    os.replace(aside, f"{folder}/{_HEADS}")
    # Processes that are forked now would each keep what this one does not use any more.
    pa.default_memory_pool().release_unused()
    return result


def found(folder: str, keys: SortKeys, memory: int) -> SortedRows | None:
    """Return what an earlier call of `sorted_rows` has put into a folder, if it is whole."""
    there = os.path.exists(f"{folder}/{_HEADS}")
    return SortedRows(folder, keys, memory) if there else None


def _run_bytes(memory: int) -> int:
    return max(1 << 16, min(memory // _PARTS, _LARGEST))


def _runs(
    tables: Iterable[pa.Table], most: int, on_rows: Callable[[int], Any]
) -> Iterator[list[pa.Table]]:
    """Yield lists of tables of about so many bytes together; one if there are no rows."""
    run: list[pa.Table] = []
    size, given = 0, False
    for table in _cut(tables, max(1, most // 4)):
        on_rows(table.num_rows)
        run.append(table)
        size += table.nbytes
        if size >= most:
            yield run
            run, size, given = [], 0, True
    if run and not (given and not any(map(len, run))):
        yield run


def _order(table: pa.Table, keys: SortKeys) -> np.ndarray:
    """Return the positions of rows in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    (name, order), *more = keys
    if not more and order == "ascending" and table.schema.field(name).type == pa.uint64():
        return _order_of_numbers(table.column(name).to_numpy())
    # By numbers: pyarrow takes a name that begins with a dot for a path.
    plain = table.select([name for name, _ in keys]).rename_columns([*map(str, range(len(keys)))])
    numbered = [(str(i), order) for i, (_, order) in enumerate(keys)]
    result: np.ndarray = pc.sort_indices(plain, sort_keys=numbered).to_numpy()
    return result


def _order_of_numbers(numbers: np.ndarray) -> np.ndarray:
    """Return the positions of 64-bit numbers in their order; quickly if they are random.

    NumPy sorts 16-bit numbers by their digits, several times faster than wider ones. So the highest
    32 bits are sorted in two steps, and the few numbers that have these in common change places.
    """
    import numpy as np

    lower = np.argsort((numbers >> np.uint64(32)).astype(np.uint16), kind="stable")
    upper = (numbers >> np.uint64(48)).astype(np.uint16)[lower]
    result: np.ndarray = lower[np.argsort(upper, kind="stable")]
    for _ in range(8):
        found = numbers[result]
        (wrong,) = np.nonzero(found[1:] < found[:-1])
        if not len(wrong):
            return result
        # Of neighbours in a row, every other one.
        wrong = wrong[np.concatenate([[True], np.diff(wrong) > 1])]
        result[wrong], result[wrong + 1] = result[wrong + 1], result[wrong]
    return np.argsort(numbers)


def _cut(tables: Iterable[pa.Table], most: int) -> Iterator[pa.Table]:
    """Yield tables, those in parts that have more bytes."""
    for table in tables:
        step = max(1, len(table) * most // max(table.nbytes, 1))
        if step >= len(table):
            yield table
            continue
        for start in range(0, len(table), step):
            yield table.slice(start, step)


def _written(
    folder: str, keys: SortKeys, number: int, tables: list[pa.Table]
) -> tuple[pa.Table, int, int]:
    """Write a run; return what is kept of its batches, its rows, and those of a batch."""
    import numpy as np
    import pyarrow as pa

    whole = pa.concat_tables(tables).combine_chunks()
    whole = whole.take(pa.array(_order(whole, keys)))
    rows, size = whole.num_rows, whole.nbytes
    step = max(1, min(rows * _BATCH_BYTES // max(size, 1), rows // _BATCHES))
    _write(f"{folder}/{number:06d}.arrow", whole, step)
    first = np.arange(0, rows, step)
    heads = whole.select([name for name, _ in keys]).take(pa.array(first))
    heads = heads.append_column(_RUN, pa.array(np.full(len(first), number, np.int32)))
    heads = heads.append_column(_BATCH, pa.array(np.arange(len(first), dtype=np.int32)))
    heads = heads.append_column(_ROWS, pa.array(np.minimum(step, rows - first)))
    sizes = [whole.slice(at, step).nbytes for at in first.tolist()]
    heads = heads.append_column(_BYTES, pa.array(sizes, pa.int64()))
    return heads, rows, step


def _write(path: str, table: pa.Table, batch: int | None) -> None:
    import pyarrow as pa

    # Not compressed: that takes longer than all the rest.
    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
    with (
        pa.OSFile(path, "wb") as file,
        pa.ipc.new_file(file, table.schema, options=options) as writer,
    ):
        writer.write_table(table, max_chunksize=batch)


def _read(path: str) -> pa.Table:
    import pyarrow as pa

    with pa.OSFile(path) as file, pa.ipc.open_file(file) as reader:
        return reader.read_all()


class _Run:
    """A run that is read; a context manager, so that not all are open at once."""

    def __init__(self, folder: str, number: int) -> None:
        import pyarrow as pa

        self._file = pa.OSFile(f"{folder}/{number:06d}.arrow")
        self._reader = pa.ipc.open_file(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, first: int, stop: int) -> pa.Table:
        """Return the rows of some batches."""
        import pyarrow as pa

        batches = [self._reader.get_batch(i) for i in range(first, stop)]
        return pa.Table.from_batches(batches, self._reader.schema)


def _one_ahead(make: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield what is made of items, in order, by a thread that makes one while another is used."""
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Any] | None = None
        for item in items:
            following = pool.submit(make, item)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()
