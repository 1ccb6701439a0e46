"""Conditions on rows, such as `col("score") > 0.5`.

The core evaluates them while files are read, and skips data that cannot match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowstream.exceptions import InvalidArgumentError
from rowstream.plan.literals import comparable, literal

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def col(name: str, *fields: str) -> Col:
    """Return a column, or a field of a struct column, to compare: the conditions of `filter`.

    Join conditions with `&`, `|` and `~`, and put comparisons in parentheses. As in SQL, a
    comparison with null is null, and a row is kept only where the condition is true; `isin` is
    false for null.

    Args:
        name: The name of the column.
        fields: The names of nested fields, from the outside in: `col("meta", "lang") == "en"`.

    Returns:
        A `Col`, with the operators `==`, `!=`, `<`, `<=`, `>`, `>=` and the methods `isin`,
        `is_null`, `is_valid` and `starts_with`.

    Example:
        >>> ds = Dataset.from_dict({"lang": ["en", "fr", None], "score": [0.9, 0.8, 0.7]})
        >>> ds.filter(col("lang").isin(["en", "de"]) & (col("score") > 0.5))["score"][:]
        [0.9]
    """
    return Col((name, *fields))


class Expr:
    """A condition on rows, built with `col`."""

    def to_json(self) -> dict[str, Any]:
        """Return the condition as JSON for the core."""
        raise NotImplementedError

    def columns(self) -> set[str]:
        """Return the names of the columns that the condition reads."""
        raise NotImplementedError

    def renamed(self, names: Mapping[str, str]) -> Expr:
        """Return the same condition with other column names."""
        raise NotImplementedError

    def value(self, row: Mapping[str, Any]) -> bool | None:
        """Return whether the condition is true for a row; `None` where a null hides it."""
        raise NotImplementedError

    def __call__(self, row: Mapping[str, Any]) -> bool:
        return self.value(row) is True

    def __and__(self, other: Expr) -> Expr:
        return _Joined("and", (self, _expr(other)))

    def __or__(self, other: Expr) -> Expr:
        return _Joined("or", (self, _expr(other)))

    def __invert__(self) -> Expr:
        return _Not(self)

    def __bool__(self) -> bool:
        """Raise, because `and`, `or` and `not` would lose a part of the condition."""
        raise InvalidArgumentError(
            "a condition on columns is neither true nor false: join conditions with &, | and ~, in"
            " parentheses"
        )


def _expr(other: Any) -> Expr:
    if not isinstance(other, Expr):
        raise InvalidArgumentError(
            f'expected a condition as col("x") > 3, found {other!r}; comparisons stand in'
            " parentheses beside & and |"
        )
    return other


@dataclass(frozen=True, eq=False)
class Col:
    """A column, or a field of a struct column, to compare; returned by `col`."""

    path: tuple[str, ...]

    def _compare(self, cmp: str, value: Any) -> Expr:
        if value is None:
            raise InvalidArgumentError(
                f"a comparison with None is never true: use col({self.path[0]!r}).is_null()"
            )
        return _Compare(self.path, cmp, _plain(value))

    def __eq__(self, value: object) -> Expr:  # type: ignore[override]
        return self._compare("eq", value)

    def __ne__(self, value: object) -> Expr:  # type: ignore[override]
        """Return the condition that the column is neither equal to a value nor null."""
        return self._compare("ne", value)

    def __lt__(self, value: Any) -> Expr:
        return self._compare("lt", value)

    def __le__(self, value: Any) -> Expr:
        return self._compare("le", value)

    def __gt__(self, value: Any) -> Expr:
        return self._compare("gt", value)

    def __ge__(self, value: Any) -> Expr:
        return self._compare("ge", value)

    __hash__ = None  # type: ignore[assignment]

    def isin(self, values: Iterable[Any]) -> Expr:
        """Return the condition that the column is one of some values, null if `None` is one."""
        if isinstance(values, (str, bytes)):
            raise InvalidArgumentError(f"isin expects a list of values, found {values!r}")
        given = list(values)
        return _In(
            self.path, tuple(_plain(value) for value in given if value is not None), None in given
        )

    def is_null(self) -> Expr:
        """Return the condition that the column is null."""
        return _Null(self.path)

    def is_valid(self) -> Expr:
        """Return the condition that the column is not null."""
        return ~_Null(self.path)

    def starts_with(self, prefix: str) -> Expr:
        """Return the condition that the column is a string with a prefix."""
        if not isinstance(prefix, str):
            raise InvalidArgumentError(f"starts_with expects a string, found {prefix!r}")
        return _Starts(self.path, prefix)


def _plain(value: Any) -> Any:
    """Return a value as a Python object, whatever library it comes from."""
    if isinstance(value, (Col, Expr)):
        raise InvalidArgumentError("columns are compared with values, not with columns")
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(value, (str, bytes)):
        value = item()  # of NumPy
    literal(value)
    return value


def _get(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    if path[0] not in row:
        raise InvalidArgumentError(
            f"filter: there is no column {path[0]!r}; the columns are {list(row)}"
        )
    value: Any = row
    for name in path:
        if value is None:
            return None
        value = value[name]
    return value


def _renamed(path: tuple[str, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    return (names.get(path[0], path[0]), *path[1:])


@dataclass(frozen=True)
class _Compare(Expr):
    path: tuple[str, ...]
    cmp: str
    with_: Any

    def to_json(self) -> dict[str, Any]:
        return {
            "op": "compare",
            "column": self.path,
            "cmp": self.cmp,
            "value": literal(self.with_),
        }

    def columns(self) -> set[str]:
        return {self.path[0]}

    def renamed(self, names: Mapping[str, str]) -> Expr:
        return _Compare(_renamed(self.path, names), self.cmp, self.with_)

    def value(self, row: Mapping[str, Any]) -> bool | None:
        value = _get(row, self.path)
        if value is None:
            return None
        return bool(_COMPARE[self.cmp](*comparable(self.path, value, self.with_)))

    def __repr__(self) -> str:
        return f"{'.'.join(self.path)} {_SIGNS[self.cmp]} {self.with_!r}"


@dataclass(frozen=True)
class _In(Expr):
    path: tuple[str, ...]
    values: tuple[Any, ...]
    null: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "op": "in",
            "column": self.path,
            "values": [literal(value) for value in self.values],
            "null": self.null,
        }

    def columns(self) -> set[str]:
        return {self.path[0]}

    def renamed(self, names: Mapping[str, str]) -> Expr:
        return _In(_renamed(self.path, names), self.values, self.null)

    def value(self, row: Mapping[str, Any]) -> bool | None:
        value = _get(row, self.path)
        if value is None:
            return self.null
        pairs = (comparable(self.path, value, one) for one in self.values)
        return any(mine == other for mine, other in pairs)

    def __repr__(self) -> str:
        return f"{'.'.join(self.path)} in {[*self.values, *([None] if self.null else [])]!r}"


@dataclass(frozen=True)
class _Null(Expr):
    path: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"op": "null", "column": self.path}

    def columns(self) -> set[str]:
        return {self.path[0]}

    def renamed(self, names: Mapping[str, str]) -> Expr:
        return _Null(_renamed(self.path, names))

    def value(self, row: Mapping[str, Any]) -> bool | None:
        return _get(row, self.path) is None

    def __repr__(self) -> str:
        return f"{'.'.join(self.path)} is null"


@dataclass(frozen=True)
class _Starts(Expr):
    path: tuple[str, ...]
    prefix: str

    def to_json(self) -> dict[str, Any]:
        return {"op": "starts", "column": self.path, "prefix": self.prefix}

    def columns(self) -> set[str]:
        return {self.path[0]}

    def renamed(self, names: Mapping[str, str]) -> Expr:
        return _Starts(_renamed(self.path, names), self.prefix)

    def value(self, row: Mapping[str, Any]) -> bool | None:
        value = _get(row, self.path)
        return None if value is None else bool(value.startswith(self.prefix))

    def __repr__(self) -> str:
        return f"{'.'.join(self.path)} starts with {self.prefix!r}"


@dataclass(frozen=True)
class _Joined(Expr):
    how: str
    parts: tuple[Expr, ...]

    def to_json(self) -> dict[str, Any]:
        return {"op": self.how, "of": [part.to_json() for part in self.parts]}

    def columns(self) -> set[str]:
        return {name for part in self.parts for name in part.columns()}

    def renamed(self, names: Mapping[str, str]) -> Expr:
        return _Joined(self.how, tuple(part.renamed(names) for part in self.parts))

    def value(self, row: Mapping[str, Any]) -> bool | None:
        # The one value that decides, whatever else is unknown.
        decides = self.how == "or"
        found = [part.value(row) for part in self.parts]
        return decides if decides in found else (None if None in found else not decides)

    def __repr__(self) -> str:
        return "(" + f" {self.how} ".join(map(repr, self.parts)) + ")"


@dataclass(frozen=True)
class _Not(Expr):
    of: Expr

    def to_json(self) -> dict[str, Any]:
        return {"op": "not", "of": self.of.to_json()}

    def columns(self) -> set[str]:
        return self.of.columns()

    def renamed(self, names: Mapping[str, str]) -> Expr:
        return _Not(self.of.renamed(names))

    def value(self, row: Mapping[str, Any]) -> bool | None:
        value = self.of.value(row)
        return None if value is None else not value

    def __repr__(self) -> str:
        return f"not {self.of!r}"


def joined(how: Literal["and", "or"], parts: Sequence[Expr]) -> Expr:
    """Return the condition that all of some conditions hold, or that one of them does."""
    return parts[0] if len(parts) == 1 else _Joined(how, tuple(parts))
