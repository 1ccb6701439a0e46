"""A request to `load_dataset`: the files, and how to read them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.features.features import Features
from rowstream.features.nested import has_labels
from rowstream.features.nested import upgrade_lists as _modern
from rowstream.features.scalar import ClassLabel, Value
from rowstream.resolve.csv_options import PandasOnlyError
from rowstream.resolve.data_files import ResolvedFiles, of_tabs, resolve_files
from rowstream.resolve.formats import PANDAS_CSV, is_packaged
from rowstream.resolve.names import format_named
from rowstream.resolve.options import ReadOptions, read_options
from rowstream.splits.info import SplitDict
from rowstream.storage.locations import FileLocations

if TYPE_CHECKING:
    from rowstream.resolve.data_files import DataFiles
    from rowstream.storage.access import StorageOptions

# Options that leave no row out.
_WHOLE = frozenset(("columns", "usecols", "infer", "dtype", "sep", "delimiter", "encoding"))


@dataclass
class Request:
    """What to load: the files, and how to read them.

    Attributes:
        how: The options of the format.
        found: The files.
        declared: The `features=` of the caller.
        plain: The options where `features=` are for a cast that follows.
        reader: The name of the reader in Python; `None` where the core reads the files.
    """

    how: ReadOptions
    found: ResolvedFiles
    declared: Features | None
    plain: ReadOptions
    reader: str | None = None

    @property
    def counts(self) -> Any:
        """The splits and their numbers of rows in the card.

        It is empty if options of the caller may leave rows out.
        """
        return SplitDict() if self.found.cut else SplitDict.of_card(self.found.info.get("splits"))


def request_of(
    path: Any,
    name: str | None,
    data_dir: str | None,
    data_files: DataFiles | None,
    features: Any,
    revision: str | None,
    access: StorageOptions,
    config_kwargs: dict[str, Any],
    streaming: bool,
) -> Request:
    """Return the request that the arguments of `load_dataset` describe."""
    found = resolve_files(
        os.fspath(path), name, data_dir, data_files, revision, FileLocations(access)
    )
    if format_named(path, data_files, data_dir) is not None:
        tabs = path == "tsv"
    else:
        tabs = found.format == "csv" and all(
            of_tabs(file) for files in found.files.values() for file in files
        )
    if tabs:
        config_kwargs.setdefault("sep", "\t")
    # What only says which columns there are, and of which types, leaves no row out.
    found.cut = bool(config_kwargs.keys() - _WHOLE)
    declared = None if features is None else Features(_modern(features))
    options = {**found.options, **config_kwargs}
    if is_packaged(found.format):
        how = ReadOptions(found.format, options)
        return Request(how, found, declared, how, found.format)
    if found.format == "csv" and _only_pandas(options, found):
        if declared is not None and isinstance(options.get("dtype") or {}, dict):
            texts = dict.fromkeys(_texts(declared), object)
            options["dtype"] = {**texts, **(options.get("dtype") or {})}
        how = ReadOptions("csv", options)
        return Request(how, found, declared, how, PANDAS_CSV)
    if declared is None or streaming or found.format not in ("json", "csv"):
        # Other formats say the types of their values, which are cast afterwards; but a condition is
        # one of labels, not of their names.
        conditions = options.get("filters") is not None and has_labels(declared)
        # Members of archives have no types but those that they are read in, and lines no name.
        known = streaming or conditions or found.format in ("webdataset", "text")
        how = read_options(found.format, dict(options), declared if known else None)
        return Request(how, found, declared, how)
    if found.format == "json":
        return Request(
            read_options("json", dict(options), declared),
            found,
            declared,
            read_options("json", dict(options), None),
        )
    # Lists and the like are texts first.
    scalars = Features(
        {
            name: of if isinstance(of, (Value, ClassLabel)) else Value("string")
            for name, of in declared.items()
        }
    )
    strings = dict.fromkeys(_texts(scalars), Value("string"))
    plain = read_options("csv", {**options, "dtype": {**strings, **options.get("dtype", {})}}, None)
    return Request(read_options("csv", dict(options), scalars), found, declared, plain)


def _only_pandas(options: dict[str, Any], found: ResolvedFiles) -> bool:
    """Return whether files of CSV have options that the core lacks."""
    if options.get("nrows") is not None and any(len(some) > 1 for some in found.files.values()):
        return True  # rows of each file, where the core counts those of all
    try:
        read_options("csv", dict(options), None)
    except PandasOnlyError:
        return True
    return False


def _texts(declared: Features) -> list[str]:
    """Return the columns that are not guessed from a text, so that 007 stays that."""
    return [
        name
        for name, of in declared.items()
        if isinstance(of, ClassLabel) or (isinstance(of, Value) and of.dtype.endswith("string"))
    ]
