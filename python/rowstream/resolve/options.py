"""The options of formats, from the arguments of `load_dataset` to those of the core."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.schema import fields_declared, may_be_maps, schema_from_features
from rowstream.plan.bad_records import BadRecords, from_argument
from rowstream.plan.filters import from_filters
from rowstream.resolve import encodings
from rowstream.resolve.csv_options import csv_options
from rowstream.resolve.formats import media_kind
from rowstream.storage.hub import remembered
from rowstream.tar_index.beside import find_indexes
from rowstream.utils.core_log import follow

if TYPE_CHECKING:
    from rowstream.plan.expr import Expr
    from rowstream.storage.locations import FileLocations


# Arguments of readers behind `datasets`; they would change nothing here but the speed.
_WITHOUT_EFFECT = (
    "batch_size",
    "block_size",
    "chunksize",
    "date_format",
    "engine",
    "error_bad_lines",
    "float_precision",
    "fragment_scan_options",
    "low_memory",
    "mangle_dupe_cols",
    "memory_map",
    "newlines_in_values",
    "on_mixed_types",
    "parse_agent_traces",
    "use_threads",
    "verbose",
    "warn_bad_lines",
)

_TEXTS = ("csv", "json", "text")


@dataclass(frozen=True)
class ReadOptions:
    """How files are read.

    Attributes:
        format: The name of the format.
        options: The options of the format, with the names of the core.
        columns: The columns to read; all columns if `None`.
        schema: The types of the columns as JSON, if they are given.
        every: Whether types are detected from all rows.
        rows: The largest number of rows of a split, if there is a limit.
        condition: The condition that rows must meet.
        skipped: Where records that cannot be read are reported instead of raising errors.
        index: The indexes of tar archives, as in `find_indexes`.
    """

    format: str
    options: dict[str, Any] = field(default_factory=dict)
    columns: list[str | int] | None = None
    schema: str | None = None
    every: bool = False
    rows: int | None = None
    condition: Expr | None = None
    skipped: BadRecords | None = None
    index: Any = None

    def scan(self, files: Sequence[str], places: FileLocations | None = None) -> str:
        """Return the list of the files' shards, as JSON."""
        options = json.dumps(self.options) if self.options else None
        refs = list(files) if places is None else places.refs(files)
        access = None if places is None or not files else places.access.core(files[0])
        lenient = self.skipped is not None

        # What is declared does not tell lists of keys and values from maps: files show it.
        compare = (
            self.schema is not None
            and self.format in ("parquet", "arrow")
            and may_be_maps(self.schema)
        )

        follow()

        def scan() -> str:
            indexes = (
                find_indexes(files, self.index, places)
                if self.format == "webdataset" and places is not None
                else {}
            )
            scan, shown = _core.scan(
                refs,
                self.format,
                options,
                self.schema,
                all=self.every,
                lenient=lenient,
                compare=compare,
                access=access,
                starts={
                    path: (of.to_bytes(), of.end if of.unsure else None)
                    for path, of in indexes.items()
                },
            )
            if shown is None:
                untyped = self.format == "webdataset" and self.schema is None
                return with_media(scan) if untyped else scan
            listing = json.loads(scan)
            listing["schema"]["fields"] = fields_declared(
                listing["schema"]["fields"], json.loads(shown)["fields"]
            )
            return json.dumps(listing)

        if not files or not all(
            isinstance(ref, tuple) and ref[0].startswith("hf://") for ref in refs
        ):
            return scan()
        # What files of a commit show of themselves never changes.
        of = [refs, self.format, options, self.schema, self.every, lenient]
        return remembered(of if self.index is None else [*of, repr(self.index)], scan)


