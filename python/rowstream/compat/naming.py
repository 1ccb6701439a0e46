"""Names of the files of datasets, as in `datasets`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from rowstream.exceptions import InvalidArgumentError

_split_re = r"^\w+(\.\w+)*$"
INVALID_WINDOWS_CHARACTERS_IN_PATH = r"<>:/\|?*"


def camelcase_to_snakecase(name: str) -> str:
    """Convert a name such as `MyDataSet` to `my_data_set`."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


def snakecase_to_camelcase(name: str) -> str:
    """Convert a name such as `my_data_set` to `MyDataSet`; double underscores stay."""
    words = [
        word for part in re.split(r"(?<!_)_(?!_)", name) for word in re.split(r"(_{2,})", part)
    ]
    return "".join(word.capitalize() for word in words)


def filename_prefix_for_name(name: str) -> str:
    """Return the beginning of the file names of a dataset.

    Raises:
        InvalidArgumentError: The name is a path.
    """
    if os.path.basename(name) != name:
        raise InvalidArgumentError(f"Should be a dataset name, not a path: {name}")
    return camelcase_to_snakecase(name)


def filename_prefix_for_split(name: str, split: str) -> str:
    """Return the beginning of the file names of a split.

    Raises:
        InvalidArgumentError: The name is a path, or the split has no valid name.
    """
    prefix = filename_prefix_for_name(name)
    if not re.match(_split_re, split):
        raise InvalidArgumentError(f"Split name should match '{_split_re}' but got '{split}'.")
    return f"{prefix}-{split}"


def filepattern_for_dataset_split(
    dataset_name: str, split: str, data_dir: str, filetype_suffix: str | None = None
) -> str:
    """Return a pattern that matches all files of a split."""
    ending = f".{filetype_suffix}" if filetype_suffix else ""
    return os.path.join(data_dir, f"{filename_prefix_for_split(dataset_name, split)}{ending}*")


def filenames_for_dataset_split(
    path: str,
    dataset_name: str,
    split: str,
    filetype_suffix: str | None = None,
    shard_lengths: Sequence[int] | None = None,
) -> list[str]:
    """Return the paths of the files of a split: one, or one for each shard length."""
    stem = os.path.join(path, filename_prefix_for_split(dataset_name, split))
    ending = f".{filetype_suffix}" if filetype_suffix else ""
    n = len(shard_lengths or ())
    return (
        [f"{stem}-{i:05d}-of-{n:05d}{ending}" for i in range(n)] if n > 1 else [f"{stem}{ending}"]
    )
