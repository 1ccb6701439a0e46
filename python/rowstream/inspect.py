"""Questions about datasets that need no download: configurations, splits and features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rowstream.exceptions import DataFilesNotFoundError
from rowstream.info import DatasetInfo  # noqa: TC001 - annotations can be evaluated
from rowstream.load import load_dataset_builder
from rowstream.resolve.card_folder import folder
from rowstream.resolve.configurations import configurations
from rowstream.resolve.names import format_named, is_of_hub, meant, named_repo
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.storage.access import StorageOptions
from rowstream.storage.download_config import DownloadConfig, DownloadMode  # noqa: TC001 - annotations can be evaluated
from rowstream.storage.urls import is_url


def _configurations(path: Any, revision: Any, token: Any) -> tuple[list[str], str | None]:
    path, access = os.fspath(path), StorageOptions(token)
    if not is_of_hub(path):
        local = (
            folder(path)
            if format_named(path) is None and Path(path).expanduser().is_dir()
            else None
        )
        if local is not None:
            return configurations(local, access)
        if format_named(path) is None and not is_url(path) and not Path(path).expanduser().exists():
            raise DataFilesNotFoundError(
                f"there is no format, folder or file {path!r} here{meant(path)}"
            )
        return ["default"], "default"
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
    """Return the names of a dataset's configurations.

    Datasets of the Hub and folders with a card can have several; other files have `["default"]`.

    Args:
        path: A dataset of the Hub, a folder or a format, as in `load_dataset`.
        revision: A branch, tag or commit of the Hub.
        download_config: Only its token is used.
        download_mode: Accepted, without effect.
        data_files: Accepted, without effect.
        download_kwargs: `token`, the token for the Hub.

    Raises:
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.

    Example:
        >>> get_dataset_config_names("json")
        ['default']
        >>> get_dataset_config_names("openai/gsm8k")  # doctest: +SKIP
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
    """Return the configuration that `load_dataset` loads by default; `None` if one must be named.

    Args:
        path: A dataset of the Hub, a folder or a format, as in `load_dataset`.
        revision: A branch, tag or commit of the Hub.
        download_config: Only its token is used.
        download_mode: Accepted, without effect.
        data_files: Accepted, without effect.
        download_kwargs: `token`, the token for the Hub.

    Raises:
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.

    Example:
        >>> get_dataset_default_config_name("json")
        'default'
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
    """Return the description of a configuration: its features and splits.

    The number of rows of a split is 0 where no card has it.

    Args:
        path: A dataset of the Hub, a folder or a format, as in `load_dataset`.
        config_name: The name of the configuration.
        data_files: The files, as in `load_dataset`.
        download_config: Only its token is used, if `token` is `None`.
        download_mode: Accepted, without effect.
        revision: A branch, tag or commit of the Hub.
        token: The token for the Hub, as in `load_dataset`.
        config_kwargs: Options of the format, as in `load_dataset`.

    Raises:
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.
        DataFilesNotFoundError: There are no such files.
        InvalidArgumentError: The configuration does not exist, or none is chosen of several.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}])
        1
        >>> get_dataset_config_info("json", data_files="train.jsonl").features
        {'a': Value('int64')}
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
    """Return the names of a configuration's splits.

    Args:
        path: A dataset of the Hub, a folder or a format, as in `load_dataset`.
        config_name: The name of the configuration.
        data_files: As in `get_dataset_config_info`.
        download_config: As in `get_dataset_config_info`.
        download_mode: As in `get_dataset_config_info`.
        revision: As in `get_dataset_config_info`.
        token: As in `get_dataset_config_info`.
        config_kwargs: As in `get_dataset_config_info`.

    Raises:
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.
        DataFilesNotFoundError: There are no such files.
        InvalidArgumentError: The configuration does not exist, or none is chosen of several.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}])
        1
        >>> get_dataset_split_names("json", data_files="train.jsonl")
        ['train']
        >>> get_dataset_split_names("openai/gsm8k", "main")  # doctest: +SKIP
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
    """Return the descriptions of all configurations, by name.

    Args:
        path: A dataset of the Hub, a folder or a format, as in `load_dataset`.
        data_files: As in `get_dataset_config_info`.
        download_config: As in `get_dataset_config_info`.
        download_mode: As in `get_dataset_config_info`.
        revision: As in `get_dataset_config_info`.
        token: As in `get_dataset_config_info`.
        config_kwargs: As in `get_dataset_config_info`.

    Raises:
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.
        DataFilesNotFoundError: There are no such files.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}])
        1
        >>> infos = get_dataset_infos("json", data_files="train.jsonl")
        >>> infos["default"].features
        {'a': Value('int64')}
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
