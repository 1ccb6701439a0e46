"""The feature types: plain data. pyarrow and NumPy are loaded by what needs them, not here."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Listed
from dataclasses import InitVar, dataclass, field
from numbers import Integral
from typing import Any, ClassVar

from rowstream.features import names as _names


def _no_list(names: Any) -> bool:
    return isinstance(names, str) or not isinstance(names, Listed)


def type_field(name: str) -> Any:
    """The field that says of which type a feature is, in what is written down of it."""
    return field(default=name, init=False, repr=False)


@dataclass(repr=False)
class Value:
    """A scalar of an Arrow type.

    Args:
        dtype: the type's name: `"string"`, `"int64"`, `"float32"`, `"timestamp[us, tz=UTC]"`, …; `"float"` and `"double"` are
            `"float32"` and `"float64"`, and blanks do not matter.

    Raises:
        ValueError: there is no such type.

    Example:
        >>> Value("int64")
        Value('int64')
    """

    dtype: str
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Value")

    def __post_init__(self) -> None:
        """Checks the name."""
        if self.dtype in _names.PLAIN:
            return
        if (name := _names.named(self.dtype)) is not None:
            self.dtype = name
        else:
            _names.arrow_type(self.dtype)

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        return _names.arrow_type(self.dtype)

    def __call__(self) -> Any:
        """The pyarrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> Any:
        """A value as Arrow takes it.

        Raises:
            ValueError: it is a number that the type does not have.
        """
        make = _names.python_type(self.dtype)
        if make is None or type(value) is make:
            return value
        if make is bool:
            exact = bool(value in (0, 1))
        else:
            # Text says a number. Of floats, the nearest stands for a decimal.
            exact = make is str or isinstance(value, (str, bytes)) or (make is float and not isinstance(value, Integral))
        made = make(value)
        if not (exact or made == value):
            raise ValueError(f"{value!r} is no {self.dtype}")
        return made

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"Value({self.dtype!r})"

    def __hash__(self) -> int:
        """Of the type."""
        return hash(self.dtype)


class Sequence:
    """A list, in the old manner: `Sequence(dict)` is a dict of lists. Everything else is a `List`."""

    def __new__(cls, feature: Any = None, length: int = -1, **kwargs: Any) -> Any:
        """A `List`, or a dict of them."""
        if cls is Sequence and isinstance(feature, dict) and any(not isinstance(one, List) for one in feature.values()):
            return {name: List(one, length=length, **kwargs) for name, one in feature.items()}
        return super().__new__(List)


@dataclass(repr=False)
class List(Sequence):
    """A list of another type; `length` if every list has it, else -1."""

    feature: Any
    length: int = -1
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("List")

    pa_type: ClassVar[Any] = None

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"List({self.feature!r}{f', length={self.length}' if self.length != -1 else ''})"

    def __hash__(self) -> int:
        """Of its text."""
        return hash(repr(self))


class Pairs(List):
    """Keys and values: what map columns of Arrow are. It is written down, and looks, as the list of objects that it is.

    Args:
        feature: `{"key": …, "value": …}`.
    """

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """One of these."""
        return object.__new__(cls)

    def __eq__(self, other: object) -> bool:
        """Whether the other has the same keys and values, in maps or in lists of objects."""
        return isinstance(other, List) and other.length == -1 and self.feature == other.feature

    __hash__ = List.__hash__


def has_labels(feature: Any) -> bool:
    """Whether there are labels in a feature."""
    if isinstance(feature, dict):
        return any(map(has_labels, feature.values()))
    return isinstance(feature, ClassLabel) or (isinstance(feature, (List, LargeList)) and has_labels(feature.feature))


def relisted(feature: Any, inner: Any) -> Any:
    """A list of the kind that another is, of another type."""
    if isinstance(feature, LargeList):
        return LargeList(inner)
    return Pairs(inner) if isinstance(feature, Pairs) else List(inner, length=feature.length)


@dataclass(repr=False)
class LargeList:
    """A list of another type, with 64-bit offsets."""

    feature: Any
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("LargeList")

    pa_type: ClassVar[Any] = None

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"LargeList({self.feature!r})"

    def __hash__(self) -> int:
        """Of its text."""
        return hash(repr(self))


