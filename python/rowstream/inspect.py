"""What there is to load, without loading it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rowstream.info import DatasetInfo  # noqa: TC001 - annotations can be evaluated
from rowstream.load import load_dataset_builder
from rowstream.resolve.card_folder import folder
from rowstream.resolve.configurations import configurations
from rowstream.resolve.names import format_named, is_of_hub, named_repo
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.storage.access import StorageOptions
from rowstream.storage.download_config import DownloadConfig, DownloadMode  # noqa: TC001 - annotations can be evaluated


def _configurations(path: Any, revision: Any, token: Any) -> tuple[list[str], str | None]:
    path, access = os.fspath(path), StorageOptions(token)
    if not is_of_hub(path):
        local = (
            folder(path)
            if format_named(path) is None and Path(path).expanduser().is_dir()
            else None
        )
        return (["default"], "default") if local is None else configurations(local, access)
    return configurations(
        named_repo(path, None if revision is None else str(revision), access), access
    )


def get_dataset_config_names(
    path: str,
    revision: str | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    data_files: Any = None,
    **download_kwargs: Any,
) -> list[str]:
    """Return the names of a data set's configurations: of the Hub, or of a folder with a card;
    other files have `["default"]`.

    Args:
        path: as `load_dataset`'s.
        revision: the branch, tag or commit.
        download_config: its token is used.
        download_mode: not used: nothing is downloaded.
        data_files: not used.
        download_kwargs: `token`.

    Raises:
        DatasetNotFoundError: there is no such data set of the Hub, or the token may not see it.

    Example:
        >>> get_dataset_config_names("openai/gsm8k")
        ['main', 'socratic']
    """
    return _configurations(path, revision, _token(download_config, download_kwargs.get("token")))[0]


def get_dataset_default_config_name(
    path: str,
    revision: str | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    data_files: Any = None,
    **download_kwargs: Any,
) -> str | None:
    """Return the configuration that is loaded where none is named; `None` where one must be.
    Arguments as `get_dataset_config_names`'s.
    """
    return _configurations(path, revision, _token(download_config, download_kwargs.get("token")))[1]


def get_dataset_config_info(
    path: str,
    config_name: str | None = None,
    data_files: Any = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: bool | str | None = None,
    **config_kwargs: Any,
) -> DatasetInfo:
    """Return what is known of a configuration: its features and splits. A split whose rows no card
    counts has 0.

    Arguments as `load_dataset_builder`'s.
    """
    builder = load_dataset_builder(
        path,
        config_name,
        data_files=data_files,
        download_config=download_config,
        download_mode=download_mode,
        revision=revision,
        token=token,
        **config_kwargs,
    )
    info: DatasetInfo = builder.info
    if info.splits is None:
        there = SplitDict(dataset_name=builder.dataset_name)
        for one in builder._split_generators(None):
            there.add(SplitInfo(one.name))
        info.splits = there
    return info


def get_dataset_split_names(
    path: str,
    config_name: str | None = None,
    data_files: Any = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: bool | str | None = None,
    **config_kwargs: Any,
) -> list[str]:
    """Return the names of a configuration's splits. Arguments as `load_dataset_builder`'s.

    Example:
        >>> get_dataset_split_names("openai/gsm8k", "main")
        ['train', 'test']
    """
    info = get_dataset_config_info(
        path,
        config_name,
        data_files,
        download_config,
        download_mode,
        revision,
        token,
        **config_kwargs,
    )
    return list(info.splits)


def get_dataset_infos(
    path: str,
    data_files: Any = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: bool | str | None = None,
    **config_kwargs: Any,
) -> dict[str, DatasetInfo]:
    """Return what is known of each configuration, by name. Arguments as
    `load_dataset_builder`'s.
    """
    names = get_dataset_config_names(path, revision, download_config, token=token)
    return {
        name: get_dataset_config_info(
            path, name, data_files, download_config, download_mode, revision, token, **config_kwargs
        )
        for name in names
    }


def _token(how: DownloadConfig | None, token: Any) -> Any:
    return token if token is not None or how is None else how.token


__all__ = [
    "get_dataset_config_info",
    "get_dataset_config_names",
    "get_dataset_default_config_name",
    "get_dataset_infos",
    "get_dataset_split_names",
]
