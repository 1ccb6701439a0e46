"""The description of a dataset: its features, splits, license and the like."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from rowstream import config
from rowstream.features.convert import plain
from rowstream.features.features import Features
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.storage.files import open as open_file
from rowstream.version import Version


@dataclass
class SupervisedKeysData:
    """The names of the input column and of the column to predict."""

    input: str = ""
    output: str = ""


@dataclass(repr=False)
class DatasetInfo:
    """The description of a dataset; what is not known is `None` or empty.

    Attributes:
        description, citation, homepage, license: Texts for users of the dataset.
        features: The features of the columns.
        supervised_keys: The names of the input and output columns.
        builder_name: The name of the builder or format, such as `"parquet"`.
        dataset_name, config_name, version: What was loaded.
        splits: A `SplitDict` with a `SplitInfo` for each split.
        download_checksums: The sizes and checksums of downloaded files, by URL.
        download_size: The size of the files in bytes.
        dataset_size: The size of the rows in bytes.
        size_in_bytes: The size of both together.
        post_processed, post_processing_size: Kept as files of `datasets` have them.

    Example:
        >>> info = DatasetInfo(description="Squares.", features=Features({"n": Value("int64")}))
        >>> info.features
        {'n': Value('int64')}
    """

    description: str = field(default_factory=str)
    citation: str = field(default_factory=str)
    homepage: str = field(default_factory=str)
    license: str = field(default_factory=str)
    features: Features | None = None
    post_processed: Any = None
    supervised_keys: Any = None
    builder_name: str | None = None
    dataset_name: str | None = None
    config_name: str | None = None
    version: Any = None
    splits: Any = None
    download_checksums: dict[str, Any] | None = None
    download_size: int | None = None
    post_processing_size: int | None = None
    dataset_size: int | None = None
    size_in_bytes: int | None = None

    _INCLUDED_INFO_IN_YAML: ClassVar[list[str]] = [
        "config_name",
        "download_size",
        "dataset_size",
        "features",
        "splits",
    ]

    def __post_init__(self) -> None:
        """Convert plain data, such as JSON has, to the types of the attributes."""
        said: Any = self.features
        if said is not None and not isinstance(said, Features):
            written = all(isinstance(one, (dict, list)) for one in said.values())
            self.features = Features.from_dict(said) if written else Features(said)
        if self.version is not None and not isinstance(self.version, Version):
            self.version = (
                Version(self.version)
                if isinstance(self.version, str)
                else Version.from_dict(self.version)
            )
        if self.splits is not None and not isinstance(self.splits, SplitDict):
            self.splits = SplitDict.from_split_dict(self.splits)
        keys = self.supervised_keys
        if keys is not None and not isinstance(keys, SupervisedKeysData):
            self.supervised_keys = (
                SupervisedKeysData(*keys)
                if isinstance(keys, (tuple, list))
                else SupervisedKeysData(**keys)
            )

    def copy(self) -> DatasetInfo:
        """Return a deep copy of the description.

        Example:
            >>> info = DatasetInfo(description="Squares.")
            >>> info.copy() == info
            True
        """
        return copy.deepcopy(self)

    def update(self, other_dataset_info: DatasetInfo, ignore_none: bool = True) -> None:
        """Set the attributes to those of another description.

        Args:
            other_dataset_info: The other description; its values are copied.
            ignore_none: Keep the own value where the other one is `None`.

        Example:
            >>> info = DatasetInfo(license="MIT", dataset_size=100)
            >>> info.update(DatasetInfo(license="Apache-2.0"))
            >>> info
            DatasetInfo(license='Apache-2.0', dataset_size=100)
        """
        for of in fields(self):
            value = getattr(other_dataset_info, of.name)
            if value is not None or not ignore_none:
                setattr(self, of.name, copy.deepcopy(value))

    def _to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = plain(self)
        return result

    @classmethod
    def from_dict(cls, dataset_info_dict: dict[str, Any]) -> DatasetInfo:
        """Create a description from a dict, such as JSON has; unknown keys are ignored.

        Args:
            dataset_info_dict: The attributes by name, as plain data.

        Example:
            >>> DatasetInfo.from_dict({"license": "MIT", "splits": [{"name": "train"}]})
            DatasetInfo(license='MIT', splits={'train': SplitInfo(name='train')})
        """
        known = {of.name for of in fields(cls)}
        return cls(**{key: value for key, value in dataset_info_dict.items() if key in known})

    def write_to_directory(
        self,
        dataset_info_dir: Any,
        pretty_print: bool = False,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """Write the description to `dataset_info.json` in a folder, and the license to `LICENSE`.

        Args:
            dataset_info_dir: The path or URL of the folder, which must exist.
            pretty_print: Indent the JSON.
            storage_options: Options of the file system of a URL.

        Raises:
            ValueError: The folder is empty text or `None`.
            FileNotFoundError: The folder does not exist.

        Example:
            >>> DatasetInfo(description="Squares.").write_to_directory(".")
            >>> DatasetInfo.from_directory(".").description
            'Squares.'
        """
        if not dataset_info_dir:
            raise ValueError(
                "Calling DatasetInfo.write_to_directory() with undefined dataset_info_dir."
            )
        text = json.dumps(self._to_dict(), indent=4 if pretty_print else None)
        for name, content in (
            (config.DATASET_INFO_FILENAME, text),
            (config.LICENSE_FILENAME, self.license),
        ):
            if content:
                with open_file(
                    f"{os.fspath(dataset_info_dir)}/{name}", "w", storage_options=storage_options
                ) as file:
                    file.write(content)

    @classmethod
    def from_directory(
        cls, dataset_info_dir: Any, storage_options: dict[str, Any] | None = None
    ) -> DatasetInfo:
        """Read the description that `write_to_directory` wrote.

        Args:
            dataset_info_dir: The path or URL of the folder.
            storage_options: Options of the file system of a URL.

        Raises:
            ValueError: The folder is empty text or `None`.
            DataFilesNotFoundError: The folder has no `dataset_info.json`.

        Example:
            >>> DatasetInfo(description="Squares.").write_to_directory(".")
            >>> DatasetInfo.from_directory(".")
            DatasetInfo(description='Squares.')
        """
        if not dataset_info_dir:
            raise ValueError(
                "Calling DatasetInfo.from_directory() with undefined dataset_info_dir."
            )
        with open_file(
            f"{os.fspath(dataset_info_dir)}/{config.DATASET_INFO_FILENAME}",
            "r",
            storage_options=storage_options,
        ) as file:
            return cls.from_dict(json.load(file))

    @classmethod
    def from_merge(cls, dataset_infos: list[Any]) -> DatasetInfo:
        """Return the description of several datasets joined into one.

        If all descriptions are equal, it is a copy of the first. Otherwise only the texts are
        joined, and features and sizes are left out.

        Args:
            dataset_infos: The descriptions; `None`s are ignored.

        Example:
            >>> first = DatasetInfo("Squares.", license="MIT")
            >>> DatasetInfo.from_merge([first, DatasetInfo("Cubes.", license="MIT")]).license
            'MIT'
        """
        infos = [info.copy() for info in dataset_infos if info is not None]
        if infos and all(info == infos[0] for info in infos):
            return infos[0]

        def joined(name: str) -> str:
            return "\n\n".join(dict.fromkeys(getattr(info, name) for info in infos)).strip()

        return cls(joined("description"), joined("citation"), joined("homepage"), joined("license"))

    def _to_yaml_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name in self._to_dict():
            if name in self._INCLUDED_INFO_IN_YAML:
                value = getattr(self, name)
                result[name] = value._to_yaml_list() if hasattr(value, "_to_yaml_list") else value
        return result

    @classmethod
    def _from_yaml_dict(cls, yaml_data: dict[str, Any]) -> DatasetInfo:
        data = copy.deepcopy(yaml_data)
        if data.get("features") is not None:
            data["features"] = Features._from_yaml_list(data["features"])
        if data.get("splits") is not None:
            data["splits"] = SplitDict._from_yaml_list(data["splits"])
        return cls.from_dict(data)

    def __repr__(self) -> str:
        """Return the attributes that are known, as a call."""
        known = [
            f"{of.name}={getattr(self, of.name)!r}" for of in fields(self) if getattr(self, of.name)
        ]
        return f"{type(self).__qualname__}({', '.join(known)})"


class DatasetInfosDict(dict[str, DatasetInfo]):
    """The descriptions of all configurations of a dataset, which its card has."""

    def write_to_directory(
        self, dataset_infos_dir: Any, overwrite: bool = False, pretty_print: bool = False
    ) -> None:
        """Write the descriptions to the card of a folder, `README.md`.

        Args:
            dataset_infos_dir: The folder.
            overwrite: Replace the configurations that the card has instead of adding to them.
            pretty_print: Indent the JSON of `dataset_infos.json`, if there is one.
        """
        from huggingface_hub import DatasetCard, DatasetCardData

        folder = Path(os.fspath(dataset_infos_dir))
        infos = DatasetInfosDict() if overwrite else self.from_directory(folder)
        infos.update(self)
        old, card_path = (
            folder / config.DATASETDICT_INFOS_FILENAME,
            folder / config.REPOCARD_FILENAME,
        )
        if old.exists():
            old.write_text(
                json.dumps(
                    {name: info._to_dict() for name, info in infos.items()},
                    indent=4 if pretty_print else None,
                )
            )
        card = DatasetCard.load(card_path) if card_path.exists() else None
        data = card.data if card is not None else DatasetCardData()
        if infos:
            infos.to_dataset_card_data(data)
            (DatasetCard(f"---\n{data}\n---\n") if card is None else card).save(card_path)

    @classmethod
    def from_directory(cls, dataset_infos_dir: Any) -> DatasetInfosDict:
        """Read the descriptions from the card of a folder, or from its `dataset_infos.json`."""
        folder = Path(os.fspath(dataset_infos_dir))
        if (folder / config.REPOCARD_FILENAME).exists():
            from huggingface_hub import DatasetCard

            data = DatasetCard.load(folder / config.REPOCARD_FILENAME).data
            if "dataset_info" in data:
                return cls.from_dataset_card_data(data)
        old = folder / config.DATASETDICT_INFOS_FILENAME
        return (
            cls(
                {
                    name: DatasetInfo.from_dict(one)
                    for name, one in json.loads(old.read_text()).items()
                }
            )
            if old.exists()
            else cls()
        )

    @classmethod
    def from_dataset_card_data(cls, dataset_card_data: Any) -> DatasetInfosDict:
        """Return the descriptions that the data of a card have."""
        said = dataset_card_data.get("dataset_info")
        several = [said] if isinstance(said, dict) else said if isinstance(said, list) else []
        result = cls()
        for one in several:
            info = DatasetInfo._from_yaml_dict(one)
            info.config_name = one.get("config_name", "default")
            result[info.config_name] = info
        return result

    def to_dataset_card_data(self, dataset_card_data: Any) -> None:
        """Write the descriptions to the data of a card."""
        if not self:
            return
        said = dataset_card_data.get("dataset_info")
        before = [said] if isinstance(said, dict) else list(said or [])
        infos = {one.get("config_name", "default"): dict(one) for one in before}
        infos |= {name: info._to_yaml_dict() for name, info in self.items()}
        for name, one in infos.items():
            one.pop("config_name", None)
            infos[name] = {"config_name": name, **one}
        if len(infos) == 1:
            ((name, only),) = infos.items()
            if name == "default":
                only.pop("config_name")
            dataset_card_data["dataset_info"] = only
        else:
            dataset_card_data["dataset_info"] = [infos[name] for name in sorted(infos)]


__all__ = ["DatasetInfo", "DatasetInfosDict", "SplitInfo"]