@dataclass
class ClassLabel:
    """An integer that stands for a name; -1 stands for none.

    Args:
        num_classes: how many names there are; that of `names` if they are given.
        names: the name of each integer, from 0 on.
        names_file: a file with a name a line.

    Raises:
        ValueError: the arguments do not go together, or a name is there twice.

    Example:
        >>> label = ClassLabel(names=["no", "yes"])
        >>> label.str2int("yes"), label.int2str(0)
        (1, 'no')
    """

    num_classes: InitVar[int | None] = None
    names: list[str] | None = None
    names_file: InitVar[str | None] = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("ClassLabel")

    dtype: ClassVar[str] = "int64"

    def __post_init__(self, num_classes: int | None, names_file: str | None) -> None:
        """Fills in what the other arguments say."""
        if names_file is not None and self.names is not None:
            raise ValueError("a ClassLabel takes names or names_file, not both")
        if names_file is not None:
            with open(names_file, encoding="utf-8") as file:
                self.names = [line.strip() for line in file if line.strip()]
        elif self.names is None:
            if num_classes is None:
                raise ValueError("a ClassLabel needs num_classes, names or names_file")
            self.names = [str(i) for i in range(num_classes)]
        elif _no_list(self.names):
            raise TypeError(f"a ClassLabel's names are a list, found {type(self.names).__name__}")
        vars(self).update(names_file=names_file, num_classes=len(self.names))
        if num_classes is not None and num_classes != len(self.names):
            raise ValueError(f"a ClassLabel of {num_classes} classes has {len(self.names)} names")
        self._int2str = [str(name) for name in self.names]
        self._str2int = {name: i for i, name in enumerate(self._int2str)}
        if len(self._str2int) != len(self._int2str):
            twice = sorted({name for name in self._int2str if self._int2str.count(name) > 1})
            raise ValueError(f"a ClassLabel has the names {twice} more than once")

    def __hash__(self) -> int:
        """Of the names, which are a list."""
        return hash(tuple(self.names or ()))

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        return _names.arrow_type("int64")

    def __call__(self) -> Any:
        """The pyarrow type."""
        return self.pa_type

    def str2int(self, values: Any) -> Any:
        """The integer of a name, or those of names. A number as text stands for itself."""
        if isinstance(values, str):
            return self._strval2int(values)
        if not isinstance(values, Iterable):
            raise ValueError(f"str2int expects a name or several, found {values!r}")
        return [self._strval2int(value) for value in values]

    def _strval2int(self, value: Any) -> int:
        text = str(value)
        for name in (text, text.strip()):
            if name in self._str2int:
                return self._str2int[name]
        try:
            number = int(text)
        except ValueError:
            number = -2
        if not -1 <= number < len(self._int2str):
            raise ValueError(f"Invalid string class label {text}; the classes are {self._int2str}")
        return number

    def int2str(self, values: Any) -> Any:
        """The name of an integer, or those of integers."""
        if not isinstance(values, (int, Iterable)):
            raise ValueError(f"int2str expects an integer or several, found {values!r}")
        several = not isinstance(values, int)
        made = []
        some: Any = values if several else [values]
        for value in some:
            if not 0 <= value < len(self._int2str):
                raise ValueError(f"Invalid integer class label {int(value)}; there are {len(self._int2str)} classes")
            made.append(self._int2str[int(value)])
        return made if several else made[0]

    def encode_example(self, example_data: Any) -> int:
        """The integer of a name, or of itself."""
        number: int = self.str2int(example_data) if isinstance(example_data, str) else example_data
        if not -1 <= number < len(self._int2str):
            raise ValueError(f"Class label {int(number)} greater than configured num_classes {len(self._int2str)}")
        return number

    def cast_storage(self, storage: Any) -> Any:
        """A pyarrow array of names or integers as one of labels."""
        from rowstream.table import label_storage

        return label_storage(storage, self)


