"""Rows as text, by templates: of `string.Template`, or of Jinja2."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.tabular.cells import plain

Row = Mapping[str, Any]


class TextTemplate(ABC):
    """A template that makes text of a row; subclass it for ways of your own.

    Args:
        name: Its name, such as `"titanic"`.
        version: Its version: `"titanic_v1"` is the whole name.
        variants: How many texts it has for a row, of which one is chosen by seed.

    Example:
        >>> from rowstream.tabular import TextTemplate
        >>> class Upper(TextTemplate):
        ...     fields = ("Name",)
        ...     def render(self, row, variant=0):
        ...         return row["Name"].upper()
        >>> Upper("upper").full_name, Upper("upper").render({"Name": "Ada"})
        ('upper_v1', 'ADA')
    """

    fields: Sequence[str] | None = None
    """The columns that it takes; all that there are if `None`."""

    def __init__(self, name: str, version: int = 1, variants: int = 1) -> None:
        known = isinstance(version, int) and not isinstance(version, bool) and version > 0
        if not re.fullmatch(r"\w[\w-]*", name) or not known:
            raise InvalidArgumentError(
                "a template has a name of letters, digits, - and _, and a version of 1 or more,"
                f" found {name!r} and {version!r}"
            )
        self.name, self.version, self.variants = name, version, variants

    @property
    def full_name(self) -> str:
        """The name with the version.

        Example:
            >>> from rowstream.tabular import StringTemplate
            >>> StringTemplate("titanic", "$Name", version=2).full_name
            'titanic_v2'
        """
        return f"{self.name}_v{self.version}"

    @abstractmethod
    def render(self, row: Row, variant: int = 0) -> str:
        """Return the text of a row.

        Args:
            row: Values by column.
            variant: Which of its texts.

        Example:
            >>> from rowstream.tabular import StringTemplate
            >>> StringTemplate("person", "I am $Name.").render({"Name": "Ada"})
            'I am Ada.'
        """

    def check(self, columns: Sequence[str]) -> None:
        """Raise an error unless some columns are all that it takes.

        Args:
            columns: The columns that there are.

        Raises:
            InvalidArgumentError: One is missing.

        Example:
            >>> from rowstream.tabular import StringTemplate
            >>> StringTemplate("titanic", "$Name").check(["Name", "Age"])
        """
        fields = [*(self.fields or ())]
        if missing := [name for name in fields if name not in columns]:
            raise InvalidArgumentError(
                f"the template {self.full_name!r} takes the columns {fields}, and"
                f" {missing} are missing; there is {[*columns]}"
            )


class StringTemplate(TextTemplate):
    """A template of `string.Template`: `$Name`, `${Name}`, and `$$` for a dollar.

    Args:
        name, version: As in `TextTemplate`.
        text: The template, or several variants of it. Columns whose names are no identifiers
            stand in braces, as in `${1stFlrSF}`.
        missing: What stands for an empty cell.
        formats: Functions from a cell to its text, by column.

    Raises:
        InvalidArgumentError: A text is no template, or a format is no function.

    Example:
        >>> from rowstream.tabular import StringTemplate
        >>> template = StringTemplate("person", "$Name is $Age.", missing="of unknown age")
        >>> [template.render({"Name": "Ada", "Age": age}) for age in (36.0, None)]
        ['Ada is 36.', 'Ada is of unknown age.']
    """

    def __init__(
        self,
        name: str,
        text: str | Sequence[str],
        version: int = 1,
        *,
        missing: str = "unknown",
        formats: Mapping[str, Callable[[Any], str]] | None = None,
    ) -> None:
        texts = [text] if isinstance(text, str) else [*text]
        if not texts:
            raise InvalidArgumentError(f"the template {name!r} has no text")
        super().__init__(name, version, len(texts))
        self.missing, self.formats = missing, dict(formats or {})
        if not isinstance(missing, str):
            raise InvalidArgumentError(f"missing={missing!r} is no text")
        if wrong := [column for column, of in self.formats.items() if not callable(of)]:
            raise InvalidArgumentError(
                f"formats: expected a function for {wrong[0]!r}, such as"
                f" '{{:.2f}}'.format, found {self.formats[wrong[0]]!r}"
            )
        # Each text as what stands between the columns, and the columns.
        self.parts = [_parts(one, name) for one in texts]
        self.fields = tuple(
            dict.fromkeys(column for _, columns in self.parts for column in columns)
        )

    def text_of_cell(self, column: str, value: Any) -> str:
        """Return what stands for a cell.

        Args:
            column: The column.
            value: The cell.

        Example:
            >>> from rowstream.tabular import StringTemplate
            >>> template = StringTemplate("person", "$Age", formats={"Age": "{:.1f}".format})
            >>> template.text_of_cell("Age", 3)
            '3.0'
        """
        value = plain(value)
        if value is None:
            return self.missing
        return str(self.formats.get(column, str)(value))

    def render(self, row: Row, variant: int = 0) -> str:
        """Return the text of a row.

        Args:
            row: Values by column.
            variant: Which of its texts.

        Raises:
            InvalidArgumentError: A column is missing.

        Example:
            >>> from rowstream.tabular import StringTemplate
            >>> StringTemplate("person", ["$Name.", "I am $Name."]).render({"Name": "Ada"}, 1)
            'I am Ada.'
        """
        between, columns = self.parts[variant]
        try:
            cells = [self.text_of_cell(column, row[column]) for column in columns]
        except KeyError:
            self.check([*row])
            raise
        return between[0] + "".join(
            cell + after for cell, after in zip(cells, between[1:], strict=True)
        )


def _parts(text: str, name: str) -> tuple[list[str], list[str]]:
    between, columns, last = [""], [], 0
    for found in _PATTERN.finditer(text):
        between[-1] += text[last : found.start()]
        last = found.end()
        if found["escaped"]:
            between[-1] += "$"
        elif column := found["named"] or found["braced"]:
            columns.append(column)
            between.append("")
        else:
            line = text.count("\n", 0, found.start()) + 1
            raise InvalidArgumentError(
                f"the template {name!r}, line {line}, has a $ without a column; a dollar is $$"
            )
    between[-1] += text[last:]
    return between, columns


# As `string.Template` has it, but for any name in braces: columns are called `1stFlrSF`.
_PATTERN = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>(?a:[A-Za-z_]\w*))|\{(?P<braced>[^{}]+)\}|(?P<invalid>))"
)


class JinjaTemplate(TextTemplate):
    """A template of Jinja2, in its sandbox: `{{ Name }}{% if Age %} is {{ Age }}{% endif %}`.

    Cells are given as plain values, so that methods of other libraries are out of reach. What the
    sandbox does not limit is time: a loop in a template of somebody else may go on for ever.

    Args:
        name, version: As in `TextTemplate`.
        text: The template, or several variants of it.
        missing: What stands for an empty cell; tests such as `{% if Age %}` see it as false.

    Raises:
        InvalidArgumentError: A text is no template.
        UnsupportedError: `jinja2` is not installed.

    Example:
        >>> from rowstream.tabular import JinjaTemplate
        >>> text = "{{ Name }}{% if Age %} is {{ Age | round | int }}{% endif %}."
        >>> template = JinjaTemplate("person", text)
        >>> [template.render({"Name": "Ada", "Age": age}) for age in (36.0, None)]
        ['Ada is 36.', 'Ada.']
    """

    def __init__(
        self, name: str, text: str | Sequence[str], version: int = 1, *, missing: str = "unknown"
    ) -> None:
        texts = [text] if isinstance(text, str) else [*text]
        if not texts:
            raise InvalidArgumentError(f"the template {name!r} has no text")
        super().__init__(name, version, len(texts))
        self.missing, self._texts = missing, texts
        self._templates = self._compiled()

    def _compiled(self) -> list[Any]:
        try:
            from jinja2 import StrictUndefined, TemplateError, meta
            from jinja2.exceptions import SecurityError
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as e:
            raise UnsupportedError(
                "JinjaTemplate uses the package jinja2: pip install 'rowstream[tabular]'"
            ) from e

        class Sandbox(ImmutableSandboxedEnvironment):  # type: ignore[misc]
            intercepted_binops = frozenset(["*", "**", "%"])

            def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
                numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
                if not numbers or (operator == "**" and abs(right) > _MOST_POWER):
                    raise SecurityError(f"{operator} of {left!r:.40} and {right!r:.40}")
                return super().call_binop(context, operator, left, right)

        environment = Sandbox(undefined=StrictUndefined)
        # Columns may have their names.
        environment.globals.clear()
        fields: set[str] = set()
        compiled = []
        for text in self._texts:
            try:
                fields |= meta.find_undeclared_variables(environment.parse(text))
                compiled.append(environment.from_string(text))
            except TemplateError as e:
                raise InvalidArgumentError(
                    f"the template {self.name!r} is not one of Jinja2: {e}"
                ) from e
        self.fields = tuple(sorted(fields))
        return compiled

    # Compiled templates cannot be handed to other processes.
    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_templates"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._templates = self._compiled()

    def check(self, columns: Sequence[str]) -> None:
        """Do nothing: a template may ask whether a column is there.

        Args:
            columns: The columns that there are.
        """

    def render(self, row: Row, variant: int = 0) -> str:
        """Return the text of a row.

        Args:
            row: Values by column.
            variant: Which of its texts.

        Raises:
            InvalidArgumentError: A column is missing, or the template asks for what the sandbox
                does not allow.

        Example:
            >>> from rowstream.tabular import JinjaTemplate
            >>> JinjaTemplate("person", "{{ Name | upper }}").render({"Name": "Ada"})
            'ADA'
        """
        try:
            cells = {name: self._cell(value) for name, value in row.items()}
            text: str = self._templates[variant].render(cells)
        except Exception as e:
            raise InvalidArgumentError(
                f"the template {self.full_name!r}: {type(e).__name__}: {e}; the columns are"
                f" {[*map(str, row)]}"
            ) from e
        return text

    def _cell(self, value: Any) -> Any:
        """Return a cell for the sandbox: only values whose methods do nothing outside of it."""
        value = plain(value)
        if value is None:
            return _Missing(self.missing)
        if type(value) in _SAFE:
            return value
        if isinstance(value, Mapping):
            return {str(name): self._cell(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._cell(one) for one in value]
        return str(value)


_MOST_POWER = 64
_SAFE = frozenset(
    [str, int, float, bool, dt.date, dt.datetime, dt.time, dt.timedelta, decimal.Decimal]
)


class _Missing(str):
    """What stands for an empty cell: a text that counts as false."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False
