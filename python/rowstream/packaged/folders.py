"""Folders of media: images, sounds, videos and documents, with labels or metadata.

Labels are the names of folders; metadata is in `metadata.csv`, `metadata.jsonl` or
`metadata.parquet`, a row for each file that it names.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.splits import load_prepared
from rowstream.exceptions import FileFormatError, InvalidArgumentError, SchemaError
from rowstream.features.features import Features
from rowstream.features.media.audio import Audio
from rowstream.features.media.documents import BioStructure, Mesh, Nifti, Pdf
from rowstream.features.media.image import Image
from rowstream.features.media.video import Video
from rowstream.features.nested import List
from rowstream.features.scalar import ClassLabel, Value
from rowstream.plan.filters import from_filters
from rowstream.resolve.formats import MEDIA, METADATA
from rowstream.resolve.request import request_of
from rowstream.storage.extract import extract
from rowstream.storage.urls import is_url

if TYPE_CHECKING:
    from rowstream.plan.expr import Expr
    from rowstream.storage.access import StorageOptions

_FEATURES: dict[str, Any] = {
    "imagefolder": Image,
    "audiofolder": Audio,
    "videofolder": Video,
    "pdffolder": Pdf,
    "meshfolder": Mesh,
    "niftifolder": Nifti,
    "pdb": BioStructure,
    "mmcif": lambda: BioStructure(format="mmcif"),
}
_COLUMN = {
    **{name: name.removesuffix("folder") for name in _FEATURES},
    "pdb": "structure",
    "mmcif": "structure",
}


@dataclass
class FolderOptions:
    """The options of folders of media.

    Attributes:
        drop_labels: `True` for no labels, `False` for labels even if there is one folder only; if
            `None`, there are labels if files lie in several folders of one depth.
        drop_metadata: `True` to leave metadata alone.
        metadata_filenames: The names of metadata files; `metadata.csv`, `.jsonl` and `.parquet` if
            `None`.
        filters: A condition on the rows of metadata, or, where there is none, on the path of a file
            and its label.
    """

    drop_labels: bool | None = None
    drop_metadata: bool | None = None
    metadata_filenames: list[str] | None = None
    filters: Any = None

    @classmethod
    def of(cls, name: str, options: dict[str, Any]) -> FolderOptions:
        """Return the options among the arguments of `load_dataset`."""
        if unknown := [key for key in options if key not in cls.__dataclass_fields__]:
            raise InvalidArgumentError(
                f"there is no option {', '.join(map(repr, unknown))} of load_dataset for {name};"
                f" there is {', '.join(f'{key}=' for key in cls.__dataclass_fields__)}"
            )
        return cls(**options)


@dataclass
class _Found:
    """The files of all splits: media, and what describes them."""

    media: dict[str, list[str]] = field(default_factory=dict)
    metadata: dict[str, list[str]] = field(default_factory=dict)
    archives: dict[str, str] = field(default_factory=dict)  # names of those that were unpacked


def folder_datasets(
    name: str,
    files: dict[str, list[str]],
    options: dict[str, Any],
    declared: Features | None,
    access: StorageOptions,
) -> dict[str, Dataset]:
    """Return the dataset of each split of a folder of media.

    Args:
        name: The name of the format, such as `"imagefolder"`.
        files: The files of each split.
        options: The options, as `load_dataset` got them.
        declared: The types of the columns; found if `None`.
        access: Credentials and settings.
    """
    wanted = FolderOptions.of(name, options)
    names = tuple(wanted.metadata_filenames or METADATA)
    found = _sorted_out(name, files, names)
    column, feature = _COLUMN[name], _FEATURES[name]()
    condition = None if wanted.filters is None else from_filters(wanted.filters)
    described = any(found.metadata.values())
    if not wanted.drop_metadata and described:
        rows, features = _with_metadata(found, column, feature, access, condition)
    else:
        # Folders of what is described are no classes, unless that is asked for.
        drop = True if wanted.drop_labels is None and described else wanted.drop_labels
        rows, features = _with_labels(found, column, feature, drop, condition)
    features = features if declared is None else declared
    return {
        split: Dataset.from_dict(
            {key: [row.get(key) for row in some] for key in features}, features=features
        )
        for split, some in rows.items()
    }


def _sorted_out(name: str, files: dict[str, list[str]], names: tuple[str, ...]) -> _Found:
    found = _Found()
    for split, paths in files.items():
        media, metadata = found.media.setdefault(split, []), found.metadata.setdefault(split, [])
        for path in _unpacked(paths, found.archives):
            base = path.rpartition("/")[2]
            if base in names:
                metadata.append(path)
            elif is_media(name, base):
                media.append(path)
    return found


def is_media(name: str, file: str) -> bool:
    """Return whether a file is of the media of a format, by its name."""
    lower = file.lower()
    return lower.endswith(MEDIA[name]) or (
        name == "niftifolder" and lower.endswith(tuple(f"{end}.gz" for end in MEDIA[name]))
    )


def _unpacked(paths: list[str], archives: dict[str, str]) -> Iterator[str]:
    """Yield files, and those in zip archives, which are unpacked into the cache: `archives` gets
    the folders, with the names of the archives.
    """
    for path in paths:
        if not path.lower().endswith(".zip"):
            yield path
            continue
        if is_url(path):
            raise InvalidArgumentError(
                f"{path}: archives of media are read from this machine: download it first"
            )
        root = extract(path)
        archives[root] = path.rpartition("/")[2].rpartition(".")[0]
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(one for one in folders if not one.startswith((".", "__")))
            for one in sorted(names):
                if not one.startswith((".", "__")):
                    yield f"{folder}/{one}"


def _with_labels(
    found: _Found, column: str, feature: Any, drop: bool | None, condition: Expr | None
) -> tuple[dict[str, list[dict[str, Any]]], Features]:
    def folder(path: str) -> str:
        above = path.rpartition("/")[0]
        return found.archives.get(above) or above.rpartition("/")[2]

    folders = {split: [folder(path) for path in of] for split, of in found.media.items()}
    names = sorted({one for some in folders.values() for one in some})
    labelled = drop is False
    if drop is None:
        depths = {path.count("/") for of in found.media.values() for path in of}
        # Folders of splits, which have a single one each, are no labels.
        labelled = len(depths) == 1 and any(len(set(some)) > 1 for some in folders.values())
        # What lies at the top of an archive is in no folder.
        labelled &= not any(
            path.rpartition("/")[0] in found.archives for of in found.media.values() for path in of
        )
    features = Features({column: feature})
    if labelled:
        features["label"] = ClassLabel(names=names)

    def row(media: Any, label: str) -> dict[str, Any]:
        return {column: media, **({"label": label} if labelled else {})}

    rows = {
        split: [
            row(_stored(path), label)
            for path, label in zip(of, folders[split], strict=True)
            if condition is None or condition(row(path, label))
        ]
        for split, of in found.media.items()
    }
    return rows, features


def _stored(path: str) -> dict[str, Any]:
    return {"bytes": None, "path": path}


def _with_metadata(
    found: _Found, column: str, feature: Any, access: StorageOptions, condition: Expr | None
) -> tuple[dict[str, list[dict[str, Any]]], Features]:
    split_of = {path: split for split, of in found.media.items() for path in of}
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in found.media}
    used: set[str] = set()
    features: Features | None = None
    first = ""
    endings = {path.rpartition(".")[2].lower() for of in found.metadata.values() for path in of}
    if len(endings) > 1:
        raise SchemaError(
            f"there are metadata files with different extensions, {sorted(endings)}, which may each"
            " name all files: keep those of one, or name them in data_files="
        )
    for split, metadata in found.metadata.items():
        for path in sorted(metadata):
            table = _table(path, access)
            own = _features(table.features, column, feature)
            if own == table.features:
                raise SchemaError(
                    f"{path}: metadata has a column file_name, *_file_name, file_names or"
                    f" *_file_names of texts, found {list(table.features)}"
                )
            if features is None:
                features, first = own, path
            elif own != features:
                raise SchemaError(
                    f"{path} has the columns {own}, and {first} has {features}: metadata files of"
                    " a data set have the same"
                )
            folder = path.rpartition("/")[0]
            for raw in table:
                named: list[str] = []
                row = _row(raw, column, folder, path, named)
                used.update(named)
                if condition is not None and not condition(raw):
                    continue
                # A file says its split, wherever its metadata is.
                where = next((split_of[one] for one in named if one in split_of), split)
                rows[where].append(row)
    if left := [path for path in split_of if path not in used]:
        warnings.warn(
            f"{len(left)} files are not in the metadata, and left out, such as {left[0]}",
            stacklevel=2,
        )
    return rows, features or Features()


def _table(path: str, access: StorageOptions) -> Any:
    """Return the rows of a metadata file."""
    kind = {"csv": "csv", "jsonl": "json", "json": "json", "tsv": "csv", "parquet": "parquet"}
    end = path.rpartition(".")[2].lower()
    if end not in kind:
        raise FileFormatError(f"{path}: metadata is in .csv, .tsv, .jsonl, .json or .parquet files")
    options = {"sep": "\t"} if end == "tsv" else {}
    request = request_of(
        kind[end], None, None, {"train": [path]}, None, None, access, options, streaming=False
    )
    return load_prepared(request, "train", None, None)


def _features(of: Any, column: str, feature: Any) -> Any:
    """Return features in which names of files are media."""
    if isinstance(of, List):
        inner = _features(of.feature, column, feature)
        return of if inner is of.feature else List(inner, length=of.length)
    if not isinstance(of, Mapping):
        return of
    result = {}
    for name, one in of.items():
        new = _named(name, column)
        many = isinstance(one, List) and _is_text(one.feature)
        if new is not None and (many if name.endswith("file_names") else _is_text(one)):
            result[new] = List(feature) if many else feature
        else:
            result[name] = _features(one, column, feature)
    changed = result.keys() != of.keys() or any(
        result[name] is not of[name] for name in result if name in of
    )
    if not changed:
        return of
    return Features(result) if isinstance(of, Features) else result


def _is_text(feature: Any) -> bool:
    return isinstance(feature, Value) and feature.dtype in ("string", "large_string")


def _named(name: str, column: str) -> str | None:
    """Return the name of the column of media for a column of names of files."""
    for end, new in (("file_name", column), ("file_names", f"{column}s")):
        if name == end:
            return new
        if name.endswith(f"_{end}"):
            return name.removesuffix(f"_{end}")
    return None


def _row(raw: Any, column: str, folder: str, where: str, named: list[str]) -> Any:
    """Return a row of metadata with media in the place of the names of their files."""
    if isinstance(raw, list):
        return [_row(one, column, folder, where, named) for one in raw]
    if not isinstance(raw, Mapping):
        return raw
    result: dict[str, Any] = {}
    for name, value in raw.items():
        new = _named(name, column)
        if new is not None and isinstance(value, str):
            result[new] = _file(value, folder, where, named)
        elif new is not None and (value is None or _all_texts(value)):
            several = name.endswith("file_names")
            result[new] = (
                [_file(one, folder, where, named) for one in value or ()] if several else None
            )
        else:
            result[name] = _row(value, column, folder, where, named)
    return result


def _all_texts(value: Any) -> bool:
    return isinstance(value, list) and all(one is None or isinstance(one, str) for one in value)


def _file(name: str | None, folder: str, where: str, named: list[str]) -> dict[str, Any] | None:
    if not name:
        return None
    path = normpath(name)
    if "://" in name or path.startswith(("/", "../")) or path == ".." or os.path.isabs(name):
        raise InvalidArgumentError(
            f"{where}: the file name {name!r} leads out of the folder of the metadata; it is a path"
            " relative to it"
        )
    whole = f"{folder}/{path}"
    named.append(whole)
    return _stored(whole)
