"""Transforms of map-style datasets that add, flatten, cast and label columns."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import pyarrow as pa

from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.dataset.map_style.transform import MapStyleTransforms
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.nested import List, flat_fields, upgrade_lists
from rowstream.features.scalar import ClassLabel, Value
from rowstream.fingerprint.transform import fingerprint_transform
from rowstream.table.table import Table, concat_tables
from rowstream.transforms.columns import (
    aligned_labels,
    as_labels,
    as_text,
    column_of,
    flat_fields_of,
)


class ColumnTypes(MapStyleTransforms):
    """The transforms that add columns, flatten them, or change their types."""

    @transmit_format
    @fingerprint_transform(inplace=False)
    def add_column(
        self, name: str, column: Any, new_fingerprint: str | None = None, feature: Any = None
    ) -> Self:
        """Return the dataset with one more column, at the end.

        Args:
            name: The name of the column, which must not exist yet.
            column: The values, one for each row: a list, a NumPy or an Arrow array, or a `Column`.
            new_fingerprint: The fingerprint of the result; computed if `None`.
            feature: The type of the column; inferred from the values if `None`.

        Raises:
            InvalidArgumentError: The name exists already, or there is not one value for each row.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"]}).add_column("label", [0, 1])[1]
            {'text': 'b', 'label': 1}
        """
        if name in self.column_names:
            raise InvalidArgumentError(
                f"The table can't have duplicated columns but columns ['{name}'] are duplicated."
            )
        array, found = column_of(name, column, feature)
        if len(array) != len(self):
            raise InvalidArgumentError(
                f"add_column expects a value for each of {len(self)} rows, found {len(array)}"
            )
        base = self.flatten_indices() if self._indices is not None else self
        features = Features({**base.features, name: found})
        beside = Table(pa.Table.from_arrays([array], schema=Features({name: found}).arrow_schema))
        return base._made(concat_tables([base._data, beside], axis=1), features, new_fingerprint)

    @transmit_format
    @fingerprint_transform(inplace=False)
    def flatten(self, new_fingerprint: str | None = None, max_depth: int = 16) -> Self:
        """Return the dataset with the fields of struct columns as columns of their own.

        The field `x` of a column `a` becomes the column `a.x`; nested structs are flattened too.

        Args:
            new_fingerprint: The fingerprint of the result; computed if `None`.
            max_depth: The limit for nested structs: at most `max_depth - 1` levels are flattened.

        Example:
            >>> ds = Dataset.from_list([{"answer": {"text": "a", "span": {"start": 0, "end": 1}}}])
            >>> ds.flatten()[0]
            {'answer.text': 'a', 'answer.span.start': 0, 'answer.span.end': 1}
        """
        data, features = self._data, self.features
        for _ in range(1, max_depth):
            if all(flat_fields(one) is None for one in features.values()):
                break
            data, features = flat_fields_of(data, features)
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
    ) -> Self:
        """Return the dataset with the columns cast to other types.

        All rows are rewritten, as with `map`, and the result is cached in the same way.

        Args:
            features: The new types, of all columns.
            batch_size: The number of rows that are cast at a time; all rows if `None` or below 1.
            keep_in_memory: As in `map`.
            load_from_cache_file: As in `map`.
            cache_file_name: As in `map`.
            writer_batch_size: As in `map`.
            num_proc: As in `map`.

        Raises:
            InvalidArgumentError: `features` does not name exactly the columns of the dataset.
            SchemaError: A value does not fit the new type, or there is no cast between the types.

        Example:
            >>> ds = Dataset.from_dict({"label": [0, 1]})
            >>> ds.cast(Features({"label": ClassLabel(names=["neg", "pos"])})).features
            {'label': ClassLabel(names=['neg', 'pos'])}
        """
        from rowstream.features.cast import table_cast

        features = upgrade_lists(Features(features))
        if sorted(features) != sorted(self.column_names):
            raise InvalidArgumentError(
                f"The columns in features ({list(features)}) must be identical as the columns in"
                f" the dataset: {self.column_names}"
            )
        schema = features.arrow_schema
        before = (
            self._format_type,
            self._format_kwargs,
            self._format_columns,
            self._output_all_columns,
        )
        result = self.with_format("arrow").map(
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
        (
            result._format_type,
            result._format_kwargs,
            result._format_columns,
            result._output_all_columns,
        ) = before
        return result

    @fingerprint_transform(inplace=False)
    def cast_column(self, column: str, feature: Any, new_fingerprint: str | None = None) -> Self:
        """Return the dataset with one column cast to another type.

        For media types such as `Image` and `Audio` nothing is rewritten: values are decoded when
        they are read. For other types all rows are rewritten, as in `cast`.

        Args:
            column: The name of the column.
            feature: The new type.
            new_fingerprint: The fingerprint of the result of a media type; computed if `None`.

        Raises:
            InvalidArgumentError: There is no such column.
            SchemaError: A value does not fit the new type.

        Example:
            >>> ds = Dataset.from_dict({"label": [0, 1]})
            >>> ds.cast_column("label", Value("string"))["label"][:]
            ['0', '1']
        """
        if hasattr(feature, "decode_example"):
            features = Features({**self.features, column: feature})
            return self._retabled(self._data.cast(features.arrow_schema), features, new_fingerprint)
        features = self.features.copy()
        self._known(column)
        features[column] = feature
        return self.cast(features)

    def class_encode_column(self, column: str, include_nulls: bool = False) -> Self:
        """Return the dataset with a column of values turned into a `ClassLabel` column.

        The names of the classes are the different values as text, sorted; rows get their numbers.

        Args:
            column: The name of a column of plain values.
            include_nulls: Whether nulls become a class of their own, `"None"`; else they stay null.

        Raises:
            InvalidArgumentError: There is no such column, or it is a list, struct or `ClassLabel`.

        Example:
            >>> ds = Dataset.from_dict({"label": ["pos", "neg", None]}).class_encode_column("label")
            >>> ds.features["label"], ds["label"][:]
            (ClassLabel(names=['neg', 'pos']), [1, 0, None])
        """
        if column not in self.column_names:
            raise InvalidArgumentError(
                f"Column ({column}) not in table columns ({self.column_names})."
            )
        feature = self.features[column]
        if not isinstance(feature, Value):
            raise InvalidArgumentError(
                f"Class encoding is only supported for {Value.__name__} column, and column {column}"
                f" is {type(feature).__name__}."
            )
        ds = self
        if feature.dtype != "string" or (include_nulls and self._null_count(column)):
            text = partial(as_text, column=column, include_nulls=include_nulls)
            ds = self.map(
                text,
                batched=True,
                desc="Stringifying the column",
                features=Features({**self.features, column: Value("string")}),
            )
        names = sorted(str(name) for name in ds.unique(column) if include_nulls or name is not None)
        label = ClassLabel(names=names)
        return ds.map(
            partial(as_labels, column=column, label=label, include_nulls=include_nulls),
            batched=True,
            desc="Casting to class labels",
            features=Features({**ds.features, column: label}),
        )

    def _null_count(self, column: str) -> int:
        return int(self._query(column).column(0).null_count)

    def align_labels_with_mapping(self, label2id: dict[str, int], label_column: str) -> Self:
        """Return the dataset with the class numbers of a mapping, such as a model's `label2id`.

        Args:
            label2id: The number of each class name; names are compared without regard to case.
            label_column: The name of a column of `ClassLabel`, or of lists of it.

        Raises:
            InvalidArgumentError: There is no such column, or it has no class labels.
            KeyError: A class of the column is not in the mapping.

        Example:
            >>> ds = Dataset.from_dict({"label": ["no", "yes"]}).class_encode_column("label")
            >>> ds["label"][:]
            [0, 1]
            >>> ds.align_labels_with_mapping({"YES": 0, "NO": 1}, "label")["label"][:]
            [1, 0]
        """
        if label_column not in self.column_names:
            raise InvalidArgumentError(
                f"Column ({label_column}) not in table columns ({self.column_names})."
            )
        feature = self.features[label_column]
        several = isinstance(feature, List)
        label = feature.feature if several else feature
        if not isinstance(label, ClassLabel):
            raise InvalidArgumentError(
                f"Aligning labels with a mapping is only supported for {ClassLabel.__name__}"
                f" columns and lists of them, and column {label_column} is of type"
                f" {type(feature).__name__}."
            )
        ordered = dict(sorted(label2id.items(), key=lambda item: item[1]))
        to = ClassLabel(names=list(ordered))
        ids = [
            {name.lower(): number for name, number in ordered.items()}[name.lower()]
            for name in label.names or []
        ]
        return self.map(
            partial(aligned_labels, column=label_column, ids=ids),
            batched=True,
            features=Features({**self.features, label_column: List(to) if several else to}),
            desc="Aligning the labels",
        )
