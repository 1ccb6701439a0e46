"""Readers and writers of JSON Lines files."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from rowstream.exceptions import FileFormatError
from rowstream.storage.files import open
from rowstream.storage.urls import shown


def read_jsonl(
    path: str | os.PathLike[str],
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> Iterator[Any]:
    """Yield the value of each line in a JSON Lines file, local or remote.

    Empty lines are skipped, and gzip files are decompressed. Lines may hold any JSON value.

    Args:
        path: The path or URL, as in `rowstream.open`.
        storage_options: Credentials and settings, as in `load_dataset`.
        token: The Hub token.

    Raises:
        DataFilesNotFoundError: The file does not exist.
        FileFormatError: A line is not valid JSON; the message contains its number.

    Example:
        >>> write_jsonl("results.jsonl", [{"id": 0}, {"id": 1}])
        2
        >>> list(read_jsonl("results.jsonl"))
        [{'id': 0}, {'id': 1}]
        >>> rows = list(read_jsonl("s3://bucket/results.jsonl"))  # doctest: +SKIP
    """
    with contextlib.ExitStack() as stack:
        lines: Any = stack.enter_context(
            open(path, "rb", storage_options=storage_options, token=token)
        )
        # By its first bytes: a server may take the end of a name for the way to send a file, and
        # then they are not there.
        if lines.peek(2)[:2] == b"\x1f\x8b":
            lines = stack.enter_context(gzip.open(lines))
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as error:
                raise FileFormatError(
                    f"{shown(os.fspath(path))}: line {number} is not JSON: {error}"
                ) from None


def write_jsonl(
    path: str | os.PathLike[str],
    rows: Iterable[Any],
    *,
    storage_options: dict[str, Any] | None = None,
) -> int:
    """Write values to a JSON Lines file, one per line, and return how many were written.

    The file appears when it is complete. If `rows` raises an error, no file is written, and an
    existing one stays as it was.

    Args:
        path: The path or URL, as in `rowstream.open`.
        rows: An iterable of rows (dicts) or any other JSON values.
        storage_options: Credentials and settings, as in `load_dataset`.

    Returns:
        The number of lines.

    Example:
        >>> write_jsonl("results.jsonl", ({"id": i} for i in range(3)))
        3
        >>> list(read_jsonl("results.jsonl"))
        [{'id': 0}, {'id': 1}, {'id': 2}]
    """
    n = 0
    with open(path, "w", newline="\n", storage_options=storage_options) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n += 1
    return n
