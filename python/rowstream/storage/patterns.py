"""Patterns for files: `*`, `?`, `[…]`, `**`, `{a,b}`, `{000..099}`."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.storage.folders import matches
from rowstream.storage.urls import shown

_IGNORED = frozenset(
    (
        "README.md",
        "config.json",
        "dataset_info.json",
        "dataset_infos.json",
        "dataset_dict.json",
        "dummy_data.zip",
    )
)
_STEPS = re.compile(r"cache-[0-9a-f]{16}(_\d+_of_\d+)?\.arrow")
_NUMBERS = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?")
_LETTERS = re.compile(r"([a-zA-Z])\.\.([a-zA-Z])(?:\.\.(-?\d+))?")
_PADDED = re.compile(r"-?0\d+")
_MOST = 1_000_000


def expand(pattern: str) -> list[str]:
    """Return a list of patterns without braces, one for each choice, as a shell does.

    `a{0..2}` is `a0`, `a1`, `a2`; leading zeros are kept, as in `{00..10}`, and `{0..10..5}` has
    steps of 5. Braces that say no choice stay as they are.

    Raises:
        InvalidArgumentError: There are more than a million choices.
    """
    start = pattern.find("{")
    while start >= 0:
        choices = _choices(pattern, body) if (body := _body(pattern, start)) is not None else None
        if body is not None and choices is not None:
            tails = expand(pattern[start + len(body) + 2 :])
            if len(choices) * len(tails) > _MOST:
                raise _too_many(pattern, body)
            return [pattern[:start] + choice + tail for choice in choices for tail in tails]
        start = pattern.find("{", start + 1)
    return [pattern]


def _body(pattern: str, start: int) -> str | None:
    """Return what is between the brace at a place and the one that closes it, if there is one."""
    depth = 0
    for i in range(start, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[i], 0)
        if not depth:
            return pattern[start + 1 : i]
    return None


def _choices(pattern: str, body: str) -> list[str] | None:
    """Return what braces with this between them stand for; `None` if they are no choice."""
    parts, depth = [""], 0
    for letter in body:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    if len(parts) > 1:
        return [choice for part in parts for choice in expand(part)]
    if found := _NUMBERS.fullmatch(body):
        first, last, step = found.groups()
        padded = _PADDED.fullmatch(first) or _PADDED.fullmatch(last)
        width = max(len(first), len(last)) if padded else 0
        numbers = _range(int(first), int(last), step)
        if len(numbers) > _MOST:
            raise _too_many(pattern, body)
        return [str(i).zfill(width) for i in numbers]
    if found := _LETTERS.fullmatch(body):
        first, last, step = found.groups()
        return [chr(i) for i in _range(ord(first), ord(last), step)]
    return None


def _range(first: int, last: int, step: str | None) -> range:
    each = abs(int(step or 1)) or 1
    return range(first, last + 1, each) if first <= last else range(first, last - 1, -each)


def _too_many(pattern: str, body: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{shown(pattern)}: {{{body}}} stands for more than {_MOST} files: use *"
    )


def resolve(pattern: str | os.PathLike[str], base: str) -> list[str]:
    """Return the absolute paths that match a pattern, sorted for each choice of its braces.

    Hidden files and folders, and files that describe a dataset (`README.md`, …), are left out
    unless they are named.

    Raises:
        DataFilesNotFoundError: No file matches.
    """
    text = os.fspath(pattern)
    if not isinstance(text, str):
        raise InvalidArgumentError(f"data_files expects a path as text, not {text!r}")
    text = text.removeprefix("file://")
    text = os.path.expanduser(text)
    whole = os.path.join(base, text)
    if Path(whole).is_file():
        return [os.path.abspath(whole)]
    found: list[str] = []
    base, text = literal_folder(base, text)
    for part in expand(text):
        # Only the pattern is one, not the folder that it is in.
        choice = os.path.join(base if not glob.has_magic(part) else glob.escape(base), part)
        if not glob.has_magic(choice):
            if not Path(choice).is_file():
                raise DataFilesNotFoundError(
                    f"there is no file {choice}"
                    + (" (it is a folder; add /* for its files)" if Path(choice).is_dir() else "")
                )
            found.append(os.path.abspath(choice))
            continue
        found += [
            os.path.abspath(path)
            for path in sorted(set(matches(choice)))
            if Path(path).is_file() and wanted(path, choice)
        ]
    if not found:
        raise DataFilesNotFoundError(f"no file matches {shown(whole)}")
    return list(dict.fromkeys(found))


def literal_folder(base: str, pattern: str) -> tuple[str, str]:
    """Return the literal folder at the beginning of a pattern, and the rest of the pattern.

    Existing folders with `[` or `{` in their names count as literal.
    """
    folder, slash, rest = pattern.partition("/")
    while (
        slash
        and not set(folder) & {"*", "?"}
        and Path(place := os.path.join(base, folder + "/")).is_dir()
    ):
        base = place
        folder, slash, rest = (pattern := rest).partition("/")
    return base, pattern


def wanted(path: str, pattern: str) -> bool:
    """Return whether a match is a data file.

    Files that describe a dataset, cached results next to data, and files in folders such as
    `__pycache__` are not.
    """
    parts, asked = Path(path).parts, set(Path(pattern).parts)
    left = _STEPS.fullmatch(parts[-1]) is not None and not Path(pattern).name.startswith("cache-")
    return (
        parts[-1] not in _IGNORED
        and not left
        and not any(part.startswith("__") and part not in asked for part in parts[:-1])
    )


def walk(folder: str) -> list[str]:
    """Return all data files below a folder, sorted, relative to it."""
    found = resolve("**/*", folder)
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in found]
