"""A table with a list of rows before it, and rows by number."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import pyarrow as pa

from rowstream import config
from rowstream.dataset.base import DatasetInfoMixin
from rowstream.dataset.map_style.search import Indexable
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.fingerprint.caching import get_temporary_cache_files_directory, is_caching_enabled
from rowstream.fingerprint.transform import generate_random_fingerprint, of_table
from rowstream.formatting.column import Column
from rowstream.formatting.formatters import get_formatter
from rowstream.formatting.query import format_table, query_table
from rowstream.info import DatasetInfo
from rowstream.splits.names import named
from rowstream.table.table import Table, as_table
from rowstream.transforms.step_files import SUFFIX, place_of, results_of
from rowstream.writers.features import with_features


class MapStyleBase(DatasetInfoMixin, Indexable):
    """A table with a list of rows before it: what it is, and rows by number."""

    def __init__(
        self,
        arrow_table: Any,
        info: DatasetInfo | None = None,
        split: Any = None,
        indices_table: Any = None,
        fingerprint: str | None = None,
    ) -> None:
        Indexable.__init__(self)
        table = as_table(arrow_table)
        info = info.copy() if info is not None else DatasetInfo()
        seen = Features.from_arrow_schema(table.schema)
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if twice:
            raise InvalidArgumentError(
                f"The table can't have duplicated columns but columns {twice} are duplicated."
            )
        if info.features is None:
            info.features = seen
        else:
            try:
                info.features = info.features.reorder_fields_as(seen)
            except ValueError as error:
                raise InvalidArgumentError(
                    f"{error}\nThe 'source' features come from dataset_info.json, and the 'target'"
                    " ones are those of the dataset arrow file."
                ) from None
        schema = info.features.arrow_schema
        if table.schema != schema:
            table = table.cast(schema)
        indices = None if indices_table is None else as_table(indices_table)
        if indices is not None and not pa.types.is_unsigned_integer(indices.table.column(0).type):
            raise InvalidArgumentError(
                "indices must be an Arrow table of unsigned integers, current type is"
                f" {indices.table.column(0).type}"
            )
        written = (table.schema.metadata or {}).get(b"huggingface")
        if fingerprint is None and written is not None:
            fingerprint = json.loads(written).get("fingerprint")
        self._info, self._split = info, named(split)
        self._data = with_features(table, info.features)
        self._indices = indices
        self._format_type: str | None = None
        self._format_kwargs: dict[str, Any] = {}
        self._format_columns: list[str] | None = None
        self._output_all_columns = False
        self._name = fingerprint
        self._steps: tuple[Any, ...] = ()

    own_class: ClassVar[Any]
    """`Dataset`, which puts itself here: what steps and readers of files give, and not a user's
    subclass, which may be constructed from other arguments.
    """

    dict_class: ClassVar[Any] = dict
    """`DatasetDict`, which puts itself here: several of them by split."""

    @property
    def _fingerprint(self) -> str:
        """What names the rows; found when it is first asked for."""
        if self._name is None:
            indices = None if self._indices is None else self._indices.table
            self._name = of_table(self._data, indices, str(self._split))
        return self._name

    @_fingerprint.setter
    def _fingerprint(self, value: str | None) -> None:
        self._name = value

    def explain_fingerprint(self) -> str:
        """Return how the fingerprint came to be: what the rows are, and each step with the hash of
        each of its arguments.

        Example:
            >>> print(ds.map(tokenize, batched=True).explain_fingerprint())
            5d0c5f1a2b3c4d5e: rows in memory or in files
            map → 9e107d9d372bb682
              function = train.tokenize (e4d909c290d0fb1c)
              batched = True (5289df737df57326)
        """
        first = self._steps[0][1] if self._steps else self._fingerprint
        lines = [f"{first}: rows {self._data.where}"]
        after = [step[1] for step in self._steps[1:]] + [self._fingerprint][: len(self._steps)]
        for (name, _, given), made in zip(self._steps, after, strict=True):
            lines.append(f"{name} → {made}")
            lines += [f"  {key} = {text} ({hashed})" for key, (text, hashed) in given.items()]
        return "\n".join(lines)

    @property
    def features(self) -> Features:
        """The types of the columns."""
        made: Features = self._info.features  # type: ignore[assignment]  # always there
        return made

    @property
    def data(self) -> Table:
        """The Arrow table that the rows are of, before any list of rows."""
        return self._data

    @property
    def cache_files(self) -> list[dict[str, str]]:
        """The files that it is mapped from."""
        files = [*self._data.files, *(self._indices.files if self._indices is not None else ())]
        return [{"filename": file} for file in files]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self._data.column_names
        return names

    @property
    def num_columns(self) -> int:
        """How many columns there are."""
        return len(self.column_names)

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._data if self._indices is None else self._indices)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.num_rows, self.num_columns

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.num_rows

    def __getstate__(self) -> dict[str, Any]:
        """Return all that it is, with the fingerprint found."""
        _ = self._fingerprint  # it is found, so that the copy has the same
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take in what `__getstate__` gave."""
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy; tables are shared, as they do not change."""
        return self._copy()

    def _copy(self, **changes: Any) -> Self:
        made = type(self).__new__(type(self))
        made.__dict__.update(
            {name: value for name, value in self.__dict__.items() if name != "_rows"}
        )
        made.__dict__.update(
            _info=self._info.copy(),
            _format_kwargs=dict(self._format_kwargs),
            _indexes=dict(self._indexes),
        )
        made.__dict__.update(changes)
        return made

    def _retabled(self, data: Table, features: Features, fingerprint: str | None) -> Self:
        """Return the same rows with other columns: the list of rows before the table stays."""
        made = self._copy(_name=fingerprint, _data=with_features(data, features))
        made._info.features = features
        return made

    def _made(
        self, table: Any, features: Features | None, fingerprint: str | None, indices: Any = None
    ) -> Self:
        """Return a data set of another table, with the same name and split."""
        info = self._info.copy()
        info.features = features
        return type(self)(
            table, info=info, split=self._split, indices_table=indices, fingerprint=fingerprint
        )

    def _query(self, key: Any) -> Any:
        """Return rows or a column as a pyarrow table."""
        return query_table(self._data, key, self._indices)

    def _core_rows(self) -> Any:
        """Return the rows as the core gives them, where they need no decoding."""
        made = self.__dict__.get("_rows")
        if made is None:
            from rowstream.table.rows import rows_of

            made = self.__dict__["_rows"] = rows_of(self)
        return made

    def _plain(self) -> bool:
        return self._format_type is None and self._format_columns is None

    def __getitem__(self, key: Any) -> Any:
        """Return a row, rows or a column.

        - `ds[i]`: a row, from the end if below zero.
        - `ds[a:b]`, `ds[[i, j]]`, `ds[range(n)]`: rows, as a dict of columns.
        - `ds["name"]`: a column, read when it is looked at.

        Raises:
            IndexError: there is no such row.
            ValueError: there is no such column.
        """
        if isinstance(key, str) and self._format_type not in ("arrow", "pandas", "polars"):
            return Column(self, key)
        if type(key) is int and self._plain() and (rows := self._core_rows()) is not None:
            return rows.row(key)
        return self._getitem(key)

    def _getitem(self, key: Any, **changes: Any) -> Any:
        type_ = changes.get("format_type", self._format_type)
        columns = changes.get("format_columns", self._format_columns)
        formatter = get_formatter(type_, features=self._info.features, **self._format_kwargs)
        return format_table(self._query(key), key, formatter, columns, self._output_all_columns)

    def __getitems__(self, keys: Sequence[int]) -> list[Any]:
        """Return rows: what torch's loaders ask for."""
        if self._plain() and (rows := self._core_rows()) is not None:
            made: list[Any] = rows.take(keys)
            return made
        batch = self[list(keys)]
        if isinstance(batch, Mapping):
            return [{name: column[i] for name, column in batch.items()} for i in range(len(keys))]
        return [self[int(i)] for i in keys]

    def __iter__(self) -> Iterator[Any]:
        """Return rows, one after another, in the data set's format."""
        if self._plain() and (rows := self._core_rows()) is not None:
            return iter(rows)
        return self._formatted_rows()

    def _formatted_rows(self) -> Iterator[Any]:
        formatter = get_formatter(
            self._format_type, features=self._info.features, **self._format_kwargs
        )
        size = config.ARROW_RECORD_BATCH_SIZE_FOR_IMAGE_DATASETS or 100
        for start in range(0, len(self), size):
            table = self._query(slice(start, start + size))
            for i in range(table.num_rows):
                yield format_table(
                    table.slice(i, 1), 0, formatter, self._format_columns, self._output_all_columns
                )

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of rows, in the data set's format.

        Args:
            batch_size: rows of a batch.
            drop_last_batch: leave out a last batch that is shorter.

        Example:
            >>> for batch in ds.with_format("torch").iter(batch_size=256):
            ...     batch["input_ids"].shape
            torch.Size([256, 512])
        """
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size is at least 1, found {batch_size}")
        formatter = get_formatter(
            self._format_type, features=self._info.features, **self._format_kwargs
        )
        stop = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, stop, batch_size):
            end = min(start + batch_size, stop)
            table = self._query(slice(start, end))
            yield format_table(
                table, range(end - start), formatter, self._format_columns, self._output_all_columns
            )

    def _fast_select_column(self, column_name: str) -> Self:
        made = self._copy()
        made._data = self._data.select([column_name])
        made._info = DatasetInfo(features=Features({column_name: self.features[column_name]}))
        if made._format_columns is not None:
            made._format_columns = [name for name in made._format_columns if name == column_name]
        return made

    def _get_cache_file_path(
        self, fingerprint_: str | None, suffix: str = SUFFIX, load: bool = True
    ) -> str:
        """Return the file for what has a fingerprint: as `place_of` finds it, or in a folder that
        goes with the process.
        """
        if is_caching_enabled() and self._data.home:
            return place_of(self._data, f"cache-{fingerprint_}.arrow", suffix, load=load)
        name = f"cache-{generate_random_fingerprint()}.arrow"
        return os.path.join(get_temporary_cache_files_directory(), name)

    def cleanup_cache_files(self) -> int:
        """Remove the results of steps in the folders that this data set's steps write into, but
        for its own. Gives how many they were.
        """
        own = [os.path.abspath(one["filename"]) for one in self.cache_files]
        table = self._data if self._data.home or self._indices is None else self._indices
        gone = [path for path in results_of(table) if path not in own] if table.home else []
        for path in gone:
            os.remove(path)
        return len(gone)
