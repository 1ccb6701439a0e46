"""Splits by name, and parts of them: `Split`, `NamedSplit`, `ReadInstruction`."""

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
    """Splits, or parts of them, that are added and cut. What comes of that is a `ReadInstruction`,
    which `split=` takes.
    """

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return what to read of these splits.

        Raises:
            KeyError: there is no such split.
        """
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        """Return both, one after another."""
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
        """Parts of a split, in whole per cent.

        Args:
            arg: any of the others, told by its type.
            k: that many parts, as even as can be; the last has what is left.
            percent: one part: `percent[:10]`.
            weighted: parts in these proportions; the last has what is left.

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
        made = [ReadInstruction(part.split, from_=start, to=stop, unit="%") for part in parts]
        return functools.reduce(ReadInstruction.__add__, made)


class percent:  # noqa: N801  # as `datasets` names it
    """Per cents of a split, for `subsplit`: `percent[:10]`, `percent[-20:]`."""

    def __class_getitem__(cls, item: Any) -> slice:
        """Return the slice.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(item, slice):
            raise InvalidArgumentError(
                f"datasets.percent should only be called with slice, not {item}"
            )
        return item


class NamedSplit(SplitBase):
    """The name of a split. It is equal to its text.

    Example:
        >>> Split.TRAIN == "train"
        True
    """

    def __init__(self, name: str) -> None:
        self._name = name
        for part in name.split("+"):
            if not SPLIT_NAME.match(part.split("[")[0].strip()):
                raise InvalidArgumentError(
                    f"Split name should match '{SPLIT_NAME.pattern}' but got '{part}'."
                )

    def __str__(self) -> str:
        """Return the name."""
        return self._name

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return f"NamedSplit({self._name!r})"

    def __eq__(self, other: object) -> bool:
        """By name."""
        return isinstance(other, (NamedSplit, str)) and self._name == str(other)

    def __lt__(self, other: Any) -> bool:
        """By name."""
        return self._name < str(other)

    def __hash__(self) -> int:
        """Of the name."""
        return hash(self._name)

    def __add__(self, other: Any) -> Any:
        """Return both, one after another."""
        return (
            NamedSplit(f"{self}+{other}")
            if isinstance(other, (NamedSplit, str))
            else super().__add__(other)
        )

    def _instruction(self) -> ReadInstruction:
        return ReadInstruction.from_spec(self._name)

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return what to read of these splits."""
        made = self._instruction()
        made.to_absolute({name: one.num_examples or 0 for name, one in split_dict.items()})
        return made


class NamedSplitAll(NamedSplit):
    """All splits together."""

    def __init__(self) -> None:
        super().__init__("all")

    def __repr__(self) -> str:
        """As `datasets` writes it."""
        return "NamedSplitAll()"

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Return all of these splits."""
        return ReadInstruction.from_spec("+".join(map(str, split_dict)))


class Split:
    """The names that splits usually have."""

    TRAIN = NamedSplit("train")
    TEST = NamedSplit("test")
    VALIDATION = NamedSplit("validation")
    ALL = NamedSplitAll()

    def __new__(cls, name: str) -> Any:
        """Return the split of a name."""
        return NamedSplitAll() if name == "all" else NamedSplit(name)


def named(split: Any) -> NamedSplit | None:
    """Return a split as its name."""
    return split if split is None or isinstance(split, NamedSplit) else Split(str(split))


@dataclass(frozen=True)
class _AbsoluteInstruction:
    """The rows of a split: from the first to the one after the last."""

    splitname: str
    from_: int
    to: int


class ReadInstruction(SplitBase):
    """Which rows of which splits to read; several are added.

    Args:
        split_name: the split.
        rounding: `"closest"`, or `"pct1_dropremainder"`, which makes each per cent the same number
            of rows.
        from_, to: the first row and the one after the last; from the end where below zero.
        unit: `"%"` or `"abs"`.

    Example:
        >>> test = ReadInstruction("test", from_=50, unit="abs")
        >>> ri = test + ReadInstruction("train", to=10, unit="%")
        >>> load_dataset("mnist", split=ri)
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
        """Return the instruction of a text: `"train[:10%]+test"`."""
        made = cls.__new__(cls)
        parts = instructions(str(spec))
        made.parts = (
            [Instruction(name.strip()) for name in str(spec).split("+")] if parts is None else parts
        )
        return made

    def __add__(self, other: Any) -> ReadInstruction:
        """Return both, one after another."""
        if isinstance(other, NamedSplit):
            other = other._instruction()
        if not isinstance(other, ReadInstruction):
            raise InvalidArgumentError(
                "ReadInstruction can only be added to another ReadInstruction obj."
            )
        made = ReadInstruction.__new__(ReadInstruction)
        made.parts = [*self.parts, *other.parts]
        return made

    def _instruction(self) -> ReadInstruction:
        return self

    def get_read_instruction(self, split_dict: Any) -> ReadInstruction:
        """Itself, if these splits have what it names."""
        self.to_absolute({name: one.num_examples or 0 for name, one in split_dict.items()})
        return self

    def to_absolute(self, name2len: dict[str, int]) -> list[Any]:
        """Return the rows of each part, by the lengths of splits: objects with `splitname`, `from_`
        and `to`.

        Raises:
            ValueError: a split is not among them.
        """
        made = []
        for part in self.parts:
            if part.split not in name2len:
                raise InvalidArgumentError(
                    f'Unknown split "{part.split}". Should be one of {list(name2len)}.'
                )
            start, stop = part.rows(name2len[part.split])
            made.append(_AbsoluteInstruction(part.split, start, stop))
        return made

    def to_spec(self) -> str:
        """Return the instruction as text."""
        made = []
        for part in self.parts:
            unit = "%" if part.percent else ""
            ends = ["" if one is None else f"{one}{unit}" for one in (part.start, part.stop)]
            rounding = f"({part.rounding})" if part.percent and part.rounding != "closest" else ""
            made.append(
                f"{part.split}[{ends[0]}:{ends[1]}]{rounding}" if part.sliced else part.split
            )
        return "+".join(made)

    __str__ = to_spec

    def __repr__(self) -> str:
        """As text."""
        return f"ReadInstruction({self.to_spec()!r})"
