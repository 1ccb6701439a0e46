"""What there is to load, without loading it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.access import Access
from rowstream.builder import ArrowBasedBuilder
from rowstream.dataset.dicts import DatasetDict
from rowstream.features.card import features_of_card
from rowstream.info import DatasetInfo
from rowstream.load import Request, chosen_splits, load_dataset_builder, stream_of
from rowstream.resolve.hub import configurations, folder
from rowstream.resolve.names import format_named, is_of_hub, named_repo
from rowstream.splits import SplitDict, SplitGenerator, SplitInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowstream.downloads import DownloadConfig, DownloadMode


class FilesBuilder(ArrowBasedBuilder):
    """The builder of what `load_dataset` names: files of a format that the core reads."""

    def __init__(
        self, request: Request, cache_dir: str | None, repo_id: str | None, token: Any, storage_options: dict[str, Any] | None
    ) -> None:
        self._request = request
        self._made: dict[str, Any] | None = None
        self._cache = cache_dir
        super().__init__(
            cache_dir=cache_dir,
            dataset_name=request.found.label,
            config_name=request.found.config,
            repo_id=repo_id,
            token=token,
            data_files=request.found.files,
            features=request.declared,
            storage_options=storage_options,
        )
        self.name = self.info.builder_name = request.found.format

    def _located(self, data_files: Any, data_dir: str | None) -> dict[str, list[str]]:
        return {split: list(files) for split, files in data_files.items()}

    def _info(self) -> DatasetInfo:
        said = dict(self._request.found.info)
        features = features_of_card(said.pop("features", None))
        said.pop("splits", None)
        splits = self._request.counts
        info = DatasetInfo.from_dict({key: value for key, value in said.items() if isinstance(value, (str, int))})
        info.splits = splits or None
        found = self._request.found
        if features is None and self._request.declared is None and found.files:
            split, files = next(iter(found.files.items()))
            features = stream_of(self._request.how, found, files, split).features
        info.features = features
        return info

    def _split_generators(self, dl_manager: Any) -> list[SplitGenerator]:
        return [SplitGenerator(split, {"split": split, "files": list(files)}) for split, files in self._request.found.files.items()]

    def _generate_tables(self, *, split: str = "train", files: Any = (), **kwargs: Any) -> Iterator[tuple[Any, Any]]:
        rows = stream_of(self._request.how, self._request.found, list(files), split).with_format("arrow")
        yield from enumerate(rows.iter(10_000))

    def download_and_prepare(self, output_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Makes the files of the cache, those that `load_dataset` maps; or writes the splits into a folder, as any builder does."""
        if output_dir is not None:
            super().download_and_prepare(output_dir, *args, **kwargs)
            return
        mode = kwargs.get("download_mode", args[1] if len(args) > 1 else None)
        checks = kwargs.get("verification_mode", args[2] if len(args) > 2 else None)
        self._made = dict(self._request.prepared(None, self._cache, None, mode, checks))
        first = next(iter(self._made.values())).info
        self.info.splits, self.info.features = first.splits.copy(), first.features
        self.info.download_size, self.info.dataset_size, self.info.size_in_bytes = (
            first.download_size,
            first.dataset_size,
            first.size_in_bytes,
        )

    def as_dataset(self, split: Any = None, in_memory: bool = False) -> Any:
        """The data set that `load_dataset` gives."""
        if self._output_dir != self._cache_dir:
            return super().as_dataset(split, in_memory)
        made = None if in_memory else self._made
        made = dict(self._request.prepared(None, self._cache, in_memory or None)) if made is None else made
        return DatasetDict(made) if split is None else chosen_splits(made, split)

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """The streams that `load_dataset(…, streaming=True)` gives."""
        return self._request.streamed(split)


def _configurations(path: Any, revision: Any, token: Any) -> tuple[list[str], str | None]:
    path, access = os.fspath(path), Access(token)
    if not is_of_hub(path):
        local = folder(path) if format_named(path) is None and Path(path).expanduser().is_dir() else None
        return (["default"], "default") if local is None else configurations(local, access)
    return configurations(named_repo(path, None if revision is None else str(revision), access), access)


def get_dataset_config_names(
    path: str,
    revision: str | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    data_files: Any = None,
    **download_kwargs: Any,
) -> list[str]:
    """The names of a data set's configurations: of the Hub, or of a folder with a card; other files have `["default"]`.

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
    """The configuration that is loaded where none is named; `None` where one must be. Arguments as `get_dataset_config_names`'s."""
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
    """What is known of a configuration: its features and splits. A split whose rows no card counts has 0.

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
    """The names of a configuration's splits. Arguments as `load_dataset_builder`'s.

    Example:
        >>> get_dataset_split_names("openai/gsm8k", "main")
        ['train', 'test']
    """
    info = get_dataset_config_info(path, config_name, data_files, download_config, download_mode, revision, token, **config_kwargs)
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
    """What is known of each configuration, by name. Arguments as `load_dataset_builder`'s."""
    names = get_dataset_config_names(path, revision, download_config, token=token)
    return {
        name: get_dataset_config_info(path, name, data_files, download_config, download_mode, revision, token, **config_kwargs)
        for name in names
    }


def _token(how: DownloadConfig | None, token: Any) -> Any:
    return token if token is not None or how is None else how.token


__all__ = [
    "FilesBuilder",
    "get_dataset_config_info",
    "get_dataset_config_names",
    "get_dataset_default_config_name",
    "get_dataset_infos",
    "get_dataset_split_names",
]
