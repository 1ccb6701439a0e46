"""The `filters=` of pyarrow and pandas as conditions."""

from __future__ import annotations

from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.plan.expr import Expr, col, joined

_OPS = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def from_filters(filters: Any) -> Expr:
    """Return a condition from the `filters=` of pyarrow and pandas, or a condition as it is.

    Of a list of tuples `(column, op, value)`, all have to be true; of a list of such lists, one.
    An expression of pyarrow is translated.

    Raises:
        InvalidArgumentError: It is none of these.
    """
    if isinstance(filters, Expr):
        return filters
    if type(filters).__module__.startswith("pyarrow"):
        from rowstream.plan.arrow_expression import from_pyarrow

        return from_pyarrow(filters)
    if not isinstance(filters, (list, tuple)) or not filters:
        raise InvalidArgumentError(
            "filters= expects a condition or a list of tuples (column, op, value), found"
            f" {filters!r}"
        )
    if all(isinstance(part, list) for part in filters) or all(
        isinstance(part, tuple) and part and all(isinstance(one, tuple) for one in part)
        for part in filters
    ):
        return joined("or", [from_filters(list(part)) for part in filters])
    result = []
    for part in filters:
        if not isinstance(part, (tuple, list)) or len(part) != 3 or not isinstance(part[0], str):
            raise InvalidArgumentError(
                f"filters=: expected a tuple (column, op, value), found {part!r}"
            )
        name, op, value = part
        of = col(*name.split(".")) if "." in name else col(name)
        if op in ("in", "not in"):
            result.append(of.isin(value) if op == "in" else ~of.isin(value))
        elif op in _OPS:
            result.append(of._compare(_OPS[op], value))
        else:
            raise InvalidArgumentError(
                f"filters=: there is no operator {op!r}; there are {[*_OPS, 'in', 'not in']}"
            )
    return joined("and", result)