@dataclass
class Json:
    """Any JSON value, stored as its text: lists of mixed types, objects with fields of their own.

    Example:
        >>> ds = Dataset.from_dict({"a": [0, "foo", {"b": "bar"}]}, features=Features({"a": Json()}))
        >>> ds[2]
        {'a': {'b': 'bar'}}
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Json")

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        import pyarrow as pa

        if not hasattr(pa, "json_"):
            raise NotImplementedError("the Json type needs a newer pyarrow: pip install -U pyarrow")
        return pa.json_()

    def __call__(self) -> Any:
        """The pyarrow type."""
        return self.pa_type

    def encode_example(self, example_data: Any) -> str | None:
        """A value as its JSON text; text that is JSON stays."""
        if example_data is None:
            return None
        if isinstance(example_data, str):
            try:
                json.loads(example_data)
            except ValueError:
                return json.dumps(example_data, ensure_ascii=False)
            return example_data
        return dumps(example_data)

    def decode_example(self, example_data: Any, token_per_repo_id: Any = None) -> Any:
        """The value of a JSON text."""
        if not self.decode:
            raise RuntimeError("Decoding is disabled for this feature. Please use Json(decode=True) instead.")
        return None if example_data is None else json.loads(example_data)

    def cast_storage(self, storage: Any) -> Any:
        """A pyarrow array of any type as one of JSON texts."""
        from rowstream.table import json_storage

        return json_storage(storage, self)


def dumps(value: Any) -> str:
    """A value as JSON text, times and the like as their text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


class ArrayXD:
    """What arrays of two to five dimensions have in common."""

    shape: tuple[int | None, ...]
    dtype: str

    def __post_init__(self) -> None:
        """A shape is a tuple, however it was written."""
        self.shape = tuple(self.shape)

    def __call__(self) -> Any:
        """The pyarrow extension type."""
        from rowstream.features.extension import array_type

        return array_type(self.shape, self.dtype)

    def encode_example(self, value: Any) -> Any:
        """A value as Arrow takes it."""
        return value


def _array(n: int) -> Any:
    @dataclass
    class Array(ArrayXD):
        shape: tuple[int | None, ...]
        dtype: str
        id: str | None = field(default=None, repr=False)
        _type: str = type_field(f"Array{n}D")

        __hash__ = object.__hash__

    Array.__name__ = Array.__qualname__ = f"Array{n}D"
    Array.__doc__ = f"""An array of {n} dimensions.

    Args:
        shape: the length of each dimension; the first may be `None` for any.
        dtype: the type of its numbers.

    Example:
        >>> Features({{"x": Array{n}D(shape={tuple(range(1, n + 1))}, dtype="int32")}})
    """
    return Array


Array2D, Array3D, Array4D, Array5D = (_array(n) for n in (2, 3, 4, 5))


@dataclass
class Translation:
    """The same text in several languages: a dict of them.

    Example:
        >>> Features({"translation": Translation(languages=["en", "de"])})
    """

    languages: list[str]
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Translation")

    dtype: ClassVar[str] = "dict"

    __hash__ = object.__hash__

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        import pyarrow as pa

        return pa.struct({language: pa.string() for language in sorted(self.languages)})

    def __call__(self) -> Any:
        """The pyarrow type."""
        return self.pa_type

    def flatten(self) -> dict[str, Value]:
        """A feature for each language."""
        return {language: Value("string") for language in sorted(self.languages)}


