"""Descriptions of splits: numbers of rows and bytes, and files."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

from rowstream.splits.instruction import instructions
from rowstream.splits.names import NamedSplit, ReadInstruction

_WRITTEN = {"include_in_asdict_even_if_is_default": True}


@dataclass
class SplitInfo:
    """The description of a split.

    Attributes:
        name: The name of the split.
        num_bytes: The size of its rows in bytes.
        num_examples: The number of its rows; `None` if it is not known.
        shard_lengths: The number of rows of each file, if there are several files.
        original_shard_lengths: The number of rows of each original file, if a builder recorded it.
        dataset_name: The name of the dataset, with which the names of files begin.

    Example:
        >>> SplitInfo("train", num_examples=100)
        SplitInfo(name='train', num_examples=100)
    """

    name: str = field(default="", metadata=_WRITTEN)
    num_bytes: int = field(default=0, metadata=_WRITTEN)
    num_examples: int | None = field(default=0, metadata=_WRITTEN)
    shard_lengths: list[int] | None = None
    original_shard_lengths: list[int] | None = None
    dataset_name: str | None = field(default=None, metadata=_WRITTEN)

    @property
    def file_instructions(self) -> list[dict[str, Any]]:
        """The rows to read from each file: all of them, as dicts of `filename`, `skip` and `take`.

        A `take` of -1 means all remaining rows of the file.

        Example:
            >>> SplitInfo("train", num_examples=100).file_instructions
            [{'filename': 'train.arrow', 'skip': 0, 'take': -1}]
        """
        return _files(self, 0, self.num_examples or 0)

    def __repr__(self) -> str:
        known = [
            f"{of.name}={getattr(self, of.name)!r}" for of in fields(self) if getattr(self, of.name)
        ]
        return f"{type(self).__qualname__}({', '.join(known)})"


@dataclass(frozen=True)
class FileInstructions:
    """The rows to read from each file.

    Attributes:
        num_examples: The number of rows in all.
        file_instructions: A dict of `filename`, `skip` and `take` for each file; a `take` of -1
            means all remaining rows.
    """

    num_examples: int
    file_instructions: list[dict[str, Any]]


@dataclass(frozen=True)
class SubSplitInfo:
    """The description of a slice of a split, which a `SplitDict` returns.

    Example:
        >>> splits = SplitDict({"train": SplitInfo("train", num_examples=100)})
        >>> type(splits["train[:10%]"]).__name__
        'SubSplitInfo'
    """

    instructions: FileInstructions

    @property
    def num_examples(self) -> int:
        """The number of rows of the slice.

        Example:
            >>> splits = SplitDict({"train": SplitInfo("train", num_examples=100)})
            >>> splits["train[:10%]"].num_examples
            10
        """
        return self.instructions.num_examples

    @property
    def file_instructions(self) -> list[dict[str, Any]]:
        """The rows of the slice in each file, as dicts of `filename`, `skip` and `take`.

        Example:
            >>> splits = SplitDict({"train": SplitInfo("train", num_examples=100)})
            >>> splits["train[:10%]"].file_instructions
            [{'filename': 'train.arrow', 'skip': 0, 'take': 10}]
        """
        return self.instructions.file_instructions


def _files(info: SplitInfo, start: int, stop: int) -> list[dict[str, Any]]:
    """Return the files with the rows from `start` to `stop`, named as `datasets` names them."""
    name = f"{info.dataset_name}-{info.name}" if info.dataset_name else info.name
    lengths = info.shard_lengths or [info.num_examples or 0]
    n = len(lengths)
    result, before = [], 0
    for i, length in enumerate(lengths):
        first, last = max(start - before, 0), min(stop - before, length)
        if first < last:
            file = f"{name}-{i:05d}-of-{n:05d}.arrow" if info.shard_lengths else f"{name}.arrow"
            result.append(
                {"filename": file, "skip": first, "take": -1 if last == length else last - first}
            )
        before += length
    return result


class SplitDict(dict[str, SplitInfo]):
    """The splits of a dataset by name: a dict of `SplitInfo`.

    A slice, such as `splits["train[:10%]"]`, is a `SubSplitInfo`.

    Args:
        dataset_name: The name of the dataset.
        args, kwargs: As in `dict`.

    Example:
        >>> splits = SplitDict(dataset_name="squares")
        >>> splits.add(SplitInfo("train", num_examples=100))
        >>> splits["train"].num_examples
        100
    """

    def __init__(self, *args: Any, dataset_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dataset_name = dataset_name

    def __getitem__(self, key: Any) -> Any:
        """Return a split, or a slice of one such as `"train[:10%]"`."""
        if str(key) in self:
            return super().__getitem__(str(key))
        parts = key.parts if isinstance(key, ReadInstruction) else instructions(str(key))
        if not parts:
            raise KeyError(str(key))
        total, files = 0, []
        for part in parts:
            if part.split not in self:
                raise KeyError(part.split)
            info = super().__getitem__(part.split)
            start, stop = part.rows(info.num_examples or 0)
            total += max(0, stop - start)
            files += _files(info, start, stop)
        return SubSplitInfo(FileInstructions(total, files))

    def __setitem__(self, key: Any, value: SplitInfo) -> None:
        """Set a split, whose own name must be the key."""
        if key != value.name:
            raise ValueError(f"Cannot add elem. (key mismatch: '{key}' != '{value.name}')")
        super().__setitem__(str(key), value)

    def add(self, split_info: SplitInfo) -> None:
        """Add a split under its name, and set the name of its dataset.

        Args:
            split_info: The split.

        Raises:
            ValueError: There is already a split with this name.

        Example:
            >>> splits = SplitDict()
            >>> splits.add(SplitInfo("train", num_examples=100))
            >>> list(splits)
            ['train']
        """
        if split_info.name in self:
            raise ValueError(f"Split {split_info.name} already present")
        split_info.dataset_name = self.dataset_name
        super().__setitem__(split_info.name, split_info)

    @property
    def total_num_examples(self) -> int:
        """The number of rows of all splits together.

        Example:
            >>> splits = SplitDict()
            >>> splits.add(SplitInfo("train", num_examples=100))
            >>> splits.add(SplitInfo("test", num_examples=20))
            >>> splits.total_num_examples
            120
        """
        return sum(one.num_examples or 0 for one in self.values())

    @classmethod
    def from_split_dict(cls, split_infos: Any, dataset_name: str | None = None) -> SplitDict:
        """Create the dict from a list or dict of splits, as `to_split_dict` or JSON has them.

        Args:
            split_infos: The splits: `SplitInfo`s, or dicts of their attributes.
            dataset_name: The name of the dataset; that of the first split if `None`.

        Example:
            >>> SplitDict.from_split_dict([{"name": "train", "num_examples": 100}])
            {'train': SplitInfo(name='train', num_examples=100)}
        """
        several = list(split_infos.values()) if isinstance(split_infos, dict) else list(split_infos)
        if dataset_name is None and several:
            first = several[0]
            dataset_name = (
                first.get("dataset_name") if isinstance(first, dict) else first.dataset_name
            )
        result = cls(dataset_name=dataset_name)
        for one in several:
            known = {of.name for of in fields(SplitInfo)}
            result.add(
                SplitInfo(**{key: value for key, value in one.items() if key in known})
                if isinstance(one, dict)
                else copy.copy(one)
            )
        return result

    def to_split_dict(self) -> list[SplitInfo]:
        """Return copies of the splits as a list.

        Example:
            >>> SplitDict({"train": SplitInfo("train", num_examples=100)}).to_split_dict()
            [SplitInfo(name='train', num_examples=100)]
        """
        result = []
        for name, one in self.items():
            kept = copy.deepcopy(one)
            kept.name = name
            result.append(kept)
        return result

    def copy(self) -> SplitDict:
        """Return a copy of the dict with copies of its splits.

        Example:
            >>> splits = SplitDict()
            >>> splits.copy().add(SplitInfo("train"))
            >>> len(splits)
            0
        """
        return SplitDict.from_split_dict(self.to_split_dict(), self.dataset_name)

    @classmethod
    def of_card(cls, said: Any) -> SplitDict:
        """Create the dict from the field `splits` of a dataset card.

        People write cards by hand: what is missing or malformed is ignored.

        Args:
            said: The value of the field.

        Example:
            >>> SplitDict.of_card([{"name": "train", "num_examples": 100}])
            {'train': SplitInfo(name='train', num_examples=100)}
        """
        result = cls()
        for one in said if isinstance(said, list) else []:
            if (
                isinstance(one, dict)
                and isinstance(one.get("name"), str)
                and one["name"] not in result
            ):
                known = {
                    key: one[key]
                    for key in ("num_bytes", "num_examples")
                    if isinstance(one.get(key), int)
                }
                result.add(SplitInfo(one["name"], **{"num_examples": None, **known}))
        return result

    def _to_yaml_list(self) -> list[dict[str, Any]]:
        return [
            {"name": one.name, "num_bytes": one.num_bytes, "num_examples": one.num_examples}
            for one in self.to_split_dict()
        ]

    @classmethod
    def _from_yaml_list(cls, yaml_data: list[Any]) -> SplitDict:
        needed = {"name", "num_examples", "num_bytes"}
        if not all(isinstance(one, dict) and needed <= set(one) for one in yaml_data):
            raise ValueError(
                "The `splits` field in YAML is malformed or missing the name/num_examples/num_bytes"
                " fields"
            )
        return cls.from_split_dict(yaml_data)


@dataclass
class SplitGenerator:
    """A split that a builder generates, and the arguments of the method that generates its rows.

    Args:
        name: The name of the split.
        gen_kwargs: The arguments of `_generate_examples` or `_generate_tables`. With `num_proc`,
            processes share the lists among them.

    Example:
        >>> split = SplitGenerator(name=Split.TRAIN, gen_kwargs={"files": ["a.txt", "b.txt"]})
        >>> split.name
        'train'
    """

    name: Any
    gen_kwargs: dict[str, Any] = field(default_factory=dict)
    split_info: SplitInfo = field(init=False)

    def __post_init__(self) -> None:
        self.name = str(self.name)
        NamedSplit(self.name)
        self.split_info = SplitInfo(name=self.name)
