"""Types of single values: numbers, text, times, labels."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Listed
from dataclasses import InitVar, dataclass, field
from numbers import Integral
from typing import Any, ClassVar

from rowstream.arrow import dtypes as _names


def _no_list(names: Any) -> bool:
    return isinstance(names, str) or not isinstance(names, Listed)


def type_field(name: str) -> Any:
    """Return the field that says of which type a feature is, in what is written down of it."""
    return field(default=name, init=False, repr=False)


@dataclass(repr=False)
class Value:
    """A scalar of an Arrow type.

    Args:
        dtype: the type's name: `"string"`, `"int64"`, `"float32"`, `"timestamp[us, tz=UTC]"`, …;
            `"float"` and `"double"` are `"float32"` and `"float64"`, and blanks do not matter.

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
        """Check the name."""
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
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> Any:
        """Return a value as Arrow takes it.

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
            exact = (
                make is str
                or isinstance(value, (str, bytes))
                or (make is float and not isinstance(value, Integral))
            )
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
        """Fill in what the other arguments say."""
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
        """Return the pyarrow type."""
        return self.pa_type

    def str2int(self, values: Any) -> Any:
        """Return the integer of a name, or those of names. A number as text stands for itself."""
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
        """Return the name of an integer, or those of integers."""
        if not isinstance(values, (int, Iterable)):
            raise ValueError(f"int2str expects an integer or several, found {values!r}")
        several = not isinstance(values, int)
        made = []
        some: Any = values if several else [values]
        for value in some:
            if not 0 <= value < len(self._int2str):
                raise ValueError(
                    f"Invalid integer class label {int(value)}; there are {len(self._int2str)}"
                    " classes"
                )
            made.append(self._int2str[int(value)])
        return made if several else made[0]

    def encode_example(self, example_data: Any) -> int:
        """Return the integer of a name, or of itself."""
        number: int = self.str2int(example_data) if isinstance(example_data, str) else example_data
        if not -1 <= number < len(self._int2str):
            raise ValueError(
                f"Class label {int(number)} greater than configured num_classes"
                f" {len(self._int2str)}"
            )
        return number

    def cast_storage(self, storage: Any) -> Any:
        """Return a pyarrow array of names or integers as one of labels."""
        from rowstream.arrow.cast import label_storage

        return label_storage(storage, self)
