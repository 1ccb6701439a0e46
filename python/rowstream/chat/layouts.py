"""The layouts in which datasets have conversations and comparisons, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rowstream.chat.messages import Comparison, Conversation, Message
from rowstream.exceptions import InvalidArgumentError

_TURN = re.compile(r"\n\n(Human|Assistant):")
_PROMPTS = ("prompt", "instruction", "question", "query")
_ANSWERS = ("completion", "response", "output", "answer")
_WINNERS = {
    "model_a": 1,
    "a": 1,
    "model_b": -1,
    "b": -1,
    "tie": 0,
    "tie (bothbad)": 0,
    "both_bad": 0,
}


def _messages(row: Mapping[str, Any]) -> Conversation:
    return Conversation(row["messages"], _rest(row, "messages"))


def _sharegpt(row: Mapping[str, Any]) -> Conversation:
    rest = _rest(row, "conversations", "system")
    system = row.get("system")
    first = [Message("system", system)] if isinstance(system, str) and system else []
    return Conversation([*first, *row["conversations"]], rest)


def _prompt_and_answer(row: Mapping[str, Any]) -> Conversation:
    prompt, answer = _one_of(row, _PROMPTS), _one_of(row, _ANSWERS)
    asked = row[prompt]
    if extra := row.get("input") if prompt == "instruction" else None:
        asked = f"{asked}\n\n{extra}"
    return Conversation(
        [*_said(asked, "user"), *_said(row[answer], "assistant")],
        _rest(row, prompt, answer, "input"),
    )


def _transcript(row: Mapping[str, Any]) -> Conversation:
    return Conversation(transcript(row["text"]), _rest(row, "text"))


def _preference(row: Mapping[str, Any]) -> Comparison:
    chosen, rejected = row["chosen"], row["rejected"]
    rest = _rest(row, "chosen", "rejected", "prompt", "score_chosen", "score_rejected")
    strength = None
    if row.get("score_chosen") is not None and row.get("score_rejected") is not None:
        strength = float(row["score_chosen"]) - float(row["score_rejected"])
        if strength < 0:
            strength, chosen, rejected = -strength, rejected, chosen
    if isinstance(chosen, str) and _TURN.match(chosen):
        chosen, rejected = transcript(chosen), transcript(rejected)
    else:
        chosen, rejected = _said(chosen, "assistant"), _said(rejected, "assistant")
    prompt = [] if row.get("prompt") is None else _said(row["prompt"], "user")
    # Answers that have the whole conversation: what both begin with is the prompt.
    same = 0
    while same < min(len(chosen), len(rejected)) - 1 and chosen[same] == rejected[same]:
        same += 1
    if same:
        prompt, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    return Comparison(tuple(prompt), tuple(chosen), tuple(rejected), strength, rest)


def _two_responses(row: Mapping[str, Any]) -> Comparison:
    preference = row["overall_preference"]
    answers = [_said(row[name], "assistant") for name in ("response1", "response2")]
    prompt = _said(row["context"] if "context" in row else row["prompt"], "user")
    # Below zero the first is better.
    better, worse = answers if preference <= 0 else answers[::-1]
    rest = _rest(row, "context", "prompt", "response1", "response2")
    return Comparison(tuple(prompt), tuple(better), tuple(worse), abs(float(preference)), rest)


def _arena(row: Mapping[str, Any]) -> Comparison:
    winner = row["winner"]
    if winner not in _WINNERS:
        raise InvalidArgumentError(
            f"there is no winner {winner!r}; known are {', '.join(_WINNERS)}"
        )
    first, second = ([_plain(m) for m in row[f"conversation_{c}"]] for c in "ab")
    better, worse = (first, second) if _WINNERS[winner] >= 0 else (second, first)
    made = _preference({"chosen": better, "rejected": worse})
    strength = None if _WINNERS[winner] else 0.0
    rest = _rest(row, "conversation_a", "conversation_b")
    return Comparison(made.prompt, made.chosen, made.rejected, strength, rest)


def _plain(given: Any) -> Message:
    """Return a message without empty fields of its parts; one part of text is a text."""
    message = Message.of(given)
    if isinstance(message.content, str) or message.content is None:
        return message
    parts = [
        {name: value for name, value in part.items() if value is not None}
        for part in message.content
    ]
    text = parts[0]["text"] if len(parts) == 1 and parts[0].get("type") == "text" else parts
    return Message(message.role, text, message.more)


def _rated_responses(row: Mapping[str, Any]) -> Comparison:
    rest = _rest(row, "instruction", "prompt", "chosen_response", "rejected_response")
    ratings = [row.get(f"{which}_avg_rating") for which in ("chosen", "rejected")]
    return _preference(
        {
            "prompt": row["instruction"] if "instruction" in row else row.get("prompt"),
            "chosen": row["chosen_response"],
            "rejected": row["rejected_response"],
            "score_chosen": ratings[0],
            "score_rejected": ratings[1],
            **rest,
        }
    )


Layout = Callable[[Mapping[str, Any]], Conversation | Comparison]
# What a row has to have, and how it is read: the first that fits counts.
_LAYOUTS: dict[str, tuple[Callable[[Mapping[str, Any]], bool], Layout]] = {
    "arena": (lambda row: {"conversation_a", "conversation_b", "winner"} <= row.keys(), _arena),
    "two_responses": (
        lambda row: {"response1", "response2", "overall_preference"} <= row.keys(),
        _two_responses,
    ),
    "rated_responses": (
        lambda row: {"chosen_response", "rejected_response"} <= row.keys(),
        _rated_responses,
    ),
    "preference": (lambda row: {"chosen", "rejected"} <= row.keys(), _preference),
    "messages": (lambda row: isinstance(row.get("messages"), (list, tuple)), _messages),
    "sharegpt": (lambda row: isinstance(row.get("conversations"), (list, tuple)), _sharegpt),
    "prompt_and_answer": (
        lambda row: any(n in row for n in _PROMPTS) and any(n in row for n in _ANSWERS),
        _prompt_and_answer,
    ),
    "transcript": (
        lambda row: isinstance(row.get("text"), str) and bool(_TURN.match(row["text"])),
        _transcript,
    ),
}


def list_layouts() -> list[str]:
    """Return the names of the layouts that are known.

    Example:
        >>> from rowstream.chat import list_layouts
        >>> "sharegpt" in list_layouts()
        True
    """
    return [*_LAYOUTS]


def register_layout(name: str, fits: Callable[[Mapping[str, Any]], bool], read: Layout) -> None:
    """Make another layout known; it is tried before those that are.

    Args:
        name: Its name; one that is taken is given anew.
        fits: Whether a row has this layout.
        read: Given such a row, returns a `Conversation` or a `Comparison`.

    Example:
        >>> from rowstream.chat import Conversation, conversation, register_layout
        >>> read = lambda row: Conversation([{"role": "user", "content": row["said"]}])
        >>> register_layout("said", lambda row: "said" in row, read)
        >>> conversation({"said": "Hi"})[0].content
        'Hi'
    """
    rest = {key: value for key, value in _LAYOUTS.items() if key != name}
    _LAYOUTS.clear()
    _LAYOUTS.update({name: (fits, read), **rest})


def conversation(row: Mapping[str, Any], layout: str | None = None) -> Conversation:
    """Return the conversation of a row.

    Args:
        row: A row with `messages` (`role`, `content`); with `conversations` (`from`, `value`), as
            ShareGPT has them; with a prompt and an answer, under the usual names; or with a `text`
            of turns of `Human:` and `Assistant:`.
        layout: The name of its layout, as `list_layouts` returns them; the first that fits if
            `None`.

    Returns:
        A `Conversation`, whose `metadata` are the other fields.

    Raises:
        InvalidArgumentError: The row has no such layout, or is a comparison.

    Example:
        >>> from rowstream.chat import conversation
        >>> talk = conversation({"prompt": "1+1?", "completion": "2", "source": "me"})
        >>> [message.role for message in talk], talk.metadata
        (['user', 'assistant'], {'source': 'me'})
    """
    made = _read(row, layout)
    if not isinstance(made, Conversation):
        raise InvalidArgumentError("the row compares two answers: read it by comparison()")
    return made


def comparison(row: Mapping[str, Any], layout: str | None = None) -> Comparison:
    r"""Return the comparison of a row.

    Args:
        row: A row with `chosen` and `rejected`: texts, messages, or transcripts as hh-rlhf has
            them, with or without the prompt, which is what both begin with; with `response1`,
            `response2` and `overall_preference`, as HelpSteer; with `chosen_response` and
            `rejected_response`, as UltraFeedback; or with `conversation_a`, `conversation_b` and
            `winner`, as the arena.
        layout: As in `conversation`.

    Returns:
        A `Comparison`, whose `metadata` are the other fields.

    Raises:
        InvalidArgumentError: The row has no such layout, or is no comparison.

    Example:
        >>> from rowstream.chat import comparison
        >>> said = "\n\nHuman: Hi\n\nAssistant: "
        >>> pair = comparison({"chosen": said + "Hello", "rejected": said + "No"})
        >>> pair.prompt[0].content, pair.chosen[0].content, pair.rejected[0].content
        ('Hi', 'Hello', 'No')
    """
    made = _read(row, layout)
    if not isinstance(made, Comparison):
        raise InvalidArgumentError("the row is one conversation: read it by conversation()")
    return made


def _read(row: Mapping[str, Any], layout: str | None) -> Any:
    if layout is not None:
        if layout not in _LAYOUTS:
            raise InvalidArgumentError(
                f"there is no layout {layout!r}; there is {', '.join(_LAYOUTS)}"
            )
        fits, read = _LAYOUTS[layout]
        if not fits(row):
            raise InvalidArgumentError(f"a row of {sorted(row)} has not the layout {layout!r}")
        return read(row)
    for fits, read in _LAYOUTS.values():
        if fits(row):
            return read(row)
    raise InvalidArgumentError(
        f"a row of {sorted(row)} has none of the layouts {', '.join(_LAYOUTS)}; register_layout"
        " makes another known"
    )


def transcript(text: str) -> list[Message]:
    """Return the messages of a text with turns of `Human:` and `Assistant:`, as hh-rlhf has them.

    Raises:
        InvalidArgumentError: The text does not begin with a turn.
    """
    parts = _TURN.split(text)
    if parts[0].strip() or len(parts) < 3:
        raise InvalidArgumentError(
            f"a transcript begins with a turn such as '\\n\\nHuman:', this with {text[:40]!r}"
        )
    return [
        Message(role, said.strip()) for role, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _said(value: Any, role: str) -> list[Message]:
    """Return messages, given them or a text."""
    if isinstance(value, str):
        return [Message(role, value)]
    return [Message.of(one) for one in value]


def _one_of(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next(name for name in names if name in row)


def _rest(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
