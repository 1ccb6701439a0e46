"""Conversations as texts, and as what a model is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from rowstream.chat.messages import Conversation

_MASKS = ("assistant", "last", "all")
_IGNORED = -100  # the label of which PyTorch's cross entropy takes no loss


def to_chatml(conversation: Conversation, *, generation_prompt: bool = False) -> str:
    """Return a conversation in ChatML, as many models read it.

    Args:
        conversation: The conversation, of texts.
        generation_prompt: End with the beginning of an answer.

    Raises:
        InvalidArgumentError: A message is no text.

    Example:
        >>> from rowstream.chat import Conversation, to_chatml
        >>> print(to_chatml(Conversation([{"role": "user", "content": "Hi"}])))
        <|im_start|>user
        Hi<|im_end|>
        <BLANKLINE>
    """
    parts = []
    for i, message in enumerate(conversation):
        if not isinstance(message.content, str):
            raise InvalidArgumentError(
                f"message {i} is no text, which ChatML has not; use the template of a tokenizer"
            )
        parts.append(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n")
    if generation_prompt:
        parts.append("<|im_start|>assistant\n")
    return "".join(parts)


def to_supervised(
    conversation: Conversation,
    tokenizer: Any,
    *,
    mask: str = "assistant",
    max_length: int | None = None,
) -> dict[str, list[Any]]:
    """Return what a model learns a conversation from: ids, labels and weights of the loss.

    The ids are those of the tokenizer's chat template. What an answer has is what the template adds
    for it after its generation prompt, the token that ends it included.

    Args:
        conversation: The conversation.
        tokenizer: A tokenizer with a chat template, as `transformers` has them.
        mask: What the loss is of: `"assistant"`, all answers; `"last"`, the last one; `"all"`,
            everything.
        max_length: Leave out ids after this number.

    Returns:
        `input_ids`; `labels`, which are -100 where there is no loss; and `loss_weights`, 1.0 or
        0.0. All have one length.

    Raises:
        InvalidArgumentError: There is no such mask, or no answer.
        UnsupportedError: The template gives a conversation another beginning than it gives what
            the conversation begins with, so that answers cannot be told from the rest.

    Example:
        >>> from rowstream.chat import conversation, to_supervised
        >>> talk = conversation({"prompt": "1+1?", "completion": "2"})
        >>> row = to_supervised(talk, tokenizer)  # doctest: +SKIP
        >>> row["labels"]  # doctest: +SKIP
        [-100, -100, -100, 17, 2]
    """
    if mask not in _MASKS:
        raise InvalidArgumentError(f"there is no mask {mask!r}; there is {', '.join(_MASKS)}")
    messages = conversation.to_messages()
    answers = [i for i, message in enumerate(conversation) if message.role == "assistant"]
    if not answers and mask != "all":
        raise InvalidArgumentError(
            f"the conversation has no answer; its roles are {[m.role for m in conversation]}"
        )
    ids = _ids(tokenizer, messages)
    weights = [1.0 if mask == "all" else 0.0] * len(ids)
    for i in [] if mask == "all" else answers[-1:] if mask == "last" else answers:
        before = _ids(tokenizer, messages[:i], add_generation_prompt=True) if i else []
        upto = _ids(tokenizer, messages[: i + 1])
        if ids[: len(before)] != before or ids[: len(upto)] != upto or len(upto) < len(before):
            raise UnsupportedError(
                f"the chat template of the tokenizer does not begin the conversation as it begins"
                f" its first {i + 1} messages, so that answers cannot be told from the rest; use"
                " mask='last' or another template"
            )
        weights[len(before) : len(upto)] = [1.0] * (len(upto) - len(before))
    labels = [one if weight else _IGNORED for one, weight in zip(ids, weights, strict=True)]
    made: dict[str, list[Any]] = {"input_ids": ids, "labels": labels, "loss_weights": weights}
    return {name: values[:max_length] for name, values in made.items()}


def _ids(tokenizer: Any, messages: list[dict[str, Any]], **options: Any) -> list[int]:
    found = tokenizer.apply_chat_template(messages, tokenize=True, **options)
    # Newer versions give a dict unless told otherwise.
    return list(found["input_ids"] if hasattr(found, "keys") else found)
