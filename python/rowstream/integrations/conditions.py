"""Conditions of pyarrow and Polars as ours, as far as they say the same.

What is translated is true wherever the given condition is, and may be true for more rows: whoever
pushes it down applies the given condition to what is read.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from rowstream.exceptions import RowstreamError
from rowstream.plan.expr import Col, Expr, col

_ARROW = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}
_POLARS = {"Eq": "eq", "NotEq": "ne", "Lt": "lt", "LtEq": "le", "Gt": "gt", "GtEq": "ge"}
_TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


class _UnlikeError(Exception):
    """A part of a condition has no counterpart."""


@dataclass(frozen=True)
class _Literal:
    value: Any


def _or_none(translate: Callable[[], Expr]) -> Expr | None:
    try:
        return translate()
    except (_UnlikeError, RowstreamError):
        return None


def _joined(how: str, parts: Iterable[Callable[[], Expr]], *, exact: bool) -> Expr:
    """Return conditions joined by `"and"` or `"or"`.

    Without a part that has no counterpart, a conjunction is true for more rows; a disjunction would
    be true for fewer.
    """
    known = [_or_none(part) for part in parts]
    there = [part for part in known if part is not None]
    if not there or (len(there) < len(known) and (exact or how == "or")):
        raise _UnlikeError
    result = there[0]
    for part in there[1:]:
        result = result & part if how == "and" else result | part
    return result


def _compared(op: str, left: Any, right: Any) -> Expr:
    if isinstance(left, _Literal):
        left, right, op = right, left, _TURNED[op]
    if not isinstance(left, Col) or not isinstance(right, _Literal) or right.value is None:
        raise _UnlikeError
    return left._compare(op, right.value)


def _column(value: Any) -> Col:
    if not isinstance(value, Col):
        raise _UnlikeError
    return value


# pyarrow


@dataclass(frozen=True)
class _Call:
    name: str
    arguments: list[Any]
    options: Any


def from_arrow(expression: Any) -> Expr | None:
    """Return the condition of a `pyarrow.compute.Expression`; `None` if nothing is alike."""
    tree = _tree(expression)
    return _or_none(lambda: _of_call(tree, exact=False))


def columns_of_arrow(expression: Any) -> list[str]:
    """Return the names of the columns that an expression of pyarrow reads."""
    _, items = _stored(expression)
    fields = iter(items)
    names: dict[str, None] = {}
    for key, value in fields:
        if key == "field_ref":
            names[value] = None
        elif key == "nested_field_ref":
            path = [next(fields)[1] for _ in range(int(value))]
            names[path[0]] = None
    return list(names)


def _of_call(tree: Any, *, exact: bool) -> Expr:
    if not isinstance(tree, _Call):
        raise _UnlikeError
    name, arguments = tree.name, tree.arguments
    if name in ("and", "and_kleene", "or", "or_kleene"):
        parts = [lambda part=part: _of_call(part, exact=exact) for part in arguments]
        return _joined(name.removesuffix("_kleene"), parts, exact=exact)
    if name == "invert":
        return ~_of_call(arguments[0], exact=True)
    if name == "if_else":
        # So DuckDB says IN: null for a null.
        asked, then, other = arguments
        if asked == _Call("is_valid", then.arguments, None) and other == _Literal(None):
            return _of_call(then, exact=exact)
        raise _UnlikeError
    if name in _ARROW:
        return _compared(_ARROW[name], *arguments)
    if name == "is_valid":
        return _column(arguments[0]).is_valid()
    if name == "is_null":
        return _column(arguments[0]).is_null()
    if name == "is_in" and tree.options is not None:
        return _column(arguments[0]).isin(tree.options["value_set"])
    raise _UnlikeError


def _tree(expression: Any) -> Any:
    """Return an expression as calls, columns and literals."""
    batch, items = _stored(expression)
    left = iter(items)

    def node(key: str, value: str) -> Any:
        if key == "literal":
            return _Literal(batch.column(int(value))[0].as_py())
        if key == "field_ref":
            return col(value)
        if key == "nested_field_ref":
            return col(*(next(left)[1] for _ in range(int(value))))
        arguments, options = [], None
        for key_, value_ in left:
            if key_ == "end":
                break
            if key_ == "options":
                options = batch.column(int(value_))[0].as_py()
            else:
                arguments.append(node(key_, value_))
        return _Call(value, arguments, options)

    return node(*next(left))


def _stored(expression: Any) -> tuple[Any, list[tuple[str, str]]]:
    """Return what an expression pickles as: a record batch, and the metadata of its schema.

    The metadata is the tree, with keys that repeat, so that `schema.metadata`, a dict, loses some;
    the columns are the literals (`Expression::Serialize` of Arrow's C++).
    """
    import pyarrow as pa

    batch = pa.ipc.open_file(expression.__reduce__()[1][0]).get_batch(0)
    capsule = batch.schema.__arrow_c_schema__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    # Its fields are format, name, metadata, and others.
    at = (ctypes.c_void_p * 3).from_address(pointer(capsule, b"arrow_schema"))[2] or 0

    def number() -> int:
        nonlocal at
        at += 4
        return ctypes.c_int32.from_address(at - 4).value

    def text() -> str:
        nonlocal at
        size = number()
        at += size
        return ctypes.string_at(at - size, size).decode()

    return batch, [(text(), text()) for _ in range(number())]


# Polars


def from_polars(expression: Any, floats: Collection[str] = ()) -> Expr | None:
    """Return the condition of a Polars expression; `None` if nothing is alike.

    Args:
        expression: The expression.
        floats: The names of columns with floats, among which NaN is above all numbers in Polars.
    """
    return _or_none(lambda: _of_polars(expression, floats, exact=False))


def _of_polars(expression: Any, floats: Collection[str], *, exact: bool) -> Expr:
    tree = _json(expression)
    kind, body = next(iter(tree.items())) if isinstance(tree, dict) else (None, None)
    children = expression.meta.pop()
    if kind == "BinaryExpr" and isinstance(body, dict):
        return _of_pair(body, children, floats, exact=exact)
    if kind != "Function" or not isinstance(body, dict):
        raise _UnlikeError
    what = body.get("function")
    name, details = next(iter(what.items())) if isinstance(what, dict) else (what, None)
    if (name, details) == ("Boolean", "Not"):
        return ~_of_polars(children[0], floats, exact=True)
    # The first of what it is given; which of the children that is, their JSON tells.
    first = body["input"][0] if body.get("input") else None
    of = next((child for child in children if _json(child) == first), None)
    if of is None or not of.meta.is_column():
        raise _UnlikeError
    column = col(of.meta.output_name())
    if name == "Boolean" and details in ("IsNull", "IsNotNull"):
        return column.is_null() if details == "IsNull" else column.is_valid()
    literal = next((child for child in children if not child.meta.root_names()), None)
    if literal is not None and (name, details) == ("StringExpr", "StartsWith"):
        return column.starts_with(_evaluated(literal))
    if literal is not None and isinstance(details, dict) and "IsIn" in details:
        values = _values(literal)
        if not (details["IsIn"] or {}).get("nulls_equal"):
            if exact and None in values:
                raise _UnlikeError  # what is in a list with a null is true or null, never false
            values = [value for value in values if value is not None]
        return column.isin(values)
    raise _UnlikeError


def _of_pair(body: Any, children: list[Any], floats: Collection[str], *, exact: bool) -> Expr:
    # Which of them is the left one is not said.
    right, left = children if _json(children[0]) == body["right"] else children[::-1]
    op = body["op"]
    if op in ("And", "LogicalAnd", "Or", "LogicalOr"):
        parts = [lambda one=one: _of_polars(one, floats, exact=exact) for one in (left, right)]
        return _joined("and" if "And" in op else "or", parts, exact=exact)
    if op not in _POLARS:
        raise _UnlikeError
    sides = [_of_side(left), _of_side(right)]
    turned = isinstance(sides[0], _Literal)
    cmp = _TURNED[_POLARS[op]] if turned else _POLARS[op]
    result = _compared(_POLARS[op], *sides)
    if result.columns() & {*floats} and (exact or cmp not in ("eq", "lt", "le")):
        raise _UnlikeError
    return result


def _of_side(expression: Any) -> Any:
    if not expression.meta.root_names():
        return _Literal(_evaluated(expression))
    if expression.meta.is_column():
        return col(expression.meta.output_name())
    raise _UnlikeError


def _evaluated(literal: Any) -> Any:
    import polars as pl

    return pl.select(literal).item()


def _values(literal: Any) -> list[Any]:
    import polars as pl

    values = pl.select(literal).to_series()
    values = values.explode() if values.dtype in (pl.List, pl.Array) else values
    result: list[Any] = values.to_list()
    return result


def _json(expression: Any) -> Any:
    return json.loads(expression.meta.serialize(format="json"))
