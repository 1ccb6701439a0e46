"""What an item asks, and whether two items ask the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rowstream.chat import Message
from rowstream.exceptions import InvalidArgumentError
from rowstream.tasks.items import CodeProblem, Problem


def asked(item: Any) -> Any:
    """Return what an item asks: a text, or messages as dicts."""
    if isinstance(item, (Problem, CodeProblem)):
        return item.input
    return [message.to_dict() for message in item.prompt]


def target_of(item: Any) -> str:
    """Return the reference answer of an item.

    Raises:
        InvalidArgumentError: It is a conversation or a comparison, which have none.
    """
    if isinstance(item, (Problem, CodeProblem)):
        return item.target
    raise InvalidArgumentError(f"a {type(item).__name__} has no right answer to be compared with")


def key_of(prompt: Any) -> str:
    """Return what tells whether two prompts are the same, whatever the case and spaces.

    Args:
        prompt: A text, messages, or an item, which asks one of both.

    Raises:
        InvalidArgumentError: It is none of these.
    """
    if isinstance(prompt, (Problem, CodeProblem)) or hasattr(prompt, "prompt"):
        prompt = asked(prompt)
    if isinstance(prompt, (list, tuple)) and prompt:
        prompt = "\n".join(str(Message.of(one).content) for one in prompt)
    if not isinstance(prompt, str):
        raise InvalidArgumentError(
            f"expected texts, prompts or items to leave out, found {prompt!r}; of a dataset give"
            " the column that has them"
        )
    return " ".join(prompt.split()).casefold()


def keys_of(others: Any) -> frozenset[str]:
    """Return the keys of what others ask: items, prompts, or texts.

    Raises:
        InvalidArgumentError: `others` is one text, or cannot be iterated.
    """
    if isinstance(others, (str, bytes)) or not isinstance(others, Iterable):
        raise InvalidArgumentError(
            f"expected items or a list of texts to leave out, found {others!r}; load_task takes"
            " names of tasks"
        )
    return frozenset(key_of(one) for one in others)
