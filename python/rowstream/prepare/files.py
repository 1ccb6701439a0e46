"""The splits of a request as map-style datasets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.exceptions import SchemaError, UnsupportedError
from rowstream.features.features import Features
from rowstream.packaged.reading import Reading, rows_of
from rowstream.prepare.generator import prepare_generator
from rowstream.prepare.plan import prepare_plan
from rowstream.resolve.planning import plans_of
from rowstream.resolve.request import Request, request_of
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.splits.names import named
from rowstream.splits.verify import verify_sizes
from rowstream.storage.access import StorageOptions
from rowstream.storage.download_config import DownloadMode, VerificationMode
from rowstream.storage.locations import origins

if TYPE_CHECKING:
    from rowstream.resolve.data_files import ResolvedFiles
    from rowstream.resolve.options import ReadOptions


def prepare_request(
    make: Any,
    request: Request,
    names: list[str],
    cache_dir: Any,
    keep_in_memory: bool | None,
    mode: Any = None,
    checks: Any = None,
) -> dict[str, Any]:
    """Return the splits of a request as map-style datasets of the class `make`."""
    anew = mode is not None and DownloadMode(mode) is DownloadMode.FORCE_REDOWNLOAD
    checked = (
        VerificationMode(checks or VerificationMode.BASIC_CHECKS) is not VerificationMode.NO_CHECKS
    )
    counts = request.counts if checked else None
    if request.reader is not None:
        return _prepare_readers(make, request, names, cache_dir, bool(keep_in_memory), anew)
    try:
        return prepare_splits(
            make, request.how, request, names, cache_dir, keep_in_memory, anew, counts
        )
    except (SchemaError, UnsupportedError) as error:
        if request.declared is None or request.found.format not in ("json", "csv"):
            raise
        # Values that are not of the types that are wanted, and become so: they are read as they
        # are, and cast.
        if request.found.format == "json" and _leaves_out(request, names):
            raise
        try:
            return prepare_splits(
                make, request.plain, request, names, cache_dir, keep_in_memory, anew, counts
            )
        except pa.ArrowInvalid as wrong:
            raise error from wrong


def _leaves_out(request: Request, names: list[str]) -> bool:
    """Return whether files have columns that `features=` does not name."""
    files = {name: request.found.files[name] for name in names}
    plans = plans_of(request.plain, request.found, files)
    return any(
        name not in (request.declared or ())
        for plan, _ in plans.values()
        for name in plan.column_names
    )


def prepare_splits(
    make: Any,
    how: ReadOptions,
    request: Request,
    names: list[str],
    cache_dir: Any,
    keep_in_memory: bool | None,
    anew: bool,
    counts: Any,
) -> dict[str, Any]:
    """Return splits that are read with the same options, with the metadata of all of them."""
    found, features = request.found, request.declared
    result: dict[str, Any] = {}
    if features is not None and how.columns is not None:
        # Of the features, those of the columns that are asked for.
        chosen = [str(name) for name in how.columns if name in features]
        features = (
            Features({name: features[name] for name in chosen})
            if len(chosen) == len(how.columns)
            else features
        )
    files = 0
    for name, (plan, info) in plans_of(
        how, found, {name: found.files[name] for name in names}
    ).items():
        result[name] = prepare_plan(
            make, plan, info, name, cache_dir, features, keep_in_memory, anew
        )
        files += info.download_size or 0
    describe(result, found, files, counts)
    return result


def _prepare_readers(
    make: Any,
    request: Request,
    names: list[str],
    cache_dir: Any,
    keep_in_memory: bool,
    anew: bool,
) -> dict[str, Any]:
    """Return splits that are read in Python."""
    reading = Reading.of(request, names)
    result = {
        name: prepare_generator(
            make,
            rows_of,
            reading.features,
            cache_dir,
            keep_in_memory,
            reading.arguments(name, versions=True),
            None,
            named(name),
            None,
            anew,
        )
        for name in names
    }
    paths = [path for name in names for path in request.found.files[name]]
    describe(result, request.found, sum(map(os.path.getsize, filter(os.path.isfile, paths))))
    return result


def describe(
    result: dict[str, Any], found: ResolvedFiles, downloaded: int = 0, counts: Any = None
) -> None:
    """Put the metadata of files and splits into the datasets of the splits.

    Args:
        result: The datasets by split.
        found: The files.
        downloaded: The bytes of the files.
        counts: What the card says of the splits, to be checked.

    Raises:
        NonMatchingSplitsSizesError: The splits are not as the card says.
    """
    splits = SplitDict(dataset_name=found.label)
    for name, ds in result.items():
        splits.add(
            SplitInfo(
                name, num_bytes=ds._data.nbytes, num_examples=len(ds), dataset_name=found.label
            )
        )
    if counts:
        verify_sizes(counts, splits)
    size = sum(one.num_bytes for one in splits.values())
    for ds in result.values():
        info = ds.info
        info.splits = splits.copy()
        info.builder_name, info.config_name, info.dataset_name = (
            found.format,
            found.config,
            found.label,
        )
        info.download_size, info.dataset_size, info.size_in_bytes = (
            downloaded,
            size,
            downloaded + size,
        )


def prepare_files(
    make: Any,
    format: str,
    files: dict[str, Any],
    features: Any,
    cache_dir: Any,
    keep_in_memory: bool,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the files of a format as map-style datasets of the class `make`, by split, as
    `load_dataset(format, data_files=files)` does.
    """
    storage_options = options.pop("storage_options", None)
    access = StorageOptions(options.pop("token", None), storage_options, origins=origins(files))
    request = request_of(
        format, None, None, files, features, None, access, options, streaming=False
    )
    return prepare_request(make, request, list(request.found.files), cache_dir, keep_in_memory)
