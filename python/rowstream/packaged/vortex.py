"""Vortex, by vortex-data."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError, InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.nested import visit
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source, choose
from rowstream.utils.optional import import_optional

_PLAIN = {"string_view": "string", "binary_view": "binary"}
_COMPARE = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass
class Vortex(Reader):
    """The reader of Vortex files.

    Attributes:
        batch_size: Rows that are read at once.
        filters: A condition on rows: an expression of vortex, or a list of tuples
            `(column, op, value)` or of such lists. A comparison with null is never true.
    """

    name: ClassVar[str] = "vortex"
    batch_size: int | None = None
    filters: Any = None

    def features(self, files: list[Source]) -> Features | None:
        found = Features.from_arrow_schema(_file(files[0]).dtype.to_arrow_schema())
        return choose(visit(found, _plain), self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        file = _file(unit)
        condition = self.filters
        if isinstance(condition, (list, tuple)):
            condition = _condition(
                condition, dict(zip(file.dtype.names(), file.dtype.fields(), strict=False))
            )
        for array in file.scan(self.columns, expr=condition, batch_size=self.batch_size):
            yield from array.to_arrow_array().to_pylist()


def _file(source: Source) -> Any:
    vortex = import_optional("vortex", "Vortex files", "vortex-data")
    path = source.local("Vortex")
    try:
        return vortex.open(path)
    except (RuntimeError, ValueError) as error:
        # What follows is a trace of its own code.
        said = str(error).partition("\n")[0]
        raise FileFormatError(f"{path}: no Vortex file: {said}") from error


def _plain(feature: Any) -> Any:
    """Return the feature of plain texts or bytes for that of views, which fewer functions take."""
    if isinstance(feature, Value) and feature.dtype in _PLAIN:
        return Value(_PLAIN[feature.dtype])
    return feature


def _condition(filters: Any, types: dict[str, Any]) -> Any:
    """Return an expression of vortex for tuples, of which all are true, or lists of such lists."""
    if filters and all(isinstance(one, list) for one in filters):
        return reduce(operator.or_, [_condition(one, types) for one in filters])
    if not filters:
        raise InvalidArgumentError("filters= has no condition: leave it out")
    return reduce(operator.and_, [_comparison(one, types) for one in filters])


def _comparison(one: Any, types: dict[str, Any]) -> Any:
    if not isinstance(one, tuple) or len(one) != 3 or one[0] not in types:
        raise InvalidArgumentError(
            f"filters=: expected (column, op, value), found {one!r}; the columns are {list(types)}"
        )
    name, op, value = one
    expr = import_optional("vortex.expr", "Vortex files", "vortex-data")
    column, kind = expr.column(name), types[name]
    # Only values of the same type are compared.
    if op in _COMPARE:
        return _COMPARE[op](column, expr.literal(kind, value))
    if op == "in" and value:
        return reduce(operator.or_, [column == expr.literal(kind, item) for item in value])
    if op == "not in" and value:
        return reduce(operator.and_, [column != expr.literal(kind, item) for item in value])
    raise InvalidArgumentError(
        f"filters=: {one!r} needs an operator of {[*_COMPARE, 'in', 'not in']}, and a value"
    )
