"""Expressions of pyarrow as conditions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rowstream.exceptions import InvalidArgumentError
from rowstream.plan.expr import Col, Expr, col


def from_pyarrow(expression: pc.Expression) -> Expr:
    """Return the condition that an expression of pyarrow is.

    pyarrow shows what an expression is made of only where it pickles it: a record batch with the
    constants, whose metadata has the calls in prefix order. What was read there is made into an
    expression again, which has to be equal.

    Raises:
        InvalidArgumentError: It has parts that `col` has not, such as arithmetic.
    """
    try:
        found, again = _Parts(expression).next()
    except (AttributeError, LookupError, ValueError, TypeError, NotImplementedError):
        found, again = None, None
    if isinstance(found, Col):  # of truths
        found = found == True  # noqa: E712 - a condition
    if not isinstance(found, Expr) or again is None or not again.equals(expression):
        raise InvalidArgumentError(
            f"filters=: {expression} has parts that cannot be translated: comparisons of columns"
            " with constants, isin, is_null, is_valid and starts_with can, joined by &, | and ~;"
            " everything else is a function for filter()"
        )
    return found


_Part = tuple[Any, Any]
"""A condition, a column or a constant of ours, and the same of pyarrow."""

_FLIPPED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_COMPARISONS = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}
_ENTRY = re.compile(r"^(call|field_ref|nested_field_ref|literal|options|end): '(.*)'$")


class _Parts:
    """The parts of an expression of pyarrow, in prefix order."""

    def __init__(self, expression: pc.Expression) -> None:
        batch = pa.ipc.open_file(expression.__reduce__()[1][0])
        self.constants = batch.get_batch(0)
        # As a dict the metadata would lose all but one of its calls.
        shown = batch.schema.to_string(truncate_metadata=False, show_field_metadata=False)
        _, _, entries = shown.partition("-- schema metadata --\n")
        self.entries = [_ENTRY.match(line) for line in entries.split("\n")]
        self.at = 0

    def pop(self) -> tuple[str, str]:
        entry = self.entries[self.at]
        self.at += 1
        if entry is None:
            raise ValueError("an entry of more than a line")
        return entry[1], entry[2]

    def constant(self, index: str) -> Any:
        return self.constants.column(int(index))[0]

    def next(self) -> _Part:
        kind, value = self.pop()
        if kind == "literal":
            constant = self.constant(value)
            return constant.as_py(), pc.scalar(constant)
        if kind == "field_ref":
            return col(value), pc.field(value)
        if kind == "nested_field_ref":
            path = [self.pop()[1] for _ in range(int(value))]
            return col(*path), pc.field(*path)
        parts: list[_Part] = []
        options: dict[str, Any] = {}
        while self.entries[self.at] is not None and (entry := self.entries[self.at]):
            if entry[1] == "end":
                self.pop()
                return _called(value, parts, options)
            if entry[1] == "options":
                options = dict(self.constant(self.pop()[1]).items())
            else:
                parts.append(self.next())
        raise ValueError("a call without an end")


def _called(name: str, parts: list[_Part], options: dict[str, Any]) -> _Part:
    """Return what a call of pyarrow is."""
    ours = [one for one, _ in parts]
    theirs = [one for _, one in parts]
    if name in _COMPARISONS:
        again = pc.Expression._call(name, theirs)
        how = _COMPARISONS[name]
        if isinstance(ours[0], Col):
            return ours[0]._compare(how, ours[1]), again
        return ours[1]._compare(_FLIPPED[how], ours[0]), again
    conditions = [one == True if isinstance(one, Col) else one for one in ours]  # noqa: E712
    made: dict[str, Callable[[], _Part]] = {
        "and_kleene": lambda: (conditions[0] & conditions[1], theirs[0] & theirs[1]),
        "or_kleene": lambda: (conditions[0] | conditions[1], theirs[0] | theirs[1]),
        "invert": lambda: (~conditions[0], ~theirs[0]),
        "is_null": lambda: (ours[0].is_null(), theirs[0].is_null()),
        "is_valid": lambda: (ours[0].is_valid(), theirs[0].is_valid()),
        "is_in": lambda: (
            ours[0].isin(options["value_set"].as_py()),
            theirs[0].isin(options["value_set"].values),
        ),
        "starts_with": lambda: (
            ours[0].starts_with(options["pattern"].as_py()),
            pc.starts_with(theirs[0], options["pattern"].as_py()),
        ),
    }
    return made[name]()
