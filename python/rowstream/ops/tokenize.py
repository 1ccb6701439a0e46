"""`tokenize`: texts as lists of token ids, by the core on all threads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.ops.base import RowWise
from rowstream.ops.map import RowNode
from rowstream.storage.files import open as open_file
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World

_TEXTS = ("string", "large_string", "string_view")


@dataclass(frozen=True)
class Tokenize(RowWise):
    """A step that makes token ids of the texts of a column.

    The core does it while rows are read, where nothing in Python comes before; else this step hands
    the texts of rows to it.

    Attributes:
        source: The name of the column of texts.
        column: The name of the column of ids.
        tokenizer: The tokenizer's JSON.
        special_tokens: Whether the tokenizer adds special tokens around a text.
        max_length: The most ids of a text.
        truncation_side: The end at which a longer text is cut, `"left"` or `"right"`.
        keep: Whether the texts stay beside the ids.
    """

    source: str
    column: str
    tokenizer: str = field(repr=False)
    special_tokens: bool = True
    max_length: int | None = None
    truncation_side: str = "right"
    keep: bool = False

    def __post_init__(self) -> None:
        if self.truncation_side not in ("left", "right"):
            raise InvalidArgumentError(
                f'tokenize: truncation_side is "left" or "right", not {self.truncation_side!r}'
            )
        if self.max_length is not None and (
            not isinstance(self.max_length, int) or self.max_length < 1
        ):
            raise InvalidArgumentError(
                f"tokenize: max_length is a number of ids from 1 on, not {self.max_length!r}"
            )

    @cached_property
    def held(self) -> _core.InMemoryFile:
        """The tokenizer's JSON, as the core finds it."""
        return _core.InMemoryFile(self.tokenizer.encode())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "held"}

    def spec(self) -> dict[str, Any]:
        """Return the step as the core's plan has it, but for its kind: there the column has texts
        before it, by the name of the ids.
        """
        return {
            "column": self.column,
            "tokenizer": self.held.name,
            "special_tokens": self.special_tokens,
            "max_length": self.max_length,
            "truncation_side": self.truncation_side,
        }

    def core_step(self) -> dict[str, Any]:
        """Return the step as the core's plan has it."""
        return {"kind": "tokens", **self.spec()}

    def encoder(self) -> _core.TextEncoder:
        """Return the core's encoder of texts.

        Raises:
            UnsupportedError: The core does not read such a tokenizer.
        """
        return _core.TextEncoder(json.dumps(self.spec()))

    def named(self, column: str) -> Tokenize:
        """Return the step for the column of ids under another name."""
        return replace(self, column=column)

    def check(self, features: Mapping[str, Any]) -> None:
        """Raise if the column of texts is not there, or has none.

        Raises:
            InvalidArgumentError: There is no such column, or the new one is there already.
            SchemaError: Its type is another.
        """
        column = self.source
        if column not in features:
            raise InvalidArgumentError(
                f"tokenize: there is no column {column!r}; the columns are {list(features)}"
            )
        if self.column in features and (self.keep or self.column != column):
            raise InvalidArgumentError(
                f"tokenize: there is a column {self.column!r} already; output= names another"
            )
        feature = features[column]
        if not isinstance(feature, Value) or feature.dtype not in (*_TEXTS, "null"):
            raise SchemaError(
                f"tokenize: the column {column!r} is {feature!r}, where texts are Value('string')"
            )

    @property
    def feature(self) -> List:
        """The type of the column that it makes."""
        return List(Value("int32"))

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:  # noqa: ARG002
        """Return the node of this step."""
        return RowNode(
            upstream, state, number, lambda row, _: row, indexed=False, pool=_Ahead(self)
        )

    def __repr__(self) -> str:
        return (
            f"Tokenize({self.source!r}, {self.column!r}, {self.held.name.rpartition(':')[2]},"
            f" special_tokens={self.special_tokens}, max_length={self.max_length},"
            f" truncation_side={self.truncation_side!r})"
        )


class _Encoding:
    """A row whose text is being encoded."""

    def __init__(self, row: dict[str, Any], step: Tokenize, begun: _core.EncodedTexts) -> None:
        self._row, self._step, self._begun = row, step, begun

    def result(self) -> dict[str, Any]:
        step = self._step
        row = {n: value for n, value in self._row.items() if step.keep or n != step.source}
        row[step.column] = self._begun.result()[0]
        return row


