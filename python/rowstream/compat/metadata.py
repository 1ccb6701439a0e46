"""The configurations in the card of a repository."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features

_SPLIT = re.compile(r"\w+(\.\w+)*")
_EXPECTED = """Expected data_files in YAML to be either a string or a list of strings
or a list of dicts with two keys: 'split' and 'path', as in

   data_files:
    - split: train
      path: train/*
    - split: test
      path:
      - test/part1/*
      - test/part2/*

Names of splits have letters, digits, underscores and dots. Found: """


class MetadataConfigs(dict[str, dict[str, Any]]):
    """Configurations by name, as in `configs:` of a card.

    Example:
        >>> configs = {"main": {"data_files": [{"split": "train", "path": "main/*.parquet"}]}}
        >>> MetadataConfigs(configs).get_default_config_name()
        'main'
    """

    FIELD_NAME: ClassVar[str] = "configs"

    @staticmethod
    def _raise_if_data_files_field_not_valid(metadata_config: dict[str, Any]) -> None:
        said = metadata_config.get("data_files")
        if said is not None and not (
            isinstance(said, str) or (isinstance(said, list) and all(map(_is_files, said)))
        ):
            raise InvalidArgumentError(f"{_EXPECTED}{said}")

    @classmethod
    def from_dataset_card_data(cls, dataset_card_data: Any) -> Self:
        """Return the configurations in a card's metadata.

        Raises:
            InvalidArgumentError: They are not a list, one has no name, or has invalid `data_files`.
        """
        said = dataset_card_data.get(cls.FIELD_NAME)
        if not said:
            return cls()
        if not isinstance(said, list):
            raise InvalidArgumentError(f"Expected {cls.FIELD_NAME} to be a list, but got '{said}'")
        result = cls()
        for one in said:
            if "config_name" not in one:
                raise InvalidArgumentError(
                    "Each config must include `config_name` field with a string name of a config,"
                    f" but got {one}. "
                )
            cls._raise_if_data_files_field_not_valid(one)
            result[one["config_name"]] = {
                key: Features._from_yaml_list(value) if key == "features" else value
                for key, value in one.items()
                if key != "config_name"
            }
        return result

    def to_dataset_card_data(self, dataset_card_data: Any) -> None:
        """Write the configurations into a card's metadata, in addition to those that are there."""
        if not self:
            return
        for one in self.values():
            self._raise_if_data_files_field_not_valid(one)
        every = {**self.from_dataset_card_data(dataset_card_data), **self}
        dataset_card_data[self.FIELD_NAME] = [
            {
                "config_name": name,
                **{key: value for key, value in every[name].items() if key != "config_name"},
            }
            for name in sorted(every)
        ]

    def get_default_config_name(self) -> str | None:
        """Return the configuration that is loaded without a name, or `None` if there is none.

        It is the only one, the one with `default: true`, or `"default"`.

        Raises:
            InvalidArgumentError: There are several.
        """
        found = [
            name
            for name, one in self.items()
            if len(self) == 1 or name == "default" or one.get("default")
        ]
        if len(found) > 1:
            raise InvalidArgumentError(
                f"Dataset has several default configs: '{found[0]}' and '{found[1]}'."
            )
        return found[0] if found else None


def _is_files(one: Any) -> bool:
    if isinstance(one, str):
        return True
    told = isinstance(one, dict) and set(one) == {"split", "path"}
    return told and bool(_SPLIT.match(one["split"])) and isinstance(one["path"], (str, list))
