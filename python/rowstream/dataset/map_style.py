"""`Dataset`: rows at random, over Arrow tables that are mapped from files."""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream import config, fingerprint
from rowstream.arrow_writer import ArrowWriter, column, with_features
from rowstream.dataset.column import Column
from rowstream.dataset.described import Described
from rowstream.dataset.making import Making
from rowstream.dataset.mapping import DatasetTransformationNotAllowedError, Job, _columns, _suffix_fields, mapped, moved
from rowstream.dataset.saving import Saving
from rowstream.dataset.search import Indexable
from rowstream.dataset.splitting import stratified
from rowstream.exceptions import InvalidArgumentError
from rowstream.expr import Expr
from rowstream.features.features import _align_features, _fix_for_backward_compatible_features
from rowstream.features.types import ClassLabel, Features, List, Value, _fields
from rowstream.fingerprint import fingerprint_transform, is_caching_enabled
from rowstream.formatting import format_table, get_format_type_from_alias, get_formatter, query_table
from rowstream.info import DatasetInfo
from rowstream.splits import named
from rowstream.table import MemoryMappedTable, Table, as_table, concat_tables
from rowstream.utils import logging

_logger = logging.get_logger(__name__)


def transmit_format(func: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of transforms: the result has the format of what it is made of. Columns that are new are formatted too."""

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        before: Dataset = args[0] if args else kwargs["self"]
        unformatted = set(before.column_names) - set(before._format_columns or ())
        kept = (before._format_type, before._format_kwargs, before._output_all_columns)
        made = func(*args, **kwargs)
        for one in made.values() if isinstance(made, dict) else [made]:
            columns = None if before._format_columns is None else sorted(set(one.column_names) - unformatted)
            one._format_type, one._format_kwargs, one._output_all_columns = kept
            one._format_columns = columns
        return made

    return wrapper


def update_metadata_with_features(table: Any, features: Features) -> Any:
    """A table whose metadata has these features."""
    if isinstance(table, Table):
        return with_features(table, features)
    return with_features(table, features)


class Dataset(Described, Indexable, Making, Saving):
    """Rows that can be read in any order, any number of times. Made by `load_dataset`, `from_dict` and their like.

    The rows are an Arrow table, mapped from a file where there is one: only what is looked at is read. A list of rows may stand before it
    (`select`, `shuffle`, `sort`, `filter`), which moves no data. Every method that changes something gives a new data set.

    Example:
        >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
        >>> ds[-1], ds[:2], ds["text"][0]
        ({'text': 'c'}, {'text': ['a', 'b']}, 'a')
    """

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
            raise InvalidArgumentError(f"The table can't have duplicated columns but columns {twice} are duplicated.")
        if info.features is None:
            info.features = seen
        else:
            try:
                info.features = info.features.reorder_fields_as(seen)
            except ValueError as error:
                raise InvalidArgumentError(
                    f"{error}\nThe 'source' features come from dataset_info.json, and the 'target' ones are those of the dataset arrow "
                    "file."
                ) from None
        schema = info.features.arrow_schema
        if table.schema != schema:
            table = table.cast(schema)
        indices = None if indices_table is None else as_table(indices_table)
        if indices is not None and not pa.types.is_unsigned_integer(indices.table.column(0).type):
            raise InvalidArgumentError(
                f"indices must be an Arrow table of unsigned integers, current type is {indices.table.column(0).type}"
            )
        written = (table.schema.metadata or {}).get(b"huggingface")
        if fingerprint is None and written is not None:
            fingerprint = json.loads(written).get("fingerprint")
        self._info, self._split = info, named(split)
        self._data = update_metadata_with_features(table, info.features)
        self._indices = indices
        self._format_type: str | None = None
        self._format_kwargs: dict[str, Any] = {}
        self._format_columns: list[str] | None = None
        self._output_all_columns = False
        self._name = fingerprint
        self._steps: tuple[Any, ...] = ()

    # --------------------------------------------------------------------------------------------------- what it is

    @property
    def _fingerprint(self) -> str:
        """What names the rows; found when it is first asked for."""
        if self._name is None:
            indices = None if self._indices is None else self._indices.table
            self._name = fingerprint.of_table(self._data, indices, str(self._split))
        return self._name

    @_fingerprint.setter
    def _fingerprint(self, value: str | None) -> None:
        self._name = value

    def explain_fingerprint(self) -> str:
        """How the fingerprint came to be: what the rows are, and each step with the hash of each of its arguments.

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
        """How many rows there are."""
        return self.num_rows

    def __repr__(self) -> str:
        """Columns and rows."""
        return f"Dataset({{\n    features: {list(self.features)},\n    num_rows: {self.num_rows}\n}})"

    def __enter__(self) -> Dataset:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Gives up the table."""
        self.__del__()

    def __del__(self) -> None:
        """Gives up the table: files may then be removed, where the system does not let mapped ones be."""
        for name in ("_data", "_indices"):
            self.__dict__.pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        """All that it is, with the fingerprint found."""
        _ = self._fingerprint  # it is found, so that the copy has the same
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What `__getstate__` gave."""
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Dataset:
        """A copy; tables are shared, as they do not change."""
        return self._copy()

    def _copy(self, **changes: Any) -> Dataset:
        made = type(self).__new__(type(self))
        made.__dict__.update({name: value for name, value in self.__dict__.items() if name != "_rows"})
        made.__dict__.update(_info=self._info.copy(), _format_kwargs=dict(self._format_kwargs), _indexes=dict(self._indexes))
        made.__dict__.update(changes)
        return made

    def _retabled(self, data: Table, features: Features, fingerprint: str | None) -> Dataset:
        """The same rows with other columns: the list of rows before the table stays."""
        made = self._copy(_name=fingerprint, _data=update_metadata_with_features(data, features))
        made._info.features = features
        return made

    def _made(self, table: Any, features: Features | None, fingerprint: str | None, indices: Any = None) -> Dataset:
        """A data set of another table, with the same name and split."""
        info = self._info.copy()
        info.features = features
        return type(self)(table, info=info, split=self._split, indices_table=indices, fingerprint=fingerprint)

    # --------------------------------------------------------------------------------------------------------- rows

    def _query(self, key: Any) -> Any:
        """Rows or a column as a pyarrow table."""
        return query_table(self._data, key, self._indices)

    def _core_rows(self) -> Any:
        """The rows as the core gives them, where they need no decoding."""
        made = self.__dict__.get("_rows")
        if made is None:
            from rowstream.dataset.fast import rows_of

            made = self.__dict__["_rows"] = rows_of(self)
        return made

    def _plain(self) -> bool:
        return self._format_type is None and self._format_columns is None

    def __getitem__(self, key: Any) -> Any:
        """A row, rows or a column.

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
        """Rows: what torch's loaders ask for."""
        if self._plain() and (rows := self._core_rows()) is not None:
            made: list[Any] = rows.take(keys)
            return made
        batch = self[list(keys)]
        if isinstance(batch, Mapping):
            return [{name: column[i] for name, column in batch.items()} for i in range(len(keys))]
        return [self[int(i)] for i in keys]

    def __iter__(self) -> Iterator[Any]:
        """Rows, one after another, in the data set's format."""
        if self._plain() and (rows := self._core_rows()) is not None:
            return iter(rows)
        return self._formatted_rows()

    def _formatted_rows(self) -> Iterator[Any]:
        formatter = get_formatter(self._format_type, features=self._info.features, **self._format_kwargs)
        size = config.ARROW_RECORD_BATCH_SIZE_FOR_IMAGE_DATASETS or 100
        for start in range(0, len(self), size):
            table = self._query(slice(start, start + size))
            for i in range(table.num_rows):
                yield format_table(table.slice(i, 1), 0, formatter, self._format_columns, self._output_all_columns)

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
        formatter = get_formatter(self._format_type, features=self._info.features, **self._format_kwargs)
        stop = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, stop, batch_size):
            end = min(start + batch_size, stop)
            table = self._query(slice(start, end))
            yield format_table(table, range(end - start), formatter, self._format_columns, self._output_all_columns)

    def _fast_select_column(self, column_name: str) -> Dataset:
        made = self._copy()
        made._data = self._data.select([column_name])
        made._info = DatasetInfo(features=Features({column_name: self.features[column_name]}))
        if made._format_columns is not None:
            made._format_columns = [name for name in made._format_columns if name == column_name]
        return made

    # ------------------------------------------------------------------------------------------------------- format

    @property
    def format(self) -> dict[str, Any]:
        """The format: its type, what it is given, and the columns that have it."""
        return {
            "type": self._format_type,
            "format_kwargs": self._format_kwargs,
            "columns": self.column_names if self._format_columns is None else self._format_columns,
            "output_all_columns": self._output_all_columns,
        }

    @contextmanager
    def formatted_as(
        self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any
    ) -> Iterator[None]:
        """Another format, as long as a `with` lasts."""
        names = ("_format_type", "_format_kwargs", "_format_columns", "_output_all_columns")
        before = {name: self.__dict__[name] for name in names}
        try:
            self.set_format(type, columns, output_all_columns, **format_kwargs)
            yield
        finally:
            self.__dict__.update(before)

    @fingerprint_transform(inplace=True)
    def set_format(self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any) -> None:
        """Changes the format of this data set: of rows, batches and columns.

        Args:
            type: `None` for Python objects, `"numpy"`, `"torch"`, `"tensorflow"`, `"jax"`, `"mlx"`, `"arrow"`, `"pandas"`, `"polars"`.
            columns: those that have it; the others are left out.
            output_all_columns: whether the others are given as Python objects instead.
            format_kwargs: what the format takes, such as `dtype=` and `device=`.
        """
        format_kwargs.update(format_kwargs.pop("format_kwargs", {}))
        name = get_format_type_from_alias(type)
        get_formatter(name, features=self._info.features, **format_kwargs)
        if isinstance(columns, str):
            columns = [columns]
        if isinstance(columns, tuple):
            columns = list(columns)
        if columns is not None and (missing := [one for one in columns if one not in self.column_names]):
            raise InvalidArgumentError(f"Columns {missing} not in the dataset. Current columns in the dataset: {self.column_names}")
        self._format_type, self._format_kwargs = name, format_kwargs
        self._format_columns = None if columns is None else list(columns)
        self._output_all_columns = output_all_columns

    def reset_format(self) -> None:
        """Python objects again, of all columns."""
        self.set_format()

    def set_transform(self, transform: Callable[..., Any] | None, columns: Any = None, output_all_columns: bool = False) -> None:
        """Has a function make what is given, of batches of Python objects, when it is asked for."""
        self.set_format("custom", columns=columns, output_all_columns=output_all_columns, transform=transform)

    def with_format(self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any) -> Dataset:
        """The data set with another format. Arguments as those of `set_format`."""
        made = self._copy()
        made.set_format(type, columns, output_all_columns, **format_kwargs)
        return made

    def with_transform(self, transform: Callable[..., Any] | None, columns: Any = None, output_all_columns: bool = False) -> Dataset:
        """The data set with a function that makes what is given. Arguments as those of `set_transform`."""
        made = self._copy()
        made.set_transform(transform, columns, output_all_columns)
        return made

    # ------------------------------------------------------------------------------------------------------ columns

    def _known(self, names: Any) -> list[str]:
        several = [names] if isinstance(names, str) else list(names)
        if missing := [name for name in several if name not in self.column_names]:
            raise InvalidArgumentError(f"Column name {missing} not in the dataset. Current columns in the dataset: {self.column_names}")
        return several

    @transmit_format
    @fingerprint_transform(inplace=False)
    def remove_columns(self, column_names: str | list[str], new_fingerprint: str | None = None) -> Dataset:
        """The data set without some columns."""
        gone = self._known(column_names)
        kept = [name for name in self.column_names if name not in gone]
        return self._selected(kept, new_fingerprint)

    @transmit_format
    @fingerprint_transform(inplace=False)
    def select_columns(self, column_names: str | list[str], new_fingerprint: str | None = None) -> Dataset:
        """The data set with some columns only, in the order in which they are named."""
        return self._selected(self._known(column_names), new_fingerprint)

    def _selected(self, names: list[str], new_fingerprint: str | None) -> Dataset:
        made = self._retabled(self._data.select(names), Features({name: self.features[name] for name in names}), new_fingerprint)
        if made._format_columns is not None:
            made._format_columns = [name for name in made._format_columns if name in names]
        return made

    @fingerprint_transform(inplace=False)
    def rename_column(self, original_column_name: str, new_column_name: str, new_fingerprint: str | None = None) -> Dataset:
        """The data set with another name for a column."""
        if not new_column_name:
            raise InvalidArgumentError("New column name is empty.")
        return self._renamed({original_column_name: new_column_name}, new_fingerprint)

    @fingerprint_transform(inplace=False)
    def rename_columns(self, column_mapping: dict[str, str], new_fingerprint: str | None = None) -> Dataset:
        """The data set with other names for columns: `{old: new}`."""
        if empty := [old for old, new in column_mapping.items() if not new]:
            raise InvalidArgumentError(f"New column names are empty for {empty}.")
        return self._renamed(column_mapping, new_fingerprint)

    def _renamed(self, names: dict[str, str], new_fingerprint: str | None) -> Dataset:
        if missing := set(names) - set(self.column_names):
            raise InvalidArgumentError(
                f"Original column names {missing} not in the dataset. Current columns in the dataset: {self.column_names}"
            )
        after = [names.get(name, name) for name in self.column_names]
        if twice := sorted({name for name in after if after.count(name) > 1}):
            raise InvalidArgumentError(f"New column names must all be different, but {twice} would be there twice.")
        features = Features({names.get(name, name): one for name, one in self.features.items()})
        made = self._retabled(self._data.rename_columns(after), features, new_fingerprint)
        if made._format_columns is not None:
            made._format_columns = [names.get(name, name) for name in made._format_columns]
        return made

    @transmit_format
    @fingerprint_transform(inplace=False)
    def add_column(self, name: str, column: Any, new_fingerprint: str | None = None, feature: Any = None) -> Dataset:
        """The data set with another column, of as many values as there are rows."""
        if name in self.column_names:
            raise InvalidArgumentError(f"The table can't have duplicated columns but columns ['{name}'] are duplicated.")
        array, found = _column_of(column, feature)
        if len(array) != len(self):
            raise InvalidArgumentError(f"add_column expects a value for each of {len(self)} rows, found {len(array)}")
        base = self.flatten_indices() if self._indices is not None else self
        features = Features({**base.features, name: found})
        beside = Table(pa.Table.from_arrays([array], schema=Features({name: found}).arrow_schema))
        return base._made(concat_tables([base._data, beside], axis=1), features, new_fingerprint)

    @transmit_format
    @fingerprint_transform(inplace=False)
    def flatten(self, new_fingerprint: str | None = None, max_depth: int = 16) -> Dataset:
        """The data set with a column for each field of columns of structs."""
        data, features = self._data, self.features
        for _ in range(1, max_depth):
            if all(_fields(one) is None for one in features.values()):
                break
            data, features = _flat(data, features)
        return self._retabled(data, features, new_fingerprint)

    def cast(
        self,
        features: Features,
        batch_size: int | None = 1000,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        num_proc: int | None = None,
    ) -> Dataset:
        """The data set with other types: `features` names all columns.

        Raises:
            ValueError: it names others than there are.
            TypeError: there is no way from one type to the other.
        """
        from rowstream.table import table_cast

        features = _fix_for_backward_compatible_features(Features(features))
        if sorted(features) != sorted(self.column_names):
            raise InvalidArgumentError(
                f"The columns in features ({list(features)}) must be identical as the columns in the dataset: {self.column_names}"
            )
        schema = features.arrow_schema
        before = self._format_type, self._format_kwargs, self._format_columns, self._output_all_columns
        made = self.with_format("arrow").map(
            partial(table_cast, schema=schema),
            batched=True,
            batch_size=batch_size,
            keep_in_memory=keep_in_memory,
            load_from_cache_file=load_from_cache_file,
            cache_file_name=cache_file_name,
            writer_batch_size=writer_batch_size,
            num_proc=num_proc,
            features=features,
            desc="Casting the dataset",
        )
        made._format_type, made._format_kwargs, made._format_columns, made._output_all_columns = before
        return made

    @fingerprint_transform(inplace=False)
    def cast_column(self, column: str, feature: Any, new_fingerprint: str | None = None) -> Dataset:
        """The data set with another type for a column."""
        if hasattr(feature, "decode_example"):
            features = Features({**self.features, column: feature})
            return self._retabled(self._data.cast(features.arrow_schema), features, new_fingerprint)
        features = self.features.copy()
        self._known(column)
        features[column] = feature
        return self.cast(features)

    def class_encode_column(self, column: str, include_nulls: bool = False) -> Dataset:
        """The data set with the values of a column as labels: its sorted values are their names.

        Args:
            column: the column.
            include_nulls: whether nulls are a class of their own, `"None"`.
        """
        if column not in self.column_names:
            raise InvalidArgumentError(f"Column ({column}) not in table columns ({self.column_names}).")
        feature = self.features[column]
        if not isinstance(feature, Value):
            raise InvalidArgumentError(
                f"Class encoding is only supported for {Value.__name__} column, and column {column} is {type(feature).__name__}."
            )
        ds = self
        if feature.dtype != "string" or (include_nulls and self._null_count(column)):
            text = partial(_as_text, column=column, include_nulls=include_nulls)
            ds = self.map(text, batched=True, desc="Stringifying the column", features=Features({**self.features, column: Value("string")}))
        names = sorted(str(name) for name in ds.unique(column) if include_nulls or name is not None)
        label = ClassLabel(names=names)
        return ds.map(
            partial(_as_labels, column=column, label=label, include_nulls=include_nulls),
            batched=True,
            desc="Casting to class labels",
            features=Features({**ds.features, column: label}),
        )

    def _null_count(self, column: str) -> int:
        return int(self._query(column).column(0).null_count)

    def align_labels_with_mapping(self, label2id: dict[str, int], label_column: str) -> Dataset:
        """The data set with the integers of labels that a mapping says; names are compared without case."""
        if label_column not in self.column_names:
            raise InvalidArgumentError(f"Column ({label_column}) not in table columns ({self.column_names}).")
        feature = self.features[label_column]
        several = isinstance(feature, List)
        label = feature.feature if several else feature
        if not isinstance(label, ClassLabel):
            raise InvalidArgumentError(
                f"Aligning labels with a mapping is only supported for {ClassLabel.__name__} columns and lists of them, and column "
                f"{label_column} is of type {type(feature).__name__}."
            )
        ordered = dict(sorted(label2id.items(), key=lambda item: item[1]))
        to = ClassLabel(names=list(ordered))
        ids = [{name.lower(): number for name, number in ordered.items()}[name.lower()] for name in label.names or []]
        return self.map(
            partial(_aligned, column=label_column, ids=ids),
            batched=True,
            features=Features({**self.features, label_column: List(to) if several else to}),
            desc="Aligning the labels",
        )

    def unique(self, column: str) -> list[Any]:
        """The different values of a column, in the order in which they come first."""
        if column not in self.column_names:
            raise InvalidArgumentError(f"Column ({column}) not in table columns ({self.column_names}).")
        made: list[Any] = self._query(column).column(0).unique().to_pylist()
        return made

    # --------------------------------------------------------------------------------------------------------- rows

    def _no_index(self, what: str) -> None:
        if self.list_indexes():
            raise DatasetTransformationNotAllowedError(
                f"Using `.{what}` on a dataset with attached indexes is not allowed. You can first run `.drop_index()` to remove your "
                "index and then re-add it."
            )

    @transmit_format
    @fingerprint_transform(inplace=False, ignore_kwargs=["indices_cache_file_name"])
    def select(
        self,
        indices: Iterable[int],
        keep_in_memory: bool = False,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """Some rows, in the order in which they are named. A run of rows is a view; else a list of rows stands before the table.

        Args:
            indices: the rows: a range, a list, an array, an iterator.
            keep_in_memory: keep the list of rows in memory, which is so without `indices_cache_file_name`.
            indices_cache_file_name: a file for the list of rows.
            writer_batch_size: accepted; the list is written at once.
            new_fingerprint: the fingerprint of the result.

        Raises:
            IndexError: there is no such row.
        """
        if keep_in_memory and indices_cache_file_name is not None:
            raise InvalidArgumentError("Please use either `keep_in_memory` or `indices_cache_file_name` but not both.")
        self._no_index("select")
        if not len(self):
            return self
        size = len(self)
        if isinstance(indices, range):
            if indices.step == 1 and indices.start >= 0 and indices.stop >= indices.start:
                return self._run(indices.start, len(indices), new_fingerprint)
            rows = np.asarray(indices, dtype=np.int64)
        elif isinstance(indices, (pa.Array, pa.ChunkedArray)):
            rows = indices.to_numpy().astype(np.int64)
        else:
            rows = np.asarray(indices if isinstance(indices, (list, np.ndarray)) else list(indices))
            if rows.dtype.kind not in "iu" and len(rows):
                raise (
                    pa.ArrowInvalid(f"select expects integers, found {rows[:3].tolist()}")
                    if rows.dtype.kind in "USO"
                    else InvalidArgumentError(f"select expects integers, found {rows.dtype}")
                )
            rows = rows.astype(np.int64, copy=False)
        if not len(rows):
            return self._run(0, 0, new_fingerprint)
        least, most = int(rows.min()), int(rows.max())
        for one in (most, least):
            if one >= size or one < -size:
                raise IndexError(f"Index {one} out of range for dataset of size {size}.")
        if rows[0] >= 0 and bool((rows == np.arange(rows[0], rows[0] + len(rows))).all()):
            return self._run(int(rows[0]), len(rows), new_fingerprint)
        if least < 0:
            raise (
                OverflowError("select expects rows counted from the start")
                if not isinstance(indices, range)
                else IndexError("select expects rows counted from the start")
            )
        return self._listed(rows, new_fingerprint, None if keep_in_memory else indices_cache_file_name)

    def _run(self, start: int, length: int, new_fingerprint: str | None) -> Dataset:
        """A run of rows."""
        size = len(self)
        if length and (start >= size or start + length > size):
            raise IndexError(f"Index {max(start, start + length - 1)} out of range for dataset of size {size}.")
        made = self._copy(_name=new_fingerprint)
        if self._indices is None or not length:
            made._data, made._indices = self._data.slice(start if length else 0, length), None
        else:
            made._indices = self._indices.slice(start, length)
        return made

    def _listed(self, rows: Any, new_fingerprint: str | None, file: str | None = None) -> Dataset:
        """Rows by a list."""
        # Not by pa.array, which imports pandas to see whether it is asked for one of its arrays.
        numbers = np.ascontiguousarray(rows, dtype=np.uint64)
        array = pa.Array.from_buffers(pa.uint64(), len(numbers), [None, pa.py_buffer(numbers)])
        if self._indices is not None:
            array = pc.take(self._indices.table.column(0), array)
        table = Table(pa.table({"indices": array}))
        if file is not None:
            table = _indices_file(table.table, file)
        return self._copy(_name=new_fingerprint, _indices=table)

    def take(self, n: int) -> Dataset:
        """The first `n` rows, or all if there are fewer."""
        return self.select(range(min(n, len(self))))

    def skip(self, n: int) -> Dataset:
        """The rows after the first `n`."""
        return self.select(range(n, len(self)))

    def repeat(self, num_times: int) -> Dataset:
        """The rows several times, one pass after another."""
        from rowstream.dataset.combine import concatenate_map_style

        if num_times is None:
            raise InvalidArgumentError("Map style datasets do not support indefinite repetition.")
        return concatenate_map_style([self] * num_times) if num_times > 0 else self.select([])

    def shard(
        self,
        num_shards: int,
        index: int,
        contiguous: bool = True,
        keep_in_memory: bool = False,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
    ) -> Dataset:
        """One of `num_shards` parts of nearly the same length: a run of rows, or every `num_shards`-th if not `contiguous`."""
        if not 0 <= index < num_shards:
            raise InvalidArgumentError("index should be in [0, num_shards-1]")
        each, more = divmod(len(self), num_shards)
        start = each * index + min(index, more)
        rows: Any = range(start, start + each + (index < more)) if contiguous else np.arange(index, len(self), num_shards)
        return self.select(rows, keep_in_memory, indices_cache_file_name, writer_batch_size)

    def _kept_rows(
        self, what: str, file: str | None, new_fingerprint: str | None, load: bool | None, keep_in_memory: bool
    ) -> tuple[str | None, Any]:
        """The file for a list of rows, and the data set of it if it is there."""
        if self._data.home and not keep_in_memory and file is None:
            file = self._get_cache_file_path(new_fingerprint)
        load = is_caching_enabled() if load is None else load
        if file is not None and load and os.path.exists(file):
            _logger.info(f"Loading cached {what} at {file}")
            return file, self._copy(_name=new_fingerprint, _indices=MemoryMappedTable.from_file(file))
        return file, None

    @transmit_format
    @fingerprint_transform(inplace=False, ignore_kwargs=["load_from_cache_file", "indices_cache_file_name"])
    def sort(
        self,
        column_names: str | Sequence[str],
        reverse: bool | Sequence[bool] = False,
        null_placement: str = "at_end",
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """The rows by the values of columns; rows that are alike stay in their order.

        Args:
            column_names: the columns, the first first.
            reverse: whether values go down: for all, or for each column.
            null_placement: `"at_end"` (or `"last"`), `"at_start"` (or `"first"`).
            keep_in_memory, load_from_cache_file, indices_cache_file_name, writer_batch_size, new_fingerprint: as those of `shuffle`.
        """
        self._no_index("sort")
        if not len(self):
            return self
        names = [column_names] if isinstance(column_names, str) else list(column_names)
        down = [reverse] * len(names) if isinstance(reverse, bool) else list(reverse)
        if len(down) != len(names):
            raise InvalidArgumentError(
                "Parameter 'reverse' should be either a boolean or a list of booleans with the same length as 'column_names'."
            )
        for name in names:
            if not isinstance(name, str) or name not in self.column_names:
                raise InvalidArgumentError(
                    f"Column '{name}' not found in the dataset. Please provide a column selected in: {self.column_names}"
                )
        place = {"first": "at_start", "last": "at_end"}.get(null_placement, null_placement)
        if place not in ("at_start", "at_end"):
            raise InvalidArgumentError(
                f"null_placement '{null_placement}' is an invalid parameter value. Must be either 'last', 'at_end', 'first' or 'at_start'."
            )
        file, there = self._kept_rows(
            "sorted indices for dataset", indices_cache_file_name, new_fingerprint, load_from_cache_file, keep_in_memory
        )
        if there is not None:
            return there
        keys = [(name, "descending" if one else "ascending") for name, one in zip(names, down, strict=True)]
        table = query_table(self._data.select(names), slice(None), self._indices)
        if int(pa.__version__.partition(".")[0]) < 25:
            rows = pc.sort_indices(table, sort_keys=keys, null_placement=place)
        else:
            rows = pc.sort_indices(table, sort_keys=[(*key, place) for key in keys])
        return self._listed(rows.to_numpy(), new_fingerprint, file)

    @transmit_format
    @fingerprint_transform(inplace=False, randomized_function=True, ignore_kwargs=["load_from_cache_file", "indices_cache_file_name"])
    def shuffle(
        self,
        seed: int | None = None,
        generator: Any = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """The rows in another order: that of `numpy.random.default_rng(seed).permutation(n)`, as `datasets` has it.

        Args:
            seed: what the order follows from; the state of NumPy's global generator, which takes a step, if it is `None`.
            generator: a `numpy.random.Generator` to draw from instead.
            keep_in_memory: keep the list of rows in memory, though the data set has files.
            load_from_cache_file: whether a list of rows that is kept in a file is used.
            indices_cache_file_name: a file for the list of rows; one beside the data set's files if `None`.
            writer_batch_size: accepted; the list is written at once.
            new_fingerprint: the fingerprint of the result.
        """
        self._no_index("shuffle")
        if not len(self):
            return self
        if keep_in_memory and indices_cache_file_name is not None:
            raise InvalidArgumentError("Please use either `keep_in_memory` or `indices_cache_file_name` but not both.")
        if seed is not None and generator is not None:
            raise InvalidArgumentError("Both `seed` and `generator` were provided. Please specify just one of them.")
        if generator is not None and not isinstance(generator, np.random.Generator):
            raise InvalidArgumentError("The provided generator must be an instance of numpy.random.Generator")
        drawn = None if generator is None else generator.permutation(len(self))
        generator = _generator(seed) if generator is None else generator
        file, there = self._kept_rows(
            "shuffled indices for dataset", indices_cache_file_name, new_fingerprint, load_from_cache_file, keep_in_memory
        )
        if there is not None:
            return there
        return self._listed(generator.permutation(len(self)) if drawn is None else drawn, new_fingerprint, file)

    @transmit_format
    @fingerprint_transform(
        inplace=False,
        randomized_function=True,
        fingerprint_names=["train_new_fingerprint", "test_new_fingerprint"],
        ignore_kwargs=["load_from_cache_file", "train_indices_cache_file_name", "test_indices_cache_file_name"],
    )
    def train_test_split(
        self,
        test_size: float | None = None,
        train_size: float | None = None,
        shuffle: bool = True,
        stratify_by_column: str | None = None,
        seed: int | None = None,
        generator: Any = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        train_indices_cache_file_name: str | None = None,
        test_indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        train_new_fingerprint: str | None = None,
        test_new_fingerprint: str | None = None,
    ) -> Any:
        """Two data sets, `train` and `test`, with the rows that `datasets` gives for the same seed.

        Args:
            test_size, train_size: rows, or a part of all as a number between 0 and 1; a quarter for the test if neither is given.
            shuffle: whether rows are drawn; else the first are for training.
            stratify_by_column: a column of labels, of which both parts get the same shares.
            seed, generator: as those of `shuffle`.
            keep_in_memory, load_from_cache_file, train_indices_cache_file_name, test_indices_cache_file_name, writer_batch_size,
                train_new_fingerprint, test_new_fingerprint: as those of `shuffle`.
        """
        from rowstream.dataset.dicts import DatasetDict

        self._no_index("train_test_split")
        if not len(self):
            return DatasetDict({"train": self, "test": self})
        if seed is not None and generator is not None:
            raise InvalidArgumentError("Both `seed` and `generator` were provided. Please specify just one of them.")
        n_train, n_test = _sizes(len(self), test_size, train_size)
        if shuffle and generator is None:
            generator = _generator(seed)
        files = []
        there = []
        for file, name in ((train_indices_cache_file_name, train_new_fingerprint), (test_indices_cache_file_name, test_new_fingerprint)):
            path, made = self._kept_rows("split indices for dataset", file, name, load_from_cache_file, keep_in_memory)
            files.append(path)
            there.append(made)
        if all(one is not None for one in there):
            return DatasetDict({"train": there[0], "test": there[1]})
        if not shuffle:
            if stratify_by_column is not None:
                raise InvalidArgumentError("Stratified train/test split is not implemented for `shuffle=False`")
            train, test = np.arange(n_train), np.arange(n_train, n_train + n_test)
        elif stratify_by_column is not None:
            train, test = self._stratified(stratify_by_column, n_train, n_test, generator)
        else:
            drawn = generator.permutation(len(self))
            test, train = drawn[:n_test], drawn[n_test : n_test + n_train]
        return DatasetDict(
            {
                "train": self.select(train, keep_in_memory, files[0], writer_batch_size, train_new_fingerprint),
                "test": self.select(test, keep_in_memory, files[1], writer_batch_size, test_new_fingerprint),
            }
        )

    def _stratified(self, column: str, n_train: int, n_test: int, generator: Any) -> tuple[Any, Any]:
        if column not in self.features:
            raise InvalidArgumentError(f"Key {column} not found in {self.features.keys()}")
        if not isinstance(self.features[column], ClassLabel):
            raise InvalidArgumentError(
                f"Stratifying by column is only supported for {ClassLabel.__name__} column, and column {column} is "
                f"{type(self.features[column]).__name__}."
            )
        return stratified(self._query(column).column(0).to_numpy(), n_train, n_test, generator, column)

    @transmit_format
    @fingerprint_transform(inplace=False)
    def add_item(self, item: dict[str, Any], new_fingerprint: str | None = None) -> Dataset:
        """The data set with another row at its end."""
        row = pa.Table.from_pydict({name: [value] for name, value in item.items()})
        own, other = _align_features([self.features, Features.from_arrow_schema(row.schema)])
        data = self._data.cast(own.arrow_schema) if own != self.features else self._data
        added = Table(row).cast(other.arrow_schema)
        table = concat_tables([data, added])
        indices = None
        if self._indices is not None:
            last = pa.table({"indices": pa.array([len(self._data)], pa.uint64())})
            indices = concat_tables([self._indices, Table(last)])
        return self._made(table, Features({**self.features, **other}), new_fingerprint, indices)

    # -------------------------------------------------------------------------------------------------- map, filter

    def _get_cache_file_path(self, fingerprint_: str | None) -> str:
        """The file for what has a fingerprint: beside the data set's files, or in a folder that goes with the process."""
        if is_caching_enabled() and self._data.home:
            os.makedirs(self._data.home, exist_ok=True)
            return os.path.join(self._data.home, f"cache-{fingerprint_}.arrow")
        name = f"cache-{fingerprint.generate_random_fingerprint()}.arrow"
        return os.path.join(fingerprint.get_temporary_cache_files_directory(), name)

    @transmit_format
    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        fn_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        suffix_template: str = "_{rank:05d}_of_{num_proc:05d}",
        new_fingerprint: str | None = None,
        desc: str | None = None,
        try_original_type: bool | None = True,
        on_mixed_types: str | None = "use_json",
    ) -> Dataset:
        """What a function makes of each row, or of batches of them. The result is an Arrow file beside the data set's own, under a name
        that follows from the rows, the function and its arguments: the same call finds it again.

        Args:
            function: it takes a row (a dict) or a batch (a dict of lists) and gives a dict of columns to set; or `None` if only its side
                effects matter. It may be async.
            with_indices: it also takes the number of the row, or a list of them.
            with_rank: it also takes the number of its process.
            input_columns: it takes these columns as arguments instead.
            batched: it takes batches, and may give more or fewer rows.
            batch_size: rows of a batch; all if `None` or not above 0.
            drop_last_batch: leave out a last batch that is shorter.
            remove_columns: columns that the result has not, but for what the function sets.
            keep_in_memory: no file.
            load_from_cache_file: whether a result that is there is used; as `enable_caching` says if `None`.
            cache_file_name: the file.
            writer_batch_size: rows of a batch of the file.
            features: the types of the result; found if `None`, those of columns that stay kept where they fit.
            disable_nullable: declare that there are no nulls.
            fn_kwargs: more arguments.
            num_proc: processes, each with a part of the rows and a file of its own.
            suffix_template: how the files of processes are called.
            new_fingerprint: the fingerprint of the result, instead of one that follows from the function.
            desc: what the progress bar says.
            try_original_type: whether columns keep their types where values fit.
            on_mixed_types: `"use_json"`: values that have no common type are stored as `Json`; `None`: they are an error.

        Raises:
            TypeError: the function gives what cannot be rows.
        """
        if keep_in_memory and cache_file_name is not None:
            raise InvalidArgumentError("Please use either `keep_in_memory` or `cache_file_name` but not both.")
        if num_proc is not None and num_proc < 0:
            raise InvalidArgumentError("num_proc must be >= 0 or None.")
        num_proc = num_proc or None
        _suffix_fields(suffix_template)
        if not len(self):
            empty = self if self._indices is None else self._copy(_data=self._data.slice(0, 0), _indices=None)
            return empty.remove_columns(remove_columns) if remove_columns else empty
        there = self.column_names
        input_columns = _columns("Input column", input_columns, there)
        remove_columns = _columns("Column to remove", remove_columns, there)
        if num_proc is not None and num_proc > len(self):
            _logger.warning(f"num_proc must be <= {len(self)}. Reducing num_proc to {len(self)} for dataset of size {len(self)}.")
            num_proc = len(self)
        job = Job(
            shard=self,
            function=_same if function is None else function,
            with_indices=with_indices,
            with_rank=with_rank,
            input_columns=input_columns,
            batched=batched,
            batch_size=batch_size,
            drop_last_batch=drop_last_batch,
            remove_columns=remove_columns,
            keep_in_memory=keep_in_memory,
            writer_batch_size=writer_batch_size,
            features=None if features is None else _fix_for_backward_compatible_features(Features(features)),
            disable_nullable=disable_nullable,
            fn_kwargs=fn_kwargs or {},
            try_original_type=try_original_type,
            on_mixed_types=on_mixed_types,
        )
        step = None
        if new_fingerprint is None:
            shown = {
                name: value
                for name, value in vars(job).items()
                if name not in ("shard", "cache_file_name", "rank", "offset", "new_fingerprint", "whole")
            }
            default = vars(Job(shard=None, function=_same))
            given = {name: value for name, value in shown.items() if name == "function" or value != default[name]}
            given |= {"format": self._format_kwargs} if self._format_kwargs else {}
            parts: dict[str, str] = {}
            transform = f"rowstream.map@1 of {self._format_type} {self._format_columns}"
            new_fingerprint = fingerprint.update_fingerprint(self._fingerprint, transform, given, parts)
            step = (transform, given, parts)
        else:
            fingerprint.validate_fingerprint(new_fingerprint)
        job.new_fingerprint, job.whole = new_fingerprint, cache_file_name is not None
        if cache_file_name is None and self._data.home and not keep_in_memory:
            cache_file_name = self._get_cache_file_path(new_fingerprint)
        job.cache_file_name = cache_file_name
        load = is_caching_enabled() if load_from_cache_file is None else load_from_cache_file
        made = mapped(self, job, num_proc=num_proc, load=load, suffix=suffix_template, desc=desc or "Map")
        fingerprint.remember(self, made, "map", step)
        if made is not self and not made._indexes:
            made._indexes = dict(self._indexes)
        return made

    @transmit_format
    def filter(
        self,
        function: Callable[..., Any] | Expr | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        fn_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        suffix_template: str = "_{rank:05d}_of_{num_proc:05d}",
        new_fingerprint: str | None = None,
        desc: str | None = None,
    ) -> Dataset:
        """The rows for which a function is true, or an expression: `ds.filter(rowstream.col("score") > 0.5)`, which runs in the core.

        The rows are not copied: a list of those that stay stands before the table. Arguments as those of `map`; in batches the function
        gives a list of truth values.
        """
        from rowstream.dataset.filtering import Kept, chosen, kept_rows

        self._no_index("filter")
        if function is None:
            function = _always
        if not len(self):
            return self
        if new_fingerprint is None:
            given: dict[str, Any] = {
                "function": function,
                "with_indices": with_indices,
                "with_rank": with_rank,
                "input_columns": input_columns,
            }
            given |= {"batched": batched, "batch_size": batch_size if batched else None, "fn_kwargs": fn_kwargs or {}}
            parts: dict[str, str] = {}
            transform = f"rowstream.filter@1 of {self._format_type} {self._format_columns}"
            new_fingerprint = fingerprint.update_fingerprint(self._fingerprint, transform, given, parts)
            step: Any = (transform, given, parts)
        else:
            fingerprint.validate_fingerprint(new_fingerprint)
            step = None
        if isinstance(function, Expr):
            # It is found again as fast as a file of it would be read.
            kept = chosen(self, function)
            run = len(kept) and int(kept[-1] - kept[0]) + 1 == len(kept)
            if run and cache_file_name is None:
                made = self._run(int(kept[0]), len(kept), new_fingerprint)
            else:
                made = self._listed(kept, new_fingerprint, cache_file_name)
        else:
            names = _columns("Input column", input_columns, self.column_names)
            direct = not batched and not num_proc and self._plain() and not inspect.iscoroutinefunction(function)
            if direct and (rows := self._core_rows()) is not None:
                file, made = self._kept_rows("processed dataset", cache_file_name, new_fingerprint, load_from_cache_file, keep_in_memory)
                if made is None:
                    kept = kept_rows(rows, len(self), function, names, with_indices, with_rank, fn_kwargs or {}, desc or "Filter")
                    made = self._listed(kept, new_fingerprint, file)
                fingerprint.remember(self, made, "filter", step)
                return made
            found = self.map(
                Kept(function, batched, with_indices, with_rank, names).of(function),
                with_indices=True,
                with_rank=True,
                features=Features({"indices": Value("uint64")}),
                batched=True,
                batch_size=batch_size,
                remove_columns=self.column_names,
                keep_in_memory=keep_in_memory,
                load_from_cache_file=load_from_cache_file,
                cache_file_name=cache_file_name,
                writer_batch_size=writer_batch_size,
                fn_kwargs=fn_kwargs,
                num_proc=num_proc,
                suffix_template=suffix_template,
                new_fingerprint=new_fingerprint,
                input_columns=input_columns,
                desc=desc or "Filter",
            )
            rows = found._data if found._indices is None else Table(found._query(slice(None)))
            if self._indices is not None:
                rows = Table(pa.table({"indices": pc.take(self._indices.table.column(0), rows.table.column(0))}))
            made = self._copy(_name=new_fingerprint, _indices=rows)
        fingerprint.remember(self, made, "filter", step)
        return made

    @transmit_format
    @fingerprint_transform(inplace=False, ignore_kwargs=["cache_file_name"])
    def flatten_indices(
        self,
        keep_in_memory: bool = False,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """The rows written one after another, without a list of rows before the table."""
        return self.with_format("arrow").map(
            batched=True,
            keep_in_memory=keep_in_memory,
            cache_file_name=cache_file_name,
            writer_batch_size=writer_batch_size,
            features=features or self.features,
            disable_nullable=disable_nullable,
            new_fingerprint=new_fingerprint,
            desc="Flattening the indices",
            num_proc=num_proc,
        )

    @transmit_format
    @fingerprint_transform(inplace=False)
    def batch(
        self,
        batch_size: int | None = None,
        by_column: str | list[str] | None = None,
        drop_last_batch: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """Rows of lists: the columns of `batch_size` rows each, or of neighbours that are alike in some columns."""
        from rowstream.dataset.filtering import batched, runs_of

        if batch_size is None and by_column is None:
            raise InvalidArgumentError("batch() misses the `batch_size` or `by_column` argument.")
        features = Features({name: List(one) for name, one in self.features.items()})
        arrow = self.with_format("arrow")
        if by_column is not None:
            if num_proc:
                raise NotImplementedError("batch(by_column=…) runs in one process")
            names = self._known(by_column)
            tables = list(runs_of(self, names, batch_size))
            whole = pa.concat_tables(tables) if tables else features.arrow_schema.empty_table()
            return self._made(Table(whole).cast(features.arrow_schema), features, new_fingerprint)
        return arrow.map(
            batched,
            batched=True,
            batch_size=batch_size,
            drop_last_batch=drop_last_batch,
            num_proc=num_proc,
            new_fingerprint=new_fingerprint,
            desc="Batching examples",
            features=features,
        )

    def cleanup_cache_files(self) -> int:
        """Removes the results of transforms in the folder of this data set's files, but for its own. Gives how many they were."""
        own = [os.path.abspath(one["filename"]) for one in self.cache_files]
        if not own:
            return 0
        folder = os.path.dirname(own[0])
        gone = [
            os.path.join(folder, name)
            for name in os.listdir(folder)
            if name.startswith("cache-") and name.endswith(".arrow") and os.path.join(folder, name) not in own
        ]
        for path in gone:
            os.remove(path)
        return len(gone)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """The rows as an Arrow stream: `pa.table(ds)`, `pl.DataFrame(ds)`, DuckDB."""
        return self._query(slice(None)).__arrow_c_stream__()


# ---------------------------------------------------------------------------------------------------------- functions


def _same(row: Any) -> Any:
    return row


def _flat(data: Table, features: Features) -> tuple[Table, Features]:
    """A table with the fields of structs as columns, one level deep; media that are decoded stay."""
    arrays: list[Any] = []
    made: dict[str, Any] = {}
    for name, feature in features.items():
        fields = _fields(feature)
        column = data.table.column(name)
        if fields is None:
            arrays.append(column)
            made[name] = feature
            continue
        chunks = [dict(zip((of.name for of in chunk.type), chunk.flatten(), strict=True)) for chunk in column.chunks]
        for key, one in fields.items():
            arrays.append(pa.chunked_array([chunk[key] for chunk in chunks], column.type.field(key).type))
            made[f"{name}.{key}"] = one
    flat = Features(made)
    return Table(pa.Table.from_arrays(arrays, schema=flat.arrow_schema), ()), flat


def _always(row: Any) -> bool:
    return True


def _as_text(batch: Any, column: str, include_nulls: bool) -> Any:
    batch[column] = [None if value is None and not include_nulls else str(value) for value in batch[column]]
    return batch


def _as_labels(batch: Any, column: str, label: ClassLabel, include_nulls: bool) -> Any:
    batch[column] = [None if value is None and not include_nulls else label.str2int(str(value)) for value in batch[column]]
    return batch


def _aligned(batch: Any, column: str, ids: list[int]) -> Any:
    def of(value: Any) -> Any:
        return None if value is None else [of(one) for one in value] if isinstance(value, list) else ids[value]

    batch[column] = [of(value) for value in batch[column]]
    return batch


def _column_of(values: Any, feature: Any) -> tuple[Any, Any]:
    if isinstance(values, Column):
        values = list(values)
    array, found = column(values, feature)
    return array, found


def _generator(seed: Any) -> Any:
    """NumPy's generator of a seed; without one, of the state of its global generator, which takes a step."""
    if seed is None:
        state: Any = np.random.get_state()
        drawn, at = state[1:3]
        seed = drawn[at] if at < 624 else drawn[0]
        np.random.random()
    return np.random.default_rng(seed)


def _sizes(n: int, test_size: Any, train_size: Any) -> tuple[int, int]:
    """Rows for training and for the test."""
    if test_size is None and train_size is None:
        test_size = 0.25
    for name, size in (("test_size", test_size), ("train_size", train_size)):
        if size is None:
            continue
        if not isinstance(size, (int, float)):
            raise InvalidArgumentError(f"Invalid value for {name}: {size} of type {type(size)}")
        most = n if isinstance(size, int) else 1
        if not 0 < size < most:
            raise InvalidArgumentError(
                f"{name}={size} should be either positive and smaller than the number of samples {n} or a float in the (0, 1) range"
            )
    if isinstance(train_size, float) and isinstance(test_size, float) and train_size + test_size > 1:
        raise InvalidArgumentError(
            f"The sum of test_size and train_size = {train_size + test_size}, should be in the (0, 1) range. "
            "Reduce test_size and/or train_size."
        )
    n_test: Any = None if test_size is None else int(np.ceil(test_size * n)) if isinstance(test_size, float) else test_size
    n_train: Any = None if train_size is None else int(np.floor(train_size * n)) if isinstance(train_size, float) else train_size
    n_train = n - n_test if n_train is None else n_train
    n_test = n - n_train if n_test is None else n_test
    if n_train + n_test > n:
        raise InvalidArgumentError(
            f"The sum of train_size and test_size = {n_train + n_test}, should be smaller than the number of samples {n}. "
            "Reduce test_size and/or train_size."
        )
    if n_train == 0:
        raise InvalidArgumentError(
            f"With n_samples={n}, test_size={test_size} and train_size={train_size}, the resulting train set will be empty. "
            "Adjust any of the aforementioned parameters."
        )
    return n_train, n_test


def _indices_file(table: Any, path: str) -> Table:
    """A list of rows in a file of its own, mapped."""
    import tempfile

    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".rowstream-", suffix=".arrow", dir=folder)
    os.close(handle)
    try:
        with pa.OSFile(name, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        moved(name, path)
    except BaseException:
        if os.path.exists(name):
            os.remove(name)
        raise
    return MemoryMappedTable.from_file(path)


def as_dataset(ds: Any) -> Dataset:
    """A data set, or an error."""
    if isinstance(ds, Dataset):
        return ds
    raise InvalidArgumentError(f"expected a Dataset, found {type(ds).__name__}")


def same_rows(one: Dataset, other: Dataset) -> bool:
    """Whether two data sets have the same rows."""
    return one.features == other.features and one._query(slice(None)).equals(other._query(slice(None)))


__all__ = [
    "ArrowWriter",
    "Column",
    "Dataset",
    "DatasetTransformationNotAllowedError",
    "copy",
    "transmit_format",
    "update_metadata_with_features",
]
