"""`IterableDataset`: a stream of rows, lazily, in one exact order."""

from __future__ import annotations

from typing import Any

from rowstream import _core
from rowstream.dataset.iterable.base import ARROW_ROWS
from rowstream.dataset.iterable.construct import StreamConstructors
from rowstream.dataset.iterable.export import StreamExport
from rowstream.dataset.iterable.functions import StreamFunctions
from rowstream.dataset.iterable.order import StreamOrder
from rowstream.dataset.iterable.state import StreamState
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.formatting.column import IterableColumn
from rowstream.ops.base import World
from rowstream.streams.count import count
from rowstream.streams.explain import explained
from rowstream.streams.torch_worker import TorchBaseMeta


class IterableDataset(
    StreamConstructors,
    StreamExport,
    StreamState,
    StreamOrder,
    StreamFunctions,
    TorchBaseMeta,
):
    """Rows of files, streamed. Made by `load_dataset(..., streaming=True)`.

    Every method that changes what is streamed gives a new data set; nothing is read until it is
    iterated. The order of rows is a pure function of the files, the steps, the seed and the epoch:
    neither threads nor workers change it. `state_dict` is exact at any row, under every
    combination of steps, and small.

    Example:
        >>> ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
        >>> for row in ds.shuffle(seed=7, buffer_size=10_000).take(100):
        ...     print(row)
    """

    def __getitem__(self, column_name: str) -> IterableColumn:
        """Return a column. It may be iterated again and again; of files, no other column is read.

        Example:
            >>> for text in ds["text"]:
            ...     ...
        """
        if not isinstance(column_name, str):
            raise InvalidArgumentError(
                f"a stream has no row {column_name!r}: ds[name] is a column; ds.skip(n).take(1)"
                " reads up to a row"
            )
        there = self.column_names
        if there is not None and column_name not in there:
            raise InvalidArgumentError(
                f"there is no column {column_name!r}; the columns are {there}"
            )
        return IterableColumn(
            self.select_columns([column_name]) if self._plan.direct else self, column_name
        )

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """Return the rows as an Arrow stream, from the start of the epoch: `pa.table(ds)`,
        `pl.DataFrame(ds)`, DuckDB.

        Each call is a stream of its own, so a data set can be read again and again; `state_dict` is
        not touched.
        """
        plan = self._plan
        if not plan.direct:
            raise UnsupportedError(
                "an Arrow stream is of files' rows: take it of the data set before batch() and"
                " functions; to_parquet() writes all else"
            )
        c, of = self._part()
        return _core.arrow_stream(plan.core, c, of, plan.core.start(self._shared.epoch), ARROW_ROWS)

    def explain(self) -> str:
        """Return what is read and what is left out, as text: from what the files say of themselves,
        before rows are read.

        Example:
            >>> print(ds.filter(col("year") > 2020).select_columns(["text"]).explain())
        """
        return explained(self._plan)

    def count(self) -> int:
        """Return how many rows one iteration gives, from the start of the epoch; batches, where
        rows are batched.

        Where files say it (Parquet, Arrow, tar) nothing is read. Else as little as can be is: no
        columns, if no function makes or filters rows. Of a rank's part, as `split_dataset_by_node`
        gives it, it is the number of its rows. State and iterations are not touched.

        Raises:
            InvalidArgumentError: the stream never ends.

        Example:
            >>> ds.filter(col("year") > 2020).count()
        """
        return count(self._plan, World(*self._consumer, self._shared.epoch))

    def __repr__(self) -> str:
        """Columns and pieces."""
        return (
            f"IterableDataset({{\n    features: {self.column_names or 'Unknown'},\n    num_shards:"
            f" {self.num_shards}\n}})"
        )
