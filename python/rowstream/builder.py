"""Builders: classes that make the splits of a data set, a user's own among them.

A subclass says what the data set is (`_info`), what its splits are made of (`_split_generators`) and how their rows come
(`_generate_examples`, or `_generate_tables` for Arrow tables). It is then read as a stream, or written once into files that are mapped.
The class is always one of this process: no code is ever downloaded.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import posixpath
import re
import shutil
import sys
import tempfile
import urllib.parse
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from rowstream import config, progress
from rowstream.access import Access
from rowstream.arrow_writer import ArrowWriter, ParquetWriter, SchemaInferenceError, encoded
from rowstream.dataset import IterableDataset, IterableDatasetDict, concatenate_datasets
from rowstream.dataset.dicts import DatasetDict
from rowstream.dataset.map_style import Dataset
from rowstream.dataset.prepared import folder, shares
from rowstream.dataset.processes import run_in_processes
from rowstream.downloads import DownloadConfig, DownloadManager, DownloadMode, StreamingDownloadManager, VerificationMode
from rowstream.exceptions import (
    DataFilesNotFoundError,
    DatasetGenerationError,
    ExpectedMoreDownloadedFilesError,
    ExpectedMoreSplitsError,
    FileFormatError,
    InvalidArgumentError,
    ManualDownloadError,
    NonMatchingChecksumError,
    NonMatchingSplitsSizesError,
    RowstreamError,
    UnexpectedDownloadedFileError,
    UnexpectedSplitsError,
    UnsupportedError,
)
from rowstream.features.types import Features, modern
from rowstream.files import open as open_url
from rowstream.fingerprint import Hasher
from rowstream.info import DatasetInfo
from rowstream.load import chosen_splits, listed_files
from rowstream.permissions import umask
from rowstream.resolve.urls import Places, is_url, origins
from rowstream.splits import NamedSplit, SplitDict, SplitGenerator, SplitInfo
from rowstream.table import InMemoryTable, MemoryMappedTable, concat_tables
from rowstream.utils import logging
from rowstream.utils.py_utils import convert_file_size_to_int
from rowstream.version import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_logger = logging.get_logger(__name__)
_CODE = ".rowstream-builder"
# What Python adds to a class.
_NOT_CODE = frozenset(
    {
        "__module__",
        "__dict__",
        "__weakref__",
        "__doc__",
        "__abstractmethods__",
        "_abc_impl",
        "__annotations__",
        "__parameters__",
        "__static_attributes__",
        "__firstlineno__",
        "__qualname__",
        "__orig_bases__",
    }
)


class InvalidConfigName(InvalidArgumentError):
    """A configuration's name has characters that the name of a folder cannot have."""


class Key(NamedTuple):
    """The key of a row or table that also says which of the original files it is of."""

    original_shard_id: int
    item_or_batch_id: int


@dataclass
class BuilderConfig:
    r"""A configuration of a builder. Subclasses add what their builder wants to know.

    Attributes:
        name: its name.
        version: the version of the data.
        data_dir: a folder of files.
        data_files: the files of each split: a dict of lists.
        description: for people.

    Raises:
        InvalidConfigName: the name has any of `<>:/\\|?*`.
        ValueError: `data_files` is no dict.

    Example:
        >>> BuilderConfig(name="small", data_dir="data/small")
        BuilderConfig(name='small', version=0.0.0, data_dir='data/small', data_files=None, description=None)
    """

    name: str = "default"
    version: Any = Version("0.0.0")  # noqa: RUF009  # it never changes
    data_dir: str | None = None
    data_files: Any = None
    description: str | None = None

    def __post_init__(self) -> None:
        """Checks the name and the files."""
        for char in "<>:/\\|?*":
            if char in self.name:
                raise InvalidConfigName(
                    f"Bad characters from black list '<>:/\\|?*' found in '{self.name}'. They could create issues when creating a "
                    "directory for this config on Windows filesystem."
                )
        if self.data_files is not None and not isinstance(self.data_files, dict):
            raise InvalidArgumentError(f"Expected a DataFilesDict in data_files but got {self.data_files}")

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: Features | None = None) -> str:
        """The name of the folder of what is made: the configuration's, and what the arguments add to it."""
        said = {key: config_kwargs[key] for key in sorted(config_kwargs) if key not in ("name", "version")}
        if said.get("data_dir") is None:
            said.pop("data_dir", None)
        else:
            said["data_dir"] = os.path.normpath(said["data_dir"])
        if said.pop("data_files", None) is not None and self.data_files is not None:
            said["data_files"] = {split: [_origin(file) for file in files] for split, files in self.data_files.items()}
        suffix = ""
        if said:
            if all(isinstance(value, (str, bool, int, float)) for value in said.values()):
                suffix = ",".join(f"{key}={urllib.parse.quote_plus(str(value))}" for key, value in said.items())
            if not suffix or len(suffix) > 32:
                suffix = Hasher.hash(said)
        if custom_features is not None:
            suffix = Hasher.hash([suffix, custom_features.to_dict()])
        made = f"{self.name}-{suffix}" if suffix else self.name
        return made if len(made) <= 255 else f"{self.name}-{Hasher.hash(suffix)}"


