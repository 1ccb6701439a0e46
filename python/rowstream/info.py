"""What is known about a data set."""

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
    """The columns of what is given and what is to be found."""

    input: str = ""
    output: str = ""


@dataclass(repr=False)
class DatasetInfo:
    """What is known about a data set; what is not is `None` or empty.

    Attributes:
        features: the types of the columns.
        builder_name: what made it, such as `"parquet"`.
        download_size: bytes of the files.
        dataset_size: bytes of the rows.
        splits: a `SplitInfo` for each split.
        post_processed, post_processing_size: what files of `datasets` may say of what was done to
            the rows; kept as it is.
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
        """Plain data becomes what it is of."""
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
        """Return a copy, with copies of what is in it."""
        return copy.deepcopy(self)

    def update(self, other_dataset_info: DatasetInfo, ignore_none: bool = True) -> None:
        """Take over what another knows."""
        for of in fields(self):
            value = getattr(other_dataset_info, of.name)
            if value is not None or not ignore_none:
                setattr(self, of.name, copy.deepcopy(value))

    def _to_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = plain(self)
        return made

    @classmethod
    def from_dict(cls, dataset_info_dict: dict[str, Any]) -> DatasetInfo:
        """Of plain data; what is not known is left out."""
        known = {of.name for of in fields(cls)}
        return cls(**{key: value for key, value in dataset_info_dict.items() if key in known})

    def write_to_directory(
        self,
        dataset_info_dir: Any,
        pretty_print: bool = False,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """Write it as `dataset_info.json` into a folder, and the licence beside it."""
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
        """Return what `write_to_directory` wrote."""
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
        """Return what is known of several data sets together."""
        infos = [info.copy() for info in dataset_infos if info is not None]
        if infos and all(info == infos[0] for info in infos):
            return infos[0]

        def joined(name: str) -> str:
            return "\n\n".join(dict.fromkeys(getattr(info, name) for info in infos)).strip()

        return cls(joined("description"), joined("citation"), joined("homepage"), joined("license"))

    def _to_yaml_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in self._to_dict():
            if name in self._INCLUDED_INFO_IN_YAML:
                value = getattr(self, name)
                made[name] = value._to_yaml_list() if hasattr(value, "_to_yaml_list") else value
        return made

    @classmethod
    def _from_yaml_dict(cls, yaml_data: dict[str, Any]) -> DatasetInfo:
        data = copy.deepcopy(yaml_data)
        if data.get("features") is not None:
            data["features"] = Features._from_yaml_list(data["features"])
        if data.get("splits") is not None:
            data["splits"] = SplitDict._from_yaml_list(data["splits"])
        return cls.from_dict(data)

    def __repr__(self) -> str:
        """Return what is known."""
        known = [
            f"{of.name}={getattr(self, of.name)!r}" for of in fields(self) if getattr(self, of.name)
        ]
        return f"{type(self).__qualname__}({', '.join(known)})"


class DatasetInfosDict(dict[str, DatasetInfo]):
    """What is known of each configuration of a data set, in its card."""

    def write_to_directory(
        self, dataset_infos_dir: Any, overwrite: bool = False, pretty_print: bool = False
    ) -> None:
        """Write it into the card of a folder, `README.md`."""
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
        """Return what the card of a folder says."""
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
        """Return what a card's data say."""
        said = dataset_card_data.get("dataset_info")
        several = [said] if isinstance(said, dict) else said if isinstance(said, list) else []
        made = cls()
        for one in several:
            info = DatasetInfo._from_yaml_dict(one)
            info.config_name = one.get("config_name", "default")
            made[info.config_name] = info
        return made

    def to_dataset_card_data(self, dataset_card_data: Any) -> None:
        """Write it into a card's data."""
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
