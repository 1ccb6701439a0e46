"""Features of lists, and functions that look into lists and structs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rowstream.features.scalar import ClassLabel, type_field


class Sequence:
    """The older name of `List`; a `Sequence` of a dict is a dict of lists.

    Args:
        feature: The feature of the items.
        length: The length of every list; -1 for lists of any length.

    Example:
        >>> Sequence(Value("int64"))
        List(Value('int64'))
        >>> Sequence({"id": Value("int64"), "text": Value("string")})
        {'id': List(Value('int64')), 'text': List(Value('string'))}
    """

    def __new__(cls, feature: Any = None, length: int = -1, **kwargs: Any) -> Any:
        """Create a `List`, or a dict of lists for a dict of features."""
        if (
            cls is Sequence
            and isinstance(feature, dict)
            and any(not isinstance(one, List) for one in feature.values())
        ):
            return {name: List(one, length=length, **kwargs) for name, one in feature.items()}
        return super().__new__(List)


@dataclass(repr=False)
class List(Sequence):
    """The feature of lists whose items all have the same feature.

    Args:
        feature: The feature of the items; a dict for items that are structs.
        length: The length of every list; -1 for lists of any length.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"ids": List(Value("int8")), "xy": List(Value("int8"), length=2)})
        >>> Dataset.from_dict({"ids": [[1, 2, 3]], "xy": [[0, 1]]}, features=features)[0]
        {'ids': [1, 2, 3], 'xy': [0, 1]}
    """

    feature: Any
    length: int = -1
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("List")

    pa_type: ClassVar[Any] = None

    def __repr__(self) -> str:
        """Return `List(Value('int64'))` and the like, as `datasets` does."""
        return f"List({self.feature!r}{f', length={self.length}' if self.length != -1 else ''})"

    def __hash__(self) -> int:
        return hash(repr(self))


class Pairs(List):
    """The keys and values of an Arrow map column.

    In plain data and in its text it looks like the list of structs that it is to `datasets`.

    Args:
        feature: `{"key": …, "value": …}`, the features of the keys and of the values.
    """

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """Create an instance of this class, without the rules of `Sequence`."""
        return object.__new__(cls)

    def __eq__(self, other: object) -> bool:
        """Compare the keys and values, with those of maps or of lists of structs."""
        return isinstance(other, List) and other.length == -1 and self.feature == other.feature

    __hash__ = List.__hash__


def has_labels(feature: Any) -> bool:
    """Return whether a feature is or contains a `ClassLabel`."""
    if isinstance(feature, dict):
        return any(map(has_labels, feature.values()))
    return isinstance(feature, ClassLabel) or (
        isinstance(feature, (List, LargeList)) and has_labels(feature.feature)
    )


def relisted(feature: Any, inner: Any) -> Any:
    """Return a list feature of the same kind as `feature`, with other items."""
    if isinstance(feature, LargeList):
        return LargeList(inner)
    return Pairs(inner) if isinstance(feature, Pairs) else List(inner, length=feature.length)


@dataclass(repr=False)
class LargeList:
    """The feature of lists with 64-bit offsets, for columns of more than 2**31 items.

    Args:
        feature: The feature of the items.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"ids": LargeList(Value("int32"))})
        >>> features.type
        StructType(struct<ids: large_list<item: int32>>)
    """

    feature: Any
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("LargeList")

    pa_type: ClassVar[Any] = None

    def __repr__(self) -> str:
        """Return `LargeList(Value('int64'))` and the like, as `datasets` does."""
        return f"LargeList({self.feature!r})"

    def __hash__(self) -> int:
        return hash(repr(self))


def visit(feature: Any, func: Callable[[Any], Any]) -> Any:
    """Replace each feature inside a feature by what `func` returns for it, innermost first.

    A feature for which `func` returns `None` stays.
    """
    result = feature
    if isinstance(feature, dict):
        result = {name: visit(one, func) for name, one in feature.items()}
        # A `Features`, which is defined above this module, stays one.
        result = type(feature)(result) if hasattr(type(feature), "arrow_schema") else result
    elif isinstance(feature, (List, LargeList)):
        result = relisted(feature, visit(feature.feature, func))
    out = func(result)
    return feature if out is None else out


def upgrade_lists(feature: Any) -> Any:
    """Replace lists in the old notation `[feature]` by `List`, at every depth."""
    if isinstance(feature, (list, tuple)) and len(feature) == 1:
        return List(upgrade_lists(feature[0]))
    return visit(feature, lambda one: List(upgrade_lists(one[0])) if isinstance(one, list) else one)


def requires_decoding(feature: Any, ignore_decode_attribute: bool = False) -> bool:
    """Return whether a feature's stored values differ from those that rows have.

    Args:
        feature: A feature, or features inside each other.
        ignore_decode_attribute: Whether media count that are not decoded, by `decode=False`.
    """
    if isinstance(feature, Mapping):
        return any(requires_decoding(one, ignore_decode_attribute) for one in feature.values())
    if isinstance(feature, (list, tuple)):
        return requires_decoding(feature[0], ignore_decode_attribute)
    if isinstance(feature, (List, LargeList)):
        return requires_decoding(feature.feature, ignore_decode_attribute)
    return hasattr(feature, "decode_example") and (
        ignore_decode_attribute or getattr(feature, "decode", True)
    )


def with_decoding(features: Any, enable: bool, *, media: bool = False) -> Any:
    """Return features whose `decode` switches are set to `enable`: only those of media, if so."""

    def switched(one: Any) -> Any:
        if not hasattr(one, "decode") or isinstance(one, dict):
            return one
        if media and not hasattr(one, "embed_storage"):
            return one
        result = copy.copy(one)
        object.__setattr__(result, "decode", enable)
        return result

    return visit(upgrade_lists(features), switched)


def flat_fields(feature: Any) -> dict[str, Any] | None:
    """Return the fields into which a feature can be flattened, or `None`."""
    if isinstance(feature, dict):
        return feature
    if hasattr(feature, "flatten"):
        flat = feature.flatten()
        return flat if isinstance(flat, dict) else None
    return None
