"""What an item asks, and whether two items ask the same."""

from __future__ import annotations

from typing import Any

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
    """Return what tells whether two prompts are the same, whatever the case and spaces."""
    if not isinstance(prompt, str):
        prompt = "\n".join(str(message["content"]) for message in prompt)
    return " ".join(prompt.split()).casefold()


def keys_of(others: Any) -> frozenset[str]:
    """Return the keys of what others ask: items, or texts.

    Raises:
        InvalidArgumentError: `others` is one text.
    """
    if isinstance(others, (str, bytes)):
        raise InvalidArgumentError(
            f"expected items or a list of texts to leave out, found the text {others!r}; load_task"
            " takes names of tasks"
        )
    return frozenset(key_of(one if isinstance(one, str) else asked(one)) for one in others)
