"""Readers of Arrow files, for code that reads again what `ArrowWriter` wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.compat.naming import filenames_for_dataset_split
from rowstream.exceptions import InvalidArgumentError
from rowstream.splits.names import ReadInstruction, Split
from rowstream.table.table import InMemoryTable, MemoryMappedTable, concat_tables

if TYPE_CHECKING:
    from rowstream.info import DatasetInfo
    from rowstream.splits.info import SplitInfo
    from rowstream.table.table import Table


@dataclass(frozen=True)
class FileInstructions:
    """The rows to read from each file.

    Attributes:
        num_examples: The total number of rows.
        file_instructions: Dicts with `filename`, `skip` and `take`; a `take` of -1 means all the
            remaining rows.
    """

    num_examples: int
    file_instructions: list[dict[str, Any]]


def make_file_instructions(
    name: str,
    split_infos: Iterable[SplitInfo],
    instruction: str | ReadInstruction,
    filetype_suffix: str | None = None,
    prefix_path: str | None = None,
) -> FileInstructions:
    """Return the files and rows that an instruction selects.

    Args:
        name: The name of the dataset.
        split_infos: Its splits, with their numbers of rows and shard lengths.
        instruction: An instruction such as `"train[:10%]"`.
        filetype_suffix: The extension of the files, such as `"arrow"`.
        prefix_path: The folder of the files.

    Raises:
        TypeError, ValueError: The name is not a non-empty text, or there is no such split.
    """
    if not isinstance(name, str):
        raise TypeError(f"Expected str 'name', but got: {type(name).__name__}")
    if not name:
        raise InvalidArgumentError("Expected non-empty str 'name'")
    splits = {str(one.name): one for one in split_infos}
    wanted = (
        instruction
        if isinstance(instruction, ReadInstruction)
        else ReadInstruction.from_spec(instruction)
    )
    result = []
    for part in wanted.to_absolute({split: one.num_examples or 0 for split, one in splits.items()}):
        lengths = splits[part.splitname].shard_lengths
        files = filenames_for_dataset_split(
            prefix_path or "", name, part.splitname, filetype_suffix, lengths
        )
        start, stop = (
            part.from_ or 0,
            splits[part.splitname].num_examples or 0 if part.to is None else part.to,
        )
        result += _of_files(files, lengths, start, stop)
    return FileInstructions(sum(rows for _, rows in result), [one for one, _ in result])


def _of_files(
    files: list[str], lengths: list[int] | None, start: int, stop: int
) -> list[tuple[dict[str, Any], int]]:
    """Return an instruction and a number of rows for each file of a split that has rows to read."""
    if lengths is None:
        return (
            [({"filename": files[0], "skip": start, "take": stop - start}, stop - start)]
            if stop != start
            else []
        )
    result, first = [], 0
    for file, length in zip(files, lengths, strict=True):
        skip, end = max(0, start - first), min(length, stop - first)
        if skip < end:
            result.append(
                (
                    {
                        "filename": file,
                        "skip": skip,
                        "take": -1 if stop >= first + length else end - skip,
                    },
                    end - skip,
                )
            )
        first += length
    return result


class BaseReader:
    """Base class of readers for one kind of file, such as `ArrowReader` or a user's own.

    Args:
        path: The folder of the files.
        info: The information about the dataset.
    """

    _filetype_suffix: str | None = None

    def __init__(self, path: str, info: DatasetInfo | None) -> None:
        self._path, self._info = path, info

    def _get_table_from_filename(
        self, filename_skip_take: dict[str, Any], in_memory: bool = False
    ) -> Table:
        """Return the table with the rows of one file."""
        raise NotImplementedError

    def get_file_instructions(
        self, name: str, instruction: Any, split_infos: Iterable[SplitInfo]
    ) -> list[dict[str, Any]]:
        """Return the files and rows that an instruction selects."""
        return make_file_instructions(
            name, split_infos, instruction, self._filetype_suffix, self._path
        ).file_instructions

    def read(
        self,
        name: str,
        instructions: Any,
        split_infos: Iterable[SplitInfo],
        in_memory: bool = False,
    ) -> dict[str, Any]:
        """Return the arguments for a `Dataset` with the rows that an instruction selects.

        Raises:
            ValueError: The instruction selects no rows.
        """
        files = self.get_file_instructions(name, instructions, split_infos)
        if not files:
            raise InvalidArgumentError(f'Instruction "{instructions}" corresponds to no data!')
        return self.read_files(files, instructions, in_memory)

    def read_files(
        self,
        files: list[dict[str, Any]],
        original_instructions: Any = None,
        in_memory: bool = False,
    ) -> dict[str, Any]:
        """Return the arguments for a `Dataset` with the rows of files, one after another.

        Args:
            files: Dicts with `filename` below the folder, and `skip` and `take` if not all rows are
                wanted.
            original_instructions: The split of these rows.
            in_memory: Read the files into memory instead of mapping them.

        Raises:
            ValueError: There are no files, or no rows and no features.
        """
        if not files or not all(isinstance(one, dict) for one in files):
            raise InvalidArgumentError("please provide valid file informations")
        there = [{**one, "filename": os.path.join(self._path, one["filename"])} for one in files]
        tables = [self._get_table_from_filename(one, in_memory=in_memory) for one in there]
        table = concat_tables([one for one in tables if one.num_rows] or [self._empty()])
        split = None if original_instructions is None else Split(str(original_instructions))
        return {"arrow_table": table, "info": self._info, "split": split}

    def _empty(self) -> Table:
        if self._info is None or self._info.features is None:
            raise InvalidArgumentError(
                "Tried to read an empty table. Please specify at least info.features to create an"
                " empty table with the right type."
            )
        return InMemoryTable.from_batches([], schema=self._info.features.arrow_schema)


class ArrowReader(BaseReader):
    """A reader of Arrow files and streams.

    Example:
        >>> reader = ArrowReader("folder", DatasetInfo(features=Features({"a": Value("int64")})))
        >>> files = [{"filename": "0.arrow"}, {"filename": "1.arrow", "skip": 10, "take": 5}]
        >>> ds = Dataset(**reader.read_files(files))  # doctest: +SKIP
    """

    _filetype_suffix = "arrow"

    def _get_table_from_filename(
        self, filename_skip_take: dict[str, Any], in_memory: bool = False
    ) -> Table:
        table = self.read_table(filename_skip_take["filename"], in_memory=in_memory)
        skip, take = filename_skip_take.get("skip"), filename_skip_take.get("take")
        if skip is None and take is None:
            return table
        sliced: Table = (
            table.slice(skip or 0) if take in (None, -1) else table.slice(skip or 0, take)
        )
        return sliced

    @staticmethod
    def read_table(filename: str, in_memory: bool = False) -> Table:
        """Return the table of a file, in memory or memory-mapped."""
        return (InMemoryTable if in_memory else MemoryMappedTable).from_file(filename)


__all__ = [
    "ArrowReader",
    "BaseReader",
    "FileInstructions",
    "ReadInstruction",
    "make_file_instructions",
]
