"""The splits that the argument `split` selects."""

from __future__ import annotations

from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.splits.instruction import Instruction, instructions
from rowstream.splits.names import SPLIT_NAME, ReadInstruction


def parts_of(split: Any) -> list[tuple[Any, list[Instruction]]]:
    """Return the selected splits, each with its slices."""
    several = list(split) if isinstance(split, (list, tuple)) else [split]
    return [
        (one, one.parts if isinstance(one, ReadInstruction) else instructions_of(str(one)))
        for one in several
    ]


def splits_used(there: list[str], split: Any) -> list[str]:
    """Return the names of all splits that the selection reads."""
    used = dict.fromkeys(
        name
        for _, parts in parts_of(split)
        for part in parts
        for name in (there if part.split == "all" else [part.split])
    )
    for name in used:
        if name not in there:
            raise InvalidArgumentError(f'Unknown split "{name}". Should be one of {there}.')
    return list(used)


def instructions_of(split: str) -> list[Instruction]:
    """Return the slices that a text lists, or the whole splits where it has no slices."""
    return instructions(split) or [Instruction(name.strip()) for name in split.split("+")]


def joined_splits(split: Any) -> list[str]:
    """Return the names that stand for more than one split."""
    return [
        str(one)
        for one in (split if isinstance(split, list) else [split])
        if "+" in str(one) or str(one) == "all"
    ]


def splits_together(name: str, there: list[str]) -> list[str]:
    """Return the splits that a name such as `train+test` or `all` stands for."""
    parts = there if name == "all" else [part.strip() for part in name.split("+")]
    return check_splits(parts, there)


def check_splits(split: Any, there: list[str]) -> list[str]:
    """Return the names of the selected splits, all of which exist.

    Raises:
        InvalidArgumentError: One does not exist.
    """
    if split is None:
        return there
    asked = [split] if not isinstance(split, list) else split
    for one in asked:
        if str(one) in there:
            continue
        if not isinstance(one, str) or not SPLIT_NAME.fullmatch(one):
            raise InvalidArgumentError(
                f"the split {one!r} is neither a name nor a slice, as train[:10%]; the splits are"
                f" {there}"
            )
        raise InvalidArgumentError(f"there is no split {one!r}; the splits are {there}")
    return [str(one) for one in asked]
