"""Conversion of Python values to Arrow arrays of a given type, without loss.

pyarrow converts Python objects less carefully than arrays: it cuts floats and decimals to integers,
and times to dates. Errors name the row at fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from rowstream.arrow.cast import array_cast, mapped_type
from rowstream.arrow.natural import natural_array
from rowstream.exceptions import InvalidArgumentError, SchemaError

FAILED = (TypeError, ValueError, OverflowError, pa.ArrowException)
"""The errors with which pyarrow rejects values."""


_SHOWN = 200  # characters of a value in an error


class InexactError(SchemaError, pa.ArrowInvalid):  # type: ignore[misc]  # pyarrow comes without types
    """A value can't be stored exactly in the type of its column."""


class LengthError(InvalidArgumentError, pa.ArrowInvalid):  # type: ignore[misc]  # likewise
    """The columns of a batch have several lengths."""


class MisfitError(SchemaError, pa.ArrowTypeError):  # type: ignore[misc]  # likewise
    """A value is of another kind than its column."""


def exact_array(values: Any, kind: Any) -> pa.Array:
    """Convert Python objects to an array of a given type.

    Raises:
        pyarrow.ArrowInvalid: The type can't store a value exactly.
    """
    if _sure(values, kind):
        return pa.array(values, kind)
    if pa.types.is_nested(kind) and (plain := stored_type(kind)) != kind:
        # pyarrow makes no arrays with extension types inside others.
        return array_cast(exact_array(values, plain), kind, shapes=False)
    try:
        own = natural_array(values)
    except FAILED:
        own = None
    if own is None:
        return pa.array(values, kind)
    if own.type == kind:
        return own
    result = pa.array(values, kind)
    try:
        # As an array, which pyarrow casts with care.
        array_cast(own, kind, absent=True)
    except (TypeError, NotImplementedError):
        return result  # a way that only objects have
    return result


def stored_type(kind: Any) -> pa.DataType:
    """Return a type with what is stored in the place of extension types, at any depth."""
    if isinstance(kind, pa.BaseExtensionType):
        return stored_type(kind.storage_type)
    return mapped_type(kind, lambda field: field.with_type(stored_type(field.type)))


def _sure(values: Any, kind: Any) -> bool:
    """Return whether pyarrow converts values to a type without loss, as is known without a check.

    This holds for integers, and for types for which pyarrow accepts no others.
    """
    if pa.types.is_integer(kind):
        return isinstance(values, list) and {*map(type, values)} <= {int, type(None)}
    if pa.types.is_list(kind) or pa.types.is_struct(kind):
        inner = [kind.value_type] if pa.types.is_list(kind) else [of.type for of in kind]
        return all(_sure(None, of) for of in inner)
    return bool(pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_float64(kind))


def first_misfit(rows: int, fits: Callable[[int, int], Any]) -> int | None:
    """Return the first row for which `fits(start, end)` raises.

    Return `None` if every row fits by itself.
    """

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


def located(
    error: Exception,
    name: str | None,
    values: Any,
    of: Any,
    fits: Callable[[Any], Any],
    before: int | None = 0,
) -> Exception:
    """Return an error that names the row and the value that do not fit.

    Return the same error if no value is at fault by itself.

    Args:
        error: The error that was raised.
        name: The name of the column.
        values: The values of the column.
        of: The type or feature that they have to fit.
        fits: A function that raises if some values do not fit.
        before: The number of rows before these; `None` if unknown.
    """
    at = first_misfit(len(values), lambda start, end: fits(values[start:end]))
    if at is None:
        return error
    value = values[at]
    shown = repr(value.as_py() if isinstance(value, pa.Scalar) else value)
    row = "" if before is None else f", row {before + at}"
    text = (
        f"column {name!r}{row}: {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'} does not"
        f" fit {of!r}"
    )
    if isinstance(error, pa.ArrowInvalid):
        return InexactError(f"{text}: {error}")
    if isinstance(error, TypeError):
        return MisfitError(f"{text}: {error}")
    error.add_note(text)
    return error


__all__ = ["FAILED", "InexactError", "MisfitError", "exact_array", "first_misfit", "located"]
