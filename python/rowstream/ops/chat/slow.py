"""Conversations that Jinja2 renders, and `tokenizers` encodes, one by one."""

from __future__ import annotations

import weakref
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.ops.chat import jinja

_of_steps: weakref.WeakKeyDictionary[Any, Slow] = weakref.WeakKeyDictionary()


class Slow:
    """What makes the rows of a step that the core does not make.

    Args:
        step: The step: an `ApplyChatTemplate`.
    """

    def __init__(self, step: Any) -> None:
        self._step = step
        self._tokenizer: Any = None

    @classmethod
    def of(cls, step: Any) -> Slow:
        """Return that of a step, which reads its tokenizer once."""
        made = _of_steps.get(step)
        if made is None:
            made = _of_steps[step] = cls(step)
        return made

    def row(self, conversation: Any, tools: Any) -> dict[str, Any]:
        """Return what is made of a conversation: null where it is `None`.

        Raises:
            InvalidArgumentError: The template refuses it, or answers cannot be told from the rest.
            UnsupportedError: A package is missing.
        """
        step = self._step
        if conversation is None:
            return dict.fromkeys(step.made)
        messages = jinja.messages_of(conversation)
        text, spans = self._text(messages, tools, prompt=step.generation_prompt)
        if step.tokenizer is None:
            return {"text": text}
        if step.mask == "turns":
            spans = self._turns(messages, tools, text)
        encoded = self._encoder().encode(text, add_special_tokens=False)
        ids = encoded.ids
        mask = None if step.mask is None else _mask(spans, encoded.offsets)
        if step.max_length is not None and len(ids) > step.max_length:
            right = step.truncation_side == "right"
            cut = slice(step.max_length) if right else slice(len(ids) - step.max_length, None)
            ids, mask = ids[cut], None if mask is None else mask[cut]
        return {"input_ids": ids} if mask is None else {"input_ids": ids, "assistant_masks": mask}

    def _text(self, messages: Any, tools: Any, *, prompt: bool) -> tuple[str, jinja.Spans]:
        given = {"tools": None, "documents": None, **dict(self._step.variables)}
        if tools is not None:
            given["tools"] = tools
        return jinja.rendered(
            self._step.template, messages, **given | {"add_generation_prompt": prompt}
        )

    def _turns(self, messages: Any, tools: Any, text: str) -> jinja.Spans:
        """Return where answers are: what the template adds for each after its prompt."""
        spans = []
        for i, message in enumerate(messages):
            if message.get("role") != "assistant":
                continue
            known = messages[: max(i, 1)]
            upto = self._text(messages[: i + 1], tools, prompt=False)[0]
            plain = self._text(known, tools, prompt=False)[0]
            asked = self._text(known, tools, prompt=True)[0]
            prompt = asked.removeprefix(plain)
            found = upto.find(prompt)
            start = len(asked) if i else found + len(prompt)
            begins = upto.startswith(asked) if i else found >= 0
            if not asked.startswith(plain) or not prompt or not text.startswith(upto) or not begins:
                raise InvalidArgumentError(
                    f"apply_chat_template: the template does not tell the answer in message {i}"
                    " from the rest: it has no generation prompt of its own, or changes earlier"
                    " messages; a template with blocks {% generation %} says it"
                )
            trimmed = upto.rstrip()
            ends = trimmed.endswith(self._step.special) and len(trimmed) >= start
            spans.append((start, len(trimmed) if ends else len(upto)))
        return spans

    def _encoder(self) -> Any:
        if self._tokenizer is None:
            try:
                from tokenizers import Tokenizer
            except ImportError as error:
                raise UnsupportedError(
                    "apply_chat_template encodes this conversation with the package tokenizers:"
                    " pip install tokenizers"
                ) from error
            self._tokenizer = Tokenizer.from_str(self._step.tokenizer or "")
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
        return self._tokenizer


def _mask(spans: jinja.Spans, offsets: list[tuple[int, int]]) -> list[int]:
    """Return which tokens have a part of a span, as transformers tells it; both are in order."""
    mask, at = [0] * len(offsets), 0
    for number, (start, end) in enumerate(offsets):
        while at < len(spans) and start >= spans[at][1]:
            at += 1
        if at == len(spans):
            break
        mask[number] = int(end > spans[at][0])
    return mask