@dataclass
class TranslationVariableLanguages:
    """A text in languages that differ from row to row, and may have several texts each.

    Example:
        >>> Features({"translation": TranslationVariableLanguages(languages=["en", "de", "fr"])})
    """

    languages: list[str] | None = None
    num_languages: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("TranslationVariableLanguages")

    dtype: ClassVar[str] = "dict"

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        """Sorts the languages."""
        self.languages = sorted(set(self.languages)) if self.languages else None
        self.num_languages = len(self.languages) if self.languages else None

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        import pyarrow as pa

        return pa.struct({"language": pa.list_(pa.string()), "translation": pa.list_(pa.string())})

    def __call__(self) -> Any:
        """The pyarrow type."""
        return self.pa_type

    def encode_example(self, translation_dict: Any) -> dict[str, Any]:
        """A dict of languages and texts as two lists, by language and text."""
        if set(translation_dict) == {"language", "translation"}:
            return translation_dict
        if self.languages and (unknown := set(translation_dict) - set(self.languages)):
            raise ValueError(f"languages {', '.join(sorted(unknown))} are not among those that were declared: {', '.join(self.languages)}")
        texts = [(language, text) for language, of in translation_dict.items() for text in ([of] if isinstance(of, str) else of)]
        languages, translations = zip(*sorted(texts), strict=True) if texts else ((), ())
        return {"language": languages, "translation": translations}

    def flatten(self) -> dict[str, List]:
        """The two lists."""
        return {"language": List(Value("string")), "translation": List(Value("string"))}


FEATURE_TYPES: dict[str, Any] = {
    "Value": Value,
    "ClassLabel": ClassLabel,
    "Translation": Translation,
    "TranslationVariableLanguages": TranslationVariableLanguages,
    "LargeList": LargeList,
    "List": List,
    "Sequence": Sequence,
    "Array2D": Array2D,
    "Array3D": Array3D,
    "Array4D": Array4D,
    "Array5D": Array5D,
    "Json": Json,
}
"""The types by the name that is written down of them; those of media add themselves."""


def visit(feature: Any, func: Callable[[Any], Any]) -> Any:
    """What `func` makes of each feature inside another, inner ones first; where it gives `None`, the feature stays."""
    made = feature
    if isinstance(feature, dict):
        kind = Features if isinstance(feature, Features) else dict
        made = kind({name: visit(one, func) for name, one in feature.items()})
    elif isinstance(feature, (List, LargeList)):
        made = relisted(feature, visit(feature.feature, func))
    out = func(made)
    return feature if out is None else out


def modern(feature: Any) -> Any:
    """A feature in which lists are `List`: once they were written `[feature]`."""
    if isinstance(feature, (list, tuple)) and len(feature) == 1:
        return List(modern(feature[0]))
    return visit(feature, lambda one: List(modern(one[0])) if isinstance(one, list) else one)


def requires_decoding(feature: Any, ignore_decode_attribute: bool = False) -> bool:
    """Whether rows have something else than what is stored."""
    if isinstance(feature, Mapping):
        return any(requires_decoding(one) for one in feature.values())
    if isinstance(feature, (list, tuple)):
        return requires_decoding(feature[0])
    if isinstance(feature, (List, LargeList)):
        return requires_decoding(feature.feature)
    return hasattr(feature, "decode_example") and (ignore_decode_attribute or getattr(feature, "decode", True))


def with_decoding(features: Any, enable: bool) -> Any:
    """Features whose media, and whatever else has a switch `decode`, have it so."""

    def switched(one: Any) -> Any:
        if not hasattr(one, "decode") or isinstance(one, dict):
            return one
        made = copy.copy(one)
        object.__setattr__(made, "decode", enable)
        return made

    return visit(modern(features), switched)


