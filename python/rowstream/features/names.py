"""The names of scalar types: what `Value` takes."""

from __future__ import annotations

import re
from typing import Any

PLAIN = frozenset(
    (
        *("null", "bool", "string", "large_string", "string_view", "binary", "large_binary", "binary_view", "date32", "date64"),
        *(f"{sign}int{n}" for sign in ("", "u") for n in (8, 16, 32, 64)),
        *("float16", "float32", "float64"),
    )
)
_TIMED = re.compile(
    r"(timestamp|duration)\[(s|ms|us|ns)\]|timestamp\[(s|ms|us|ns),\s*tz=[a-zA-Z0-9/_+\-:]*\]|time32\[(s|ms)\]|time64\[(us|ns)\]"
)
_NUMBERED = re.compile(r"decimal(128|256)\(\d+,\s*-?\d+\)|fixed_size_binary\[\d+\]")


def known(dtype: str) -> bool:
    """Whether a name is one of a type, as far as can be told without pyarrow."""
    return dtype in PLAIN or bool(_TIMED.fullmatch(dtype) or _NUMBERED.fullmatch(dtype))


def python_type(dtype: str) -> Any:
    """What makes a Python object of a value of this type, if it has to be made one."""
    if dtype == "bool":
        return bool
    if dtype.startswith(("int", "uint")):
        return int
    if dtype.startswith("float"):
        return float
    return str if dtype in ("string", "large_string", "string_view") else None


def arrow_type(dtype: str) -> Any:
    """The pyarrow type of a name.

    Raises:
        ValueError: there is no such type.
    """
    import pyarrow as pa

    if dtype == "json":
        raise ValueError("'json' is not a valid dtype, use the Json() feature instead")
    for name in (dtype, f"{dtype}_"):
        if callable(made := pa.__dict__.get(name)):
            return made()
    if found := re.fullmatch(r"timestamp\[(s|ms|us|ns)(?:,\s*tz=([a-zA-Z0-9/_+\-:]*))?\]", dtype):
        return pa.timestamp(found[1], found[2])
    if found := re.fullmatch(r"duration\[(s|ms|us|ns)\]", dtype):
        return pa.duration(found[1])
    if found := re.fullmatch(r"time32\[(s|ms)\]|time64\[(us|ns)\]", dtype):
        return pa.time32(found[1]) if found[1] else pa.time64(found[2])
    if found := re.fullmatch(r"decimal(32|64|128|256)\((\d+),\s*(-?\d+)\)", dtype):
        return getattr(pa, f"decimal{found[1]}")(int(found[2]), int(found[3]))
    if found := re.fullmatch(r"fixed_size_binary\[(\d+)\]", dtype):
        return pa.binary(int(found[1]))
    raise ValueError(
        f"there is no type {dtype!r}; examples are int64, float32, string, bool, binary, date32, timestamp[us], timestamp[us, tz=UTC], "
        "time64[us], duration[s], decimal128(10, 2) and fixed_size_binary[16]"
    )


def dtype_of(arrow: Any) -> str:
    """The name of a pyarrow type: the inverse of `arrow_type`.

    Raises:
        ValueError: it is no type of scalars.
    """
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(arrow):
        return dtype_of(arrow.value_type)
    if is_.is_time32(arrow) or is_.is_time64(arrow):
        return f"time{arrow.bit_width}[{arrow.unit}]"
    if is_.is_timestamp(arrow):
        return f"timestamp[{arrow.unit}{f', tz={arrow.tz}' if arrow.tz else ''}]"
    if is_.is_duration(arrow):
        return f"duration[{arrow.unit}]"
    if is_.is_date(arrow):
        return f"date{arrow.bit_width}"
    if is_.is_decimal128(arrow) or is_.is_decimal256(arrow):
        return f"decimal{arrow.bit_width}({arrow.precision}, {arrow.scale})"
    if is_.is_fixed_size_binary(arrow):
        return f"fixed_size_binary[{arrow.byte_width}]"
    name = {"halffloat": "float16", "float": "float32", "double": "float64"}.get(str(arrow), str(arrow))
    if name in PLAIN:
        return name
    raise ValueError(f"Arrow type {arrow} does not have a datasets dtype equivalent.")