def _origin(file: str) -> list[Any]:
    """A file, as it is now."""
    if is_url(file) or not os.path.exists(file):
        return [file]
    stat = os.stat(file)
    return [file, stat.st_size, stat.st_mtime_ns]


def _snake(name: str) -> str:
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


class DatasetBuilder(ABC):
    """Makes the splits of a data set.

    Args:
        cache_dir: the folder of what is made; that of rowstream in `config.HF_DATASETS_CACHE` if `None`.
        dataset_name: the name of the data set; the module's, or the class's in a script, if `None`.
        config_name: which of `BUILDER_CONFIGS`.
        hash: a part of the folder's name.
        base_path: what relative names of files are below.
        info: what is known of it, in place of what `_info` gives.
        features: the types of the columns, in place of those of `_info`.
        token: the token of the Hub.
        repo_id: the name of the data set of the Hub.
        data_files: the files: a pattern, a list, or a dict by split.
        data_dir: a folder.
        storage_options: options of the sources.
        writer_batch_size: rows of a batch of the files that are made.
        config_id: a part of the folder's name, in place of one that follows from the arguments.
        config_kwargs: attributes of the configuration.

    Raises:
        ValueError: there are several configurations, or none of that name.
    """

    VERSION: ClassVar[Any] = None
    BUILDER_CONFIG_CLASS: ClassVar[Any] = BuilderConfig
    BUILDER_CONFIGS: ClassVar[list[Any]] = []
    DEFAULT_CONFIG_NAME: ClassVar[str | None] = None
    DEFAULT_WRITER_BATCH_SIZE: ClassVar[int | None] = None
    # For builders that set it: streams here wait for their threads without being told to.
    SLEEP_ON_THREADS_SHUTDOWNS: ClassVar[bool] = False

    def __init__(
        self,
        cache_dir: str | None = None,
        dataset_name: str | None = None,
        config_name: str | None = None,
        hash: str | None = None,
        base_path: str | None = None,
        info: DatasetInfo | None = None,
        features: Features | None = None,
        token: bool | str | None = None,
        repo_id: str | None = None,
        data_files: Any = None,
        data_dir: str | None = None,
        storage_options: dict[str, Any] | None = None,
        writer_batch_size: int | None = None,
        config_id: str | None = None,
        **config_kwargs: Any,
    ) -> None:
        module = type(self).__module__.rsplit(".", 1)[-1]
        self.name = _snake(type(self).__name__ if module == "__main__" else module)
        self.dataset_name = self.name if dataset_name is None else _snake(dataset_name.rsplit("/", 1)[-1])
        self.hash, self.token, self.repo_id = hash, token, repo_id
        self.base_path = "." if base_path is None else base_path
        self.storage_options = dict(storage_options or {})
        self._writer_batch_size = writer_batch_size or self.DEFAULT_WRITER_BATCH_SIZE
        given = {key: value for key, value in {**config_kwargs, "data_dir": data_dir}.items() if key != "data_dir" or value is not None}
        if data_files is not None:
            given["data_files"] = self._located(data_files, data_dir)
        wanted = None if features is None else Features(modern(features))
        self.config, self.config_id = self._configured(config_name, wanted, config_id, given)
        self.info: DatasetInfo = self._info() if info is None else info.copy()
        self.info.builder_name, self.info.dataset_name = self.name, self.dataset_name
        self.info.config_name, self.info.version = self.config.name, _version(self.config.version)
        if wanted is not None:
            self.info.features = wanted
        # Of a folder that somebody names, all is theirs; in the one that libraries share, there is a folder of ours.
        self._cache_dir_root = folder(None) if cache_dir is None else os.path.expanduser(os.fspath(cache_dir))
        self._cache_downloaded_dir = os.path.join(self._cache_dir_root, "downloads")
        self._cache_dir = os.path.join(self._cache_dir_root, *self._relative_data_dir().split("/"))
        self._output_dir = self._cache_dir
        self._fs: Any = None
        self._file_format: str | None = None
        self._record_checksums = False
        if os.path.exists(os.path.join(self._cache_dir, config.DATASET_INFO_FILENAME)) and self._is_mine(self._cache_dir):
            self.info = DatasetInfo.from_directory(self._cache_dir)

    # ------------------------------------------------------------------------------------------------ what subclasses say

    @abstractmethod
    def _info(self) -> DatasetInfo:
        """What the data set is."""

    @abstractmethod
    def _split_generators(self, dl_manager: Any) -> list[SplitGenerator]:
        """What each split is made of. `dl_manager` downloads, or leaves URLs as they are where a stream is wanted."""

    @abstractmethod
    def _prepare_split(self, split_generator: SplitGenerator, **kwargs: Any) -> None:
        """Writes a split into `_output_dir`, and says its rows and bytes in `split_generator.split_info`."""

    # ------------------------------------------------------------------------------------------------------ configuration

    @property
    def builder_configs(self) -> dict[str, Any]:
        """The configurations by name."""
        made = {one.name: one for one in self.BUILDER_CONFIGS}
        if len(made) != len(self.BUILDER_CONFIGS):
            raise InvalidArgumentError(f"Names in BUILDER_CONFIGS must not be duplicated. Got {[one.name for one in self.BUILDER_CONFIGS]}")
        return made

    @property
    def cache_dir(self) -> str:
        """The folder of what is made."""
        return self._cache_dir

    @property
    def manual_download_instructions(self) -> str | None:
        """What a user has to download by hand, if anything."""
        return None

    @classmethod
    def get_imported_module_dir(cls) -> str:
        """The folder of the class's module."""
        return os.path.dirname(inspect.getfile(inspect.getmodule(cls) or cls))

    def _located(self, data_files: Any, data_dir: str | None) -> dict[str, list[str]]:
        access = Access(self.token, self.storage_options or None, origins=origins(self.base_path, data_dir, data_files))
        base = os.path.join(self.base_path, data_dir) if data_dir and not os.path.isabs(data_dir) else data_dir or self.base_path
        return listed_files(data_files, base, Places(access))

    def _configured(self, name: str | None, features: Features | None, config_id: str | None, given: dict[str, Any]) -> tuple[Any, str]:
        there = self.builder_configs
        if name is None and there:
            if self.DEFAULT_CONFIG_NAME is not None:
                name = self.DEFAULT_CONFIG_NAME
            elif len(there) == 1 and not given:
                name = next(iter(there))
            elif not given:
                raise InvalidArgumentError(
                    f"Config name is missing.\nPlease pick one among the available configs: {list(there)}\n"
                    f"Example of usage:\n\t`{type(self).__name__}(config_name={next(iter(there))!r})`"
                )
            elif len(there) == 1 and not given.keys() - {"data_dir", "data_files"}:
                name = next(iter(there))
        if name is not None and name not in there and there:
            raise InvalidArgumentError(f"BuilderConfig '{name}' not found. Available: {list(there)}")
        if name in there:
            made = copy.deepcopy(there[name])
            for key, value in given.items():
                if value is not None:
                    if not hasattr(made, key):
                        raise InvalidArgumentError(f"BuilderConfig {made} doesn't have a '{key}' key.")
                    setattr(made, key, value)
        else:
            said = dict(given)
            if name is not None or (self.DEFAULT_CONFIG_NAME and not given):
                said["name"] = name or self.DEFAULT_CONFIG_NAME
            if self.VERSION:
                said.setdefault("version", self.VERSION)
            made = self.BUILDER_CONFIG_CLASS(**said)
        if not made.name:
            raise InvalidArgumentError(f"BuilderConfig must have a name, got {made.name}")
        return made, config_id if config_id is not None else made.create_config_id(given, features)

    def _relative_data_dir(self, with_version: bool = True, with_hash: bool = True) -> str:
        namespace = self.repo_id.split("/")[0] if self.repo_id and "/" in self.repo_id else None
        parts = [self.dataset_name if namespace is None else f"{namespace}___{self.dataset_name}", self.config_id]
        if with_version:
            parts.append(str(self.config.version))
        if with_hash and isinstance(self.hash, str) and self.hash:
            parts.append(self.hash)
        return posixpath.join(*parts)

    # --------------------------------------------------------------------------------------------------------------- files

    def _code(self) -> str:
        """A hash of the class as it is written: what another class of the same name made is not taken for what this one makes."""
        said = []
        for of in type(self).__mro__:
            if not of.__module__.startswith(("rowstream", "abc", "builtins")):
                said += [[name, _written(value)] for name, value in sorted(vars(of).items()) if name not in _NOT_CODE]
        return Hasher.hash(said)

    def _is_mine(self, place: str) -> bool:
        path = Path(place) / _CODE
        return not path.exists() or path.read_text() == self._code()

    def _manager(self, base_path: str | None, download_config: DownloadConfig | None, anew: bool, checksums: bool) -> DownloadManager:
        how = download_config.copy() if download_config is not None else DownloadConfig(token=self.token)
        how.force_download = how.force_download or anew
        how.storage_options = {**self.storage_options, **how.storage_options}
        return DownloadManager(self.dataset_name, self.config.data_dir, how, self.base_path if base_path is None else base_path, checksums)

    def download_and_prepare(
        self,
        output_dir: str | None = None,
        download_config: DownloadConfig | None = None,
        download_mode: DownloadMode | str | None = None,
        verification_mode: VerificationMode | str | None = None,
        dl_manager: DownloadManager | None = None,
        base_path: str | None = None,
        file_format: str = "arrow",
        max_shard_size: int | str | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        **download_and_prepare_kwargs: Any,
    ) -> None:
        """Writes the splits into a folder, all or nothing; what is there already is kept.

        Args:
            output_dir: the folder, or a URL of one; that of the cache if `None`.
            download_config: how files are downloaded.
            download_mode: `"force_redownload"` makes it anew.
            verification_mode: what is checked of it.
            dl_manager: what downloads.
            base_path: what relative names of files are below.
            file_format: `"arrow"` or `"parquet"`.
            max_shard_size: bytes of rows that a file has at most, to a batch; `config.MAX_SHARD_SIZE` if `None`.
            num_proc: processes, which share the lists of `gen_kwargs`.
            storage_options: options of the file system of `output_dir`.
            download_and_prepare_kwargs: given to `_prepare_split` of subclasses.

        Raises:
            DatasetGenerationError: the builder's own code raised.
            SplitsVerificationError, ChecksumVerificationError: it is not what the information on it says.

        Example:
            >>> builder.download_and_prepare("out", file_format="parquet", max_shard_size="100MB")
        """
        from rowstream.dataset.saving import file_system

        if file_format not in ("arrow", "parquet"):
            raise InvalidArgumentError(f"Invalid file format {file_format!r}: expected 'arrow' or 'parquet'")
        wanted = os.fspath(output_dir) if output_dir is not None else self._cache_dir
        self._fs, place = file_system(wanted, storage_options)
        wanted = place if self._fs is None else wanted
        mode = DownloadMode(download_mode or DownloadMode.REUSE_DATASET_IF_EXISTS)
        checks = VerificationMode(verification_mode or VerificationMode.BASIC_CHECKS)
        self._output_dir, self._file_format = wanted, file_format
        info_file = f"{place}/{config.DATASET_INFO_FILENAME}"
        there = os.path.exists(info_file) if self._fs is None else self._fs.exists(info_file)
        if there and mode is DownloadMode.REUSE_DATASET_IF_EXISTS and (self._fs is not None or self._is_mine(place)):
            _logger.info(f"Found cached dataset {self.dataset_name} ({wanted})")
            with open(info_file, encoding="utf-8") if self._fs is None else self._fs.open(info_file, "r", encoding="utf-8") as file:
                self.info = DatasetInfo.from_dict(json.load(file))
            return
        if self.manual_download_instructions is not None and self.config.data_dir is None:
            raise ManualDownloadError(
                f"The dataset {self.dataset_name} with config {self.config.name} requires manual data.\n"
                f"{self.manual_download_instructions}\nGive the folder that it is in as data_dir."
            )
        self.info = self.info.copy()
        if self._fs is None:
            os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
        # Made beside its place, or here for a place far away, so that what is half made never has the name of what is whole.
        beside = None if self._fs is not None else os.path.dirname(os.path.abspath(place))
        temporary = tempfile.mkdtemp(prefix=".rowstream-", suffix=".incomplete", dir=beside)
        try:
            self._output_dir = temporary
            if dl_manager is None:
                force = mode is DownloadMode.FORCE_REDOWNLOAD
                everything = self._record_checksums or checks is VerificationMode.ALL_CHECKS
                dl_manager = self._manager(base_path, download_config, force, everything)
            self._download_and_prepare(
                dl_manager, checks, file_format=file_format, max_shard_size=max_shard_size, num_proc=num_proc, **download_and_prepare_kwargs
            )
            self.info.write_to_directory(temporary)
            (Path(temporary) / _CODE).write_text(self._code())
            self._move(temporary, place, mode is DownloadMode.FORCE_REDOWNLOAD or there)
        finally:
            self._output_dir = wanted
            shutil.rmtree(temporary, ignore_errors=True)

    def _move(self, temporary: str, place: str, anew: bool) -> None:
        """Gives what is made its name."""
        # What says that it is whole comes last, and goes first.
        names = sorted(os.listdir(temporary), key=lambda name: (name == config.DATASET_INFO_FILENAME, name))
        if self._fs is not None:
            self._fs.makedirs(place, exist_ok=True)
            self._fs.invalidate_cache()
            # Where folders are only a part of names, one without files is not there.
            there = self._fs.ls(place, detail=True) if self._fs.isdir(place) else []
            for name in self._made_before([one["name"].rsplit("/", 1)[-1] for one in there if one["type"] == "file"]):
                self._fs.rm_file(f"{place}/{name}")
            for name in names:
                if name != _CODE:
                    self._fs.put_file(os.path.join(temporary, name), f"{place}/{name}")
            return

        os.chmod(temporary, 0o777 & ~umask())
        if os.path.isdir(place) and (anew or not os.path.exists(f"{place}/{config.DATASET_INFO_FILENAME}")):
            for name in self._made_before([name for name in os.listdir(place) if os.path.isfile(os.path.join(place, name))]):
                os.remove(os.path.join(place, name))
        try:
            os.rename(temporary, place)
        except OSError:
            if os.path.exists(f"{place}/{config.DATASET_INFO_FILENAME}"):
                return  # another process was first, and made the same
            for name in names:
                os.replace(os.path.join(temporary, name), os.path.join(place, name))

    def _made_before(self, names: list[str]) -> list[str]:
        """Of the files of a folder, those that a builder makes, the description first; what else somebody put there is left alone."""
        ours = [name for name in names if name in (config.DATASET_INFO_FILENAME, _CODE) or name.startswith(f"{self.dataset_name}-")]
        return sorted(ours, key=lambda name: (name != config.DATASET_INFO_FILENAME, name))

    def _download_and_prepare(self, dl_manager: DownloadManager, verification_mode: VerificationMode, **prepare_split_kwargs: Any) -> None:
        made = SplitDict(dataset_name=self.dataset_name)
        generators = list(self._split_generators(dl_manager))
        recorded = dl_manager.get_recorded_sizes_checksums()
        if verification_mode is VerificationMode.ALL_CHECKS:
            verify_checksums(self.info.download_checksums, recorded)
        for generator in generators:
            if str(generator.split_info.name).lower() == "all":
                raise InvalidArgumentError(
                    "`all` is a special split keyword corresponding to the union of all splits, so cannot be used as key"
                )
            made.add(generator.split_info)
            self._prepare_split(generator, **prepare_split_kwargs)
        dl_manager.manage_extracted_files()
        if verification_mode is not VerificationMode.NO_CHECKS:
            verify_splits(self.info.splits, made)
        self.info.splits = made
        self.info.download_size = dl_manager.downloaded_size
        if self._record_checksums:
            self.info.download_checksums = recorded
        self.info.dataset_size = sum(one.num_bytes or 0 for one in made.values())
        self.info.size_in_bytes = self.info.dataset_size + self.info.download_size

    # --------------------------------------------------------------------------------------------------------- data sets

    def as_dataset(self, split: Any = None, in_memory: bool = False) -> Any:
        """What `download_and_prepare` made, mapped.

        Args:
            split: a split, a part of one (`"train[:10%]"`), several (`"train+test"`), or a list of them; all if `None`.
            in_memory: read it into memory.

        Returns:
            A `Dataset`; a list of them; a `DatasetDict` if `split` is `None`.

        Raises:
            DataFilesNotFoundError: it was not made yet.
        """
        if self._file_format not in (None, "arrow"):
            raise FileFormatError('Loading a dataset not written in the "arrow" format is not supported: read it with load_dataset')
        if is_url(self._output_dir):
            raise UnsupportedError(f"what is at {self._output_dir} is not mapped; read its files with load_dataset")
        if not os.path.exists(os.path.join(self._output_dir, config.DATASET_INFO_FILENAME)):
            raise DataFilesNotFoundError(
                f"Dataset {self.dataset_name}: could not find data in {self._output_dir}. Please make sure to call "
                "builder.download_and_prepare(), or use load_dataset() before trying to access the Dataset object."
            )
        _logger.debug(f"Constructing Dataset for split {split or ', '.join(self.info.splits)}, from {self._output_dir}")
        made = {name: self._mapped(name, one, in_memory) for name, one in self.info.splits.items()}
        return DatasetDict(made) if split is None else chosen_splits(made, split)

    def _mapped(self, name: str, split: SplitInfo, in_memory: bool) -> Dataset:
        kind = InMemoryTable if in_memory else MemoryMappedTable
        files = [os.path.join(self._output_dir, file) for file in self._names(name, len(split.shard_lengths or [0]), "arrow")]
        made = Dataset(concat_tables([kind.from_file(file) for file in files]), info=self.info.copy(), split=NamedSplit(name))
        made._fingerprint = Hasher.hash([self._output_dir, name, [_origin(file) for file in files]])
        return made

    def _names(self, split: str, n: int, kind: str) -> list[str]:
        stem = f"{self.dataset_name}-{split}"
        return [f"{stem}.{kind}"] if n == 1 else [f"{stem}-{i:05d}-of-{n:05d}.{kind}" for i in range(n)]

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """The splits as streams: nothing is downloaded or written, and rows come as the builder's code gives them.

        Where that code opens files by the built-in `open`, URLs are opened too.

        Args:
            split: a split, or several together (`"train+test"`, `"all"`); all, as a dict, if `None`.
            base_path: what relative names of files are below.

        Raises:
            ValueError: there is no such split.
        """
        if not isinstance(self, (GeneratorBasedBuilder, ArrowBasedBuilder)):
            raise UnsupportedError(f"{type(self).__name__} has no _generate_examples or _generate_tables: it is not read as a stream")
        _opens_urls(type(self))
        how = DownloadConfig(token=self.token, storage_options=self.storage_options)
        base = self.base_path if base_path is None else base_path
        manager = StreamingDownloadManager(self.dataset_name, self.config.data_dir, how, base)
        there = {str(one.name): one for one in self._split_generators(manager)}
        if split is None:
            return IterableDatasetDict({name: self._streamed(one, NamedSplit(name)) for name, one in there.items()})
        names = list(there) if str(split) == "all" else [name.strip() for name in str(split).split("+")]
        if missing := [name for name in names if name not in there]:
            raise InvalidArgumentError(f"Bad split: {missing[0]}. Available splits: {list(there)}")
        parts = [self._streamed(there[name], split) for name in names]
        return parts[0] if len(parts) == 1 else concatenate_datasets(parts, split=split)

    def _streamed(self, generator: SplitGenerator, split: Any) -> IterableDataset:
        rows: Callable[..., Any] = _Rows(self)
        kwargs = dict(generator.gen_kwargs)
        if len({len(value) for value in kwargs.values() if isinstance(value, list)}) > 1:
            # Lists that are not of one length are no shards: the rows come in one.
            rows, kwargs = partial(rows, **kwargs), {}
        made = IterableDataset.from_generator(rows, features=self.info.features, gen_kwargs=kwargs, split=split)
        return made._with(made._plan, _split=split, _info=self.info.copy()) if self.info.features is None else made


