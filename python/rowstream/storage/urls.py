"""Functions that distinguish paths and URLs."""

from __future__ import annotations

import os
import re

COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
"""What ends the names of compressed files."""

CLOUDS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "azure": "az",
    "abfs": "az",
    "abfss": "az",
    "adl": "az",
}
"""The schemes of object stores."""


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


def shown(url: str) -> str:
    """Return a path or URL as a message may show it: without a user, a password and a query."""
    return "::".join(map(_shown, re.split(r"::(?=[A-Za-z0-9+.-]+://)", url)))


def _shown(url: str) -> str:
    # A container of Azure stands before an at sign too, and has no password.
    user = "[^/@:]*:[^/@]*@" if url.partition("://")[0] in CLOUDS else "[^/@]*@"
    return re.sub(f"(?<=://){user}", "", without_query(url))


def without_query(url: str) -> str:
    """Return an HTTP URL without its query and fragment; other URLs as they are."""
    return re.split(r"[?#]", url, maxsplit=1)[0] if url.startswith(("http://", "https://")) else url
