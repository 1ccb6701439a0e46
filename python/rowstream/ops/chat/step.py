"""The step of `apply_chat_template`: the core renders, and Jinja2 what the core does not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.ops.base import Stage, Whole
from rowstream.ops.chat import checks, jinja
from rowstream.ops.chat.slow import Slow
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World

MASKS = ("generation", "turns")
TEXT, IDS, MASK = "text", "input_ids", "assistant_masks"
_ROWS = 64  # conversations that are rendered together


@dataclass(frozen=True)
class ApplyChatTemplate(Whole):
    """A step that makes texts or token ids of conversations.

    Attributes:
        source: The name of the column of conversations.
        template: The source of the template.
        tokenizer: The tokenizer's JSON; texts are made without one.
        mask: One of `MASKS`: how the tokens of answers are told from the rest.
        generation_prompt: Whether what an answer begins with is added.
        tools: The name of a column of tools.
        variables: What else the template is given.
        special: Special tokens, with which a turn may end.
        max_length: The most ids of a conversation.
        truncation_side: The end at which a longer one is cut.
        keep: Whether the conversations stay.
    """

    source: str
    template: str = field(repr=False)
    tokenizer: str | None = field(repr=False)
    mask: str | None
    generation_prompt: bool
    tools: str | None
    variables: tuple[tuple[str, Any], ...]
    special: tuple[str, ...]
    max_length: int | None
    truncation_side: str
    keep: bool
    one_to_one = True
    python = True
    keeps_types = False
    format: ClassVar[str] = "arrow"  # rows of the core come as tables

    def __getstate__(self) -> dict[str, Any]:
        made = ("held", "reasons")
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __hash__(self) -> int:
        return hash((self.source, self.template, self.tokenizer))

    @cached_property
    def held(self) -> _core.InMemoryFile | None:
        """The tokenizer's JSON, as the core finds it."""
        return None if self.tokenizer is None else _core.InMemoryFile(self.tokenizer.encode())

    @cached_property
    def reasons(self) -> list[str]:
        """Why Jinja2 renders all conversations; empty if the core does it.

        Raises:
            InvalidArgumentError: It is no template.
        """
        environment = jinja.environment()
        from jinja2 import TemplateSyntaxError

        try:
            found = checks.reasons(self.template, environment)
        except TemplateSyntaxError as error:
            raise InvalidArgumentError(
                f"apply_chat_template: it is no template: line {error.lineno}: {error.message}"
            ) from error
        if not found:
            try:
                self.renderer()
            except UnsupportedError as error:
                found.append(str(error))
        return found

    def renderer(self) -> _core.ChatRenderer:
        """Return the core's renderer.

        Raises:
            UnsupportedError: The core does not read the template or the tokenizer.
        """
        formats = checks.formats_of_time(self.template, jinja.environment())
        try:
            variables = [
                (name, json.dumps(_checked(value), ensure_ascii=False))
                for name, value in self.variables
            ]
        except TypeError as error:
            raise UnsupportedError(
                f"apply_chat_template: variables= has what JSON does not have: {error}"
            ) from error
        spec = {
            "template": self.template,
            "tokenizer": self.held and self.held.name,
            "mask": self.mask,
            "generation_prompt": self.generation_prompt,
            "variables": variables,
            "now": {one: datetime.now().strftime(one) for one in formats},
            "special": self.special,
            "max_length": self.max_length,
            "truncation_side": self.truncation_side,
        }
        return _core.ChatRenderer(json.dumps(spec))

    @property
    def used(self) -> list[str]:
        """The columns that it reads."""
        return [name for name in (self.source, self.tools) if name is not None]

    @property
    def made(self) -> dict[str, Any]:
        """The columns that it makes, with their types."""
        if self.tokenizer is None:
            return {TEXT: Value("string")}
        ids = {IDS: List(Value("int32"))}
        return ids if self.mask is None else {**ids, MASK: List(Value("int8"))}

    def features(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the types of its rows, from those of the rows before it.

        Raises:
            InvalidArgumentError: A column is not there, or one that it makes is there already.
        """
        used = self.used
        for name in used:
            if name not in features:
                raise InvalidArgumentError(
                    f"apply_chat_template: there is no column {name!r}; the columns are"
                    f" {list(features)}"
                )
        rest = {name: of for name, of in features.items() if self.keep or name not in used}
        if there := [name for name in self.made if name in rest]:
            raise InvalidArgumentError(
                f"apply_chat_template: there is a column {there[0]!r} already: remove or rename it"
            )
        return {**rest, **self.made}

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:  # noqa: ARG002
        """Return the node of this step."""
        return _Node(upstream, _ROWS, _never, state, number, _Ahead(self))

    def __repr__(self) -> str:
        content = hashlib.sha256(f"{self.template}\0{self.tokenizer}".encode()).hexdigest()
        return (
            f"ApplyChatTemplate({self.source!r}, {content[:16]}, mask={self.mask!r},"
            f" generation_prompt={self.generation_prompt}, tools={self.tools!r},"
            f" variables={self.variables!r}, max_length={self.max_length},"
            f" truncation_side={self.truncation_side!r}, keep={self.keep})"
        )


def _never(taken: Any, index: int) -> Any:  # noqa: ARG001
    raise AssertionError("the core renders (a bug of rowstream)")


def _checked(value: Any) -> Any:
    """Return a value that JSON has, unchanged.

    Raises:
        TypeError: JSON would change it.
    """
    if isinstance(value, dict):
        if any(type(name) is not str for name in value):
            raise TypeError("a key that is no text")
        for one in value.values():
            _checked(one)
    elif type(value) is list:
        for one in value:
            _checked(one)
    elif type(value) is int:
        if not -(1 << 63) <= value < 1 << 63:
            raise TypeError("an integer of more than 64 bits")
    elif value is not None and type(value) not in (str, bool, float):
        raise TypeError(f"a value of {type(value).__name__}")
    return value


@dataclass(frozen=True)
class Rendered:
    """What was made of conversations, and the other columns of their rows: a table, or dicts."""

    made: Any
    rest: Any

    def table(self) -> Any:
        """Return a table of all columns."""
        table = self.rest
        for name in self.made.column_names:
            table = table.append_column(name, self.made.column(name))
        return table

    def rows(self) -> list[dict[str, Any]]:
        """Return rows of all columns."""
        columns = {name: _values(self.made.column(name)) for name in self.made.column_names}
        new = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        if not isinstance(self.rest, list):
            if not self.rest.column_names:
                return new
            return [old | row for old, row in zip(self.rest.to_pylist(), new, strict=True)]
        return [old | row for old, row in zip(self.rest, new, strict=True)]


class Rendering:
    """Conversations that are being rendered."""

    def __init__(
        self, step: ApplyChatTemplate, rows: Any, begun: _core.RenderedChats | None
    ) -> None:
        self._step, self._rows, self._begun = step, rows, begun

    def result(self) -> Rendered:
        """Wait for what is made of them."""
        import pyarrow as pa

        step, rows = self._step, self._rows
        schema = pa.schema(list(_types(step).items()))
        if self._begun is None:
            made, failed = None, list(range(len(rows)))
        else:
            batches, errors = self._begun.result()
            made = pa.Table.from_batches([pa.record_batch(batch) for batch in batches], schema)
            failed = [row for row, _ in errors]
        if failed:
            slow = Slow.of(step)
            found = [{}] * len(rows) if made is None else made.to_pylist()
            for row in failed:
                found[row] = slow.row(*self._of_row(row))
            made = pa.Table.from_pylist(found, schema)
        gone = [] if step.keep else step.used
        if isinstance(rows, list):
            rest = [{n: value for n, value in row.items() if n not in gone} for row in rows]
            return Rendered(made, rest)
        return Rendered(made, rows.drop_columns(gone))

    def _of_row(self, row: int) -> tuple[Any, Any]:
        """Return the conversation of a row, and its tools."""
        names, rows = (self._step.source, self._step.tools), self._rows
        if isinstance(rows, list):
            found = [None if name is None else rows[row].get(name) for name in names]
        else:
            found = [None if name is None else rows.column(name)[row].as_py() for name in names]
        return found[0], found[1]


def _types(step: ApplyChatTemplate) -> dict[str, Any]:
    import pyarrow as pa

    kinds = {TEXT: pa.string(), IDS: pa.list_(pa.int32()), MASK: pa.list_(pa.int8())}
    return {name: kinds[name] for name in step.made}


def begin(step: ApplyChatTemplate, renderer: _core.ChatRenderer | None, rows: Any) -> Rendering:
    """Begin to render the conversations of a table, or of rows.

    Raises:
        InvalidArgumentError: They have no such column.
    """
    import pyarrow as pa

    names = step.used
    there = rows.column_names if not isinstance(rows, list) else [*rows[0]]
    if missing := [name for name in names if name not in there]:
        raise InvalidArgumentError(
            f"apply_chat_template: there is no column {missing[0]!r}; the columns are {there}"
        )
    if renderer is None:
        return Rendering(step, rows, None)
    if not isinstance(rows, list):
        return Rendering(step, rows, renderer.submit(rows.select(names), json=False))
    columns = {
        name: pa.array([_json(row.get(name)) for row in rows], pa.string()) for name in names
    }
    return Rendering(step, rows, renderer.submit(pa.table(columns), json=True))


def _json(value: Any) -> str | None:
    """Return the JSON of a value; what is none for a value that JSON does not have."""
    try:
        return None if value is None else json.dumps(_checked(value), ensure_ascii=False)
    except TypeError:
        return "-"  # the core refuses it, and Jinja2 gets the value itself


class _Ahead:
    """A pool in which the core renders the next conversations."""

    def __init__(self, step: ApplyChatTemplate) -> None:
        self._step = step

    @property
    def ahead(self) -> int:
        """The maximum number of lists of conversations that are rendered or wait for it."""
        return 2 * (os.cpu_count() or 1)

    @contextmanager
    def running(self, call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:  # noqa: ARG002
        """Return the function that begins to render a list of conversations."""
        step = self._step
        renderer = None if step.reasons else step.renderer()
        yield lambda rows, _: begin(step, renderer, rows)


class _Node(Stage):
    """The node of the step: rows, or tables of them where the next step takes those."""

    def __iter__(self) -> Iterator[Any]:
        for rendered, after in self._results():
            for row in rendered.rows()[self._given :]:
                self._given += 1
                yield row
            self._next(after)

    def _results(self) -> Iterator[tuple[Rendered, Any]]:
        found: Iterator[Any] = self._lists()
        return found

    def _next(self, after: Any) -> None:
        self._before, self._index, self._given = after, self._index + 1, 0

    @property
    def chunks(self) -> Callable[[int], Iterator[Any]] | None:
        """A function that yields tables of up to so many rows; `None` where rows are dicts."""
        return None if getattr(self._upstream, "chunks", None) is None else self._chunks

    def _chunks(self, size: int) -> Iterator[Any]:
        import pyarrow as pa

        held: list[Any] = []
        missing = size
        for rendered, after in self._results():
            table = rendered.table()
            while self._given < len(table):
                taken = table.slice(self._given, missing)
                held.append(taken)
                missing -= len(taken)
                self._given += len(taken)
                if self._given == len(table):
                    self._next(after)
                if not missing:
                    yield pa.concat_tables(held)
                    held, missing = [], size
                if not self._given:
                    break
        if held:
            yield pa.concat_tables(held)


def _values(column: Any) -> Sequence[Any]:
    """Return the values of a column; lists of numbers without an object of Arrow for each."""
    import pyarrow as pa

    kind = column.type
    if not pa.types.is_list(kind) or not pa.types.is_integer(kind.value_type) or column.null_count:
        return list(column.to_pylist())
    rows: list[Any] = []
    for chunk in column.chunks:
        numbers, ends = chunk.flatten().to_numpy().tolist(), chunk.offsets.to_numpy().tolist()
        start = ends[0]
        rows += [numbers[a - start : b - start] for a, b in pairwise(ends)]
    return rows
