"""Files on other machines: patterns of URLs, and what listings say of the files that they name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rowstream.access import CLOUDS, Access
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.resolve import patterns

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[a-z]+://.*::")
_MAGIC = re.compile(r"[*?\[]")


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path is one of another machine."""
    return isinstance(path, str) and _SCHEME.match(path) is not None and not path.startswith("file://")


def without_query(url: str) -> str:
    """A URL as far as it names a file."""
    return re.split(r"[?#]", url, maxsplit=1)[0] if url.startswith(("http://", "https://")) else url


def translated(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression: `*` and `?` stop at slashes, `**` does not; what begins with a dot has to be named."""
    made, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        start = at == 0 or pattern[at - 1] == "/"
        hidden = r"(?!\.)" if start and char in "*?[" else ""
        if pattern.startswith("**/", at) and start:
            made += r"(?:(?!\.)[^/]+/)*"
            at += 3
            continue
        if pattern.startswith("**", at):
            made += hidden + (r"(?:(?!\.)[^/]+/)*(?!\.)[^/]*" if start else r"(?:[^/]*/(?!\.))*[^/]*")
            at += 2
            continue
        if char == "[" and (end := pattern.find("]", at + 2)) > 0:
            inner = pattern[at + 1 : end].replace("\\", r"\\")
            made += f"{hidden}[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
            at = end + 1
            continue
        made += hidden + {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        at += 1
    return re.compile(made + r"\Z", re.DOTALL)


def chosen(paths: Iterable[str], pattern: str) -> list[str]:
    """Those of some relative paths that a pattern chooses, sorted; without what describes a data set or is kept apart."""
    found: list[str] = []
    for choice in patterns.expand(pattern):
        fits = translated(choice.removeprefix("./")).match
        plain = not _MAGIC.search(choice)
        found += sorted(path for path in paths if fits(path) and (plain or patterns.wanted(path, choice)))
    return list(dict.fromkeys(found))


@dataclass
class Places:
    """Where the files of one data set are, how they are asked for, and what is known of them.

    Attributes:
        access: credentials and settings.
        known: the length and the version of files, by location, where a listing said them.
    """

    access: Access
    known: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    def resolve(self, pattern: str | os.PathLike[str], base: str) -> list[str]:
        """The files of a pattern: paths and URLs, sorted for each choice of its braces.

        Raises:
            DataFilesNotFoundError: there is none.
        """
        text = os.fspath(pattern)
        if not is_url(text):
            if not is_url(base) or Path(text).is_absolute():
                return patterns.resolve(pattern, base)
            text = f"{base.rstrip('/')}/{text}"
        text = text.removeprefix("file://") if text.startswith("file://") else text
        scheme = text.partition("://")[0]
        if "::" in text or (scheme not in CLOUDS and scheme not in ("http", "https", "hf")):
            from rowstream.foreign import resolve

            return resolve(text, self.access.foreign())
        if scheme == "hf":
            from rowstream.resolve.hub import resolve_url

            return resolve_url(text, self)
        found = [url for choice in patterns.expand(text) for url in self._listed(choice, scheme)]
        if not found:
            raise DataFilesNotFoundError(f"no object matches {text}")
        return list(dict.fromkeys(found))

    def _listed(self, url: str, scheme: str) -> list[str]:
        """The objects of a pattern without braces."""
        if scheme in ("http", "https"):
            return [url]
        magic = _MAGIC.search(url)
        if not magic:
            return [url]
        folder = url[: url.rindex("/", 0, magic.start()) + 1]
        if folder.count("/") < 3:
            raise InvalidArgumentError(f"{url}: the bucket has to be named, only what is in it can be a pattern")
        there = self.access.core(url).list(folder)
        names = {location.removeprefix(folder): (location, size, version) for location, size, version in there}
        found = []
        for name in chosen(names, url.removeprefix(folder)):
            location, size, version = names[name]
            self.known[location] = (size, version)
            found.append(location)
        return found

    def walk(self, folder: str) -> list[str]:
        """All data files below a folder, sorted, relative to it."""
        if not is_url(folder):
            return patterns.walk(folder)
        root = folder.rstrip("/") + "/"
        return [location.removeprefix(root) for location in self.resolve("**/*", folder)]

    def refs(self, files: Iterable[str]) -> list[str | tuple[str, int, str | None]]:
        """Files as the core lists them: with what is known of them."""
        return [(file, *self.known[file]) if file in self.known and self.known[file][1] is not None else file for file in files]