def read_options(format: str, options: dict[str, Any], features: Any) -> ReadOptions:
    """Return how to read files of a format, from the arguments of `load_dataset`.

    Raises:
        InvalidArgumentError: The option does not exist, or does not have such a value.
        UnsupportedError: The option exists in `datasets`, but is not supported.
    """
    left = {key: value for key, value in options.items() if key not in _WITHOUT_EFFECT}
    columns = left.pop("columns", None)
    if isinstance(columns, str):
        raise InvalidArgumentError(f"columns must be a list of names, not {columns!r}")
    filters = left.pop("filters", None)
    condition = None if filters is None else from_filters(filters)
    infer = left.pop("infer", None)
    if infer not in (None, "all"):
        raise InvalidArgumentError(f'infer must be "all" or None, found {infer!r}')
    if left.pop("on_bad_files", "error") != "error":
        raise UnsupportedError(
            "on_bad_files is always 'error': a bad file is never skipped quietly"
        )
    if left.pop("trust_remote_code", None):
        raise UnsupportedError("trust_remote_code: rowstream never runs code of a data set")
    result: dict[str, Any] = {}
    rows = index = None
    encoding = (
        encodings.option(format, left.pop("encoding", None), left.pop("encoding_errors", None))
        if format in _TEXTS
        else None
    )
    if format == "csv":
        result = csv_options(left)
        usecols = left.pop("usecols", None)
        columns = columns if usecols is None else list(usecols)
        rows = left.pop("nrows", None)
    elif format == "json":
        result = {key: value for key in ("field",) if (value := left.pop(key, None)) is not None}
    elif format == "text":
        result = {key: left.pop(key) for key in ("sample_by", "keep_linebreaks") if key in left}
        if result.get("sample_by", "line") not in ("line", "paragraph", "document"):
            raise InvalidArgumentError(
                f'sample_by is "line", "paragraph" or "document", found {result["sample_by"]!r}'
            )
    elif format == "webdataset":
        index = left.pop("index", None)
        result = _webdataset(left)
    if encoding is not None:
        result["encoding"] = encoding
    skipped = from_argument(left.pop("on_error", None))
    if skipped is not None and format not in ("json", "csv", "webdataset"):
        raise UnsupportedError(
            f"on_error is for json, csv and webdataset: in {format} no record stands apart from the"
            " others"
        )
    if left:
        names = ", ".join(map(repr, left))
        raise InvalidArgumentError(
            f"there is no option {names} of load_dataset for {format}; there is {_known(format)}"
        )
    schema = None if features is None else schema_from_features(features)
    if schema is not None and format == "text" and len(features) != 1:
        raise InvalidArgumentError(f"text has one column, features= names {len(features)}")
    return ReadOptions(
        format,
        result,
        None if columns is None else list(columns),
        schema,
        infer is not None,
        rows,
        condition,
        skipped,
        index,
    )


def with_media(scan: str) -> str:
    """Return the listing of tar archives with the features of their media, by how members end."""
    listing = json.loads(scan)
    schema = listing["schema"]
    said = {
        field["name"]: {"_type": _MEDIA[kind]}
        for field in schema["fields"]
        if (kind := media_kind(field["name"])) is not None and _is_media(field["data_type"])
    }
    if said:
        metadata = {**(schema.get("metadata") or {})}
        metadata["huggingface"] = json.dumps({"info": {"features": said}})
        listing["schema"] = {**schema, "metadata": metadata}
    return json.dumps(listing)


_MEDIA = {
    "imagefolder": "Image",
    "audiofolder": "Audio",
    "videofolder": "Video",
    "meshfolder": "Mesh",
}


def _is_media(data_type: Any) -> bool:
    """Return whether the core read a member as media: bytes, and the path that it had."""
    fields = data_type.get("Struct") if isinstance(data_type, dict) else None
    return fields is not None and [field["name"] for field in fields] == ["bytes", "path"]


def _webdataset(left: dict[str, Any]) -> dict[str, Any]:
    """Return the options of tar archives, and remove them from the arguments."""
    result = {}
    for name in ("end_marker", "members"):
        if (value := left.pop(name, None)) is not None:
            if not isinstance(value, bool):
                raise InvalidArgumentError(f"{name} is True or False, not {value!r}")
            result[name] = value
    if (names := left.pop("names", None)) is not None:
        if names not in ("utf-8", "escape"):
            raise InvalidArgumentError(f'names is "utf-8" or "escape", not {names!r}')
        result["names"] = names
    return result


def _known(format: str) -> str:
    own = {
        "csv": (
            ", sep=, header=, names=, skiprows=, quotechar=, escapechar=, comment=, na_values=,"
            " dtype=, usecols=, nrows=, encoding=, …"
        ),
        "json": ", field=, encoding=",
        "text": ", sample_by=, keep_linebreaks=, encoding=",
        "webdataset": ", end_marker=, names=, members=, index=",
    }
    return (
        "columns=[…], features=, filters="
        + (", on_error=" if format in ("csv", "json", "webdataset") else "")
        + (', infer="all"' if format in ("csv", "json", "webdataset") else "")
        + own.get(format, "")
    )
