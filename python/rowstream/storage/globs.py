"""Patterns for keys of object stores and files of repositories: relative paths with slashes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable

from rowstream.storage import patterns

MAGIC = re.compile(r"[*?\[]")
"""What makes a text a pattern."""


def matching(
    paths: Iterable[str], pattern: str, odd: Iterable[str] = (), within: str = ""
) -> list[str]:
    """Return the paths that match a pattern, sorted.

    Files that describe a dataset or are in folders such as `__pycache__` are left out. A file with
    exactly the name of the pattern is preferred.

    Args:
        paths: The relative paths.
        pattern: The pattern.
        odd: Paths with names that not all systems can read; they match only by their name. A
            pattern that would match one warns.
        within: The folder that the pattern is below; it is not a pattern itself.
    """
    paths, odd = list(paths), list(odd)
    text = pattern.removeprefix("./")
    start = f"{within}/" if within else ""
    if start + text in {*paths, *odd}:
        return [start + text]
    start, text = literal_folder(
        start, text, lambda folder: any(path.startswith(folder) for path in paths)
    )
    found: list[str] = []
    for choice in patterns.expand(text):
        fits = re.compile(
            re.escape(start) + pattern_regex(choice.removeprefix("./")).pattern, re.DOTALL
        ).match
        plain = not MAGIC.search(choice)
        found += sorted(
            path for path in paths if fits(path) and (plain or patterns.wanted(path, choice))
        )
        if left := sorted(path for path in odd if fits(path) or fits(_plain(path))):
            warnings.warn(
                f"{pattern!r} leaves out what has an odd name:"
                f" {left[0]!r}{' and others' * (len(left) > 1)}",
                stacklevel=2,
            )
    return list(dict.fromkeys(found))


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression.

    `*` and `?` stop at slashes, `**` does not, and hidden names have to be given literally.
    """
    result, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        start = at == 0 or pattern[at - 1] == "/"
        hidden = r"(?!\.)" if start and char in "*?[" else ""
        if pattern.startswith("**/", at) and start:
            result += r"(?:(?!\.)[^/]+/)*"
            at += 3
            continue
        if pattern.startswith("**", at):
            result += hidden + (
                r"(?:(?!\.)[^/]+/)*(?!\.)[^/]*" if start else r"(?:[^/]*/(?!\.))*[^/]*"
            )
            at += 2
            continue
        if char == "[" and (end := pattern.find("]", at + 2)) > 0:
            inner = pattern[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            result += f"{hidden}[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
            at = end + 1
            continue
        result += hidden + {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        at += 1
    return re.compile(result + r"\Z", re.DOTALL)


def literal_folder(start: str, pattern: str, there: Callable[[str], bool]) -> tuple[str, str]:
    """Return the literal folder at the beginning of a pattern, and the rest of the pattern.

    Existing folders with `[` or `{` in their names count as literal.
    """
    folder, slash, rest = pattern.partition("/")
    while slash and not set(folder) & {"*", "?"} and there(f"{start}{folder}/"):
        start = f"{start}{folder}/"
        folder, slash, rest = (pattern := rest).partition("/")
    return start, pattern


def is_odd(key: str) -> bool:
    """Return whether a key is not a valid path, since it has empty, `.` or `..` parts."""
    return not {"", ".", ".."}.isdisjoint(key.split("/"))


def _plain(key: str) -> str:
    """Return a key without empty, `.` and `..` parts."""
    return "/".join(part for part in key.split("/") if part not in ("", ".", ".."))
