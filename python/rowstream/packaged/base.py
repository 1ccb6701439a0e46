"""What readers of formats in Python have in common."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import IO, TYPE_CHECKING, Any, ClassVar

from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.extract import extract
from rowstream.storage.files import open as open_file
from rowstream.storage.locations import FileLocations
from rowstream.storage.urls import COMPRESSED, is_url, shown

if TYPE_CHECKING:
    from rowstream.features.features import Features
    from rowstream.storage.access import StorageOptions

__all__ = ["Reader", "Source", "choose"]


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        path: Its path or URL.
        access: Credentials and settings.
    """

    path: str
    access: StorageOptions

    @property
    def is_far(self) -> bool:
        """Whether it is on another machine."""
        return is_url(self.path)

    def open(self) -> IO[bytes]:
        """Open the file, as it is."""
        return open_file(
            self.path,
            "rb",
            storage_options=self.access.storage_options,
            token=self.access.token,
        )

    def content(self) -> bytes:
        """Read the file, decompressed if its name says that it is compressed."""
        if not self.is_far and self.path.lower().endswith(COMPRESSED):
            with open(extract(self.path), "rb") as file:
                return file.read()
        with self.open() as file:
            result: bytes = file.read()
        return result

    def text(self, encoding: str = "utf-8", errors: str | None = None) -> str:
        """Read the file as text, with line feeds as line ends."""
        text = self.content().decode(encoding, errors or "strict")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def local(self, what: str) -> str:
        """Return the path of a file of this machine.

        Raises:
            InvalidArgumentError: It is on another machine.
        """
        if self.is_far:
            raise InvalidArgumentError(
                f"{self}: {what} files are only read from local disk: download it first, with"
                " rowstream.DownloadManager().download(url)"
            )
        return self.path

    def __str__(self) -> str:
        return shown(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__


@dataclass
class Reader:
    """The base class of readers: the options of a format, and how its files become rows.

    Attributes:
        name: The name of the format.
        columns: The columns to read; all of them if `None`.
    """

    name: ClassVar[str]
    columns: list[str] | None = None

    @classmethod
    def of(cls, options: dict[str, Any]) -> Reader:
        """Return the reader for the options of `load_dataset`.

        Raises:
            InvalidArgumentError: There is no such option.
        """
        names = [one.name for one in fields(cls) if not one.name.startswith("_")]
        if unknown := [name for name in options if name not in names]:
            raise InvalidArgumentError(
                f"there is no option {', '.join(map(repr, unknown))} of load_dataset for"
                f" {cls.name}; there is {', '.join(f'{name}=' for name in names) or 'none'}"
            )
        return cls(**options)

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - for subclasses
        """Return the types of the columns, or `None` if the rows show them."""
        return None

    def names_there(self, files: list[Source]) -> list[str] | None:  # noqa: ARG002 - for subclasses
        """Return the columns that any of the files has, if only those that are declared are read
        and looked at; `None` where all are.
        """
        return None

    def with_declared(self, features: Features) -> Reader:  # noqa: ARG002 - for subclasses
        """Return the reader for types that are declared."""
        return self

    def units(self, files: list[Source]) -> list[Any]:
        """Return what `rows` takes, one after another: the files, unless a format says more."""
        return [*files]

    def rows(self, unit: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a unit."""
        raise NotImplementedError


def choose(features: Features, columns: list[str] | None) -> Features:
    """Return the features of some columns, in their order.

    Raises:
        InvalidArgumentError: There is no such column, or one is named twice.
    """
    if columns is None:
        return features
    if not columns or len(set(columns)) < len(columns):
        raise InvalidArgumentError(f"columns= lists columns, each once, not {columns}")
    if missing := [name for name in columns if name not in features]:
        raise InvalidArgumentError(
            f"there is no column {', '.join(map(repr, missing))}; the columns are {list(features)}"
        )
    return type(features)({name: features[name] for name in columns})


def version(source: Source) -> str:
    """Return what changes when a file does, for the names of cached results."""
    if source.is_far:
        location, known = FileLocations(source.access).one(source.path)
        file = source.access.core(location).open(location, *known)
        # A server that does not say which version it has may have another one each time.
        return f"{source.path} {file.size} {file.version or time.time_ns()}"
    status = os.stat(source.path)
    return f"{source.path} {status.st_size} {status.st_mtime_ns}"
