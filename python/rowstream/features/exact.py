"""Values of Python as Arrow arrays without a loss: those of a type that is given, types that have the values of two, and the row at fault.

pyarrow makes arrays of Python objects with less care than it casts arrays: floats and decimals are cut to integers, times to dates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.exceptions import SchemaError
from rowstream.features.features import generate_from_arrow_type, get_nested_type
from rowstream.features.natural import natural_array
from rowstream.features.raw import FAILED
from rowstream.features.types import Features, LargeList, List, Pairs, Value
from rowstream.table import cast_array_to_feature

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN = 200  # characters of a value in an error


class InexactError(SchemaError, pa.ArrowInvalid):  # type: ignore[misc]  # pyarrow comes without types
    """A value that the type of its column does not have."""


class MisfitError(SchemaError, pa.ArrowTypeError):  # type: ignore[misc]  # likewise
    """A value of another kind than that of its column."""


def exact_array(values: Any, kind: Any) -> Any:
    """An array of Python objects in a type that is given.

    Raises:
        pyarrow.ArrowInvalid: the type does not have a value.
    """
    if _sure(values, kind):
        return pa.array(values, kind)
    try:
        own = natural_array(values)
    except FAILED:
        own = None
    if own is None:
        return pa.array(values, kind)
    if own.type == kind:
        return own
    made = pa.array(values, kind)
    try:
        # As an array, which pyarrow casts with care.
        cast_array_to_feature(own, generate_from_arrow_type(kind))
    except (TypeError, NotImplementedError):
        return made  # a way that only objects have
    return made


def _sure(values: Any, kind: Any) -> bool:
    """Whether pyarrow cuts nothing: of types for which it takes no others, and of integers. This saves looking for their own type."""
    if pa.types.is_integer(kind):
        return isinstance(values, list) and {*map(type, values)} <= {int, type(None)}
    if pa.types.is_list(kind) or pa.types.is_struct(kind):
        inner = [kind.value_type] if pa.types.is_list(kind) else [of.type for of in kind]
        return all(_sure(None, of) for of in inner)
    return bool(pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_float64(kind))


def first_misfit(rows: int, fits: Callable[[int, int], Any]) -> int | None:
    """The first row for which `fits(start, end)` raises; `None` where each of them fits alone."""

    def good(start: int, end: int) -> bool:
        try:
            fits(start, end)
        except FAILED:
            return False
        return True

    start, end = 0, rows
    while end - start > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if good(start, middle) else (start, middle)
    return None if start == end or good(start, end) else start


def located(error: Exception, name: str | None, values: Any, of: Any, fits: Callable[[Any], Any], before: int | None = 0) -> Exception:
    """An error that says which value of which row does not fit; the same where no value does so alone.

    Args:
        error: what was raised.
        name: the column.
        values: its values, in which the one is looked for.
        of: what they have to be.
        fits: raises where some values do not fit.
        before: the rows before these; `None` if that is not known.
    """
    at = first_misfit(len(values), lambda start, end: fits(values[start:end]))
    if at is None:
        return error
    value = values[at]
    shown = repr(value.as_py() if isinstance(value, pa.Scalar) else value)
    row = "" if before is None else f", row {before + at}"
    text = f"column {name!r}{row}: {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'} does not fit {of!r}"
    if isinstance(error, pa.ArrowInvalid):
        return InexactError(f"{text}: {error}")
    if isinstance(error, TypeError):
        return MisfitError(f"{text}: {error}")
    error.add_note(text)
    return error


def wider(one: Any, other: Any) -> Any:
    """A feature that has the values of both: of integers and floats, `float64`. `None` where there is none."""
    if one == other or _is_null(other):
        return one
    if _is_null(one):
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        made = {name: wider(one.get(name, _NULL), other.get(name, _NULL)) for name in {**one, **other}}
        return None if None in made.values() else made
    if isinstance(one, (List, LargeList)) and isinstance(other, (List, LargeList)):
        inner = wider(one.feature, other.feature)
        if inner is None or isinstance(one, LargeList) or isinstance(other, LargeList):
            return None if inner is None else LargeList(inner)
        if isinstance(one, Pairs) and isinstance(other, Pairs):
            return Pairs(inner)
        return List(inner, length=one.length if one.length == other.length else -1)
    if isinstance(one, Value) and isinstance(other, Value):
        return _wider_value(one, other)
    return None


def agreed(several: list[Features]) -> list[Features]:
    """Features in which a column of a name has one type, that has the values of all; as they are where there is none."""
    common: dict[str, Any] = {}
    for name in dict.fromkeys(name for features in several for name in features):
        found, *rest = [features[name] for features in several if name in features]
        for of in rest:
            found = None if found is None else wider(found, of)
        common[name] = found
    return [Features({name: of if common[name] is None else common[name] for name, of in features.items()}) for features in several]


_NULL = Value("null")


def _is_null(feature: Any) -> bool:
    return isinstance(feature, Value) and feature.dtype == "null"


def _wider_value(one: Value, other: Value) -> Any:
    kinds = [get_nested_type(one), get_nested_type(other)]
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds) and any(map(pa.types.is_floating, kinds)):
        integers = any(map(pa.types.is_integer, kinds))
        return Value("float64") if integers else max(one, other, key=lambda of: get_nested_type(of).bit_width)
    text = [pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) for kind in kinds]
    if any(text) and not all(text):
        return None  # bytes have all texts, and are none
    try:
        schemas = [pa.schema([("", kind)]) for kind in kinds]
        return generate_from_arrow_type(pa.unify_schemas(schemas, promote_options="permissive").field(0).type)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None


__all__ = ["FAILED", "InexactError", "MisfitError", "agreed", "exact_array", "first_misfit", "located", "wider"]
