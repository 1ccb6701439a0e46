"""Features of scalars: numbers, text, times, class labels."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Listed
from dataclasses import InitVar, dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream.arrow import dtypes as _names

if TYPE_CHECKING:
    import pyarrow as pa


def _no_list(names: Any) -> bool:
    return isinstance(names, str) or not isinstance(names, Listed)


def type_field(name: str) -> Any:
    """Return the dataclass field `_type`, the name of a feature's type in its plain form."""
    return field(default=name, init=False, repr=False)


@dataclass(repr=False)
class Value:
    """The feature of a scalar, with an Arrow type.

    Args:
        dtype: The name of the type: `"string"`, `"int64"`, `"float32"`, `"bool"`, `"timestamp[us,
            tz=UTC]"`, `"decimal128(10, 2)"`, … `"float"` and `"double"` stand for `"float32"` and
            `"float64"`. Spaces do not matter.
        id: A free text that is kept with the feature, as in `datasets`.

    Raises:
        ValueError: There is no such type.

    Example:
        >>> Dataset.from_dict({"a": [1, 2]}, features=Features({"a": Value("int32")})).features
        {'a': Value('int32')}
    """

    dtype: str
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Value")

    def __post_init__(self) -> None:
        """Check the name of the type and write it in its usual form."""
        if self.dtype in _names.PLAIN:
            return
        if (name := _names.named(self.dtype)) is not None:
            self.dtype = name
        else:
            _names.arrow_type(self.dtype)

    @property
    def pa_type(self) -> pa.DataType:
        """The pyarrow type of this feature.

        Example:
            >>> Value("timestamp[us, tz=UTC]").pa_type
            TimestampType(timestamp[us, tz=UTC])
        """
        return _names.arrow_type(self.dtype)

    def __call__(self) -> pa.DataType:
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> Any:
        """Convert a value to the Python type of this feature, unless that would change it.

        A text is parsed as a number; a float or a decimal may be rounded to the nearest float.

        Args:
            value: The value to convert; not `None`.

        Raises:
            ValueError: The value can't be converted, or would change, as 2.5 for `"int64"`.

        Example:
            >>> Value("int64").encode_example("5")
            5
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
        result = make(value)
        if not (exact or result == value):
            raise ValueError(f"{value!r} is no {self.dtype}")
        return result

    def __repr__(self) -> str:
        """Return `Value('int64')` and the like, as `datasets` does."""
        return f"Value({self.dtype!r})"

    def __hash__(self) -> int:
        return hash(self.dtype)


@dataclass
class ClassLabel:
    """The feature of class labels: integers that stand for names, from 0 on.

    Integers below 0 have no name: -1 where a label is not known, -100 where a loss ignores it.

    Exactly one of `names` and `names_file` is used; `num_classes` alone names the labels `"0"`,
    `"1"`, …

    Args:
        num_classes: The number of labels. It may be left out if there are names.
        names: The name of each label.
        names_file: A text file with one name per line.
        id: A free text that is kept with the feature, as in `datasets`.

    Raises:
        ValueError: There are no names and no number, the two do not agree, both `names` and
            `names_file` are given, or a name occurs twice.
        TypeError: `names` is not a list.

    Example:
        >>> label = ClassLabel(names=["no", "yes"])
        >>> label.num_classes, label.str2int("yes"), label.int2str(0)
        (2, 1, 'no')
        >>> features = Features({"label": label})
        >>> Dataset.from_dict({"label": ["yes", "no"]}, features=features)["label"][:]
        [1, 0]
    """

    num_classes: InitVar[int | None] = None
    names: list[str] | None = None
    names_file: InitVar[str | None] = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("ClassLabel")

    dtype: ClassVar[str] = "int64"

    def __post_init__(self, num_classes: int | None, names_file: str | None) -> None:
        """Set the names and their number, and check that the arguments agree."""
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
        return hash(tuple(self.names or ()))

    @property
    def pa_type(self) -> pa.DataType:
        """The pyarrow type of labels, `int64`.

        Example:
            >>> ClassLabel(num_classes=2).pa_type
            DataType(int64)
        """
        return _names.arrow_type("int64")

    def __call__(self) -> pa.DataType:
        """Return the pyarrow type."""
        return self.pa_type

    def str2int(self, values: Any) -> Any:
        """Return the integer of a name, or a list of integers for several names.

        An integer written as text, which is not the name of a label, stands for itself.

        Args:
            values: A name, or an iterable of names.

        Raises:
            ValueError: There is no such name.

        Example:
            >>> ClassLabel(names=["no", "yes"]).str2int(["yes", "no"])
            [1, 0]
        """
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
            number = len(self._int2str)
        if number >= len(self._int2str):
            raise ValueError(f"Invalid string class label {text}; the classes are {self._int2str}")
        return number

    def int2str(self, values: Any) -> Any:
        """Return the name of an integer, or a list of names for several integers.

        Args:
            values: An integer, or an iterable of integers.

        Raises:
            ValueError: There is no such label. This includes -1, which has no name.

        Example:
            >>> ClassLabel(names=["no", "yes"]).int2str([1, 0])
            ['yes', 'no']
        """
        if not isinstance(values, (int, Iterable)):
            raise ValueError(f"int2str expects an integer or several, found {values!r}")
        several = not isinstance(values, int)
        result = []
        some: Any = values if several else [values]
        for value in some:
            if not 0 <= value < len(self._int2str):
                raise ValueError(
                    f"Invalid integer class label {int(value)}; there are {len(self._int2str)}"
                    " classes"
                )
            result.append(self._int2str[int(value)])
        return result if several else result[0]

    def encode_example(self, example_data: Any) -> int:
        """Return the integer of a label that is given as a name or an integer.

        Args:
            example_data: A name or an integer; -1 means no label.

        Raises:
            ValueError: There is no such label.

        Example:
            >>> ClassLabel(names=["no", "yes"]).encode_example("yes")
            1
        """
        number: int = self.str2int(example_data) if isinstance(example_data, str) else example_data
        if not -1 <= number < len(self._int2str):
            raise ValueError(
                f"Class label {int(number)} greater than configured num_classes"
                f" {len(self._int2str)}"
            )
        return number

    def cast_storage(self, storage: Any) -> Any:
        """Convert a pyarrow array of names or integers to an array of labels.

        Args:
            storage: A pyarrow array of strings or integers; nulls stay null.

        Raises:
            ValueError: There is no such label.

        Example:
            >>> import pyarrow as pa
            >>> ClassLabel(names=["no", "yes"]).cast_storage(pa.array(["yes", None])).to_pylist()
            [1, None]
        """
        from rowstream.arrow.cast import label_storage

        return label_storage(storage, self)
