"""Names, slices and descriptions of splits."""

from rowstream.splits.info import (
    FileInstructions,
    SplitDict,
    SplitGenerator,
    SplitInfo,
    SubSplitInfo,
)
from rowstream.splits.names import (
    NamedSplit,
    NamedSplitAll,
    ReadInstruction,
    Split,
    SplitBase,
    named,
    percent,
)

__all__ = [
    "FileInstructions",
    "NamedSplit",
    "NamedSplitAll",
    "ReadInstruction",
    "Split",
    "SplitBase",
    "SplitDict",
    "SplitGenerator",
    "SplitInfo",
    "SubSplitInfo",
    "named",
    "percent",
]
