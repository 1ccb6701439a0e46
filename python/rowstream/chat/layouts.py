"""The layouts in which datasets have conversations and comparisons, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rowstream.chat.messages import Comparison, Conversation, Message
from rowstream.exceptions import InvalidArgumentError

_TURN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
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
Row = Mapping[str, Any]


def _messages(row: Row) -> Conversation:
    return Conversation(row["messages"], _rest(row, "messages"))


def _sharegpt(row: Row) -> Conversation:
    turns = [Message.of(one) for one in row["conversations"]]
    system = [] if turns and turns[0].role == "system" else _system(row)
    return Conversation([*system, *turns], _rest(row, "conversations", "system"))


def _prompt_and_answer(row: Row) -> Conversation:
    asked, used = _asked(row)
    answer = _one_of(row, _ANSWERS)
    return Conversation([*asked, *_said(row[answer], "assistant")], _rest(row, answer, *used))


def _transcript(row: Row) -> Conversation:
    return Conversation(transcript(row["text"]), _rest(row, "text"))


def _preference(row: Row) -> Comparison:
    chosen, rejected = row["chosen"], row["rejected"]
    rest = _rest(row, "chosen", "rejected")
    strength = None
    scores = [row.get(f"score_{name}") for name in ("chosen", "rejected")]
    if None not in scores:
        rest = _rest(rest, "score_chosen", "score_rejected")
        strength = float(scores[0]) - float(scores[1])  # type: ignore[arg-type]
        if strength < 0:
            strength, chosen, rejected = -strength, rejected, chosen
            rest["swapped"] = True
    asked, used = _asked(row) if any(row.get(name) is not None for name in _PROMPTS) else ([], [])
    both = [_said(one, "assistant") for one in (chosen, rejected)]
    prompt, better, worse = _parted(asked, *both)
    return Comparison(tuple(prompt), tuple(better), tuple(worse), strength, _rest(rest, *used))


def _parted(
    asked: list[Message], chosen: list[Message], rejected: list[Message]
) -> tuple[list[Message], list[Message], list[Message]]:
    """Return the prompt and the answers, given answers that may have the conversation before them.

    What both begin with is the prompt; where one ends with it, its answer is empty.
    """
    same, shorter = 0, min(len(chosen), len(rejected))
    while same < shorter and chosen[same] == rejected[same]:
        same += 1
    if same == shorter and chosen[same - 1].role == "assistant":
        same -= 1  # an answer, which both have
    shared, nothing = chosen[:same], [Message("assistant", "")]
    chosen, rejected = chosen[same:] or nothing, rejected[same:] or nothing
    if not asked or shared[: len(asked)] == asked or shared[-len(asked) :] == asked:
        return shared, chosen, rejected
    # `asked` may end with what the answers begin with.
    known = bool(shared) and asked[-len(shared) :] == shared
    return (asked if known else [*asked, *shared]), chosen, rejected


def _two_responses(row: Row) -> Comparison:
    preference = float(row["overall_preference"])
    answers = [_said(row[name], "assistant") for name in ("response1", "response2")]
    prompt = _said(row["context"] if row.get("context") is not None else row["prompt"], "user")
    # Below zero the first is better.
    better, worse = answers if preference <= 0 else answers[::-1]
    rest = _rest(row, "context", "prompt", "response1", "response2")
    return Comparison(tuple(prompt), tuple(better), tuple(worse), abs(preference), rest)


def _arena(row: Row) -> Comparison:
    winner = row["winner"]
    if not isinstance(winner, str) or winner not in _WINNERS:
        raise InvalidArgumentError(
            f"there is no winner {winner!r}; known are {', '.join(_WINNERS)}"
        )
    first, second = ([_plain(m) for m in row[f"conversation_{c}"]] for c in "ab")
    better, worse = (first, second) if _WINNERS[winner] >= 0 else (second, first)
    prompt, better, worse = _parted([], better, worse)
    strength = None if _WINNERS[winner] else 0.0
    rest = _rest(row, "conversation_a", "conversation_b")
    return Comparison(tuple(prompt), tuple(better), tuple(worse), strength, rest)


def _plain(given: Any) -> Message:
    """Return a message without empty fields of its parts; one part of text is a text."""
    message = Message.of(given)
    if isinstance(message.content, str) or message.content is None:
        return message
    parts = [
        {name: value for name, value in part.items() if value is not None}
        for part in message.content
    ]
    if len(parts) == 1 and parts[0].get("type") == "text":
        return Message(message.role, parts[0].get("text", ""), message.more)
    return Message(message.role, parts, message.more)


def _rated_responses(row: Row) -> Comparison:
    renamed = {
        "chosen_response": "chosen",
        "rejected_response": "rejected",
        "chosen_avg_rating": "score_chosen",
        "rejected_avg_rating": "score_rejected",
    }
    return _preference({renamed.get(name, name): value for name, value in row.items()})


Layout = Callable[[Row], Conversation | Comparison]
# What a row has to have, and how it is read: the first that fits counts.
_LAYOUTS: dict[str, tuple[Callable[[Row], bool], Layout]] = {
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
    "messages": (lambda row: _is_list(row.get("messages")), _messages),
    "sharegpt": (lambda row: _is_list(row.get("conversations")), _sharegpt),
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


def register_layout(name: str, fits: Callable[[Row], bool], read: Layout) -> None:
    """Make another layout known; it is tried before those that are.

    Args:
        name: Its name; one that is taken is given anew.
        fits: Whether a row has this layout.
        read: Given such a row, returns a `Conversation` or a `Comparison`.

    Raises:
        InvalidArgumentError: `fits` or `read` cannot be called.

    Example:
        >>> from rowstream.chat import Conversation, conversation, register_layout
        >>> read = lambda row: Conversation([{"role": "user", "content": row["said"]}])
        >>> register_layout("said", lambda row: "said" in row, read)
        >>> conversation({"said": "Hi"})[0].content
        'Hi'
    """
    if not callable(fits) or not callable(read):
        raise InvalidArgumentError(
            f"register_layout: {name!r} takes two functions of a row, found {fits!r} and {read!r}"
        )
    rest = {key: value for key, value in _LAYOUTS.items() if key != name}
    _LAYOUTS.clear()
    _LAYOUTS.update({name: (fits, read), **rest})


def conversation(row: Row, layout: str | None = None) -> Conversation:
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
        raise InvalidArgumentError(
            "the row compares two answers: read it by comparison(), or say another layout="
        )
    return made


def comparison(row: Row, layout: str | None = None) -> Comparison:
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


def _read(row: Row, layout: str | None) -> Conversation | Comparison:
    if not isinstance(row, Mapping):
        raise InvalidArgumentError(f"expected a row, a dict, found a {type(row).__name__}")
    if layout is not None and layout not in _LAYOUTS:
        raise InvalidArgumentError(f"there is no layout {layout!r}; there is {', '.join(_LAYOUTS)}")
    names = [*row]
    for name, (fits, read) in _LAYOUTS.items():
        if layout in (None, name) and fits(row):
            return _made(read, row, name)
    if layout is not None:
        raise InvalidArgumentError(f"a row of {names} has not the layout {layout!r}")
    raise InvalidArgumentError(
        f"a row of {names} has none of the layouts {', '.join(_LAYOUTS)}; register_layout makes"
        " another known"
    )


def _made(read: Layout, row: Row, name: str) -> Conversation | Comparison:
    try:
        made = read(row)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        if isinstance(e, InvalidArgumentError):
            raise
        raise InvalidArgumentError(
            f"a row of {[*row]} is not as the layout {name!r} has it: {type(e).__name__}: {e}"
        ) from e
    if not isinstance(made, (Conversation, Comparison)):
        raise InvalidArgumentError(
            f"the layout {name!r} gives a {type(made).__name__}, not a Conversation or Comparison"
        )
    return made


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
    """Return messages, given them, a text, or a transcript of turns."""
    if isinstance(value, str):
        return transcript(value) if _TURN.match(value) else [Message(role, value)]
    if value is None:
        raise TypeError("a text or messages are missing")
    return [Message.of(one) for one in value]


def _asked(row: Row) -> tuple[list[Message], list[str]]:
    """Return the messages of a prompt, and the fields that they are from."""
    name = _one_of(row, _PROMPTS)
    used, asked = [name], _said(row[name], "user")
    # Alpaca's instructions have what they are about in another field.
    about = row.get("input") if name == "instruction" and isinstance(row[name], str) else None
    if name == "instruction" and isinstance(about, str):
        used.append("input")
        if about:
            asked = [Message("user", f"{row[name]}\n\n{about}")]
    if asked[0].role != "system":
        asked = [*_system(row), *asked]
        used.append("system")
    # A transcript may end with whose turn it is.
    if len(asked) > 1 and asked[-1].role == "assistant" and not asked[-1].content:
        asked.pop()
    return asked, used


def _system(row: Row) -> list[Message]:
    system = row.get("system")
    return [Message("system", system)] if isinstance(system, str) and system else []


def _one_of(row: Row, names: tuple[str, ...]) -> str:
    return next((n for n in names if row.get(n) is not None), next(n for n in names if n in row))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or hasattr(value, "tolist")


def _rest(row: Row, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
