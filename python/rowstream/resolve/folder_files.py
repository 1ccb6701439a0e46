"""The data files among those of a folder: their format, and the split of each."""

from __future__ import annotations

import re

from rowstream.exceptions import InvalidArgumentError
from rowstream.resolve import formats
from rowstream.resolve.split_files import by_split, named_splits

_CACHED = re.compile(r"(?:^|/)default-[0-9a-f]{16}/")
"""Files of a cache that lies in the folder."""


def data_files_of(
    paths: list[str], root: str | None, format: str | None = None
) -> tuple[str, dict[str, list[str]]]:
    """Return the format of a folder's data files, and those files by split.

    Args:
        paths: The files, relative to the folder.
        root: The folder, where first bytes of files tell a format too; `None` where names have to.
        format: The format, if it is known.

    Raises:
        FileFormatError: No file has a known format.
        InvalidArgumentError: Splits have files of different formats.
    """
    if format is None:
        format = _format_of(paths, root)
    files = formats.chosen(paths, root, format)
    splits = by_split(files)
    if format in formats.MEDIA and splits:
        # Metadata above the folders of splits is of all of them.
        placed = {path for some in splits.values() for path in some}
        above = [path for path in files if path not in placed and formats.is_metadata(path)]
        splits[next(iter(splits))] += above
    return format, splits


def _format_of(paths: list[str], root: str | None) -> str:
    """Return the format that most files have; of several, that of the files that names of splits
    choose.
    """

    def whole(path: str) -> str:
        return path if root is None else f"{root}/{path}"

    paths = [path for path in paths if not _CACHED.search(path)] or paths
    known: list[str] = []
    for look in formats.looks(root):
        known = known or [path for path in paths if look(whole(path)) is not None]
    most = formats.of_files(map(whole, paths))
    splits = named_splits(known)
    found = {split: formats.of_files(map(whole, some)) for split, some in splits.items()}
    own = named_splits(formats.chosen(paths, root, most))
    if len(set(found.values())) > 1 and own and not splits.keys() <= own.keys():
        said = ", ".join(f"{split!r} of {format}" for split, format in found.items())
        raise InvalidArgumentError(
            f"the splits have files of different formats ({said}): name the format, as"
            ' load_dataset("csv", data_dir=…), or the files with data_files='
        )
    return next(iter(found.values())) if len(set(found.values())) == 1 else most
