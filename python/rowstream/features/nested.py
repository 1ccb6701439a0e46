"""Lists, and what looks into lists and structs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rowstream.features.scalar import ClassLabel, type_field


class Sequence:
    """A list, in the old manner: `Sequence(dict)` is a dict of lists. Everything else is a
    `List`.
    """

    def __new__(cls, feature: Any = None, length: int = -1, **kwargs: Any) -> Any:
        """Return a `List`, or a dict of them."""
        if (
            cls is Sequence
            and isinstance(feature, dict)
            and any(not isinstance(one, List) for one in feature.values())
        ):
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
    """Keys and values: what map columns of Arrow are. It is written down, and looks, as the list of
    objects that it is.

    Args:
        feature: `{"key": …, "value": …}`.
    """

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """One of these."""
        return object.__new__(cls)

    def __eq__(self, other: object) -> bool:
        """Return whether the other has the same keys and values, in maps or in lists of objects."""
        return isinstance(other, List) and other.length == -1 and self.feature == other.feature

    __hash__ = List.__hash__


def has_labels(feature: Any) -> bool:
    """Return whether there are labels in a feature."""
    if isinstance(feature, dict):
        return any(map(has_labels, feature.values()))
    return isinstance(feature, ClassLabel) or (
        isinstance(feature, (List, LargeList)) and has_labels(feature.feature)
    )


def relisted(feature: Any, inner: Any) -> Any:
    """Return a list of the kind that another is, of another type."""
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


def visit(feature: Any, func: Callable[[Any], Any]) -> Any:
    """Return what `func` makes of each feature inside another, inner ones first; where it gives
    `None`, the feature stays.
    """
    made = feature
    if isinstance(feature, dict):
        made = {name: visit(one, func) for name, one in feature.items()}
        # Those of a table stay what they are, which stands above this module.
        made = type(feature)(made) if hasattr(type(feature), "arrow_schema") else made
    elif isinstance(feature, (List, LargeList)):
        made = relisted(feature, visit(feature.feature, func))
    out = func(made)
    return feature if out is None else out


def upgrade_lists(feature: Any) -> Any:
    """Return a feature in which lists are `List`: once they were written `[feature]`."""
    if isinstance(feature, (list, tuple)) and len(feature) == 1:
        return List(upgrade_lists(feature[0]))
    return visit(feature, lambda one: List(upgrade_lists(one[0])) if isinstance(one, list) else one)


def requires_decoding(feature: Any, ignore_decode_attribute: bool = False) -> bool:
    """Return whether rows have something else than what is stored."""
    if isinstance(feature, Mapping):
        return any(requires_decoding(one) for one in feature.values())
    if isinstance(feature, (list, tuple)):
        return requires_decoding(feature[0])
    if isinstance(feature, (List, LargeList)):
        return requires_decoding(feature.feature)
    return hasattr(feature, "decode_example") and (
        ignore_decode_attribute or getattr(feature, "decode", True)
    )


def with_decoding(features: Any, enable: bool) -> Any:
    """Features whose media, and whatever else has a switch `decode`, have it so."""

    def switched(one: Any) -> Any:
        if not hasattr(one, "decode") or isinstance(one, dict):
            return one
        made = copy.copy(one)
        object.__setattr__(made, "decode", enable)
        return made

    return visit(upgrade_lists(features), switched)


def flat_fields(feature: Any) -> dict[str, Any] | None:
    """Return what a feature flattens to, if it does."""
    if isinstance(feature, dict):
        return feature
    if hasattr(feature, "flatten"):
        flat = feature.flatten()
        return flat if isinstance(flat, dict) else None
    return None