class _Rows:
    """The rows of a builder's generator, without their keys."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def __call__(self, **kwargs: Any) -> Iterator[Any]:
        _opens_urls(type(self.builder))
        if isinstance(self.builder, ArrowBasedBuilder):
            for _, table in self.builder._generate_tables(**kwargs):
                yield from table.to_pylist()
        else:
            for _, row in self.builder._generate_examples(**kwargs):
                yield row


def _opens_urls(of: type) -> None:
    """Lets a builder's module open URLs by the built-in `open`, as it would paths. A module with an `open` of its own keeps it."""
    module = sys.modules.get(of.__module__)
    if module is not None and "open" not in vars(module):
        module.open = _open  # type: ignore[attr-defined]  # modules take any name


def _open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    import builtins

    if isinstance(file, (str, os.PathLike)) and is_url(os.fspath(file)):
        return open_url(file, mode, *args, **kwargs)
    return builtins.open(file, mode, *args, **kwargs)


def _written(value: Any) -> Any:
    """An attribute of a class as it is written: a function's source, anything else's content."""
    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    if inspect.isfunction(function):
        try:
            return inspect.getsource(function)
        except (OSError, TypeError):
            return function.__code__.co_code
    try:
        return Hasher.hash(value)
    except Exception:
        return type(value).__qualname__


