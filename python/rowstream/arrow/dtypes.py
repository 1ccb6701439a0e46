"""The names of scalar types in one table: those of `Value`, of the core's JSON and of pyarrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_CORE = {
    "null": "Null",
    "bool": "Boolean",
    "string": "Utf8",
    "large_string": "LargeUtf8",
    "string_view": "Utf8View",
    "binary": "Binary",
    "large_binary": "LargeBinary",
    "binary_view": "BinaryView",
    "date32": "Date32",
    "date64": "Date64",
    **{f"{sign}int{n}": f"{sign.upper()}Int{n}" for sign in ("", "u") for n in (8, 16, 32, 64)},
    **{f"float{n}": f"Float{n}" for n in (16, 32, 64)},
}
"""The core's names of types without parameters."""

_INTERVALS = {
    "month_day_nano_interval": "MonthDayNano",
    "day_time_interval": "DayTime",
    "year_month_interval": "YearMonth",
}

PLAIN = frozenset((*_CORE, *_INTERVALS))
_OF_CORE = {core: name for name, core in _CORE.items()}

_ALIASES = {
    "float": "float32",
    "double": "float64",
    "halffloat": "float16",
    "bool_": "bool",
    "utf8": "string",
    "large_utf8": "large_string",
}
_UNITS = {"s": "Second", "ms": "Millisecond", "us": "Microsecond", "ns": "Nanosecond"}
_OF_UNITS = {core: unit for unit, core in _UNITS.items()}
_UNITS_OF = {
    "timestamp": "s ms us ns",
    "duration": "s ms us ns",
    "time32": "s ms",
    "time64": "us ns",
}
_DIGITS = {"decimal32": 9, "decimal64": 18, "decimal128": 38, "decimal256": 76}

_PARTS = re.compile(r"\s*(\w+)\s*(?:\[([^\[\]]*)\]|\(([^()]*)\))\s*")
_ZONE = re.compile(r"tz\s*=\s*([a-zA-Z0-9/_+\-:]*)")

Parsed = tuple[Any, ...]
"""A parsed type: its name and the parameters in brackets."""


def _parsed(dtype: str) -> Parsed | None:
    """Parse the name of a type; return `None` if there is no such type."""
    text = _ALIASES.get(dtype, dtype)
    if text in PLAIN:
        return (text,)
    found = _PARTS.fullmatch(text)
    if found is None:
        return None
    kind, square = found[1], found[2] is not None
    given = [part.strip() for part in (found[2] if square else found[3]).split(",")]
    if kind in _UNITS_OF and square and given[0] in _UNITS_OF[kind].split():
        if len(given) == 1:
            return (kind, given[0], None) if kind == "timestamp" else (kind, given[0])
        zone = _ZONE.fullmatch(given[1]) if kind == "timestamp" and len(given) == 2 else None
        return None if zone is None else (kind, given[0], zone[1] or None)
    if (
        kind in _DIGITS
        and not square
        and len(given) == 2
        and given[0].isdigit()
        and given[1].removeprefix("-").isdigit()
    ):
        precision, scale = int(given[0]), int(given[1])
        return (kind, precision, scale) if 1 <= precision <= _DIGITS[kind] else None
    if kind == "fixed_size_binary" and square and len(given) == 1 and given[0].isdigit():
        return (kind, int(given[0]))
    return None


def _name(parsed: Parsed) -> str:
    kind, *rest = parsed
    if kind == "timestamp":
        return f"timestamp[{rest[0]}{f', tz={rest[1]}' if rest[1] else ''}]"
    if kind in _DIGITS:
        return f"{kind}({rest[0]}, {rest[1]})"
    return f"{kind}[{rest[0]}]" if rest else str(kind)


def named(dtype: str) -> str | None:
    """Return the normal form of a type's name: `"decimal128(10, 2)"` for `"decimal128(10,2)"`.

    Return `None` if there is no such type, as far as can be told without pyarrow.
    """
    parsed = _parsed(dtype)
    return None if parsed is None else _name(parsed)


