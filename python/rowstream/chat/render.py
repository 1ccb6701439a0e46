"""Messages as texts, and as what a model is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.ops.chat.checks import has_generation_blocks

_MASKS = ("assistant", "last", "all")
_IGNORED = -100  # the label of which PyTorch's cross entropy takes no loss
Messages = list[dict[str, Any]]


def to_chatml(messages: Messages, *, generation_prompt: bool = False) -> str:
    """Return messages in ChatML; `Conversation.to_chatml` says the rest."""
    parts = []
    for i, message in enumerate(messages):
        if not isinstance(message["content"], str) or message.get("tool_calls"):
            raise InvalidArgumentError(
                f"message {i} is not only a text, which is all that ChatML has; use the template of"
                " a tokenizer"
            )
        parts.append(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n")
    if generation_prompt:
        parts.append("<|im_start|>assistant\n")
    return "".join(parts)


def to_supervised(
    messages: Messages, tokenizer: Any, *, mask: str, max_length: int | None, **options: Any
) -> dict[str, list[Any]]:
    """Return ids, labels and weights of the loss; `Conversation.to_supervised` says the rest."""
    if mask not in _MASKS:
        raise InvalidArgumentError(f"there is no mask {mask!r}; there is {', '.join(_MASKS)}")
    if max_length is not None and (not isinstance(max_length, int) or max_length < 1):
        raise InvalidArgumentError(f"max_length={max_length!r} is not a number of ids")
    if not hasattr(tokenizer, "apply_chat_template"):
        raise InvalidArgumentError(
            f"expected a tokenizer with a chat template, found a {type(tokenizer).__name__}"
        )
    roles = [message["role"] for message in messages]
    if "assistant" not in roles and mask != "all":
        raise InvalidArgumentError(f"the conversation has no answer; its roles are {roles}")
    template = _Template(tokenizer, options)
    ids = template.ids(messages)
    weights = [1.0 if mask == "all" else 0.0] * len(ids)
    if mask != "all":
        answers = template.generated(messages, ids) or [*template.answers(messages, ids, mask)]
        for start, end in answers if mask == "assistant" else answers[-1:]:
            weights[start:end] = [1.0] * (end - start)
    labels = [one if weight else _IGNORED for one, weight in zip(ids, weights, strict=True)]
    made: dict[str, list[Any]] = {"input_ids": ids, "labels": labels, "loss_weights": weights}
    return {name: values[:max_length] for name, values in made.items()}


class _Template:
    """The chat template of a tokenizer, and which of its ids are answers."""

    def __init__(self, tokenizer: Any, options: dict[str, Any]) -> None:
        self._tokenizer, self._options = tokenizer, options

    def _apply(self, messages: Messages, **options: Any) -> Any:
        try:
            return self._tokenizer.apply_chat_template(
                messages, tokenize=True, **self._options, **options
            )
        except Exception as e:
            if not type(e).__module__.startswith("jinja2"):
                raise
            raise InvalidArgumentError(f"the chat template refuses the conversation: {e}") from e

    def ids(self, messages: Messages, **options: Any) -> list[int]:
        """Return the ids of messages."""
        found = self._apply(messages, **options)
        # Newer versions give a dict unless told otherwise.
        return list(found["input_ids"] if hasattr(found, "keys") else found)

    def generated(self, messages: Messages, ids: list[int]) -> list[tuple[int, int]]:
        """Return where the template says that answers are; nothing if it does not say it."""
        template = str(getattr(self._tokenizer, "chat_template", None) or "")
        if not has_generation_blocks(template):
            return []
        found = self._apply(messages, return_dict=True, return_assistant_tokens_mask=True)
        said = found.get("assistant_masks", found.get("assistant_mask"))
        if said is None or list(found["input_ids"]) != ids:
            return []
        edges = [i for i, (a, b) in enumerate(zip([0, *said], [*said, 0], strict=True)) if a != b]
        return [*zip(edges[::2], edges[1::2], strict=True)]

    def answers(self, messages: Messages, ids: list[int], mask: str) -> Iterator[tuple[int, int]]:
        """Yield where answers are: what the template adds for each after its generation prompt."""
        places = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        for i in places[-1:] if mask == "last" else places:
            start, upto = self._start(messages, i), self.ids(messages[: i + 1])
            if ids[: len(upto)] != upto or ids[:start] != upto[:start]:
                hint = "another template" if mask == "last" else "mask='last' or another template"
                raise UnsupportedError(
                    "the chat template of the tokenizer does not begin the conversation as it"
                    f" begins its first {i + 1} messages (it changes them, or tokens reach over"
                    f" both), so that answers cannot be told from the rest; use {hint}"
                )
            yield start, self._end(ids, start, len(upto))

    def _start(self, messages: Messages, i: int) -> int:
        """Return where the answer `i` begins: after the generation prompt."""
        # One that begins the conversation follows a prompt that is known from what follows it.
        known = messages[: max(i, 1)]
        plain, asked = self.ids(known), self.ids(known, add_generation_prompt=True)
        prompt = asked[len(plain) :]
        if asked[: len(plain)] != plain or not prompt or plain[-len(prompt) :] == prompt:
            raise UnsupportedError(
                "the chat template of the tokenizer has no generation prompt of its own, so that"
                " answers cannot be told from the rest; use mask='all' or another template"
            )
        if i:
            return len(asked)
        found = (
            at + len(prompt)
            for at in range(len(plain) - len(prompt) + 1)
            if plain[at : at + len(prompt)] == prompt
        )
        start = next(found, None)
        if start is None:
            raise UnsupportedError(
                "the conversation begins with an answer, before which the chat template does not"
                " put its generation prompt; use mask='all' or another template"
            )
        return start

    def _end(self, ids: list[int], start: int, end: int) -> int:
        """Return where an answer ends: with the last special token, if only space follows it."""
        special = frozenset(getattr(self._tokenizer, "all_special_ids", ()))
        last = next((at for at in range(end - 1, start - 1, -1) if ids[at] in special), None)
        if last is not None and not self._tokenizer.decode(ids[last + 1 : end]).strip():
            return last + 1
        return end
