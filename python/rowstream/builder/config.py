"""Configurations of builders."""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features  # noqa: TC001 - annotations can be evaluated
from rowstream.fingerprint.hasher import Hasher
from rowstream.storage.urls import is_url
from rowstream.version import Version


class InvalidConfigName(InvalidArgumentError):
    """The name of a configuration has characters that a folder's name cannot have."""


@dataclass
class BuilderConfig:
    r"""A configuration of a builder, such as a subset or a language of the dataset.

    Subclass it to add the options of a builder as attributes.

    Attributes:
        name: The name of the configuration.
        version: The version of the data.
        data_dir: The folder of the data files.
        data_files: The files of each split, as a dict of lists.
        description: A description for users.

    Raises:
        InvalidConfigName: The name has one of the characters `<>:/\|?*`.
        InvalidArgumentError: `data_files` is not a dict.

    Example:
        >>> BuilderConfig(name="small", data_dir="data/small")
        BuilderConfig(name='small', version=0.0.0, data_dir='data/small', data_files=None,
        description=None)
    """

    name: str = "default"
    version: Any = Version("0.0.0")  # noqa: RUF009  # it never changes
    data_dir: str | None = None
    data_files: Any = None
    description: str | None = None

    def __post_init__(self) -> None:
        for char in "<>:/\\|?*":
            if char in self.name:
                raise InvalidConfigName(
                    f"Bad characters from black list '<>:/\\|?*' found in '{self.name}'. They could"
                    " create issues when creating a directory for this config on Windows"
                    " filesystem."
                )
        if self.data_files is not None and not isinstance(self.data_files, dict):
            raise InvalidArgumentError(
                f"Expected a DataFilesDict in data_files but got {self.data_files}"
            )

    def create_config_id(
        self, config_kwargs: dict[str, Any], custom_features: Features | None = None
    ) -> str:
        """Return the name of the folder in the cache: the configuration's name and the options.

        Args:
            config_kwargs: The arguments that the builder was created with.
            custom_features: The features that replace those of the builder, if any.

        Example:
            >>> BuilderConfig("small").create_config_id({"data_dir": "data"})
            'small-data_dir=data'
        """
        said = {
            key: config_kwargs[key]
            for key in sorted(config_kwargs)
            if key not in ("name", "version")
        }
        if said.get("data_dir") is None:
            said.pop("data_dir", None)
        else:
            said["data_dir"] = os.path.normpath(said["data_dir"])
        if said.pop("data_files", None) is not None and self.data_files is not None:
            said["data_files"] = {
                split: [origin(file) for file in files] for split, files in self.data_files.items()
            }
        suffix = ""
        if said:
            if all(isinstance(value, (str, bool, int, float)) for value in said.values()):
                suffix = ",".join(
                    f"{key}={urllib.parse.quote_plus(str(value))}" for key, value in said.items()
                )
            if not suffix or len(suffix) > 32:
                suffix = Hasher.hash(said)
        if custom_features is not None:
            suffix = Hasher.hash([suffix, custom_features.to_dict()])
        result = f"{self.name}-{suffix}" if suffix else self.name
        return result if len(result) <= 255 else f"{self.name}-{Hasher.hash(suffix)}"


def origin(file: str) -> list[Any]:
    """Return the path of a file with its current size and modification time, or a URL alone."""
    if is_url(file) or not os.path.exists(file):
        return [file]
    stat = os.stat(file)
    return [file, stat.st_size, stat.st_mtime_ns]


def snake(name: str) -> str:
    """Return the name of a class in snake case."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


def version(version: Any) -> Any:
    """Return a version as a `Version`."""
    return version if isinstance(version, Version) else Version(str(version))