def python_type(dtype: str) -> type | None:
    """Return the Python type to which values of a type are converted; `None` if they are not."""
    if dtype == "bool":
        return bool
    if dtype.startswith(("int", "uint")):
        return int
    if dtype.startswith("float"):
        return float
    return str if dtype in ("string", "large_string", "string_view") else None


def core_type(dtype: str) -> dict[str, Any] | str:
    """Return the type of a name in the core's JSON.

    Raises:
        ValueError: There is no such type.
    """
    parsed = _parsed(dtype)
    if parsed is None:
        raise _unknown(dtype)
    kind, *rest = parsed
    if not rest:
        return _CORE[kind] if kind in _CORE else {"Interval": _INTERVALS[kind]}
    core = "".join(part.capitalize() for part in kind.split("_"))
    if kind == "timestamp":
        return {core: [_UNITS[rest[0]], rest[1]]}
    if kind in _DIGITS:
        return {core: rest}
    return {core: _UNITS.get(rest[0], rest[0])}


def core_name(core: Any) -> str:
    """Return the name of a type in the core's JSON, the inverse of `core_type`.

    A type without a name among those of `Value` keeps the core's own.
    """
    if isinstance(core, str):
        return _OF_CORE.get(core, core.lower())
    ((kind, of),) = core.items()
    lower = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    if kind == "Timestamp":
        return _name((lower, _OF_UNITS[of[0]], of[1]))
    if kind == "Interval":
        return next(name for name, core in _INTERVALS.items() if core == of)
    if lower in _DIGITS or isinstance(of, int):
        return _name((lower, *of) if isinstance(of, list) else (lower, of))
    if isinstance(of, str):
        return _name((lower, _OF_UNITS.get(of, of)))
    return str(kind).lower()


def arrow_type(dtype: str) -> pa.DataType:
    """Return the pyarrow type of a name.

    Raises:
        ValueError: There is no such type.
    """
    import pyarrow as pa

    if dtype == "json":
        raise ValueError("'json' is not a valid dtype, use the Json() feature instead")
    parsed = _parsed(dtype)
    if parsed is None:
        # Types of pyarrow that files do not have.
        result = pa.__dict__.get(dtype) or pa.__dict__.get(f"{dtype}_")
        if callable(result) and isinstance(of := _made(result), pa.DataType):
            return of
        raise _unknown(dtype)
    kind, *rest = parsed
    if kind == "fixed_size_binary":
        return pa.binary(*rest)
    make = getattr(pa, "bool_" if kind == "bool" else kind, None)
    if make is None:
        raise ValueError(f"pyarrow has no type {dtype!r}")
    return make(*rest)


def _made(make: Any) -> pa.DataType | None:
    try:
        return make()
    except TypeError:
        return None


def dtype_of(arrow: Any) -> str:
    """Return the name of a pyarrow type, the inverse of `arrow_type`.

    Raises:
        ValueError: It is not a scalar type.
    """
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(arrow):
        return dtype_of(arrow.value_type)
    if is_.is_timestamp(arrow):
        return _name(("timestamp", arrow.unit, arrow.tz))
    if is_.is_date(arrow):
        return f"date{arrow.bit_width}"
    if is_.is_fixed_size_binary(arrow):
        return _name(("fixed_size_binary", arrow.byte_width))
    # Others are written by pyarrow as they are here.
    found = named(str(arrow))
    if found is None:
        raise ValueError(f"Arrow type {arrow} does not have a datasets dtype equivalent.")
    return found


def _unknown(dtype: str) -> ValueError:
    return ValueError(
        f"there is no type {dtype!r}; examples are int64, float32, string, bool, binary, date32,"
        " timestamp[us], timestamp[us, tz=UTC], time64[us], duration[s], decimal128(10, 2) and"
        " fixed_size_binary[16]"
    )
