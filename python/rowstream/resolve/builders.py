"""The options of formats, as `load_dataset` takes them, for the core."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.expr import Expr, from_filters
from rowstream.features.schema import dtype_json, fields_declared, may_be_maps, schema_from_features
from rowstream.resolve import encodings
from rowstream.resolve.hub import remembered
from rowstream.skipped import Skipped, from_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rowstream.resolve.urls import Places

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
_NULLS = tuple(",#N/A,#N/A N/A,#NA,-1.#IND,-1.#QNAN,-NaN,-nan,1.#IND,1.#QNAN,<NA>,N/A,NA,NULL,NaN,None,n/a,nan,null".split(","))  # noqa: SIM905


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        format: the format's name.
        options: the format's own, as the core has them.
        columns: the columns to read; all of them if `None`.
        schema: the types of rows as JSON, if they are given.
        every: whether types are found from all rows.
        rows: the most rows of a split, if there is a limit.
        condition: which rows are kept.
        skipped: where records that cannot be read are told of, rather than errors.
    """

    format: str
    options: dict[str, Any] = field(default_factory=dict)
    columns: list[str | int] | None = None
    schema: str | None = None
    every: bool = False
    rows: int | None = None
    condition: Expr | None = None
    skipped: Skipped | None = None

    def scan(self, files: Sequence[str], places: Places | None = None) -> str:
        """Lists the pieces of files."""
        options = json.dumps(self.options) if self.options else None
        refs = list(files) if places is None else places.refs(files)
        access = None if places is None or not files else places.access.core(files[0])
        lenient = self.skipped is not None

        # What is declared does not tell lists of keys and values from maps: files show it.
        compare = self.schema is not None and self.format in ("parquet", "arrow") and may_be_maps(self.schema)

        def scan() -> str:
            scan, shown = _core.scan(
                refs, self.format, options, self.schema, all=self.every, lenient=lenient, compare=compare, access=access
            )
            if shown is None:
                return scan
            listing = json.loads(scan)
            listing["schema"]["fields"] = fields_declared(listing["schema"]["fields"], json.loads(shown)["fields"])
            return json.dumps(listing)

        if not files or not all(isinstance(ref, tuple) and ref[0].startswith("hf://") for ref in refs):
            return scan()
        # What files of a commit show of themselves never changes.
        return remembered([refs, self.format, options, self.schema, self.every, lenient], scan)