def _version(version: Any) -> Any:
    return version if isinstance(version, Version) else Version(str(version))


# ----------------------------------------------------------------------------------------------------------------- rows


@dataclass
class _Share:
    """A process's share of a split, which it writes into files of at most so many bytes.

    Gives the rows and bytes of each file, the rows of each original file, and the features.
    """

    builder: Any
    kwargs: dict[str, Any]
    stem: str
    kind: str
    limit: int

    def __call__(self, told: Callable[[int], None]) -> tuple[list[tuple[int, int]], list[int], Any]:
        files: list[tuple[int, int]] = []
        originals: list[int] = []
        features = self.builder.info.features
        writer: Any = None
        arrow = isinstance(self.builder, ArrowBasedBuilder)

        def opened() -> Any:
            make = ParquetWriter if self.kind == "parquet" else ArrowWriter
            path = f"{self.stem}-{len(files):05d}.{self.kind}"
            return make(path=path, features=features, writer_batch_size=self.builder._writer_batch_size)

        try:
            writer = opened()
            several = self.builder._generate_tables(**self.kwargs) if arrow else self.builder._generate_examples(**self.kwargs)
            for key, one in several:
                if writer._num_bytes > self.limit:
                    files.append(writer.finalize())
                    features = writer._features
                    writer = opened()
                if arrow:
                    writer.write_table(one)
                else:
                    writer.write(one if features is None else encoded(features, one, len(writer)))
                n = len(one) if arrow else 1
                if isinstance(key, Key):
                    originals.extend([0] * (key.original_shard_id + 1 - len(originals)))
                    originals[key.original_shard_id] += n
                told(n)
            files.append(writer.finalize())
        except SchemaInferenceError as error:
            raise DatasetGenerationError(
                f"{type(self.builder).__name__} gave no rows, and its info says no features: there are no types to write"
            ) from error
        except RowstreamError:
            raise
        except Exception as error:
            raise DatasetGenerationError(f"An error occurred while generating the dataset: {type(error).__name__}: {error}") from error
        finally:
            if writer is not None:
                writer.close()
        return files, originals, writer._features


