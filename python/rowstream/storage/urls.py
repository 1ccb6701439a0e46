"""Paths and URLs told apart, and what their ends say."""

from __future__ import annotations

import os
import re

from rowstream.storage.access import CLOUDS

COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
"""What ends the names of compressed files."""


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[a-z]+://.*::")
_OWN = ("http", "https", "hf", *CLOUDS)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is one of another machine."""
    return (
        isinstance(path, str) and _SCHEME.match(path) is not None and not path.startswith("file://")
    )


def foreign(url: str) -> bool:
    """Return whether fsspec reads a URL: one of another scheme, or a chain of URLs, as
    `zip://a.csv::s3://bucket/b.zip`.
    """
    scheme, _, rest = url.partition("://")
    return scheme not in _OWN or "://" in rest.partition("::")[2]


def without_query(url: str) -> str:
    """Return a URL as far as it names a file."""
    return re.split(r"[?#]", url, maxsplit=1)[0] if url.startswith(("http://", "https://")) else url
