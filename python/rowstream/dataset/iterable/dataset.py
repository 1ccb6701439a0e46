"""`IterableDataset`: a lazy stream of rows."""

from __future__ import annotations

from typing import Any

from rowstream import _core
from rowstream.dataset.base import SeenByTrainers, seen_class
from rowstream.dataset.iterable.base import ARROW_ROWS
from rowstream.dataset.iterable.construct import StreamConstructors
from rowstream.dataset.iterable.functions import StreamFunctions
from rowstream.dataset.iterable.images import StreamImages
from rowstream.dataset.iterable.lengths import StreamLengths
from rowstream.dataset.iterable.order import StreamOrder
from rowstream.dataset.iterable.sampling import StreamSampling
from rowstream.dataset.iterable.state import StreamState
from rowstream.dataset.iterable.tokens import StreamTokens
from rowstream.dataset.preview import preview_of
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.formatting.column import IterableColumn
from rowstream.ops.base import World
from rowstream.streams.count import count
from rowstream.streams.explain import explained
from rowstream.streams.torch_worker import add_torch_base


class _SeenByTrainers(SeenByTrainers):
    """`isinstance` of the classes of `datasets` and of PyTorch, where they are loaded, is true."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class, for `isinstance`."""
        cls = type(self)
        added = add_torch_base(cls)
        seen = seen_class(cls, self._theirs)
        # `isinstance` has looked at the bases before it asks: it believes only another class.
        return type(cls.__name__, (cls,), {}) if added and seen is cls else seen

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return what pickle needs, after adding PyTorch's base."""
        add_torch_base(type(self))
        return super().__reduce_ex__(protocol)


class IterableDataset(
    _SeenByTrainers,
    StreamConstructors,
    StreamSampling,
    StreamState,
    StreamOrder,
    StreamFunctions,
    StreamImages,
    StreamTokens,
    StreamLengths,
):
    """A stream of rows, as `load_dataset(..., streaming=True)` returns it.

    Every method that changes the stream returns a new dataset; nothing is read until it is
    iterated. The order of the rows depends on the files, the steps, the seed and the epoch only:
    neither threads nor workers change it. A state of `state_dict` is exact after any row, with
    every combination of steps, and small.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}, {"a": 2}, {"a": 3}])
        3
        >>> ds = load_dataset("json", data_files="train.jsonl", split="train", streaming=True)
        >>> for row in ds.filter(col("a") > 1).take(1):
        ...     print(row)
        {'a': 2}
    """

    _theirs = "IterableDataset"

    def __getitem__(self, column_name: str) -> IterableColumn:
        """Return a column, which can be iterated repeatedly; no other column of the files is read.

        Args:
            column_name: The name of the column.

        Raises:
            InvalidArgumentError: There is no such column.

        Example:
            >>> ds = IterableDataset.from_dict({"text": ["Hello", "World"]})
            >>> list(ds["text"])
            ['Hello', 'World']
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

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as an Arrow stream, for `pa.table(ds)`, `pl.DataFrame(ds)` and DuckDB.

        Each call begins at the start of the epoch, so a dataset can be read repeatedly; the state
        does not change.
        """
        plan = self._plan
        if not plan.direct:
            raise UnsupportedError(
                "this stream has batch() or Python functions, so it is not exported as it is:"
                " iterate it with with_format('arrow'), or write it with to_parquet()"
            )
        c, of = self._part()
        return _core.arrow_stream(plan.core, c, of, plan.core.start(self._shared.epoch), ARROW_ROWS)

    def explain(self) -> str:
        """Return a text that says which files, columns and shards are read, and which are left out.

        It comes from the metadata of the files; no rows are read.

        Example:
            >>> Dataset.from_dict({"a": [1, 2], "b": [3, 4]}).to_parquet("rows.parquet")
            32
            >>> ds = IterableDataset.from_parquet("rows.parquet").select_columns("a")
            >>> print(ds.explain())
            scan      parquet, 1 file, ...
            columns   1 of 2: a
            read      at most ...
            order     as the files have it
        """
        return explained(self._plan)

    def count(self) -> int:
        """Return the number of rows of an epoch, or of batches after `batch`.

        Nothing is read where files store row counts (Parquet, Arrow, tar); otherwise as little as
        possible. After `split_dataset_by_node` it is the number of rows of this rank. State and
        running iterations do not change.

        Raises:
            InvalidArgumentError: The stream is endless.

        Example:
            >>> ds = IterableDataset.from_dict({"a": [1, 2, 3]})
            >>> ds.filter(col("a") > 1).count()
            2
        """
        return count(self._plan, World(*self._consumer, self._shared.epoch))

    def _repr_html_(self) -> str:
        """Return the first rows as HTML, which notebooks show: they are read for it."""
        return preview_of(self, "IterableDataset", self._known_count())

    def __repr__(self) -> str:
        return (
            f"IterableDataset({{\n    features: {self.column_names or 'Unknown'},\n    num_shards:"
            f" {self.num_shards}\n}})"
        )