def reading(format: str, options: dict[str, Any], features: Any) -> Reading:
    """How files of a format are read, from the arguments of `load_dataset`.

    Raises:
        InvalidArgumentError: there is no such option, or it has no such value.
        UnsupportedError: an option that `datasets` has, and that is not there.
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
        raise UnsupportedError("on_bad_files is always 'error': a bad file is never skipped quietly")
    if left.pop("trust_remote_code", None):
        raise UnsupportedError("trust_remote_code: rowstream never runs code of a data set")
    made: dict[str, Any] = {}
    rows = None
    encoding = encodings.option(format, left.pop("encoding", None), left.pop("encoding_errors", None)) if format in _TEXTS else None
    if format == "csv":
        made = _csv(left)
        usecols = left.pop("usecols", None)
        columns = columns if usecols is None else list(usecols)
        rows = left.pop("nrows", None)
    elif format == "json":
        made = {key: value for key in ("field",) if (value := left.pop(key, None)) is not None}
    elif format == "text":
        made = {key: left.pop(key) for key in ("sample_by", "keep_linebreaks") if key in left}
        if made.get("sample_by", "line") not in ("line", "paragraph", "document"):
            raise InvalidArgumentError(f'sample_by is "line", "paragraph" or "document", found {made["sample_by"]!r}')
    if encoding is not None:
        made["encoding"] = encoding
    skipped = from_argument(left.pop("on_error", None))
    if skipped is not None and format not in ("json", "csv", "webdataset"):
        raise UnsupportedError(f"on_error is for json, csv and webdataset: in {format} no record stands apart from the others")
    if left:
        names = ", ".join(map(repr, left))
        raise InvalidArgumentError(f"there is no option {names} of load_dataset for {format}; there is {_known(format)}")
    schema = None if features is None else schema_from_features(features)
    if schema is not None and format == "text" and len(features) != 1:
        raise InvalidArgumentError(f"text has one column, features= names {len(features)}")
    return Reading(format, made, None if columns is None else list(columns), schema, infer is not None, rows, condition, skipped)


def _known(format: str) -> str:
    own = {
        "csv": ", sep=, header=, names=, skiprows=, quotechar=, escapechar=, comment=, na_values=, dtype=, usecols=, nrows=, encoding=, …",
        "json": ", field=, encoding=",
        "text": ", sample_by=, keep_linebreaks=, encoding=",
    }
    return (
        "columns=[…], features=, filters="
        + (", on_error=" if format in ("csv", "json", "webdataset") else "")
        + (', infer="all"' if format in ("csv", "json", "webdataset") else "")
        + own.get(format, "")
    )


def _byte(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != 1 or ord(value) > 127:
        raise InvalidArgumentError(f"{name} is one ASCII character, found {value!r}")
    return ord(value)


def _texts(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        raise UnsupportedError(f"{name} of columns apart is not there; give one list for all")
    return [str(value)] if isinstance(value, (str, int, float)) else [str(one) for one in value]


def _csv(left: dict[str, Any]) -> dict[str, Any]:
    """The options of CSV: those of pandas, as far as they are there."""
    sep = left.pop("sep", None)
    delimiter = left.pop("delimiter", None)
    names = left.pop("column_names", None) or left.pop("names", None)
    left.pop("names", None)
    header = left.pop("header", "infer")
    made: dict[str, Any] = {"delimiter": _byte("delimiter", delimiter or sep or ",")}
    if header is None or (header == "infer" and names is not None):
        made["header"] = False
    elif header != "infer":
        if not isinstance(header, int) or header < 0:
            raise UnsupportedError(f"header is a row's number, None or 'infer', found {header!r}")
        made["header_at"] = header
    if names is not None:
        made["names"] = [str(name) for name in names]
    quote = left.pop("quotechar", '"')
    quoting = left.pop("quoting", 0)
    if quoting not in (0, 1, 3):
        raise UnsupportedError(f"quoting is 0, 1 or 3 (csv.QUOTE_MINIMAL, QUOTE_ALL, QUOTE_NONE), found {quoting!r}")
    made["quote"] = None if quoting == 3 else _byte("quotechar", quote)
    for name, ours in (("escapechar", "escape"), ("comment", "comment"), ("thousands", "thousands")):
        made[ours] = _byte(name, left.pop(name, None))
    made["decimal"] = _byte("decimal", left.pop("decimal", "."))
    for name in ("doublequote", "skip_blank_lines", "skipinitialspace"):
        if name in left:
            made["skip_initial_space" if name == "skipinitialspace" else name] = bool(left.pop(name))
    skip = left.pop("skiprows", None) or 0
    if not isinstance(skip, int):
        raise UnsupportedError(f"skiprows is a number of lines, found {skip!r}")
    made["skip_rows"] = skip
    keep, filtering = left.pop("keep_default_na", True), left.pop("na_filter", True)
    more = _texts("na_values", left.pop("na_values", None) or ())
    made["nulls"] = [*(_NULLS if keep else ()), *map(str, more)] if filtering else []
    for name in ("true_values", "false_values"):
        made[name] = _texts(name, left.pop(name, None) or ())
    if left.pop("lineterminator", None) not in (None, "\n", "\r\n", "\r"):
        raise UnsupportedError("lineterminator: lines end with \\n, \\r\\n or \\r")
    dtype = left.pop("dtype", None)
    if dtype is not None:
        if not isinstance(dtype, dict):
            raise UnsupportedError("dtype is a dict of types by column; for all columns use features=")
        made["types"] = {str(name): dtype_json(str(name), of) for name, of in dtype.items()}
    for name in ("converters", "index_col", "skipfooter", "dialect", "prefix", "parse_dates"):
        if left.pop(name, None):
            raise UnsupportedError(f"{name} is not there: map() does what it does, after the file is read")
    if (bad := left.pop("on_bad_lines", "error")) != "error":
        left["on_error"] = bad
    return {name: value for name, value in made.items() if value is not None or name == "quote"}
