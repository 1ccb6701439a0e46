"""Columns of map-style data sets: chosen, renamed, added, of other types."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.arrow_writer import column, given_column
from rowstream.dataset.column import Column
from rowstream.dataset.format_kept import transmit_format
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.types import ClassLabel, Features, List, Value, flat_fields, modern
from rowstream.fingerprint import fingerprint_transform
from rowstream.table import Table, concat_tables

if TYPE_CHECKING:
    from rowstream.dataset.map_style import Dataset


class Columns:
    """What is done to columns."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What a data set has."""
            ...

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
        array, found = _column_of(name, column, feature)
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
            if all(flat_fields(one) is None for one in features.values()):
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

        features = modern(Features(features))
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


def _flat(data: Table, features: Features) -> tuple[Table, Features]:
    """A table with the fields of structs as columns, one level deep; media that are decoded stay."""
    arrays: list[Any] = []
    made: dict[str, Any] = {}
    for name, feature in features.items():
        fields = flat_fields(feature)
        data.check(column=name)
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


def _column_of(name: str, values: Any, feature: Any) -> tuple[Any, Any]:
    if isinstance(values, Column):
        values = list(values)
    array, found = column(values) if feature is None else (given_column(values, feature, name), feature)
    return array, found
