"""Messages, conversations of them, and comparisons of answers."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rowstream.chat import render
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
    "function_call": "assistant",
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


def _listed(value: Any) -> Any:
    """Return a tuple or an array as a list; anything else as it is."""
    if isinstance(value, tuple):
        return [*value]
    return value.tolist() if hasattr(value, "tolist") else value


def _messages(given: Any) -> tuple[Message, ...]:
    given = _listed(given)
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise InvalidArgumentError(f"expected a list of messages, found {given!r}")
    return tuple(Message.of(one) for one in given)


@dataclass(frozen=True)
class Message:
    """A message of a conversation.

    Attributes:
        role: `"system"`, `"developer"`, `"user"`, `"assistant"` or `"tool"`; what datasets call
            them, such as `"human"` and `"gpt"`, is taken for these.
        content: A text, or parts as multimodal chats have them, as a tuple. `None` only beside
            `tool_calls` or `function_call`.
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
        object.__setattr__(self, "more", copy.deepcopy(dict(self.more)))
        if taken := [name for name in ("role", "content") if name in self.more]:
            raise InvalidArgumentError(f"the other fields of a message have {taken} again")
        if isinstance(self.content, str):
            return
        content = _listed(self.content)
        if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
            object.__setattr__(self, "content", tuple(copy.deepcopy(dict(one)) for one in content))
        elif content is not None or not (self.more.keys() & {"tool_calls", "function_call"}):
            raise InvalidArgumentError(
                f"a message of {self.role!r} has the content {self.content!r}; expected a text, or"
                " a list of parts"
            )

    def __hash__(self) -> int:
        return hash((self.role, self.content if isinstance(self.content, str) else None))

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
                # Tables have all fields in all rows.
                if value.get(role) is not None:
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
        text = isinstance(self.content, str) or self.content is None
        content = self.content if text else copy.deepcopy([*self.content])
        return {"role": self.role, "content": content, **copy.deepcopy(dict(self.more))}


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
        made = _messages(messages)
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

    def to_chatml(self, *, generation_prompt: bool = False) -> str:
        """Return the conversation in ChatML, as many models read it.

        Args:
            generation_prompt: End with the beginning of an answer.

        Raises:
            InvalidArgumentError: A message is no text, or has calls of tools.

        Example:
            >>> from rowstream.chat import Conversation
            >>> print(Conversation([{"role": "user", "content": "Hi"}]).to_chatml())
            <|im_start|>user
            Hi<|im_end|>
            <BLANKLINE>
        """
        return render.to_chatml(self.to_messages(), generation_prompt=generation_prompt)

    def to_supervised(
        self,
        tokenizer: Any,
        *,
        mask: str = "assistant",
        max_length: int | None = None,
        **template_options: Any,
    ) -> dict[str, list[Any]]:
        """Return what a model learns the conversation from: ids, labels and weights of the loss.

        The ids are those of the tokenizer's chat template. An answer is what the template says by
        `{% generation %}`; without that, what it adds after its generation prompt, up to the token
        that ends it.

        Args:
            tokenizer: A tokenizer with a chat template, as `transformers` has them.
            mask: What the loss is of: `"assistant"`, all answers; `"last"`, the last one; `"all"`,
                everything.
            max_length: Leave out ids after this number; those of answers too, where they are later.
            **template_options: For the template, such as `tools` and `enable_thinking`.

        Returns:
            `input_ids`; `labels`, which are -100 where there is no loss; and `loss_weights`, 1.0 or
            0.0. All have one length.

        Raises:
            InvalidArgumentError: There is no such mask, there is no answer, or the template refuses
                the conversation.
            UnsupportedError: Answers cannot be told from the rest of what the template makes.

        Example:
            >>> from rowstream.chat import conversation
            >>> talk = conversation({"prompt": "1+1?", "completion": "2"})
            >>> row = talk.to_supervised(tokenizer)  # doctest: +SKIP
            >>> row["labels"]  # doctest: +SKIP
            [-100, -100, -100, 17, 2]
        """
        return render.to_supervised(
            self.to_messages(), tokenizer, mask=mask, max_length=max_length, **template_options
        )


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
            made = _messages(getattr(self, name))
            object.__setattr__(self, name, made)
            if not made and name != "prompt":
                raise InvalidArgumentError(f"a comparison has no {name} answer")
        object.__setattr__(self, "metadata", dict(self.metadata))
        number = isinstance(self.strength, (int, float)) or hasattr(self.strength, "__float__")
        if self.strength is not None and not (number and float(self.strength) >= 0):
            raise InvalidArgumentError(
                f"a comparison has the strength {self.strength!r}; the better answer is the chosen"
                " one, so it is a number of 0 or more, or None"
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
