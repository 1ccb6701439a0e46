"""The feature types: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Value:
    """A scalar of an Arrow type.

    Args:
        dtype: the type's name: `"string"`, `"int64"`, `"float32"`, `"timestamp[us, tz=UTC]"`, …

    Example:
        >>> Value("int64")
        Value('int64')
    """

    dtype: str
    id: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"Value({self.dtype!r})"


@dataclass(frozen=True)
class List:
    """A list of another type; `length` if every list has it, else -1."""

    feature: Any
    length: int = -1
    id: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        length = f", length={self.length}" if self.length != -1 else ""
        return f"{type(self).__name__}({self.feature!r}{length})"


@dataclass(frozen=True)
class LargeList:
    """A list of another type, with 64-bit offsets."""

    feature: Any
    id: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"LargeList({self.feature!r})"


@dataclass(frozen=True)
class ClassLabel:
    """An integer that stands for a name.

    Args:
        num_classes: how many names there are; that of `names` if they are given.
        names: the name of each integer, from 0 on.

    Example:
        >>> label = ClassLabel(names=["no", "yes"])
        >>> label.str2int("yes"), label.int2str(0)
        (1, 'no')
    """

    num_classes: int | None = None
    names: list[str] | None = None
    id: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Fills in what the other argument says."""
        if self.names is None:
            if self.num_classes is None:
                raise ValueError("a ClassLabel needs num_classes or names")
            object.__setattr__(self, "names", [str(i) for i in range(self.num_classes)])
        elif self.num_classes is None:
            object.__setattr__(self, "num_classes", len(self.names))
        elif self.num_classes != len(self.names):
            raise ValueError(f"a ClassLabel of {self.num_classes} classes has {len(self.names)} names")

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"ClassLabel(names={self.names!r})"

    def __hash__(self) -> int:
        """Of the names, which are a list."""
        return hash(tuple(self.names or ()))

    def str2int(self, values: str | list[str]) -> int | list[int]:
        """The integer of a name, or those of names."""
        names = self.names or []
        if isinstance(values, str):
            if values not in names:
                raise ValueError(f"there is no class {values!r}; the classes are {names}")
            return names.index(values)
        return [names.index(value) for value in values]

    def int2str(self, values: int | list[int]) -> str | list[str]:
        """The name of an integer, or those of integers."""
        names = self.names or []
        if isinstance(values, int):
            if not 0 <= values < len(names):
                raise ValueError(f"there is no class {values}; there are {len(names)}")
            return names[values]
        return [names[value] for value in values]


class Features(dict[str, Any]):
    """The types of the columns of a row, by name and in order.

    A value is a `Value`, `List`, `LargeList` or `ClassLabel`, or a dict of them for a struct.
    """

    @property
    def column_names(self) -> list[str]:
        """The names, in order."""
        return list(self)

    def copy(self) -> Features:
        """A copy."""
        return Features(self)
