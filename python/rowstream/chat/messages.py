"""Messages, conversations of them, and comparisons of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rowstream.exceptions import InvalidArgumentError

ROLES = ("system", "developer", "user", "assistant", "tool")
_ALIASES = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}


def role_of(name: Any) -> str:
    """Return a role, given what datasets call it, such as `"human"` or `"gpt"`.

    Raises:
        InvalidArgumentError: It is none of those that are known.
    """
    plain = str(name).strip().lower()
    plain = _ALIASES.get(plain, plain)
    if plain not in ROLES:
        known = ", ".join([*ROLES, *_ALIASES])
        raise InvalidArgumentError(f"there is no role {name!r}; known are {known}")
    return plain


@dataclass(frozen=True)
class Message:
    """A message of a conversation.

    Attributes:
        role: `"system"`, `"developer"`, `"user"`, `"assistant"` or `"tool"`; what datasets call
            them, such as `"human"` and `"gpt"`, is taken for these.
        content: A text, or a list of parts as multimodal chats have them. `None` only beside
            `tool_calls`.
        more: Other fields of the message, such as `name`, `tool_calls` and `tool_call_id`.

    Raises:
        InvalidArgumentError: There is no such role, or the content is of another kind.

    Example:
        >>> from rowstream.chat import Message
        >>> Message("gpt", "Hello.").to_dict()
        {'role': 'assistant', 'content': 'Hello.'}
    """

    role: str
    content: Any
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", role_of(self.role))
        object.__setattr__(self, "more", dict(self.more))
        parts = isinstance(self.content, (list, tuple)) and all(
            isinstance(part, Mapping) for part in self.content
        )
        if not isinstance(self.content, str) and not parts:
            if self.content is None and self.more.get("tool_calls"):
                return
            raise InvalidArgumentError(
                f"a message of {self.role!r} has the content {self.content!r}; expected a text, or"
                " a list of parts"
            )

    @classmethod
    def of(cls, value: Any) -> Message:
        """Return a message, given it, or a mapping with `role` and `content`.

        Args:
            value: A `Message`, or a mapping with `role` and `content`, or `from` and `value`.

        Raises:
            InvalidArgumentError: It is neither.

        Example:
            >>> from rowstream.chat import Message
            >>> Message.of({"from": "human", "value": "Hi"}).role
            'user'
        """
        if isinstance(value, Message):
            return value
        if isinstance(value, Mapping):
            for role, content in (("role", "content"), ("from", "value")):
                if role in value:
                    # Tables have all fields in all rows.
                    more = {
                        name: one
                        for name, one in value.items()
                        if name not in (role, content) and one is not None
                    }
                    return cls(value[role], value.get(content), more)
        raise InvalidArgumentError(
            f"expected a message with 'role' and 'content', or 'from' and 'value', found {value!r}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the message as a dict with `role`, `content` and its other fields.

        Example:
            >>> from rowstream.chat import Message
            >>> Message("tool", "7", {"tool_call_id": "a"}).to_dict()
            {'role': 'tool', 'content': '7', 'tool_call_id': 'a'}
        """
        return {"role": self.role, "content": self.content, **self.more}


@dataclass(frozen=True)
class Conversation:
    """Messages, one after another.

    Attributes:
        messages: The messages, at least one.
        metadata: What else is known of it, such as scores.

    Raises:
        InvalidArgumentError: There are no messages.

    Example:
        >>> from rowstream.chat import Conversation
        >>> talk = Conversation([{"role": "user", "content": "Hi"}])
        >>> len(talk), talk[0].content
        (1, 'Hi')
    """

    messages: tuple[Message, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __init__(self, messages: Iterable[Any], metadata: Mapping[str, Any] | None = None) -> None:
        made = tuple(Message.of(one) for one in messages)
        if not made:
            raise InvalidArgumentError("a conversation has at least one message")
        object.__setattr__(self, "messages", made)
        object.__setattr__(self, "metadata", dict(metadata or {}))

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __getitem__(self, index: int) -> Message:
        return self.messages[index]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The messages before the last answer of the assistant; all of them if there is none.

        Example:
            >>> from rowstream.chat import conversation
            >>> [one.content for one in conversation({"prompt": "Hi", "response": "Hello"}).prompt]
            ['Hi']
        """
        last = [i for i, one in enumerate(self.messages) if one.role == "assistant"]
        return self.messages[: last[-1]] if last else self.messages

    def to_messages(self) -> list[dict[str, Any]]:
        """Return the messages as dicts, as chat templates take them.

        Example:
            >>> from rowstream.chat import Conversation
            >>> Conversation([{"from": "human", "value": "Hi"}]).to_messages()
            [{'role': 'user', 'content': 'Hi'}]
        """
        return [message.to_dict() for message in self.messages]


@dataclass(frozen=True)
class Comparison:
    """Two answers to one prompt, of which one is preferred, or neither.

    Attributes:
        prompt: The messages that both answer; none where a dataset has none.
        chosen, rejected: The messages of each answer, at least one.
        strength: How much better the chosen one is, on the scale of the dataset; `None` if that is
            not said, 0 for a tie.
        metadata: What else is known of it.

    Raises:
        InvalidArgumentError: An answer has no messages, or the strength is below zero.

    Example:
        >>> from rowstream.chat import Comparison
        >>> said = lambda text: [{"role": "assistant", "content": text}]
        >>> pair = Comparison([{"role": "user", "content": "1+1?"}], said("2"), said("3"))
        >>> pair.is_tie, pair.chosen[0].content
        (False, '2')
    """

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    strength: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("prompt", "chosen", "rejected"):
            made = tuple(Message.of(one) for one in getattr(self, name))
            object.__setattr__(self, name, made)
            if not made and name != "prompt":
                raise InvalidArgumentError(f"a comparison has no {name} answer")
        object.__setattr__(self, "metadata", dict(self.metadata))
        if self.strength is not None and not self.strength >= 0:
            raise InvalidArgumentError(
                f"a comparison has the strength {self.strength}; the better answer is the chosen"
                " one, so it is 0 or more"
            )

    @property
    def is_tie(self) -> bool:
        """Whether neither answer is preferred.

        Example:
            >>> from rowstream.chat import Comparison
            >>> said = lambda text: [{"role": "assistant", "content": text}]
            >>> Comparison([], said("a"), said("b"), strength=0).is_tie
            True
        """
        return self.strength == 0

    def to_dict(self) -> dict[str, Any]:
        """Return the messages as `prompt`, `chosen` and `rejected`, as trl's trainers take them.

        Example:
            >>> from rowstream.chat import Comparison
            >>> said = lambda text: [{"role": "assistant", "content": text}]
            >>> Comparison([], said("a"), said("b")).to_dict()["chosen"]
            [{'role': 'assistant', 'content': 'a'}]
        """
        return {
            name: [message.to_dict() for message in getattr(self, name)]
            for name in ("prompt", "chosen", "rejected")
        }
