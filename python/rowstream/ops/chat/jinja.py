"""Chat templates rendered by Jinja2, in its sandbox, as transformers does it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError

Spans = list[tuple[int, int]]

_REASONING = ("reasoning_content", "thinking", "reasoning")
# What was written of the text that is rendered, and where its blocks `generation` are.
_rendering: ContextVar[tuple[list[str], Spans] | None] = ContextVar("rowstream_chat", default=None)


def messages_of(conversation: Any) -> list[dict[str, Any]]:
    """Return messages as tokenizers of transformers hand them to templates.

    Raises:
        InvalidArgumentError: It is no list of dicts, or is empty.
    """
    if isinstance(conversation, (list, tuple)) and not conversation:
        raise InvalidArgumentError(
            "apply_chat_template: a conversation has no messages, which templates refuse:"
            " ds.filter(lambda row: row[…]) leaves such rows out"
        )
    if (
        not isinstance(conversation, Sequence)
        or isinstance(conversation, str)
        or not conversation
        or not all(isinstance(one, Mapping) for one in conversation)
    ):
        raise InvalidArgumentError(
            f"apply_chat_template: expected a list of messages, found {conversation!r:.80}"
        )
    messages = []
    for given in conversation:
        message = {name: _plain(value) for name, value in given.items() if value is not None}
        reasoning = next((message[name] for name in _REASONING if name in message), None)
        if reasoning is not None:
            message = {"thinking": reasoning, **message, "reasoning_content": reasoning}
        messages.append(message)
    return messages


def _plain(value: Any) -> Any:
    """Return a value without methods of its own; what is no JSON as its type's name, `<bytes>`."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return {_plain(name): _plain(of) for name, of in value.items()}
    if isinstance(value, (list, tuple)):
        return (
            type(value)(_plain(of) for of in value)
            if type(value) in (list, tuple)
            else [_plain(of) for of in value]
        )
    item = getattr(value, "item", None)
    if getattr(value, "ndim", None) == 0 and callable(item):
        return _plain(item())
    return f"<{type(value).__name__}>"


def rendered(template: str, messages: list[dict[str, Any]], **variables: Any) -> tuple[str, Spans]:
    """Return the text of a conversation, and where its blocks `generation` are.

    Raises:
        InvalidArgumentError: The template refuses it.
        UnsupportedError: `jinja2` is not installed.
    """
    from jinja2 import TemplateError

    texts: list[str] = []
    spans: Spans = []
    token = _rendering.set((texts, spans))
    try:
        for text in _compiled(template).generate(
            messages=messages, **{name: _plain(value) for name, value in variables.items()}
        ):
            texts.append(text)  # noqa: PERF402  # blocks ask what was written before them
    except TemplateError as error:
        raise InvalidArgumentError(
            f"apply_chat_template: the template refuses the conversation: {error}"
        ) from error
    finally:
        _rendering.reset(token)
    return "".join(texts), spans


@lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    return environment().from_string(template)


@lru_cache(maxsize=1)
def environment() -> Any:
    """Return the environment of Jinja2 that templates are of.

    Raises:
        UnsupportedError: `jinja2` is not installed.
    """
    try:
        import jinja2
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise UnsupportedError(
            "apply_chat_template uses the package jinja2: pip install 'rowstream[chat]'"
        ) from error

    class Generation(Extension):  # type: ignore[misc]
        """The block `generation`, around what a model is to say."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            call = self.call_method("said")
            return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

        @jinja2.pass_eval_context  # type: ignore[untyped-decorator]
        def said(self, context: Any, caller: Any) -> str:  # noqa: ARG002
            text: str = caller()
            if (rendering := _rendering.get()) is not None:
                texts, spans = rendering
                start = sum(map(len, texts))
                spans.append((start, start + len(text)))
            return text

    class Namespace(jinja2.utils.Namespace):  # type: ignore[misc]
        """A namespace without names that are Python's own."""

        def __init__(*args: Any, **named: Any) -> None:
            self, *given = args
            values = dict(*given, **named)
            for name in values:
                _check_name(name)
            jinja2.utils.Namespace.__init__(self, values)

        def __setitem__(self, name: Any, value: Any) -> None:
            _check_name(name)
            super().__setitem__(name, value)

    def _check_name(name: Any) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace cannot have the name {name!r}")

    class Dict:
        """The function `dict`, and none of its attributes."""

        def __call__(self, *args: Any, **named: Any) -> Any:
            return dict(*args, **named)

        def fromkeys(self, *args: Any, **named: Any) -> Any:
            return dict.fromkeys(*args, **named)

    def raise_exception(message: Any) -> None:
        raise jinja2.TemplateError(message)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: Any = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals.update(
        raise_exception=raise_exception,
        strftime_now=lambda how: datetime.now().strftime(how),
        dict=Dict(),
        namespace=Namespace,
    )
    return env
