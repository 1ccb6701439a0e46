"""`Features`, the types of the columns of a dataset."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rowstream.features.arrays import Array2D, Array3D, Array4D, Array5D
from rowstream.features.card import card_of_features, features_from_card
from rowstream.features.convert import (
    generate_from_arrow_type,
    generate_from_dict,
    get_nested_type,
    plain,
    reordered,
    require_storage_cast,
    require_storage_embed,
)
from rowstream.features.encode import (
    cast_to_python_objects,
    decode_nested_example,
    encode_nested_example,
)
from rowstream.features.nested import (
    LargeList,
    List,
    Sequence,
    flat_fields,
    requires_decoding,
    upgrade_lists,
)
from rowstream.features.scalar import ClassLabel, Value
from rowstream.features.text import Json, Translation, TranslationVariableLanguages

if TYPE_CHECKING:
    import pyarrow as pa

# `datasets.features.features` has all types of columns.
__all__ = [
    "Array2D",
    "Array3D",
    "Array4D",
    "Array5D",
    "ClassLabel",
    "Features",
    "Json",
    "LargeList",
    "List",
    "Sequence",
    "Translation",
    "TranslationVariableLanguages",
    "Value",
    "generate_from_arrow_type",
    "get_nested_type",
    "require_decoding",
    "require_storage_cast",
    "require_storage_embed",
]
require_decoding = requires_decoding


class Features(dict[str, Any]):
    """The types of a dataset's columns: a dict of names and features, in the columns' order.

    A feature is a `Value`, `ClassLabel`, `List`, `LargeList`, `Array2D` … `Array5D`, `Json`,
    `Translation`, `TranslationVariableLanguages` or a type of media such as `Image`; or a dict of
    features for a struct. A list of one feature is turned into a `List`.

    Example:
        >>> Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
        {'text': Value('string'), 'label': ClassLabel(names=['no', 'yes'])}
    """

    def __init__(*args: Any, **kwargs: Any) -> None:  # a column may be called "self"
        """Create features from what `dict` takes: a mapping, pairs or keyword arguments."""
        self, *rest = args
        super(Features, self).__init__(*rest, **kwargs)
        for name, feature in self.items():
            super(Features, self).__setitem__(name, upgrade_lists(feature))

    @property
    def _column_requires_decoding(self) -> dict[str, bool]:
        return {name: requires_decoding(feature) for name, feature in self.items()}

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in order.

        Example:
            >>> Features({"text": Value("string"), "label": Value("int64")}).column_names
            ['text', 'label']
        """
        return list(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Features, (dict(self),)

    @property
    def type(self) -> pa.DataType:
        """The pyarrow type of a row, a struct.

        Example:
            >>> Features({"text": Value("string"), "label": Value("int64")}).type
            StructType(struct<text: string, label: int64>)
        """
        return get_nested_type(self)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The pyarrow schema, with the features in its metadata as `datasets` writes them.

        Example:
            >>> features = Features({"label": ClassLabel(names=["no", "yes"])})
            >>> Features.from_arrow_schema(features.arrow_schema) == features
            True
        """
        import pyarrow as pa

        metadata = {"info": {"features": self.to_dict()}}
        # Field by field: as a whole, a type would lose what pyarrow has not in its registry.
        return pa.schema(list(self.type)).with_metadata({"huggingface": json.dumps(metadata)})

    @classmethod
    def from_arrow_schema(cls, pa_schema: Any) -> Features:
        """Return the features of a pyarrow schema.

        Features in the schema's metadata, as `datasets` writes them, are used for the columns whose
        type they fit; other columns get the feature of their Arrow type.

        Args:
            pa_schema: A `pyarrow.Schema`.

        Example:
            >>> import pyarrow as pa
            >>> Features.from_arrow_schema(pa.schema({"ids": pa.list_(pa.int32())}))
            {'ids': List(Value('int32'))}
        """
        known = cls()
        if pa_schema.metadata and b"huggingface" in pa_schema.metadata:
            written = (
                json.loads(pa_schema.metadata[b"huggingface"].decode()).get("info") or {}
            ).get("features")
            if written is not None:
                known = cls.from_dict(written)
        result = {}
        for of in pa_schema:
            feature = known.get(of.name)
            fits = feature is not None and get_nested_type(feature) == of.type
            result[of.name] = feature if fits else generate_from_arrow_type(of.type)
        return cls(result)

    @classmethod
    def from_dict(cls, dic: dict[str, Any]) -> Features:
        """Return the features that `to_dict` wrote as plain data.

        Args:
            dic: A dict of columns, each described by a dict with the type's name in `_type`.

        Raises:
            ValueError: There is no type of this name.

        Example:
            >>> Features.from_dict({"text": {"_type": "Value", "dtype": "string"}})
            {'text': Value('string')}
        """
        return cls(generate_from_dict(dic))

    def to_dict(self) -> dict[str, Any]:
        """Return the features as plain data that can be written as JSON.

        Example:
            >>> Features({"text": Value("string")}).to_dict()
            {'text': {'dtype': 'string', '_type': 'Value'}}
        """
        result: dict[str, Any] = plain(self)
        return result

    def _to_yaml_list(self) -> list[Any]:
        return card_of_features(self.to_dict())

    @classmethod
    def _from_yaml_list(cls, yaml_data: list[Any]) -> Features:
        return cls.from_dict(features_from_card(yaml_data))

    def encode_example(self, example: Any) -> dict[str, Any]:
        """Convert a row to what Arrow stores: labels to integers, images to bytes, arrays to lists.

        Args:
            example: The row; columns that it lacks become `None`.

        Raises:
            ValueError: A value does not fit the type of its column.

        Example:
            >>> features = Features({"label": ClassLabel(names=["no", "yes"])})
            >>> features.encode_example({"label": "yes"})
            {'label': 1}
        """
        values = cast_to_python_objects(example)
        try:
            result: dict[str, Any] = encode_nested_example(self, values)
        except (TypeError, ValueError) as error:
            if isinstance(values, Mapping):
                self._named(error, values)
            raise
        return result

    def _named(self, error: Exception, example: Mapping[str, Any]) -> None:
        """Add a note to an error that says which column of a row caused it."""
        for name, feature in self.items():
            try:
                encode_nested_example(feature, example.get(name), level=1)
            except (TypeError, ValueError):
                error.add_note(f"column {name!r} has {example.get(name)!r}")
                return

    def encode_column(self, column: Any, column_name: str) -> list[Any]:
        """Convert the values of a column to what Arrow stores.

        Args:
            column: The values.
            column_name: The name of the column, whose feature is used.

        Raises:
            ValueError: A value does not fit the type of the column.

        Example:
            >>> features = Features({"label": ClassLabel(names=["no", "yes"])})
            >>> features.encode_column(["yes", "no"], "label")
            [1, 0]
        """
        result: list[Any] = []
        feature = self[column_name]
        try:
            result.extend(
                encode_nested_example(feature, one, level=1)
                for one in cast_to_python_objects(column)
            )
        except (TypeError, ValueError) as error:
            error.add_note(f"column {column_name!r}, row {len(result)}")
            raise
        return result

    def encode_batch(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Convert a batch, a dict of columns, to what Arrow stores.

        Args:
            batch: The values of all columns.

        Raises:
            ValueError: The columns differ from those of these features, or a value does not fit.

        Example:
            >>> features = Features({"label": ClassLabel(names=["no", "yes"])})
            >>> features.encode_batch({"label": ["yes", "no"]})
            {'label': [1, 0]}
        """
        if set(batch) != set(self):
            raise ValueError(f"Column mismatch between batch {set(batch)} and features {set(self)}")
        return {name: self.encode_column(column, name) for name, column in batch.items()}

    def decode_example(
        self, example: dict[str, Any], token_per_repo_id: Any = None
    ) -> dict[str, Any]:
        """Convert a stored row to what users get: Pillow images, the values of `Json` texts.

        Labels stay integers. Columns that are not in these features are left out.

        Args:
            example: The row as stored.
            token_per_repo_id: Accepted as in `datasets`, for media in private repositories.

        Example:
            >>> Features({"data": Json()}).decode_example({"data": '{"a": 1}'})
            {'data': {'a': 1}}
        """
        return {
            name: (
                decode_nested_example(self[name], value, token_per_repo_id)
                if requires_decoding(self[name])
                else value
            )
            for name, value in example.items()
            if name in self
        }

    def decode_column(
        self, column: Any, column_name: str, token_per_repo_id: Any = None
    ) -> list[Any]:
        """Convert the stored values of a column to what users get.

        Args:
            column: The values as stored.
            column_name: The name of the column, whose feature is used.
            token_per_repo_id: As in `decode_example`.

        Example:
            >>> Features({"data": Json()}).decode_column(['{"a": 1}', None], "data")
            [{'a': 1}, None]
        """
        feature = self[column_name]
        if not requires_decoding(feature):
            return column
        return [
            None if value is None else decode_nested_example(feature, value, token_per_repo_id)
            for value in column
        ]

    def decode_batch(self, batch: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:
        """Convert a stored batch, a dict of columns, to what users get.

        Args:
            batch: The columns as stored.
            token_per_repo_id: As in `decode_example`.

        Example:
            >>> Features({"data": Json()}).decode_batch({"data": ['{"a": 1}', "[2]"]})
            {'data': [{'a': 1}, [2]]}
        """
        return {
            name: self.decode_column(column, name, token_per_repo_id)
            for name, column in batch.items()
        }

    def copy(self) -> Features:
        """Return a deep copy: changes to it leave these features as they are.

        Example:
            >>> Features({"text": Value("string")}).copy()
            {'text': Value('string')}
        """
        return copy.deepcopy(self)

    def reorder_fields_as(self, other: Features) -> Features:
        """Return these features in the order of others, at every depth of structs.

        Args:
            other: Features with the same names, whose order is used.

        Raises:
            ValueError: The names or the nesting differ.

        Example:
            >>> features = Features({"a": Value("int64"), "b": Value("string")})
            >>> features.reorder_fields_as(Features({"b": Value("string"), "a": Value("int64")}))
            {'b': Value('string'), 'a': Value('int64')}
        """
        return Features(reordered(self, other))

    def flatten(self, max_depth: int = 16) -> Features:
        """Return features with a column for each field of a struct: `a.b` for the field `b` of `a`.

        The flattened columns come after the others.

        Args:
            max_depth: Flatten structs to one level less than this number.

        Example:
            >>> Features({"a": {"b": Value("int64")}, "text": Value("string")}).flatten()
            {'text': Value('string'), 'a.b': Value('int64')}
        """
        features = self
        for _ in range(1, max_depth):
            result: dict[str, Any] = {}
            changed = False
            kept = {name: one for name, one in features.items() if flat_fields(one) is None}
            for name, one in features.items():
                fields = flat_fields(one)
                if fields is not None:
                    changed = True
                    result.update({f"{name}.{key}": of for key, of in fields.items()})
            features = Features({**kept, **result})
            if not changed:
                break
        return features


def features_of_card(said: Any, *, media: bool = False) -> Features | None:
    """Return the features that the `dataset_info` of a dataset card declares.

    Return `None` if they are malformed, or have an unknown type: the types then come from the
    files. So they do where a card has types of media, unless `media`.
    """
    if not isinstance(said, list) or not said:
        return None
    try:
        found = Features.from_dict(features_from_card(said))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if media or not requires_decoding(found, ignore_decode_attribute=True) else None


def pa_schema(features: Features) -> pa.Schema:
    """Return the pyarrow schema of rows with these features, without metadata."""
    import pyarrow as pa

    return pa.schema(list(features.type))
