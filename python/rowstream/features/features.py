"""`Features`: the types of the columns of a table."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

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
    "cast_to_python_objects",
    "decode_nested_example",
    "encode_nested_example",
    "features_of_card",
    "generate_from_arrow_type",
    "generate_from_dict",
    "get_nested_type",
    "pa_schema",
    "require_decoding",
    "require_storage_cast",
    "require_storage_embed",
]
require_decoding = requires_decoding


class Features(dict[str, Any]):
    """The types of the columns of a row, by name and in order.

    A value is a `Value`, `ClassLabel`, `List`, `LargeList`, `Array2D` … `Array5D`, `Json`,
    `Translation` or a type of media, or a dict of them for a struct.

    Example:
        >>> Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
        {'text': Value('string'), 'label': ClassLabel(names=['no', 'yes'])}
    """

    def __init__(*args: Any, **kwargs: Any) -> None:  # a column may be called "self"
        """As a dict is made."""
        self, *rest = args
        super(Features, self).__init__(*rest, **kwargs)
        for name, feature in self.items():
            super(Features, self).__setitem__(name, upgrade_lists(feature))

    @property
    def _column_requires_decoding(self) -> dict[str, bool]:
        return {name: requires_decoding(feature) for name, feature in self.items()}

    @property
    def column_names(self) -> list[str]:
        """The names, in order."""
        return list(self)

    def __reduce__(self) -> Any:
        """Return a dict, and how to make features of it."""
        return Features, (dict(self),)

    @property
    def type(self) -> Any:
        """The pyarrow type of a row: a struct."""
        return get_nested_type(self)

    @property
    def arrow_schema(self) -> Any:
        """The pyarrow schema, whose metadata has the features as `datasets` writes them."""
        import pyarrow as pa

        metadata = {"info": {"features": self.to_dict()}}
        # Field by field: as a whole, a type would lose what pyarrow has not in its registry.
        return pa.schema(list(self.type)).with_metadata({"huggingface": json.dumps(metadata)})

    @classmethod
    def from_arrow_schema(cls, pa_schema: Any) -> Features:
        """Return the features of a pyarrow schema; those that its metadata has where they fit."""
        known = cls()
        if pa_schema.metadata and b"huggingface" in pa_schema.metadata:
            written = (
                json.loads(pa_schema.metadata[b"huggingface"].decode()).get("info") or {}
            ).get("features")
            if written is not None:
                known = cls.from_dict(written)
        made = {}
        for of in pa_schema:
            feature = known.get(of.name)
            fits = feature is not None and get_nested_type(feature) == of.type
            made[of.name] = feature if fits else generate_from_arrow_type(of.type)
        return cls(made)

    @classmethod
    def from_dict(cls, dic: dict[str, Any]) -> Features:
        """Return the features that `to_dict` gave."""
        return cls(generate_from_dict(dic))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it, with the name of each type in `_type`."""
        made: dict[str, Any] = plain(self)
        return made

    def _to_yaml_list(self) -> list[Any]:
        return card_of_features(self.to_dict())

    @classmethod
    def _from_yaml_list(cls, yaml_data: list[Any]) -> Features:
        return cls.from_dict(features_from_card(yaml_data))

    def encode_example(self, example: Any) -> dict[str, Any]:
        """Return a row as Arrow takes it."""
        values = cast_to_python_objects(example)
        try:
            made: dict[str, Any] = encode_nested_example(self, values)
        except (TypeError, ValueError) as error:
            if isinstance(values, Mapping):
                self._named(error, values)
            raise
        return made

    def _named(self, error: Exception, example: Mapping[str, Any]) -> None:
        """Note which column of a row is at fault."""
        for name, feature in self.items():
            try:
                encode_nested_example(feature, example.get(name), level=1)
            except (TypeError, ValueError):
                error.add_note(f"column {name!r} has {example.get(name)!r}")
                return

    def encode_column(self, column: Any, column_name: str) -> list[Any]:
        """Return a column as Arrow takes it."""
        made: list[Any] = []
        feature = self[column_name]
        try:
            made.extend(
                encode_nested_example(feature, one, level=1)
                for one in cast_to_python_objects(column)
            )
        except (TypeError, ValueError) as error:
            error.add_note(f"column {column_name!r}, row {len(made)}")
            raise
        return made

    def encode_batch(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Columns as Arrow takes them."""
        if set(batch) != set(self):
            raise ValueError(f"Column mismatch between batch {set(batch)} and features {set(self)}")
        return {name: self.encode_column(column, name) for name, column in batch.items()}

    def decode_example(
        self, example: dict[str, Any], token_per_repo_id: Any = None
    ) -> dict[str, Any]:
        """Return a row as users have it, of what is stored."""
        return {
            name: (
                decode_nested_example(self[name], value, token_per_repo_id)
                if requires_decoding(self[name])
                else value
            )
            for name, value in example.items()
            if name in self
        }

    def decode_column(self, column: Any, column_name: str, token_per_repo_id: Any = None) -> Any:
        """Return a column as users have it, of what is stored."""
        feature = self[column_name]
        if not requires_decoding(feature):
            return column
        return [
            None if value is None else decode_nested_example(feature, value, token_per_repo_id)
            for value in column
        ]

    def decode_batch(self, batch: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:
        """Columns as users have them, of what is stored."""
        return {
            name: self.decode_column(column, name, token_per_repo_id)
            for name, column in batch.items()
        }

    def copy(self) -> Features:
        """Return a copy, with copies of the features."""
        return copy.deepcopy(self)

    def reorder_fields_as(self, other: Features) -> Features:
        """Return these features in the order that others have, in nested ones too.

        Raises:
            ValueError: they do not have the same names, or not the same structure.
        """
        return Features(reordered(self, other))

    def flatten(self, max_depth: int = 16) -> Features:
        """Return the fields of structs as columns of their own: `a.b` for the field `b` of the
        column `a`.
        """
        features = self
        for _ in range(1, max_depth):
            made: dict[str, Any] = {}
            changed = False
            kept = {name: one for name, one in features.items() if flat_fields(one) is None}
            for name, one in features.items():
                fields = flat_fields(one)
                if fields is not None:
                    changed = True
                    made.update({f"{name}.{key}": of for key, of in fields.items()})
            features = Features({**kept, **made})
            if not changed:
                break
        return features


def features_of_card(said: Any) -> Features | None:
    """Return the features of a card's `dataset_info`: a list of `{name, dtype}`, or of `list`,
    `struct` and the like. `None` where they are none, or where a type is one of media or not
    there: then the files say what there is.
    """
    if not isinstance(said, list) or not said:
        return None
    try:
        found = Features.from_dict(features_from_card(said))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return None if requires_decoding(found, ignore_decode_attribute=True) else found


def pa_schema(features: Features) -> Any:
    """Return the pyarrow schema of rows, without metadata."""
    import pyarrow as pa

    return pa.schema(list(features.type))