class _Generating(DatasetBuilder):
    """What gives rows or tables, and has them written."""

    def _prepare_split(self, split_generator: SplitGenerator, **kwargs: Any) -> None:
        kind, num_proc = kwargs.get("file_format", "arrow"), kwargs.get("num_proc")
        limit = kwargs.get("max_shard_size")
        limit = convert_file_size_to_int(config.MAX_SHARD_SIZE if limit is None else limit)
        split = str(split_generator.name)
        parts = shares(split_generator.gen_kwargs, num_proc)
        stems = [os.path.join(self._output_dir, f".part-{split}-{i:05d}") for i in range(len(parts))]
        work = [(i, _Share(self, part, stem, kind, limit)) for i, (part, stem) in enumerate(zip(parts, stems, strict=True))]
        made: dict[int, Any] = {}
        with progress.bar(None, f"Generating {split} split" + (f" (num_proc={num_proc})" if len(parts) > 1 else "")) as bar:
            if len(parts) > 1:
                run_in_processes(work, len(parts), bar.update, made.__setitem__, "download_and_prepare")
            else:
                made[0] = work[0][1](bar.update)
        written = [(i, j, size) for i in range(len(parts)) for j, size in enumerate(made[i][0])]
        for name, (i, j, _) in zip(self._names(split, len(written), kind), written, strict=True):
            os.rename(f"{stems[i]}-{j:05d}.{kind}", os.path.join(self._output_dir, name))
        info = split_generator.split_info
        info.num_examples, info.num_bytes = sum(size[0] for *_, size in written), sum(size[1] for *_, size in written)
        if len(written) > 1:
            info.shard_lengths = [size[0] for *_, size in written]
        originals = [n for i in range(len(parts)) for n in made[i][1]]
        if len(originals) > 1 and config.SAVE_ORIGINAL_SHARD_LENGTHS:
            info.original_shard_lengths = originals
        if self.info.features is None:
            self.info.features = made[0][2]


