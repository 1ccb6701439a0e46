"""Locations of files on other machines: patterns of URLs, and what listings say about the files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import DataFilesNotFoundError, FilePermissionError, InvalidArgumentError
from rowstream.storage import patterns
from rowstream.storage.fsspec_bridge import resolve
from rowstream.storage.globs import MAGIC, is_odd, literal_folder, matching
from rowstream.storage.hub import pinned, resolve_url
from rowstream.storage.urls import foreign, is_url

if TYPE_CHECKING:
    from rowstream.storage.access import StorageOptions


def origins(*named: Any) -> frozenset[str]:
    """Return the HTTP origins of URLs among paths, URLs, patterns, and lists and dicts of them."""
    found: set[str] = set()
    for one in named:
        if isinstance(one, Mapping):
            found |= origins(*one.values())
        elif isinstance(one, (list, tuple, set, frozenset)):
            found |= origins(*one)
        elif isinstance(one, str) and one.startswith(("https://", "http://")):
            # Up to the path: what is no URL after all is told of where it is asked for.
            starts = (
                re.match(r"(https?://)(?:[^/?#]*@)?([^/?#]+)", url) for url in patterns.expand(one)
            )
            found |= {start[1] + start[2] for start in starts if start}
    return frozenset(found)


@dataclass
class FileLocations:
    """The locations of the files of one dataset, and what is known about them.

    Attributes:
        access: Credentials and settings.
        known: The length and the version of files, by location, as far as listings contain them.
    """

    access: StorageOptions
    known: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    def resolve(self, pattern: str | os.PathLike[str], base: str) -> list[str]:
        """Return the paths and URLs that match a pattern, sorted for each choice of its braces.

        Raises:
            DataFilesNotFoundError: No file matches.
        """
        text = os.fspath(pattern)
        if not is_url(text):
            if not is_url(base) or Path(text).is_absolute():
                return patterns.resolve(pattern, base)
            folder, text = base.rstrip("/") + "/", text.removeprefix("./")
        else:
            folder = ""
        scheme = (folder or text).partition("://")[0]
        if foreign(folder + text):
            return resolve(folder + text, self.access.foreign())
        if scheme == "hf":
            return resolve_url(folder, text, self.access, self.known)
        if scheme in ("http", "https"):
            return list(dict.fromkeys(folder + choice for choice in patterns.expand(text)))
        found = self._objects(folder, text)
        if not found:
            raise DataFilesNotFoundError(f"no object matches {folder}{text}")
        return list(dict.fromkeys(found))

    def _objects(self, folder: str, pattern: str) -> list[str]:
        """Return the objects that match a pattern below a folder, which is empty if it is a URL."""
        core = self.access.core(folder + pattern)
        start, rest = literal_folder(
            folder,
            pattern,
            lambda at: set(at.split("/")[-2]).isdisjoint("[{") or bool(core.list(at)),
        )
        if not set(rest).isdisjoint("[{") and set(rest).isdisjoint("*?"):
            with contextlib.suppress(DataFilesNotFoundError, FilePermissionError):
                core.open(start + rest)
                return [start + rest]
        return [url for choice in patterns.expand(rest) for url in self._listed(start + choice)]

    def _listed(self, url: str) -> list[str]:
        """Return the objects that match a pattern without braces."""
        magic = MAGIC.search(url)
        if not magic:
            return [url]
        folder = url[: url.rindex("/", 0, magic.start()) + 1]
        if folder.count("/") < 3:
            raise InvalidArgumentError(
                f"{url}: the bucket has to be named, only what is in it can be a pattern"
            )
        names = {
            location.removeprefix(folder): (location, size, version)
            for location, size, version in self.access.core(url).list(folder)
        }
        odd = [name for name in names if is_odd(name)]
        found = []
        for name in matching(names.keys() - odd, url.removeprefix(folder), odd):
            location, size, version = names[name]
            self.known[location] = (size, version)
            found.append(location)
        return found

    def one(self, url: str) -> tuple[str, tuple[Any, ...]]:
        """Return the location of a file, and its known size and version: on the Hub, at one commit.

        Raises:
            InvalidArgumentError: The URL names several files.
        """
        if not url.startswith("hf://"):
            return url, self.known.get(url, ())
        found = self.resolve(url, ".")
        if len(found) != 1:
            raise InvalidArgumentError(f"{url} names {len(found)} files")
        return found[0], self.known[found[0]]

    def pinned(self, url: str) -> str:
        """Return a URL that always means the same file: one of the Hub gets its present commit."""
        if not url.startswith("hf://"):
            return url
        return pinned(url, self.access)

    def walk(self, folder: str) -> list[str]:
        """Return all data files below a folder, sorted, relative to it."""
        if not is_url(folder):
            return patterns.walk(folder)
        root = folder.rstrip("/") + "/"
        return [location.removeprefix(root) for location in self.resolve("**/*", folder)]

    def refs(self, files: Iterable[str]) -> list[str | tuple[str, int, str | None]]:
        """Return files as the core lists them, with their lengths and versions if known."""
        return [
            (file, *self.known[file])
            if file in self.known and self.known[file][1] is not None
            else file
            for file in files
        ]
