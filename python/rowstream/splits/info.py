"""What is known of splits: rows, bytes, files."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

from rowstream.splits.instruction import instructions
from rowstream.splits.names import NamedSplit, ReadInstruction

_WRITTEN = {"include_in_asdict_even_if_is_default": True}


@dataclass
class SplitInfo:
    """What is known of a split.

    Attributes:
        name: its name.
        num_bytes: the bytes of its rows.
        num_examples: its rows.
        shard_lengths: the rows of each file, where there are several.
    """

    name: str = field(default="", metadata=_WRITTEN)
    num_bytes: int = field(default=0, metadata=_WRITTEN)
    num_examples: int | None = field(default=0, metadata=_WRITTEN)
    shard_lengths: list[int] | None = None
    original_shard_lengths: list[int] | None = None
    dataset_name: str | None = field(default=None, metadata=_WRITTEN)

    @property
    def file_instructions(self) -> list[dict[str, Any]]:
        """Which rows of which of its files to read: all, as `{"filename", "skip", "take"}`."""
        return _files(self, 0, self.num_examples or 0)

    def __repr__(self) -> str:
        """Return what is known."""
        known = [
            f"{of.name}={getattr(self, of.name)!r}" for of in fields(self) if getattr(self, of.name)
        ]
        return f"{type(self).__qualname__}({', '.join(known)})"


@dataclass(frozen=True)
class FileInstructions:
    """Which rows of which files to read: how many they are, and `{"filename", "skip", "take"}` of
    each file; `take` is -1 for all.
    """

    num_examples: int
    file_instructions: list[dict[str, Any]]


@dataclass(frozen=True)
class SubSplitInfo:
    """What is known of a part of a split."""

    instructions: FileInstructions

    @property
    def num_examples(self) -> int:
        """Its rows."""
        return self.instructions.num_examples

    @property
    def file_instructions(self) -> list[dict[str, Any]]:
        """Which rows of which files it is."""
        return self.instructions.file_instructions


def _files(info: SplitInfo, start: int, stop: int) -> list[dict[str, Any]]:
    """Return the files of a split that have rows from `start` to `stop`, by the names that
    `datasets` gives them.
    """
    name = f"{info.dataset_name}-{info.name}" if info.dataset_name else info.name
    lengths = info.shard_lengths or [info.num_examples or 0]
    n = len(lengths)
    made, before = [], 0
    for i, length in enumerate(lengths):
        first, last = max(start - before, 0), min(stop - before, length)
        if first < last:
            file = f"{name}-{i:05d}-of-{n:05d}.arrow" if info.shard_lengths else f"{name}.arrow"
            made.append(
                {"filename": file, "skip": first, "take": -1 if last == length else last - first}
            )
        before += length
    return made


class SplitDict(dict[str, SplitInfo]):
    """The splits of a data set by name."""

    def __init__(self, *args: Any, dataset_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dataset_name = dataset_name

    def __getitem__(self, key: Any) -> Any:
        """Return a split, or a part of one: `"train[:10%]"`."""
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
        """Set a split, under its own name."""
        if key != value.name:
            raise ValueError(f"Cannot add elem. (key mismatch: '{key}' != '{value.name}')")
        super().__setitem__(str(key), value)

    def add(self, split_info: SplitInfo) -> None:
        """Add a split.

        Raises:
            ValueError: there is one of that name.
        """
        if split_info.name in self:
            raise ValueError(f"Split {split_info.name} already present")
        split_info.dataset_name = self.dataset_name
        super().__setitem__(split_info.name, split_info)

    @property
    def total_num_examples(self) -> int:
        """The rows of all splits."""
        return sum(one.num_examples or 0 for one in self.values())

    @classmethod
    def from_split_dict(cls, split_infos: Any, dataset_name: str | None = None) -> SplitDict:
        """Return the splits of what `to_split_dict` gave, or of plain data."""
        several = list(split_infos.values()) if isinstance(split_infos, dict) else list(split_infos)
        if dataset_name is None and several:
            first = several[0]
            dataset_name = (
                first.get("dataset_name") if isinstance(first, dict) else first.dataset_name
            )
        made = cls(dataset_name=dataset_name)
        for one in several:
            known = {of.name for of in fields(SplitInfo)}
            made.add(
                SplitInfo(**{key: value for key, value in one.items() if key in known})
                if isinstance(one, dict)
                else copy.copy(one)
            )
        return made

    def to_split_dict(self) -> list[SplitInfo]:
        """Return the splits, as a list."""
        made = []
        for name, one in self.items():
            kept = copy.deepcopy(one)
            kept.name = name
            made.append(kept)
        return made

    def copy(self) -> SplitDict:
        """Return a copy."""
        return SplitDict.from_split_dict(self.to_split_dict(), self.dataset_name)

    @classmethod
    def of_card(cls, said: Any) -> SplitDict:
        """Return the splits that a card says, as far as it does: people write cards, and what one
        lacks is no reason not to load.
        """
        made = cls()
        for one in said if isinstance(said, list) else []:
            if (
                isinstance(one, dict)
                and isinstance(one.get("name"), str)
                and one["name"] not in made
            ):
                known = {
                    key: one[key]
                    for key in ("num_bytes", "num_examples")
                    if isinstance(one.get(key), int)
                }
                made.add(SplitInfo(one["name"], **{"num_examples": None, **known}))
        return made

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
    """What a builder's split is made of.

    Args:
        name: the split's name.
        gen_kwargs: the arguments of the method that makes its rows.

    Example:
        >>> SplitGenerator(name=Split.TRAIN, gen_kwargs={"files": ["a.txt", "b.txt"]})
    """

    name: Any
    gen_kwargs: dict[str, Any] = field(default_factory=dict)
    split_info: SplitInfo = field(init=False)

    def __post_init__(self) -> None:
        """Check the name."""
        self.name = str(self.name)
        NamedSplit(self.name)
        self.split_info = SplitInfo(name=self.name)
