"""Names and slices of splits: `Split`, `NamedSplit`, `ReadInstruction`."""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.splits.instruction import Instruction, instructions

SPLIT_NAME = re.compile(r"\w+(\.\w+)*")


class SplitBase:
    """The base class of splits and slices, which are joined with `+`.

    Names are joined to a `NamedSplit`, others to a `ReadInstruction`; `load_dataset(split=…)` takes
    both.

    Example:
        >>> Split.TRAIN.subsplit(percent=percent[:10]) + Split.TEST
        ReadInstruction('train[:10%]+test')
    """

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return which rows of these splits to read.

        Args:
            split_dict: The splits of the dataset: a `SplitDict`.

        Raises:
            InvalidArgumentError: A split is not among them.

        Example:
            >>> splits = SplitDict({"train": SplitInfo("train", num_examples=100)})
            >>> Split.TRAIN.get_read_instruction(splits)
            ReadInstruction('train')
        """
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._instruction() + other._instruction()

    def _instruction(self) -> ReadInstruction:
        raise NotImplementedError

    def subsplit(
        self,
        arg: Any = None,
        k: int | None = None,
        percent: slice | None = None,
        weighted: list[int] | None = None,
    ) -> Any:
        """Return slices of the split, in whole per cent.

        Pass exactly one argument. A split that is already sliced cannot be sliced again.

        Args:
            arg: One of the other three, recognized by its type.
            k: A number of slices of nearly equal size; the last one takes the remainder.
            percent: A single slice, such as `percent[:10]`.
            weighted: The proportions of several slices; the last one takes the remainder.

        Returns:
            A `ReadInstruction` for `percent`, else a tuple of them.

        Raises:
            InvalidArgumentError: Not exactly one argument is given, or it is not valid.

        Example:
            >>> train, test = Split.TRAIN.subsplit(weighted=[9, 1])
            >>> train
            ReadInstruction('train[0%:90%]')
        """
        if sum(bool(one) for one in (arg, k, percent, weighted)) != 1:
            raise InvalidArgumentError("Only one argument of subsplit should be set.")
        if isinstance(arg, int):
            k = arg
        elif isinstance(arg, slice):
            percent = arg
        elif isinstance(arg, list):
            weighted = arg
        elif arg:
            raise InvalidArgumentError(
                f"Invalid split argument {arg}. Only list, slice and int supported."
            )
        if percent is not None:
            if percent.step not in (None, 1):
                raise InvalidArgumentError(
                    f"subsplit: a part is a run of per cents, so it has no step; found {percent}"
                )
            return self._part(percent.start, percent.stop)
        if k is not None and not 0 < k <= 100:
            raise InvalidArgumentError(f"Subsplit k should be between 0 and 100, got {k}")
        shares = (
            [100 // k] * k
            if k is not None
            else [100 * one // sum(weighted or [1]) for one in weighted or []]
        )
        ends = [0, *itertools.accumulate(shares[:-1]), 100]
        return tuple(self._part(start, stop) for start, stop in itertools.pairwise(ends))

    def _part(self, start: int | None, stop: int | None) -> ReadInstruction:
        parts = self._instruction().parts
        if any(part.sliced for part in parts):
            raise InvalidArgumentError("subsplit: a part of a split is not cut again")
        result = [ReadInstruction(part.split, from_=start, to=stop, unit="%") for part in parts]
        return functools.reduce(ReadInstruction.__add__, result)


class percent:  # noqa: N801  # as `datasets` names it
    """A range of per cent for `subsplit`, such as `percent[:10]` or `percent[-20:]`.

    Example:
        >>> percent[:10]
        slice(None, 10, None)
    """

    def __class_getitem__(cls, item: Any) -> slice:
        """Return the slice.

        Raises:
            InvalidArgumentError: The item is not a slice.
        """
        if not isinstance(item, slice):
            raise InvalidArgumentError(
                f"datasets.percent should only be called with slice, not {item}"
            )
        return item


class NamedSplit(SplitBase):
    """The name of a split, which equals its text.

    Args:
        name: The name, or several joined with `+`.

    Raises:
        InvalidArgumentError: A name does not begin with a letter, a digit or `_`.

    Example:
        >>> Split.TRAIN == "train"
        True
    """

    def __init__(self, name: str) -> None:
        self._name = name
        for part in name.split("+"):
            if not SPLIT_NAME.fullmatch(part.split("[")[0].strip()):
                raise InvalidArgumentError(
                    f"Split name should match '{SPLIT_NAME.pattern}' but got '{part}'."
                )

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"NamedSplit({self._name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (NamedSplit, str)) and self._name == str(other)

    def __lt__(self, other: Any) -> bool:
        return self._name < str(other)

    def __hash__(self) -> int:
        return hash(self._name)

    def __add__(self, other: Any) -> Any:
        return (
            NamedSplit(f"{self}+{other}")
            if isinstance(other, (NamedSplit, str))
            else super().__add__(other)
        )

    def _instruction(self) -> ReadInstruction:
        return ReadInstruction.from_spec(self._name)

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return which rows to read; as in `SplitBase.get_read_instruction`.

        Args:
            split_dict: The splits of the dataset: a `SplitDict`.

        Example:
            >>> splits = SplitDict({"train": SplitInfo("train", num_examples=100)})
            >>> NamedSplit("train").get_read_instruction(splits)
            ReadInstruction('train')
        """
        result = self._instruction()
        result.to_absolute({name: one.num_examples or 0 for name, one in split_dict.items()})
        return result


