"""Conditions that are typed: `score > 0.5 and lang in ("en", "de")`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.plan.expr import Col, Expr, col

_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def condition(text: str) -> Expr:
    """Return a condition for `filter`.

    Args:
        text: Comparisons of columns with values, `in` and `not in` lists, `is None` and
            `is not None`, joined by `and`, `or` and `not`, as Python writes them. A column whose
            name is no name of Python is written `col("its name")`.

    Raises:
        InvalidArgumentError: It is something else.

    Example:
        >>> from rowstream.view.condition import condition
        >>> ds = Dataset.from_dict({"n": [1, 5], "s": ["a", None]}).to_iterable_dataset()
        >>> ds.filter(condition("n > 2 or s == 'a'")).to_list()
        [{'n': 1, 's': 'a'}, {'n': 5, 's': None}]
    """
    try:
        made = _made(ast.parse(text.strip(), mode="eval").body, text)
    except (SyntaxError, RecursionError, ValueError) as error:
        if isinstance(error, InvalidArgumentError):
            raise
        raise _wrong(text) from error
    if isinstance(made, Col):
        return made == True  # noqa: E712 — a comparison of the column
    if not isinstance(made, Expr):
        raise _wrong(text)
    return made


def _wrong(text: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{text[:200]!r} is no condition: write comparisons of columns with values, as Python has"
        " them, such as score > 0.5 and lang in ('en', 'de') and not done"
    )


def _condition(node: ast.expr, text: str) -> Expr:
    """Return a condition; a column by itself is one of truth values."""
    made = _made(node, text)
    if isinstance(made, Col):
        return made == True  # noqa: E712 — a comparison of the column
    if not isinstance(made, Expr):
        raise _wrong(text)
    return made


def _made(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return col(node.id)
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str() as name)]):
            return col(name)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.UnaryOp(op=ast.Not()):
            return ~_condition(node.operand, text)
        case ast.List() | ast.Tuple() | ast.Set():
            return [_made(one, text) for one in node.elts]
        case ast.BoolOp():
            parts = [_condition(one, text) for one in node.values]
            while len(parts) > 1:
                # In pairs, so that many of them are not nested deeply.
                pairs = zip(parts[::2], parts[1::2], strict=False)
                joined = [a & b if isinstance(node.op, ast.And) else a | b for a, b in pairs]
                parts = joined + (parts[-1:] if len(parts) % 2 else [])
            return parts[0]
        case ast.Compare():
            return _compared(node, text)
    raise _wrong(text)


def _compared(node: ast.Compare, text: str) -> Any:
    """Return a comparison; one of several, such as `1 < n < 5`, is that of each pair."""
    whole: Any = None
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        a, b = _made(left, text), _made(right, text)
        if not isinstance(a, Col) and not isinstance(b, Col):
            raise _wrong(text)
        match op:
            case ast.In() | ast.NotIn() if isinstance(a, Col) and isinstance(b, list):
                part = a.isin(b)
                part = part if isinstance(op, ast.In) else ~part
            case ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq() if (
                isinstance(a, Col) and b is None
            ):
                part = a.is_null() if isinstance(op, (ast.Is, ast.Eq)) else ~a.is_null()
            case _ if type(op) in _COMPARED and not (isinstance(a, Col) and isinstance(b, Col)):
                part = _COMPARED[type(op)](a, b)
            case _:
                raise _wrong(text)
        whole = part if whole is None else whole & part
    return whole
