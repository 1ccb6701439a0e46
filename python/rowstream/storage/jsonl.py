"""JSON Lines, read and written."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from rowstream.exceptions import FileFormatError
from rowstream.storage.files import open
from rowstream.storage.urls import without_query


def read_jsonl(
    path: str | os.PathLike[str],
    *,
    storage_options: dict[str, Any] | None = None,
    token: bool | str | None = None,
) -> Iterator[Any]:
    """Yield the values of the lines of a file of any source, one after another: as JSON has them,
    whatever they are. A file of gzip is decompressed.

    Raises:
        FileFormatError: a line is not JSON; the message says which.

    Example:
        >>> rows = [*rowstream.read_jsonl("s3://bucket/results.jsonl")]
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
                    f"{without_query(os.fspath(path))}: line {number} is not JSON: {error}"
                ) from None


def write_jsonl(
    path: str | os.PathLike[str],
    rows: Iterable[Any],
    *,
    storage_options: dict[str, Any] | None = None,
) -> int:
    """Write rows as JSON Lines, a file that is there whole or not at all; gives how many.

    Example:
        >>> rowstream.write_jsonl("results.jsonl", ({"id": i} for i in range(3)))
        3
    """
    n = 0
    with open(path, "w", newline="\n", storage_options=storage_options) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n += 1
    return n