class NamedSplitAll(NamedSplit):
    """The name `"all"`, which stands for all splits of a dataset together.

    Example:
        >>> Split.ALL
        NamedSplitAll()
    """

    def __init__(self) -> None:
        super().__init__("all")

    def __repr__(self) -> str:
        return "NamedSplitAll()"

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return the instruction to read all of the splits, one after another.

        Args:
            split_dict: The splits of the dataset: a `SplitDict`.

        Example:
            >>> splits = SplitDict({"train": SplitInfo("train"), "test": SplitInfo("test")})
            >>> Split.ALL.get_read_instruction(splits)
            ReadInstruction('train+test')
        """
        return ReadInstruction.from_spec("+".join(map(str, split_dict)))


class Split:
    """The usual names of splits: `TRAIN`, `VALIDATION`, `TEST` and `ALL`.

    `Split(name)` returns the `NamedSplit` of any name.

    Example:
        >>> Split.TRAIN
        NamedSplit('train')
        >>> Split("dev")
        NamedSplit('dev')
    """

    TRAIN = NamedSplit("train")
    TEST = NamedSplit("test")
    VALIDATION = NamedSplit("validation")
    ALL = NamedSplitAll()

    def __new__(cls, name: str) -> Any:
        return NamedSplitAll() if name == "all" else NamedSplit(name)


def named(split: Any) -> NamedSplit | None:
    """Return the name of a split as a `NamedSplit`; `None` stays `None`."""
    return split if split is None or isinstance(split, NamedSplit) else Split(str(split))


@dataclass(frozen=True)
class _AbsoluteInstruction:
    """A range of rows of a split; `to` is the one after the last."""

    splitname: str
    from_: int
    to: int


class ReadInstruction(SplitBase):
    """The rows of splits to read, for `load_dataset(split=…)`; several are joined with `+`.

    Args:
        split_name: The name of the split.
        rounding: How percentages become rows: `"closest"` (default), or `"pct1_dropremainder"`,
            with which each per cent has the same number of rows.
        from_: The first row or per cent; negative numbers count from the end.
        to: The row or per cent after the last.
        unit: `"%"` or `"abs"` (rows; default).

    Raises:
        InvalidArgumentError: The unit is unknown, a percentage is out of range, or rows have a
            `rounding`.

    Example:
        >>> write_jsonl("train.jsonl", ({"n": n} for n in range(100)))
        100
        >>> part = ReadInstruction("train", to=2, unit="%")
        >>> load_dataset("json", data_files="train.jsonl", split=part)["n"][:]
        [0, 1]
    """

    def __init__(
        self,
        split_name: str,
        rounding: str | None = None,
        from_: int | None = None,
        to: int | None = None,
        unit: str | None = None,
    ) -> None:
        if unit not in (None, "%", "abs"):
            raise InvalidArgumentError("unit must be either % or abs")
        if rounding is not None and unit != "%":
            raise InvalidArgumentError("rounding is for units of per cent")
        if unit == "%" and any(one is not None and abs(one) > 100 for one in (from_, to)):
            raise InvalidArgumentError("per cent are between -100 and 100")
        sliced = from_ is not None or to is not None
        self.parts = [
            Instruction(str(split_name), from_, to, unit == "%", rounding or "closest", sliced)
        ]

    @classmethod
    def from_spec(cls, spec: str) -> ReadInstruction:
        """Return the instruction that a text describes.

        Args:
            spec: The text, such as `"train[:10%]+test"`.

        Raises:
            InvalidArgumentError: The text has brackets, but is malformed.

        Example:
            >>> ReadInstruction.from_spec("train[:10%]+test")
            ReadInstruction('train[:10%]+test')
        """
        result = cls.__new__(cls)
        names = str(NamedSplit(str(spec))).split("+")
        result.parts = instructions(str(spec)) or [Instruction(name.strip()) for name in names]
        return result

    def __add__(self, other: Any) -> ReadInstruction:
        if isinstance(other, NamedSplit):
            other = other._instruction()
        if not isinstance(other, ReadInstruction):
            raise InvalidArgumentError(
                "ReadInstruction can only be added to another ReadInstruction obj."
            )
        result = ReadInstruction.__new__(ReadInstruction)
        result.parts = [*self.parts, *other.parts]
        return result

    def _instruction(self) -> ReadInstruction:
        return self

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return the instruction itself, after a check that all its splits exist.

        Args:
            split_dict: The splits of the dataset: a `SplitDict`.

        Raises:
            InvalidArgumentError: A split is not among them.

        Example:
            >>> splits = SplitDict({"train": SplitInfo("train", num_examples=100)})
            >>> ReadInstruction("train", to=10, unit="%").get_read_instruction(splits)
            ReadInstruction('train[:10%]')
        """
        self.to_absolute({name: one.num_examples or 0 for name, one in split_dict.items()})
        return self

    def to_absolute(self, name2len: dict[str, int]) -> list[Any]:
        """Return the range of rows of each part, as objects with `splitname`, `from_` and `to`.

        Args:
            name2len: The number of rows of each split.

        Raises:
            InvalidArgumentError: A split is not among them, or too short for its `rounding`.

        Example:
            >>> [part] = ReadInstruction("train", to=10, unit="%").to_absolute({"train": 50})
            >>> part.splitname, part.from_, part.to
            ('train', 0, 5)
        """
        result = []
        for part in self.parts:
            if part.split not in name2len:
                raise InvalidArgumentError(
                    f'Unknown split "{part.split}". Should be one of {list(name2len)}.'
                )
            start, stop = part.rows(name2len[part.split])
            result.append(_AbsoluteInstruction(part.split, start, stop))
        return result

    def to_spec(self) -> str:
        """Return the instruction as text, which `from_spec` reads.

        Example:
            >>> ReadInstruction("train", to=10, unit="%").to_spec()
            'train[:10%]'
        """
        result = []
        for part in self.parts:
            unit = "%" if part.percent else ""
            ends = ["" if one is None else f"{one}{unit}" for one in (part.start, part.stop)]
            rounding = f"({part.rounding})" if part.percent and part.rounding != "closest" else ""
            result.append(
                f"{part.split}[{ends[0]}:{ends[1]}]{rounding}" if part.sliced else part.split
            )
        return "+".join(result)

    __str__ = to_spec

    def __repr__(self) -> str:
        return f"ReadInstruction({self.to_spec()!r})"