class Features(dict[str, Any]):
    """The types of the columns of a row, by name and in order.

    A value is a `Value`, `ClassLabel`, `List`, `LargeList`, `Array2D` … `Array5D`, `Json`, `Translation` or a type of media, or a dict of
    them for a struct.

    Example:
        >>> Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
        {'text': Value('string'), 'label': ClassLabel(names=['no', 'yes'])}
    """

    def __init__(*args: Any, **kwargs: Any) -> None:  # a column may be called "self"
        """As a dict is made."""
        self, *rest = args
        super(Features, self).__init__(*rest, **kwargs)
        for name, feature in self.items():
            super(Features, self).__setitem__(name, modern(feature))

    @property
    def _column_requires_decoding(self) -> dict[str, bool]:
        return {name: requires_decoding(feature) for name, feature in self.items()}

    @property
    def column_names(self) -> list[str]:
        """The names, in order."""
        return list(self)

    def __reduce__(self) -> Any:
        """A dict, and how to make features of it."""
        return Features, (dict(self),)

    @property
    def type(self) -> Any:
        """The pyarrow type of a row: a struct."""
        from rowstream.features.features import get_nested_type

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
        """The features of a pyarrow schema; those that its metadata has where they fit."""
        from rowstream.features.features import features_of_schema

        return features_of_schema(pa_schema)

    @classmethod
    def from_dict(cls, dic: dict[str, Any]) -> Features:
        """The features that `to_dict` gave."""
        from rowstream.features.features import generate_from_dict

        return cls(generate_from_dict(dic))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it, with the name of each type in `_type`."""
        from rowstream.features.features import plain

        made: dict[str, Any] = plain(self)
        return made

    def _to_yaml_list(self) -> list[Any]:
        from rowstream.features.card import card_of_features

        return card_of_features(self)

    @classmethod
    def _from_yaml_list(cls, yaml_data: list[Any]) -> Features:
        from rowstream.features.card import features_from_card

        return features_from_card(yaml_data)

    def encode_example(self, example: Any) -> dict[str, Any]:
        """A row as Arrow takes it."""
        from rowstream.features.features import cast_to_python_objects, encode_nested_example

        values = cast_to_python_objects(example)
        try:
            made: dict[str, Any] = encode_nested_example(self, values)
        except (TypeError, ValueError) as error:
            if isinstance(values, Mapping):
                self._named(error, values)
            raise
        return made

    def _named(self, error: Exception, example: Mapping[str, Any]) -> None:
        """Notes which column of a row is at fault."""
        from rowstream.features.features import encode_nested_example

        for name, feature in self.items():
            try:
                encode_nested_example(feature, example.get(name), level=1)
            except (TypeError, ValueError):
                error.add_note(f"column {name!r} has {example.get(name)!r}")
                return

    def encode_column(self, column: Any, column_name: str) -> list[Any]:
        """A column as Arrow takes it."""
        from rowstream.features.features import cast_to_python_objects, encode_nested_example

        made: list[Any] = []
        feature = self[column_name]
        try:
            made.extend(encode_nested_example(feature, one, level=1) for one in cast_to_python_objects(column))
        except (TypeError, ValueError) as error:
            error.add_note(f"column {column_name!r}, row {len(made)}")
            raise
        return made

    def encode_batch(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Columns as Arrow takes them."""
        if set(batch) != set(self):
            raise ValueError(f"Column mismatch between batch {set(batch)} and features {set(self)}")
        return {name: self.encode_column(column, name) for name, column in batch.items()}

    def decode_example(self, example: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:
        """A row as users have it, of what is stored."""
        from rowstream.features.features import decode_nested_example

        return {
            name: decode_nested_example(self[name], value, token_per_repo_id) if requires_decoding(self[name]) else value
            for name, value in example.items()
            if name in self
        }

    def decode_column(self, column: Any, column_name: str, token_per_repo_id: Any = None) -> Any:
        """A column as users have it, of what is stored."""
        from rowstream.features.features import decode_nested_example

        feature = self[column_name]
        if not requires_decoding(feature):
            return column
        return [None if value is None else decode_nested_example(feature, value, token_per_repo_id) for value in column]

    def decode_batch(self, batch: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:
        """Columns as users have them, of what is stored."""
        return {name: self.decode_column(column, name, token_per_repo_id) for name, column in batch.items()}

    def copy(self) -> Features:
        """A copy, with copies of the features."""
        return copy.deepcopy(self)

    def reorder_fields_as(self, other: Features) -> Features:
        """These features in the order that others have, in nested ones too.

        Raises:
            ValueError: they do not have the same names, or not the same structure.
        """
        from rowstream.features.features import reordered

        return Features(reordered(self, other))

    def flatten(self, max_depth: int = 16) -> Features:
        """The fields of structs as columns of their own: `a.b` for the field `b` of the column `a`."""
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


def flat_fields(feature: Any) -> dict[str, Any] | None:
    """What a feature flattens to, if it does."""
    if isinstance(feature, dict):
        return feature
    if hasattr(feature, "flatten"):
        flat = feature.flatten()
        return flat if isinstance(flat, dict) else None
    return None
