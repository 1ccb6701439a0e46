"""What all builders have: the configuration, the data files and the folder in the cache."""

from __future__ import annotations

import copy
import inspect
import os
import posixpath
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream import config
from rowstream.builder.code import CODE, NOT_CODE, saved_code
from rowstream.builder.config import BuilderConfig, snake, version
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.nested import upgrade_lists
from rowstream.fingerprint.hasher import Hasher
from rowstream.info import DatasetInfo
from rowstream.prepare.cache import folder
from rowstream.resolve.data_files import listed_files
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import FileLocations, origins

if TYPE_CHECKING:
    from rowstream.splits.info import SplitGenerator


class BuilderBase(ABC):
    """A builder's configuration, data files and folder in the cache."""

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
        self.name = snake(type(self).__name__ if module == "__main__" else module)
        self.dataset_name = (
            self.name if dataset_name is None else snake(dataset_name.rsplit("/", 1)[-1])
        )
        self.hash, self.token, self.repo_id = hash, token, repo_id
        self.base_path = "." if base_path is None else base_path
        self.storage_options = dict(storage_options or {})
        self._writer_batch_size = writer_batch_size or self.DEFAULT_WRITER_BATCH_SIZE
        given = {
            key: value
            for key, value in {**config_kwargs, "data_dir": data_dir}.items()
            if key != "data_dir" or value is not None
        }
        if data_files is not None:
            given["data_files"] = self._located(data_files, data_dir)
        wanted = None if features is None else Features(upgrade_lists(features))
        self.config, self.config_id = self._configured(config_name, wanted, config_id, given)
        self.info: DatasetInfo = self._info() if info is None else info.copy()
        self.info.builder_name, self.info.dataset_name = self.name, self.dataset_name
        self.info.config_name, self.info.version = self.config.name, version(self.config.version)
        if wanted is not None:
            self.info.features = wanted
        # Of a folder that somebody names, all is theirs; in the one that libraries share, there is
        # a folder of ours.
        self._cache_dir_root = (
            folder(None) if cache_dir is None else os.path.expanduser(os.fspath(cache_dir))
        )
        self._cache_downloaded_dir = os.path.join(self._cache_dir_root, "downloads")
        self._cache_dir = os.path.join(self._cache_dir_root, *self._relative_data_dir().split("/"))
        self._output_dir = self._cache_dir
        self._fs: Any = None
        self._file_format: str | None = None
        self._record_checksums = False
        if os.path.exists(
            os.path.join(self._cache_dir, config.DATASET_INFO_FILENAME)
        ) and self._is_mine(self._cache_dir):
            self.info = DatasetInfo.from_directory(self._cache_dir)

    @abstractmethod
    def _info(self) -> DatasetInfo:
        """Return the description of the dataset: its features, version and the like."""

    @abstractmethod
    def _split_generators(self, dl_manager: Any) -> list[SplitGenerator]:
        """Return a `SplitGenerator` for each split.

        Args:
            dl_manager: The download manager. It downloads files and returns their paths; for a
                stream it returns URLs as they are.
        """

    @abstractmethod
    def _prepare_split(self, split_generator: SplitGenerator, **kwargs: Any) -> None:
        """Write a split into `_output_dir`, and set its numbers of rows and bytes.

        Args:
            split_generator: The split; the numbers are set in its `split_info`.
            kwargs: The options of `download_and_prepare` for files.
        """

    @property
    def builder_configs(self) -> dict[str, Any]:
        """The configurations in `BUILDER_CONFIGS`, by name.

        Raises:
            InvalidArgumentError: Two configurations have the same name.

        Example:
            >>> class Sizes(GeneratorBasedBuilder):
            ...     BUILDER_CONFIGS = [BuilderConfig("small"), BuilderConfig("large")]
            ...
            ...     def _info(self):
            ...         return DatasetInfo()
            ...
            ...     def _split_generators(self, dl_manager):
            ...         return [SplitGenerator("train")]
            ...
            ...     def _generate_examples(self):
            ...         yield 0, {"size": self.config.name}
            >>> list(Sizes(config_name="small").builder_configs)
            ['small', 'large']
        """
        result = {one.name: one for one in self.BUILDER_CONFIGS}
        if len(result) != len(self.BUILDER_CONFIGS):
            raise InvalidArgumentError(
                "Names in BUILDER_CONFIGS must not be duplicated. Got"
                f" {[one.name for one in self.BUILDER_CONFIGS]}"
            )
        return result

    @property
    def cache_dir(self) -> str:
        """The folder in the cache to which `download_and_prepare` writes by default.

        It is a subfolder of the `cache_dir` that the builder was created with. Its name depends on
        the dataset, its configuration and version, and on the data files.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> builder = load_dataset_builder("json", data_files="train.jsonl", cache_dir="cache")
            >>> builder.cache_dir
            'cache/json/default-.../0.0.0'
        """
        return self._cache_dir

    @property
    def manual_download_instructions(self) -> str | None:
        """Instructions for files that the user has to download by hand; `None` if there are none.

        A subclass overrides this property. The user passes the folder of these files as `data_dir`.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> builder = load_dataset_builder("json", data_files="train.jsonl")
            >>> builder.manual_download_instructions is None
            True
        """
        return None

    @classmethod
    def get_imported_module_dir(cls) -> str:
        """Return the folder of the module that defines the class.

        Example:
            >>> GeneratorBasedBuilder.get_imported_module_dir()
            '...builder'
        """
        return os.path.dirname(inspect.getfile(inspect.getmodule(cls) or cls))

    def _located(self, data_files: Any, data_dir: str | None) -> dict[str, list[str]]:
        access = StorageOptions(
            self.token,
            self.storage_options or None,
            origins=origins(self.base_path, data_dir, data_files),
        )
        base = (
            os.path.join(self.base_path, data_dir)
            if data_dir and not os.path.isabs(data_dir)
            else data_dir or self.base_path
        )
        return listed_files(data_files, base, FileLocations(access))

    def _configured(
        self,
        name: str | None,
        features: Features | None,
        config_id: str | None,
        given: dict[str, Any],
    ) -> tuple[Any, str]:
        there = self.builder_configs
        if name is None and there:
            if self.DEFAULT_CONFIG_NAME is not None:
                name = self.DEFAULT_CONFIG_NAME
            elif len(there) == 1 and not given:
                name = next(iter(there))
            elif not given:
                raise InvalidArgumentError(
                    "Config name is missing.\nPlease pick one among the available configs:"
                    f" {list(there)}\nExample of"
                    f" usage:\n\t`{type(self).__name__}(config_name={next(iter(there))!r})`"
                )
            elif len(there) == 1 and not given.keys() - {"data_dir", "data_files"}:
                name = next(iter(there))
        if name is not None and name not in there and there:
            raise InvalidArgumentError(
                f"BuilderConfig '{name}' not found. Available: {list(there)}"
            )
        if name in there:
            result = copy.deepcopy(there[name])
            for key, value in given.items():
                if value is not None:
                    if not hasattr(result, key):
                        raise InvalidArgumentError(
                            f"BuilderConfig {result} doesn't have a '{key}' key."
                        )
                    setattr(result, key, value)
        else:
            said = dict(given)
            if name is not None or (self.DEFAULT_CONFIG_NAME and not given):
                said["name"] = name or self.DEFAULT_CONFIG_NAME
            if self.VERSION:
                said.setdefault("version", self.VERSION)
            result = self.BUILDER_CONFIG_CLASS(**said)
        if not result.name:
            raise InvalidArgumentError(f"BuilderConfig must have a name, got {result.name}")
        return result, config_id if config_id is not None else result.create_config_id(
            given, features
        )

    def _relative_data_dir(self, with_version: bool = True, with_hash: bool = True) -> str:
        namespace = self.repo_id.split("/")[0] if self.repo_id and "/" in self.repo_id else None
        parts = [
            self.dataset_name if namespace is None else f"{namespace}___{self.dataset_name}",
            self.config_id,
        ]
        if with_version:
            parts.append(str(self.config.version))
        if with_hash and isinstance(self.hash, str) and self.hash:
            parts.append(self.hash)
        return posixpath.join(*parts)

    def _code(self) -> str:
        """Return a hash of the source code of the class.

        It distinguishes the cached files of this class from those of another class with the same
        name.
        """
        said = []
        for of in type(self).__mro__:
            if not of.__module__.startswith(("rowstream", "abc", "builtins")):
                said += [
                    [name, saved_code(value)]
                    for name, value in sorted(vars(of).items())
                    if name not in NOT_CODE
                ]
        return Hasher.hash(said)

    def _is_mine(self, place: str) -> bool:
        path = Path(place) / CODE
        return not path.exists() or path.read_text() == self._code()