class GeneratorBasedBuilder(_Generating):
    """A builder that gives rows: `_generate_examples(**gen_kwargs)` gives `(key, row)`.

    Example:
        >>> class Squares(GeneratorBasedBuilder):
        ...     def _info(self):
        ...         return DatasetInfo(features=Features({"n": Value("int64"), "square": Value("int64")}))
        ...
        ...     def _split_generators(self, dl_manager):
        ...         return [SplitGenerator(name="train", gen_kwargs={"upto": 10})]
        ...
        ...     def _generate_examples(self, upto):
        ...         for n in range(upto):
        ...             yield n, {"n": n, "square": n * n}
        >>> load_dataset(Squares, split="train", streaming=True)
    """

    @abstractmethod
    def _generate_examples(self, **kwargs: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        """`(key, row)` of each row; keys change nothing, but for `Key`."""


class ArrowBasedBuilder(_Generating):
    """A builder that gives Arrow tables: `_generate_tables(**gen_kwargs)` gives `(key, table)`."""

    @abstractmethod
    def _generate_tables(self, **kwargs: Any) -> Iterator[tuple[Any, Any]]:
        """`(key, table)` of each table of pyarrow."""


# --------------------------------------------------------------------------------------------------------------- checks


def verify_checksums(expected: dict[str, Any] | None, recorded: dict[str, Any]) -> None:
    """Whether the files that were downloaded are those that the information says.

    Raises:
        ChecksumVerificationError: they are not; the message has the URLs.
    """
    if expected is None:
        return
    if missing := sorted(expected.keys() - recorded.keys()):
        raise ExpectedMoreDownloadedFilesError(f"declared, and not downloaded: {missing}")
    if more := sorted(recorded.keys() - expected.keys()):
        raise UnexpectedDownloadedFileError(f"downloaded, and not declared: {more}")
    if bad := [url for url in expected if expected[url] != recorded[url]]:
        raise NonMatchingChecksumError(
            f"Checksums didn't match:\n{bad}\nSet `verification_mode='no_checks'` to skip checksums verification and ignore this error"
        )


def verify_splits(expected: Any, recorded: Any) -> None:
    """Whether the splits that were made are those that the information says, with as many rows.

    Raises:
        SplitsVerificationError: they are not; the message has the splits.
    """
    if not expected:
        return
    if missing := sorted(expected.keys() - recorded.keys()):
        raise ExpectedMoreSplitsError(f"declared, and not made: {missing}")
    if more := sorted(recorded.keys() - expected.keys()):
        raise UnexpectedSplitsError(f"made, and not declared: {more}")
    verify_sizes(expected, recorded)


def verify_sizes(expected: Any, recorded: Any) -> None:
    """Whether splits have as many rows as the information says.

    Raises:
        NonMatchingSplitsSizesError: one has not.
    """
    bad = [
        {"expected": expected[name], "recorded": recorded[name]}
        for name in recorded
        if name in expected and expected[name].num_examples not in (None, recorded[name].num_examples)
    ]
    if bad:
        raise NonMatchingSplitsSizesError(
            f"{bad}: the data or its card changed without the other. verification_mode='no_checks' loads it as it is"
        )


__all__ = [
    "ArrowBasedBuilder",
    "BuilderConfig",
    "DatasetBuilder",
    "GeneratorBasedBuilder",
    "InvalidConfigName",
    "Key",
]
