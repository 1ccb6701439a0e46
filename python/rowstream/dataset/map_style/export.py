"""Map-style data sets as folders, files and objects of other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rowstream import config
from rowstream.arrow.stored import polars_frame, stored
from rowstream.dataset.convert import stream_of
from rowstream.dataset.map_style.rows import RowAccess
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.json_paths import json_paths
from rowstream.features.nested import requires_decoding
from rowstream.features.rows import gc_paused
from rowstream.writers.exports import dict_of, frame_of

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset


class MapStyleExport(RowAccess):
    """What data sets become."""

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """Return all rows as a dict of lists.

        Args:
            batch_size: Rows of a dict, if `batched`; 1000 if `None`.
            batched: Whether to return an iterator of dicts of `batch_size` rows each, which needs
                the memory of one of them.

        Returns:
            A dict of lists, or an iterator of such dicts.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]})
            >>> ds.to_dict()
            {'a': [1, 2, 3]}
            >>> [*ds.to_dict(batch_size=2, batched=True)]
            [{'a': [1, 2]}, {'a': [3]}]
        """
        if not batched:
            return dict_of(self._query(slice(None)), self.features)
        return (dict_of(table, self.features) for table in self._tables(batch_size))

    def to_list(self) -> list[dict[str, Any]]:
        """Return all rows as a list of dicts.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]})
            >>> ds.to_list()
            [{'a': 1}, {'a': 2}, {'a': 3}]
        """
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
        """Return all rows as a pandas frame.

        Args:
            batch_size: Rows of a frame, if `batched`; 1000 if `None`.
            batched: Whether to return an iterator of frames of `batch_size` rows each, which needs
                the memory of one of them.

        Returns:
            A `pandas.DataFrame`, or an iterator of them.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]})
            >>> ds.to_pandas()["a"].tolist()
            [1, 2, 3]
            >>> [len(frame) for frame in ds.to_pandas(batch_size=2, batched=True)]
            [2, 1]
        """
        if batched:
            return (frame_of(table, self.features) for table in self._tables(batch_size))
        return frame_of(self._query(slice(None)), self.features)

    def to_polars(
        self,
        batch_size: int | None = None,
        batched: bool = False,
        schema_overrides: dict[str, Any] | None = None,
        rechunk: bool = True,
    ) -> Any:
        """Return all rows as a Polars frame.

        Args:
            batch_size: Rows of a frame, if `batched`; 1000 if `None`.
            batched: Whether to return an iterator of frames of `batch_size` rows each, which needs
                the memory of one of them.
            schema_overrides: Polars types for some of the columns.
            rechunk: Whether the frame is put into one block of memory.

        Returns:
            A `polars.DataFrame`, or an iterator of them.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]})
            >>> ds.to_polars().columns
            ['a']
        """
        if find_spec("polars") is None:
            raise ValueError("Polars needs to be installed to be able to return Polars dataframes.")
        options = {"schema_overrides": schema_overrides, "rechunk": rechunk}
        if batched:
            return (polars_frame(table, **options) for table in self._tables(batch_size))
        return polars_frame(self._query(slice(None)), **options)

    def to_hf(self) -> Any:
        """Return the rows as a `datasets.Dataset`, for code that insists on one.

        Nothing is copied, but for types that `datasets` stores in another way. It needs the
        `datasets` package.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]})
            >>> ds.to_hf()  # doctest: +SKIP
            Dataset({
                features: ['a'],
                num_rows: 3
            })
        """
        import datasets

        table = stored(self._query(slice(None)))
        result = datasets.Dataset(
            datasets.table.InMemoryTable(table),
            split=None if self.split is None else str(self.split),
        )
        return (
            result.cast(datasets.Features.from_dict(self.features.to_dict()))
            if result.features.to_dict() != self.features.to_dict()
            else result
        )

    def _tables(
        self, batch_size: int | None = None, first: int = 0, stop: int | None = None
    ) -> Iterator[Any]:
        size = batch_size or config.DEFAULT_MAX_BATCH_SIZE
        end = len(self) if stop is None else stop
        for start in range(first, end, size):
            yield self._query(slice(start, min(start + size, end)))

    def to_iterable_dataset(self, num_shards: int | None = 1) -> Any:
        """Return the rows as a stream, which shuffles, splits over workers and resumes.

        Args:
            num_shards: Accepted for `datasets`, where it bounds how many workers can read: a stream
                divides its rows over any number of them by itself. At most the number of rows.

        Returns:
            An `IterableDataset`.

        Raises:
            InvalidArgumentError: `num_shards` is above the number of rows.

        Example:
            >>> stream = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> next(iter(stream))
            {'a': 1}
        """
        if num_shards is not None and num_shards > max(1, len(self)):
            raise InvalidArgumentError(
                f"Unable to shard a dataset of size {len(self)} into {num_shards} shards (the"
                " number of shards exceeds the number of samples)."
            )
        result: IterableDataset = stream_of(self, num_shards or 1)
        return result

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
        """Return the rows as a `tf.data.Dataset` of batches, as Keras takes them.

        Args:
            batch_size: Rows of a batch; rows one by one if `None`.
            columns: The columns that a model is given: a tensor if it is one name, a dict of
                tensors if they are several; all columns if `None`.
            shuffle: Whether each pass has another order.
            collate_fn: Makes a batch of a list of rows, such as a `DataCollator`; rows are stacked
                if `None`.
            drop_remainder: Whether a last batch that is shorter is left out.
            collate_fn_args: Further arguments for `collate_fn`.
            label_cols: The columns that a model has to predict, returned beside the others.
            prefetch: Whether batches are prepared while the last one is used.
            num_workers: Accepted for `datasets`: rows are read on the thread that TensorFlow has
                for it.
            num_test_batches: Rows that are looked at to find types and shapes.

        Returns:
            A `tf.data.Dataset`.

        Example:
            >>> columns = ["input_ids", "attention_mask"]
            >>> batches = ds.to_tf_dataset(32, columns, label_cols="label")  # doctest: +SKIP
            >>> model.fit(batches)  # doctest: +SKIP
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
