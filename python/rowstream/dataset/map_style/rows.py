"""Access to the rows and columns of map-style datasets, in the dataset's format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import is_not
from typing import TYPE_CHECKING, Any, Self

from rowstream import config
from rowstream.dataset.map_style.base import MapStyleBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.formatting.column import Column
from rowstream.formatting.formatters import get_formatter
from rowstream.formatting.query import format_table, key_to_query_type, query_table
from rowstream.formatting.tensors import TensorFormatter
from rowstream.info import DatasetInfo
from rowstream.table.rows import rows_of

if TYPE_CHECKING:
    import pyarrow as pa

    from rowstream.formatting.base import Formatter


class RowAccess(MapStyleBase):
    """The methods that return rows, batches and columns."""

    def _query(self, key: Any) -> pa.Table:
        """Return the rows or the column of a key as a pyarrow table."""
        return query_table(self._data, key, self._indices)

    def _table_rows(self) -> Any:
        """Return the core's reader of rows, or `None` if it can't read their types."""
        result = self.__dict__.get("_rows")
        if result is None:
            result = self.__dict__["_rows"] = rows_of(self)
        return result

    def _core_rows(self) -> Any:
        """Return the core's reader of rows, or `None` where values need decoding."""
        rows = self._table_rows()
        return rows if rows is not None and rows.plain else None

    def _rows_at(self, key: Any, formatter: Formatter) -> Any:
        """Return the rows or the column of a key, as a formatter reads them."""
        if not isinstance(key, str):
            key_to_query_type(key)
            rows = self._table_rows()
            # A run of a table is a slice of it.
            run = isinstance(key, (int, slice, range)) and self._indices is None
            if rows is not None and (formatter.reads_selected or not run):
                return rows.select(key)
        return self._query(key)

    def _formatter(self) -> Any:
        """Return the formatter of the dataset's format, which is made once."""
        key = (self._format_type, self._format_kwargs, self._info.features)
        known = self.__dict__.get("_cached_formatter")
        if known is None or any(map(is_not, known[0], key)):
            made = get_formatter(key[0], features=key[2], **key[1])
            known = self.__dict__["_cached_formatter"] = (key, made)
        return known[1]

    def _plain(self) -> bool:
        return self._format_type is None and self._format_columns is None

    def __getitem__(self, key: Any) -> Any:
        """Return a row, several rows or a column, in the dataset's format.

        - `ds[i]`: A row; negative positions count from the end.
        - `ds[a:b]`, `ds[[i, j]]`, `ds[range(n)]`: Rows, as a dict of columns.
        - `ds["name"]`: A column, whose values are read when they are accessed.

        Raises:
            IndexError: A position is out of range.
            InvalidArgumentError: There is no such column.
        """
        if isinstance(key, str) and self._format_type not in ("arrow", "pandas", "polars"):
            return Column(self, key)
        if type(key) is int and self._plain() and (rows := self._core_rows()) is not None:
            return rows.row(key)
        return self._getitem(key)

    def _getitem(self, key: Any, **changes: Any) -> Any:
        type_ = changes.get("format_type", self._format_type)
        columns = changes.get("format_columns", self._format_columns)
        formatter = (
            self._formatter()
            if type_ == self._format_type
            else get_formatter(type_, features=self._info.features, **self._format_kwargs)
        )
        rows = self._rows_at(key, formatter)
        return format_table(rows, key, formatter, columns, self._output_all_columns)

    def __getitems__(self, keys: Sequence[int]) -> list[Any]:
        """Return the rows at several positions, as PyTorch's data loaders ask for them."""
        if self._plain() and (rows := self._core_rows()) is not None:
            result: list[Any] = rows.take(keys)
            return result
        batch = self[list(keys)]
        if isinstance(batch, Mapping):
            formatter = self._formatter()
            tensors = isinstance(formatter, TensorFormatter)
            columns = [formatter.items(one) if tensors else one for one in batch.values()]
            if not columns:
                return [{} for _ in keys]
            if len(columns) == 1:
                (name,) = batch
                return [{name: one} for one in columns[0]]
            return [dict(zip(batch, row, strict=True)) for row in zip(*columns, strict=True)]
        return [self[int(i)] for i in keys]

    def __iter__(self) -> Iterator[Any]:
        """Return an iterator over the rows, in the dataset's format."""
        if self._plain() and (rows := self._core_rows()) is not None:
            return iter(rows)
        return self._formatted_rows()

    def _formatted_rows(self) -> Iterator[Any]:
        formatter = self._formatter()
        size = config.ARROW_RECORD_BATCH_SIZE_FOR_IMAGE_DATASETS or 100
        for start in range(0, len(self), size):
            rows = self._rows_at(slice(start, start + size), formatter)
            if isinstance(formatter, TensorFormatter) and self._format_columns is None:
                yield from formatter.format_rows(rows)
                continue
            for i in range(rows.num_rows):
                yield format_table(
                    rows.slice(i, 1), 0, formatter, self._format_columns, self._output_all_columns
                )

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Yield batches of consecutive rows, in the dataset's format.

        Args:
            batch_size: The number of rows in a batch, at least 1.
            drop_last_batch: Whether to leave out a last batch that is shorter.

        Yields:
            A dict of columns, or what the format has for a batch, such as a `pandas.DataFrame`.

        Raises:
            InvalidArgumentError: `batch_size` is less than 1.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
            >>> for batch in ds.iter(batch_size=2):
            ...     print(batch)
            {'text': ['a', 'b']}
            {'text': ['c']}
        """
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size is at least 1, found {batch_size}")
        formatter = self._formatter()
        stop = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, stop, batch_size):
            end = min(start + batch_size, stop)
            rows = self._rows_at(slice(start, end), formatter)
            yield format_table(
                rows, range(end - start), formatter, self._format_columns, self._output_all_columns
            )

    def _fast_select_column(self, column_name: str) -> Self:
        result = self._copy()
        result._data = self._data.select([column_name])
        result._info = DatasetInfo(features=Features({column_name: self.features[column_name]}))
        if result._format_columns is not None:
            result._format_columns = [
                name for name in result._format_columns if name == column_name
            ]
        return result
