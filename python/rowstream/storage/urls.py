"""Functions that distinguish paths and URLs."""

from __future__ import annotations

import os
import re

from rowstream.storage.access import CLOUDS

COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
"""What ends the names of compressed files."""


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[a-z]+://.*::")
_OWN = ("http", "https", "hf", *CLOUDS)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the URL of a remote file."""
    return (
        isinstance(path, str) and _SCHEME.match(path) is not None and not path.startswith("file://")
    )


def foreign(url: str) -> bool:
    """Return whether fsspec has to read a URL.

    It has another scheme, or is a chain such as `zip://a.csv::s3://bucket/b.zip`.
    """
    scheme, _, rest = url.partition("://")
    return scheme not in _OWN or "://" in rest.partition("::")[2]


def without_query(url: str) -> str:
    """Return an HTTP URL without its query and fragment; other URLs as they are."""
    return re.split(r"[?#]", url, maxsplit=1)[0] if url.startswith(("http://", "https://")) else url
