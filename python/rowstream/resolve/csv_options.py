"""Options of CSV, with the names of `datasets` and pandas, and which of them the core has."""

from __future__ import annotations

from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.schema import dtype_json

_NULLS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
_PANDAS_ONLY: dict[str, Any] = {
    "converters": None,
    "dialect": None,
    "index_col": None,
    "parse_dates": False,
    "prefix": None,
    "skipfooter": 0,
}
"""Options that only pandas has, and what they are where they say nothing."""


class PandasOnlyError(UnsupportedError):
    """An option of CSV that pandas has and the core has not."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: only pandas reads this: load_dataset('csv', …) has it do so")


def said(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that say something: `None` does for the header and the separator."""
    return {
        name: value
        for name, value in options.items()
        if value is not None or name in ("header", "sep")
    }


def _byte(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != 1 or ord(value) > 127:
        raise InvalidArgumentError(f"{name} is one ASCII character, found {value!r}")
    return ord(value)


def _texts(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        raise PandasOnlyError(f"{name}: a dict by column")
    return [str(value)] if isinstance(value, (str, int, float)) else [str(one) for one in value]


def csv_options(left: dict[str, Any]) -> dict[str, Any]:
    """Return the options of CSV for the core, from those of pandas.

    Raises:
        PandasOnlyError: The core has no such option.
    """
    sep = left.pop("sep", ",")
    sep = left.pop("delimiter", None) or sep
    if sep is None:
        raise PandasOnlyError("sep=None, a separator that is to be found")
    if len(sep) > 1:
        raise PandasOnlyError(f"sep={sep!r}, a regular expression")
    for name, without in _PANDAS_ONLY.items():
        if left.pop(name, None) not in (None, without):
            raise PandasOnlyError(f"{name}=")
    if callable(left.get("usecols")):
        raise PandasOnlyError("usecols= that is a function")
    if left.get("names", left.get("column_names")) is not None and any(
        isinstance(one, int) for one in left.get("usecols") or ()
    ):
        raise PandasOnlyError("usecols= of numbers beside names of columns")
    names = left.pop("column_names", None) or left.pop("names", None)
    left.pop("names", None)
    header = left.pop("header", "infer")
    result: dict[str, Any] = {"delimiter": _byte("delimiter", sep)}
    if header is None or (header == "infer" and names is not None):
        result["header"] = False
    elif header != "infer":
        if not isinstance(header, int) or header < 0:
            raise PandasOnlyError(f"header={header!r}")
        result["header_at"] = header
    if names is not None:
        result["names"] = [str(name) for name in names]
    quote = left.pop("quotechar", '"')
    quoting = left.pop("quoting", 0)
    if quoting not in (0, 1, 3):
        raise PandasOnlyError(f"quoting={quoting!r}")
    result["quote"] = None if quoting == 3 else _byte("quotechar", quote)
    for name, ours in (
        ("escapechar", "escape"),
        ("comment", "comment"),
        ("thousands", "thousands"),
    ):
        result[ours] = _byte(name, left.pop(name, None))
    result["decimal"] = _byte("decimal", left.pop("decimal", "."))
    for name in ("doublequote", "skip_blank_lines", "skipinitialspace"):
        if name in left:
            result["skip_initial_space" if name == "skipinitialspace" else name] = bool(
                left.pop(name)
            )
    skip = left.pop("skiprows", None) or 0
    if not isinstance(skip, int):
        raise PandasOnlyError("skiprows= that is no number")
    result["skip_rows"] = skip
    keep, filtering = left.pop("keep_default_na", True), left.pop("na_filter", True)
    more = _texts("na_values", left.pop("na_values", None) or ())
    result["nulls"] = [*(_NULLS if keep else ()), *map(str, more)] if filtering else []
    for name in ("true_values", "false_values"):
        result[name] = _texts(name, left.pop(name, None) or ())
    if left.pop("lineterminator", None) not in (None, "\n", "\r\n", "\r"):
        raise PandasOnlyError("lineterminator= that ends no line elsewhere")
    dtype = left.pop("dtype", None)
    if dtype is not None:
        if not isinstance(dtype, dict):
            raise PandasOnlyError("dtype= for all columns")
        result["types"] = {str(name): dtype_json(str(name), of) for name, of in dtype.items()}
    if (bad := left.pop("on_bad_lines", "error")) != "error":
        left["on_error"] = bad
    return {name: value for name, value in result.items() if value is not None or name == "quote"}
