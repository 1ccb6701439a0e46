"""The files of splits, for code that imports `datasets.data_files`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from glob import has_magic
from typing import TYPE_CHECKING, Any, Self

from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.resolve.split_files import by_split
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import FileLocations, origins
from rowstream.storage.urls import is_url

if TYPE_CHECKING:
    from rowstream.storage.download_config import DownloadConfig


EmptyDatasetError = DataFilesNotFoundError


def _places(named: Any, how: DownloadConfig | None) -> FileLocations:
    token, options = (None, None) if how is None else (how.token, how.storage_options or None)
    return FileLocations(StorageOptions(token, options, origins=origins(named)))


def sanitize_patterns(patterns: Any) -> dict[str, list[str]]:
    """Return `data_files=` as a dict of lists by split; files without a split are `train`.

    Raises:
        InvalidArgumentError: An entry is not valid, or a split is there twice.
    """
    if isinstance(patterns, dict):
        return {str(split): _listed(some) for split, some in patterns.items()}
    some = _listed(patterns)
    if not any(isinstance(one, dict) for one in some):
        return {"train": some}
    for one in some:
        if (
            not isinstance(one, dict)
            or set(one) != {"split", "path"}
            or not isinstance(one["path"], (str, list))
        ):
            raise InvalidArgumentError(
                "Invalid format for data_files entry. Each item must be a dictionary with the"
                " structure {'split': <split_name>, 'path': <path_or_list_of_paths>}.\nReceived:"
                f" {one}"
            )
    splits = [str(one["split"]) for one in some]
    if len(set(splits)) < len(splits):
        raise InvalidArgumentError(f"Some splits are duplicated in data_files: {splits}")
    return {str(one["split"]): _listed(one["path"]) for one in some}


def _listed(some: Any) -> list[Any]:
    return (
        some
        if isinstance(some, list)
        else [some]
        if isinstance(some, (str, os.PathLike))
        else list(some)
    )


def resolve_pattern(
    pattern: str,
    base_path: str,
    allowed_extensions: Sequence[str] | None = None,
    download_config: DownloadConfig | None = None,
) -> list[str]:
    """Return the files that match a pattern, as `load_dataset` finds them.

    Args:
        pattern: A path or URL, or a pattern.
        base_path: The folder or URL that it is relative to.
        allowed_extensions: The extensions that names may have, such as `".csv"`, the last one or
            before others.
        download_config: The settings with token and options.

    Raises:
        DataFilesNotFoundError: No file matches.
    """
    found = _places([pattern, base_path], download_config).resolve(pattern, base_path)
    if allowed_extensions is not None:
        allowed = set(allowed_extensions)
        found = [
            path
            for path in found
            if any(f".{ending}" in allowed for ending in path.rsplit("/", 1)[-1].split(".")[1:])
        ]
        if not found:
            raise DataFilesNotFoundError(
                f"Unable to find '{pattern}' with any supported extension"
                f" {list(allowed_extensions)}"
            )
    return found


def get_data_patterns(
    base_path: str, download_config: DownloadConfig | None = None
) -> dict[str, list[str]]:
    """Return the files of each split in a folder, relative to it.

    `datasets` returns patterns that match the same files.

    Raises:
        EmptyDatasetError: There are none.
    """
    try:
        found = by_split(_places(base_path, download_config).walk(base_path))
    except DataFilesNotFoundError:
        found = {}
    if not found:
        raise EmptyDatasetError(f"The directory at {base_path} doesn't contain any data files")
    return found


class _FromHub:
    """Files of the Hub, by the patterns that each class takes."""

    @classmethod
    def from_hf_repo(
        cls,
        patterns: Any,
        dataset_info: Any,
        base_path: str | None = None,
        allowed_extensions: Sequence[str] | None = None,
        download_config: DownloadConfig | None = None,
    ) -> Any:
        """Return the files that match patterns in a dataset on the Hub.

        `dataset_info` is that of `huggingface_hub`.
        """
        made: Any = cls
        return made.from_patterns(
            patterns, _repo(dataset_info, base_path), allowed_extensions, download_config
        )


class DataFilesList(_FromHub, list[str]):
    """A list of the files of a split.

    Args:
        data_files: The paths and URLs.
        origin_metadata: What identifies the version of each.
    """

    def __init__(
        self, data_files: Sequence[str], origin_metadata: Sequence[tuple[str, ...]] = ()
    ) -> None:
        super().__init__(data_files)
        self.origin_metadata = list(origin_metadata)

    def __add__(self, other: Any) -> DataFilesList:  # type: ignore[override]  # of lists of any type
        return DataFilesList(
            [*self, *other], self.origin_metadata + getattr(other, "origin_metadata", [])
        )

    @classmethod
    def from_patterns(
        cls,
        patterns: Sequence[str],
        base_path: str | None = None,
        allowed_extensions: Sequence[str] | None = None,
        download_config: DownloadConfig | None = None,
    ) -> Self:
        """Return the files that match patterns; a pattern may match none, but a name has to exist.

        Raises:
            DataFilesNotFoundError: A named file does not exist.
        """
        result: list[str] = []
        for pattern in patterns:
            try:
                result += resolve_pattern(
                    pattern,
                    os.getcwd() if base_path is None else base_path,
                    allowed_extensions,
                    download_config,
                )
            except FileNotFoundError:
                if not has_magic(pattern):
                    raise
        return cls(result, [_version(path) for path in result])

    from_local_or_remote = from_patterns

    def filter(
        self, *, extensions: Sequence[str] | None = None, file_names: Sequence[str] | None = None
    ) -> DataFilesList:
        """Return the files with one of some extensions, or with one of some names.

        Other extensions may follow. All files are returned if neither is given.
        """
        wanted = []
        if extensions:
            wanted.append(re.compile(f".*({'|'.join(map(re.escape, extensions))})(\\..+)?$"))
        if file_names:
            wanted.append(re.compile(rf".*[\/]?({'|'.join(map(re.escape, file_names))})$"))
        kept = [path for path in self if not wanted or any(one.match(path) for one in wanted)]
        return DataFilesList(kept, self.origin_metadata)


def _version(path: str) -> tuple[str, ...]:
    """Return what identifies the version of a file: its time, or the URL itself.

    URLs of the Hub contain a commit.
    """
    return (path,) if is_url(path) else (str(os.stat(path).st_mtime),)


def _repo(info: Any, base_path: str | None) -> str:
    return f"hf://datasets/{info.id}@{info.sha}/{base_path or ''}".rstrip("/")


class DataFilesDict(_FromHub, dict[str, DataFilesList]):
    """The files of each split, as a dict of `DataFilesList`."""

    @classmethod
    def from_patterns(
        cls,
        patterns: dict[str, Any],
        base_path: str | None = None,
        allowed_extensions: Sequence[str] | None = None,
        download_config: DownloadConfig | None = None,
    ) -> Self:
        """Return the files that match the patterns of each split.

        A `DataFilesList` stays as it is.
        """
        result = cls()
        for split, some in patterns.items():
            known = isinstance(some, DataFilesList)
            result[split] = (
                some
                if known
                else DataFilesList.from_patterns(
                    some, base_path, allowed_extensions, download_config
                )
            )
        return result

    from_local_or_remote = from_patterns

    def filter(
        self, *, extensions: Sequence[str] | None = None, file_names: Sequence[str] | None = None
    ) -> Self:
        """Return the filtered files of each split, as in `DataFilesList.filter`."""
        result = type(self)()
        for split, some in self.items():
            result[split] = some.filter(extensions=extensions, file_names=file_names)
        return result


class DataFilesPatternsList(list[str]):
    """A list of patterns of files, which are resolved later.

    Args:
        patterns: The patterns.
        allowed_extensions: The extensions that names may have, for each pattern; any if `None`.
    """

    def __init__(self, patterns: Sequence[str], allowed_extensions: Sequence[Any]) -> None:
        super().__init__(patterns)
        self.allowed_extensions = list(allowed_extensions)

    def __add__(self, other: Any) -> DataFilesPatternsList:  # type: ignore[override]  # likewise
        return DataFilesPatternsList(
            [*self, *other], self.allowed_extensions + other.allowed_extensions
        )

    @classmethod
    def from_patterns(
        cls, patterns: Sequence[str], allowed_extensions: Sequence[str] | None = None
    ) -> Self:
        """Return patterns that all have the same allowed extensions."""
        return cls(patterns, [allowed_extensions] * len(patterns))

    def resolve(
        self, base_path: str, download_config: DownloadConfig | None = None
    ) -> DataFilesList:
        """Return the files that match the patterns."""
        result = DataFilesList([])
        for pattern, allowed in zip(self, self.allowed_extensions, strict=True):
            result += DataFilesList.from_patterns([pattern], base_path, allowed, download_config)
        return result

    def filter_extensions(self, extensions: Sequence[str]) -> DataFilesPatternsList:
        """Return the patterns with more allowed extensions."""
        return DataFilesPatternsList(
            self, [[*(allowed or ()), *extensions] for allowed in self.allowed_extensions]
        )


class DataFilesPatternsDict(dict[str, DataFilesPatternsList]):
    """The patterns of each split, as a dict of `DataFilesPatternsList`."""

    @classmethod
    def from_patterns(
        cls, patterns: dict[str, Any], allowed_extensions: Sequence[str] | None = None
    ) -> Self:
        """Return the patterns by split, all with the same allowed extensions."""
        result = cls()
        for split, some in patterns.items():
            known = isinstance(some, DataFilesPatternsList)
            result[split] = (
                some if known else DataFilesPatternsList.from_patterns(some, allowed_extensions)
            )
        return result

    def resolve(
        self, base_path: str, download_config: DownloadConfig | None = None
    ) -> DataFilesDict:
        """Return the files that match the patterns of each split."""
        result = DataFilesDict()
        for split, some in self.items():
            result[split] = some.resolve(base_path, download_config)
        return result

    def filter_extensions(self, extensions: Sequence[str]) -> Self:
        """Return the patterns of each split with more allowed extensions."""
        result = type(self)()
        for split, some in self.items():
            result[split] = some.filter_extensions(extensions)
        return result


__all__ = [
    "DataFilesDict",
    "DataFilesList",
    "DataFilesPatternsDict",
    "DataFilesPatternsList",
    "EmptyDatasetError",
    "get_data_patterns",
    "resolve_pattern",
    "sanitize_patterns",
]
