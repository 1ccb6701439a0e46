"""Rows of Arrow tables as Python objects, and conversion of rows to declared features."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import SchemaError
from rowstream.features.arrays import ArrayXD
from rowstream.features.encode import cast_to_python_objects, encode_nested_example
from rowstream.features.nested import LargeList, List, Pairs, visit
from rowstream.features.scalar import ClassLabel, Value
from rowstream.features.text import Json, Translation

if TYPE_CHECKING:
    import pyarrow as pa

    from rowstream.features.features import Features


_SHOWN = 100  # characters of a value in an error
_TYPES: dict[str, type] = {
    "string": str,
    "large_string": str,
    "bool": bool,
    "float64": float,
    "binary": bytes,
    "large_binary": bytes,
    "date32": dt.date,
}
_BITS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
# What takes its values as they are, but for the types in them.
_PLAIN = (Value, ClassLabel, Json, List, LargeList, Translation, ArrayXD)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector for the block.

    It would search the many new objects for cycles again and again, of which there are none.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def pydict(table: Any) -> dict[str, list[Any]]:
    """Return the columns of a table, or of selected rows, as lists of Python objects."""
    with gc_paused():
        try:
            rows = table if isinstance(table, _core.SelectedRows) else _core.Table(table)
            result: dict[str, list[Any]] = rows.to_pydict()
        except NotImplementedError:
            # Types that the core makes no objects of.
            if isinstance(table, _core.SelectedRows):
                import pyarrow as pa

                table = pa.Table.from_batches([pa.record_batch(table)])
            return {
                name: column.to_pylist()
                for name, column in zip(table.column_names, table.columns, strict=True)
            }
    return result


class Typing:
    """A converter of rows and columns to features; missing columns become null.

    Values that already have the type are passed on; others go to Arrow and back.

    Args:
        features: The types of all columns.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._columns = [(name, feature, fitting(feature)) for name, feature in features.items()]

    def __reduce__(self) -> Any:
        return Typing, (self._features,)

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Convert a row.

        Raises:
            SchemaError: A value does not fit the type of its column, or a column is not declared.
        """
        result = {}
        for name, feature, fits in self._columns:
            value = row.get(name)
            result[name] = (
                value if value is None or fits(value) else _stored(name, [value], feature)[0]
            )
        self._check(row)
        return result

    def columns(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Convert the columns of a batch.

        Raises:
            SchemaError: As in `row`.
        """
        self._check(columns)
        n = len(next(iter(columns.values()), ()))
        result: dict[str, Any] = {}
        for name, feature, fits in self._columns:
            values = columns.get(name)
            if values is None:
                result[name] = [None] * n
            elif isinstance(values, (list, tuple)) and all(
                value is None or fits(value) for value in values
            ):
                result[name] = values
            else:
                result[name] = _stored(name, values, feature)
        return result

    def _check(self, columns: Mapping[str, Any]) -> None:
        if not columns.keys() <= self._features.keys():
            new = [name for name in columns if name not in self._features]
            raise SchemaError(
                f"there are columns that features= does not name: {new}; it names"
                f" {list(self._features)}"
            )


def fitting(feature: Any) -> Callable[[Any], bool]:
    """Return a quick test whether a value has a feature's type; it may reject values that have."""
    if isinstance(feature, Value):
        if feature.dtype in _BITS:
            sign, bits = _BITS[feature.dtype]
            least, most = (0, 1 << bits) if sign else (-(1 << bits - 1), 1 << bits - 1)
            return lambda value: type(value) is int and least <= value < most
        kind = _TYPES.get(feature.dtype)
        return _never if kind is None else lambda value: type(value) is kind
    if isinstance(feature, ClassLabel):
        n = len(feature.names or ())
        return lambda value: type(value) is int and -1 <= value < n
    if isinstance(feature, List) and not isinstance(feature, Pairs) and feature.length < 0:
        inner = fitting(feature.feature)
        return lambda value: type(value) is list and all(one is None or inner(one) for one in value)
    if isinstance(feature, dict):
        names, fields = list(feature), [(name, fitting(one)) for name, one in feature.items()]
        return lambda value: (
            type(value) is dict
            and list(value) == names
            and all(value[name] is None or fits(value[name]) for name, fits in fields)
        )
    return _never


def exact_in_python(feature: Any) -> bool:
    """Return whether all values of a feature are the same after they were Python objects: not
    times, which may be finer or farther than Python's.
    """
    if isinstance(feature, Mapping):
        return bool(feature) and all(map(exact_in_python, feature.values()))
    if type(feature) in (List, LargeList):
        return getattr(feature, "length", -1) != 0 and exact_in_python(feature.feature)
    return isinstance(feature, ClassLabel) or (
        type(feature) is Value and (feature.dtype in _BITS or feature.dtype in _EXACT)
    )


_EXACT = frozenset(("bool", "float32", "float64", "string", "large_string", "binary"))


def _never(value: Any) -> bool:
    return False


def _stored(name: str, values: Any, feature: Any) -> list[Any]:
    """Return values as they come back from Arrow when stored with a feature."""
    import pyarrow as pa

    array = _array(name, values, feature)
    result: list[Any] = pydict(pa.table({name: array}))[name]
    return result


def _array(name: str, values: Any, feature: Any) -> pa.Array:
    from rowstream.arrow.exact import FAILED
    from rowstream.features.cast import typed_array

    try:
        if _encodes(feature):
            values = [
                (
                    None
                    if one is None
                    else encode_nested_example(feature, cast_to_python_objects(one), 1)
                )
                for one in values
            ]
        return typed_array(values, feature)
    except (*FAILED, LookupError) as error:
        if len(values) > 1:
            for one in values:
                _array(name, [one], feature)
        text = repr(values[0]) if len(values) == 1 else repr(values)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        if isinstance(feature, ClassLabel) and isinstance(values[0], str):
            raise SchemaError(
                f"column {name!r} has {shown}, which is none of the names {feature.names}"
            ) from error
        raise SchemaError(
            f"column {name!r} has {shown}, which cannot be {feature!r}: {error}"
        ) from error


def _encodes(feature: Any) -> bool:
    """Return whether a feature contains one that encodes values itself, as media do."""
    found: list[bool] = []
    visit(
        feature,
        lambda one: found.append(hasattr(one, "encode_example") and not isinstance(one, _PLAIN)),
    )
    return any(found)
