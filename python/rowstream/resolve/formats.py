"""The format of a file, by its name or by its first bytes."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rowstream.exceptions import FileFormatError, UnsupportedError
from rowstream.storage.urls import COMPRESSED

READ = ("parquet", "json", "csv", "text", "arrow", "webdataset")
"""The formats that are read."""

_EXTENSIONS = {
    "parquet": (".parquet", ".geoparquet", ".gpq"),
    "json": (".json", ".jsonl", ".ndjson"),
    "csv": (".csv", ".tsv"),
    "arrow": (".arrow",),
    "text": (".txt",),
    "webdataset": (".tar", ".tgz"),
    "xml": (".xml",),
    "hdf5": (".h5", ".hdf5"),
    "lance": (".lance",),
    "vortex": (".vortex",),
}
_OTHERS = (
    "imagefolder",
    "audiofolder",
    "videofolder",
    "pandas",
    "conll",
    "iceberg",
    "pdffolder",
    "niftifolder",
)
_MAGIC = ((b"PAR1", "parquet"), (b"PARE", "parquet"), (b"ARROW1\0\0", "arrow"))


BUILDERS = frozenset((*_EXTENSIONS, *_OTHERS))
"""The names of formats that `datasets` has a builder for."""

ENDINGS = {
    ending[1:]: name
    for name, endings in _EXTENSIONS.items()
    for ending in endings
    if ending[1:] != name
}
"""Other names of formats: how their files end, as `"jsonl"`, `"tsv"`."""

NAMES = (*READ, *(ending for ending, name in ENDINGS.items() if name in READ))
"""The names of formats that are read."""


def require(name: str) -> str:
    """Return the format if it is supported.

    Raises:
        UnsupportedError: It is not.
    """
    if name not in READ:
        raise UnsupportedError(f"the format {name!r} is not read yet; these are: {', '.join(READ)}")
    return name


def by_name(path: str) -> str | None:
    """Return the format of a file by its name, or `None`."""
    lower = (
        re.split(r"[?#]", path, maxsplit=1)[0].lower()
        if path.startswith(("http://", "https://"))
        else path.lower()
    )
    for packed in COMPRESSED:
        lower = lower.removesuffix(packed)
    for name, extensions in _EXTENSIONS.items():
        if lower.endswith(extensions):
            return name
    return None


def by_bytes(path: str) -> str | None:
    """Return the format of a file by its first bytes, or `None`."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(8)
    except OSError:
        return None
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def by_members(path: str) -> str | None:
    """Return the format that most members of a local zip archive have by name, or `None`."""
    if not path.lower().endswith(".zip"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            found = Counter(
                name for member in archive.namelist() if (name := by_name(member)) is not None
            )
    except (OSError, zipfile.BadZipFile):
        return None
    return found.most_common(1)[0][0] if found else None


LOOKS = (by_name, by_bytes, by_members)
"""Where a file's format is looked for, one after another."""


def of_files(paths: Iterable[str]) -> str:
    """Return the format that most files have.

    Names decide; else the first bytes of files, or the members of zip archives.
    """
    paths = list(paths)
    for look in LOOKS:
        found = Counter(name for path in paths if (name := look(path)) is not None)
        if found:
            return found.most_common(1)[0][0]
    shown = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
    raise FileFormatError(
        f"no known format, by name or first bytes: {shown}; name the format, as"
        ' load_dataset("parquet", …)'
    )
