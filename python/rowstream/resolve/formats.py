"""The format of a file, by its name or by its first bytes."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from rowstream.exceptions import FileFormatError, UnsupportedError
from rowstream.storage.urls import COMPRESSED, shown

READ = ("parquet", "json", "csv", "text", "arrow", "webdataset")
"""The formats that the core reads."""

_EXTENSIONS = {
    "parquet": (".parquet", ".geoparquet", ".gpq"),
    "json": (".json", ".jsonl", ".ndjson"),
    "csv": (".csv", ".tsv"),
    "arrow": (".arrow",),
    "text": (".txt",),
    "webdataset": (".tar", ".tgz"),
    "conll": (".conll", ".conllu"),
    "eval": (".eval",),
    "fasta": (".fa", ".fasta", ".fna", ".ffn", ".faa", ".frn", ".afa"),
    "fastq": (".fq", ".fastq"),
    "genbank": (".gb", ".gbk", ".genbank"),
    "hdf5": (".h5", ".hdf5"),
    "lance": (".lance",),
    "mds": (".mds",),
    "tsfile": (".tsfile",),
    "vortex": (".vortex",),
    "xml": (".xml",),
}
PACKAGED = (
    "conll",
    "eval",
    "fasta",
    "fastq",
    "genbank",
    "harbor",
    "hdf5",
    "lance",
    "litdata",
    "mds",
    "tsfile",
    "vortex",
    "xml",
)
"""The formats that are read in Python, a reader each."""

PANDAS_CSV = "csv by pandas"
"""The reader of CSV with options that only pandas has; no format of its own."""

MEDIA = {
    "imagefolder": (
        *(".apng", ".avif", ".bmp", ".bw", ".cur", ".dds", ".dib", ".eps", ".fits", ".gif"),
        *(".icns", ".ico", ".im", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg"),
        *(".jpf", ".jpg", ".jpx", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".psd"),
        *(".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".webp", ".xbm", ".xpm"),
    ),
    "audiofolder": (
        *(".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".paf"),
        *(".rf64", ".sd2", ".voc", ".w64", ".wav", ".wavex", ".wma"),
    ),
    "videofolder": (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"),
    "pdffolder": (".pdf",),
    "meshfolder": (".glb", ".gltf", ".ply", ".stl"),
    "niftifolder": (".nii",),
    "pdb": (".pdb", ".ent"),
    "mmcif": (".cif", ".mmcif"),
}
"""How files of media end, by the format of folders of them."""

ALL = (*READ, *PACKAGED, *MEDIA)
"""All formats that are read."""

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""The files that say more of the media beside them."""

_OTHERS = ("pandas", "sql", "spark", "cache", "iceberg")
_MAGIC = ((b"PAR1", "parquet"), (b"PARE", "parquet"), (b"ARROW1\0\0", "arrow"))


BUILDERS = frozenset((*_EXTENSIONS, *PACKAGED, *MEDIA, *_OTHERS))
"""The names of formats that `datasets` has a builder for."""

ENDINGS = {
    ending[1:]: name
    for name, endings in _EXTENSIONS.items()
    for ending in endings
    if ending[1:] != name
}
"""Other names of formats: how their files end, as `"jsonl"`, `"tsv"`."""

NAMES = (*READ, *PACKAGED, *MEDIA, *(ending for ending, name in ENDINGS.items() if name in READ))
"""The names of formats that are read."""


_ELSEWHERE = {
    "pandas": (
        "pickled frames are not read, since a pickle can run any program: use Parquet, CSV or JSON,"
        " or Dataset.from_pandas for a frame"
    ),
    "sql": "the result of a query is read by Dataset.from_sql",
    "spark": "a frame of Spark is read by Dataset.from_spark or IterableDataset.from_spark",
    "cache": "the cache is looked into by load_dataset itself, where the Hub cannot be reached",
}


def is_metadata(path: str) -> bool:
    """Return whether a file describes media beside it, by its name."""
    return path.rpartition("/")[2] in METADATA


def is_packaged(name: str) -> bool:
    """Return whether a format is read in Python rather than by the core."""
    return name in PACKAGED or name in MEDIA


def require(name: str) -> str:
    """Return the format if it is supported.

    Raises:
        UnsupportedError: It is not.
    """
    if name not in READ and not is_packaged(name):
        if name in _ELSEWHERE:
            raise UnsupportedError(_ELSEWHERE[name])
        raise not_read(name)
    return name


def not_read(name: str) -> UnsupportedError:
    """Return the error of a format that is not read."""
    return UnsupportedError(f"the format {name!r} is not read; these are: {', '.join(ALL)}")


def by_name(path: str) -> str | None:
    """Return the format of a file by its name, or `None`."""
    lower = (
        re.split(r"[?#]", path, maxsplit=1)[0].lower()
        if path.startswith(("http://", "https://"))
        else path.lower()
    )
    for packed in COMPRESSED:
        lower = lower.removesuffix(packed)
    if "/_versions/" in f"/{lower}":
        # What a data set of Lance says of its versions is no JSON; without rows it has no others.
        return "lance"
    for name, extensions in _EXTENSIONS.items():
        if lower.endswith(extensions):
            return name
    base = lower.rpartition("/")[2]
    if base in ("task.toml", "instruction.md"):
        return "harbor"
    if ".mds." in base:
        return "mds"
    return media_kind(lower)


def media_kind(name: str) -> str | None:
    """Return the format of folders of media that a file would be in, by its name, or `None`."""
    end = f".{name.rpartition('.')[2].lower()}"
    return next((kind for kind, extensions in MEDIA.items() if end in extensions), None)


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


def looks(root: str | None) -> Iterable[Callable[[str], str | None]]:
    """Return where formats of a folder's files are looked for: only in names if it is `None`."""
    return (by_name,) if root is None else LOOKS


def of_files(paths: Iterable[str]) -> str:
    """Return the format that most files have.

    Names decide; else the first bytes of files, or the members of zip archives.
    """
    paths = list(paths)
    # Metadata describes the files beside it, if there are any.
    others = [path for path in paths if not is_metadata(path)]
    if any(by_name(path) in MEDIA for path in others):
        paths = others
    for look in LOOKS:
        found = Counter(name for path in paths if (name := look(path)) is not None)
        if found:
            return found.most_common(1)[0][0]
    named = ", ".join(map(shown, paths[:3])) + (", …" if len(paths) > 3 else "")
    raise FileFormatError(
        f"no known format, by name or first bytes: {named}; name the format, as"
        ' load_dataset("parquet", …)'
    )


def chosen(paths: list[str], root: str | None, name: str) -> list[str]:
    """Return the files of a format among those of a folder.

    Args:
        paths: The files, relative to the folder.
        root: The folder; `None` where only names tell formats.
        name: The name of the format.
    """
    if name == "litdata":
        return [path for path in paths if path.rpartition("/")[2] == "index.json"]
    result: list[str] = []
    for look in looks(root):
        result = result or [
            path for path in paths if look(path if root is None else f"{root}/{path}") == name
        ]
    if name in MEDIA:
        own = set(result)
        result = [
            path
            for path in paths
            if path in own or path.lower().endswith(".zip") or is_metadata(path)
        ]
    return result