class _Ahead:
    """A pool in which the core encodes the texts of the next rows."""

    def __init__(self, step: Tokenize) -> None:
        self._step = step

    @property
    def ahead(self) -> int:
        """The maximum number of texts that are encoded or wait for it."""
        return 8 * (os.cpu_count() or 1)

    @contextmanager
    def running(self, call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:  # noqa: ARG002
        """Return the function that begins to encode the text of a row.

        Args:
            call: The function of a row, which this step has none of.
        """
        step, column, encoder = self._step, self._step.source, self._step.encoder()

        def submit(row: Any, _: int) -> _Encoding:
            if not isinstance(row, dict) or column not in row:
                raise InvalidArgumentError(
                    f"tokenize: there is no column {column!r}; the columns are"
                    f" {list(row) if isinstance(row, dict) else type(row).__name__}"
                )
            text = row[column]
            if text is not None and not isinstance(text, str):
                raise SchemaError(
                    f"tokenize: the column {column!r} has {type(text).__name__}, where texts are"
                    " str"
                )
            return _Encoding(row, step, encoder.submit([text]))

        yield submit


def tokenizer_json(tokenizer: Any) -> str:
    """Return the JSON of a tokenizer.

    Args:
        tokenizer: The path or URL of a `tokenizer.json`, or of a folder that has one; a
            `tokenizers.Tokenizer`; or a fast tokenizer of transformers.

    Raises:
        InvalidArgumentError: It is something else, or slow.
        DataFilesNotFoundError: There is no such file.
    """
    if isinstance(tokenizer, (str, os.PathLike)):
        path = os.fspath(tokenizer)
        if os.path.isdir(path):
            path = os.path.join(path, "tokenizer.json")
        with open_file(path, encoding="utf-8") as file:
            text: str = file.read()
        return text
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        found = json.loads(backend.to_str())
        # What the last call asked for, and not what the next one does.
        found["truncation"] = found["padding"] = None
        return json.dumps(found)
    if hasattr(tokenizer, "to_str"):
        return str(tokenizer.to_str())
    raise InvalidArgumentError(
        "tokenize: a tokenizer is the path of a tokenizer.json, a tokenizers.Tokenizer, or a fast"
        f" tokenizer of transformers, found {type(tokenizer).__name__}; others run by map"
    )


# A name inside a text has a backslash before its last quotation mark.
_UNCUT = re.compile(r'"truncation"\s*:\s*null')


def _truncation(text: str) -> dict[str, Any]:
    """Return how a tokenizer's JSON says that it cuts texts; nothing if it does not."""
    if _UNCUT.search(text):
        # To read all of it takes half a second for a large vocabulary.
        return {}
    try:
        return json.loads(text).get("truncation") or {}
    except (ValueError, AttributeError):
        # The core says what is wrong with it.
        return {}


def tokenizing(
    tokenizer: Any,
    column: str,
    output: str,
    add_special_tokens: bool,
    max_length: int | None,
    truncation_side: str | None,
    keep: bool,
) -> Tokenize:
    """Return the step for the arguments of `tokenize`.

    Raises:
        InvalidArgumentError: An argument makes no sense.
        UnsupportedError: The core does not read such a tokenizer.
    """
    for name, value in (("column", column), ("output", output)):
        if not isinstance(value, str):
            raise InvalidArgumentError(
                f"tokenize: {name} is the name of one column, not {value!r}: call it once for each,"
                " with an output= of its own"
            )
    text = tokenizer_json(tokenizer)
    cut = _truncation(text)
    side = truncation_side or getattr(tokenizer, "truncation_side", None) or cut.get("direction")
    side = side.lower() if isinstance(side, str) else side or "right"
    if max_length is None and side != cut.get("direction", side).lower():
        # The tokenizer's own length, at the other end.
        max_length = cut["max_length"]
    step = Tokenize(column, output, text, bool(add_special_tokens), max_length, side, bool(keep))
    # What the core does not read is known before the first row.
    step.encoder()
    return step
