"""Map-style data sets as folders, files and objects of other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rowstream import config
from rowstream.arrow.stored import polars_frame, stored
from rowstream.dataset.convert import stream_of
from rowstream.dataset.map_style.base import MapStyleBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.json_paths import decode_json, decode_json_at, json_paths
from rowstream.features.nested import requires_decoding
from rowstream.features.rows import gc_paused, pydict

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset


class MapStyleExport(MapStyleBase):
    """What data sets become."""

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a dict of lists; one for each `batch_size` rows if `batched`."""
        if not batched:
            return decode_json(pydict(self._query(slice(None))), self.features)
        return (decode_json(pydict(table), self.features) for table in self._tables(batch_size))

    def to_list(self) -> list[dict[str, Any]]:
        """Return all rows as dicts."""
        from rowstream.table.rows import rows_of

        if (
            not json_paths(self.features)
            and not requires_decoding(self.features)
            and (rows := rows_of(self)) is not None
        ):
            with gc_paused():
                return rows.to_list()
        columns = self.to_dict()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a pandas frame; one for each `batch_size` rows if `batched`."""
        if batched:
            return (self._frame(table) for table in self._tables(batch_size))
        return self._frame(self._query(slice(None)))

    def _frame(self, table: Any, exact: bool = False) -> Any:
        """Return a table as a frame. `exact`: integers with missing values stay integers."""
        from rowstream.arrow.pandas import exact_frame, pandas_types_mapper

        frame = exact_frame(table) if exact else table.to_pandas(types_mapper=pandas_types_mapper)
        for name, *path in json_paths(self.features):
            frame[name] = [decode_json_at(one, path) for one in table.column(name).to_pylist()]
        return frame

    def to_polars(
        self,
        batch_size: int | None = None,
        batched: bool = False,
        schema_overrides: dict[str, Any] | None = None,
        rechunk: bool = True,
    ) -> Any:
        """Return all rows as a Polars frame; one for each `batch_size` rows if `batched`."""
        if find_spec("polars") is None:
            raise ValueError("Polars needs to be installed to be able to return Polars dataframes.")
        options = {"schema_overrides": schema_overrides, "rechunk": rechunk}
        if batched:
            return (polars_frame(table, **options) for table in self._tables(batch_size))
        return polars_frame(self._query(slice(None)), **options)

    def to_hf(self) -> Any:
        """Return the rows as a `datasets.Dataset`, for code that insists on one."""
        import datasets

        table = stored(self._query(slice(None)))
        made = datasets.Dataset(
            datasets.table.InMemoryTable(table),
            split=None if self.split is None else str(self.split),
        )
        return (
            made.cast(datasets.Features.from_dict(self.features.to_dict()))
            if made.features.to_dict() != self.features.to_dict()
            else made
        )

    def _tables(self, batch_size: int | None = None) -> Iterator[Any]:
        size = batch_size or config.DEFAULT_MAX_BATCH_SIZE
        for start in range(0, len(self), size):
            yield self._query(slice(start, start + size))

    def to_iterable_dataset(self, num_shards: int | None = 1) -> Any:
        """Return the rows as a stream, which shuffles, splits over workers and resumes as streams
        do.

        Args:
            num_shards: accepted for `datasets`: a stream is cut into pieces by itself. No more than
                there are rows.
        """
        if num_shards is not None and num_shards > max(1, len(self)):
            raise InvalidArgumentError(
                f"Unable to shard a dataset of size {len(self)} into {num_shards} shards (the"
                " number of shards exceeds the number of samples)."
            )
        made: IterableDataset = stream_of(self, num_shards or 1)
        return made

    def to_tf_dataset(
        self,
        batch_size: int | None = None,
        columns: Any = None,
        shuffle: bool = False,
        collate_fn: Any = None,
        drop_remainder: bool = False,
        collate_fn_args: dict[str, Any] | None = None,
        label_cols: Any = None,
        prefetch: bool = True,
        num_workers: int = 0,
        num_test_batches: int = 20,
    ) -> Any:
        """Return the rows as a `tf.data.Dataset`: of batches, as Keras takes them.

        Args:
            batch_size: rows of a batch; rows one by one if `None`.
            columns: what a model is given: a tensor if it is one column, a dict of them if several;
                all if `None`.
            shuffle: whether each pass has another order.
            collate_fn: makes a batch of a list of rows, such as a `DataCollator`; they are stacked
                if `None`.
            drop_remainder: leave out a last batch that is shorter.
            collate_fn_args: further arguments for it.
            label_cols: what a model is to find, given beside it.
            prefetch: whether batches are made while the last is used.
            num_workers: accepted for `datasets`: rows are read on the thread that TensorFlow has
                for it.
            num_test_batches: rows that are looked at to find types and shapes.

        Example:
            >>> columns = ["input_ids", "attention_mask"]
            >>> model.fit(ds.to_tf_dataset(32, columns, label_cols="label", shuffle=True))
        """
        from rowstream.integrations.tensorflow import to_tf_dataset

        return to_tf_dataset(
            self,
            batch_size,
            columns,
            shuffle,
            collate_fn,
            drop_remainder,
            collate_fn_args,
            label_cols,
            prefetch,
            num_workers,
            num_test_batches,
        )

    def _estimate_nbytes(self) -> int:
        """About how many bytes the rows have."""
        total = self._data.nbytes
        if self._indices is not None and len(self._data):
            total = total * len(self._indices) // len(self._data)
        return int(total)


__all__ = ["MapStyleExport"]
