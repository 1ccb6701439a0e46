"""Error texts that say how the steps of a state differ from those of a stream."""

from __future__ import annotations

from typing import Any

_SHOWN = 100  # characters of a step in an error
_ADVICE = "Load it into a stream of the same files, with the same steps in the same order"


def order_differs(found: Any, expected: Any) -> str:
    """Return the error text for a state of a stream without Python steps.

    It compares what the state and the stream say of themselves.
    """
    return f"the state is of another stream: {_part(found, expected)}. {_ADVICE}"


def _part(found: Any, expected: Any) -> str:
    """Return how a listing, or a stream that is part of another, differs."""
    if not (isinstance(found, dict) and isinstance(expected, dict)) or ("order" in found) != (
        "order" in expected
    ):
        return "it is of another kind of stream"
    if found.get("files") != expected.get("files"):
        return "it is of other files"
    for what, after in (("order", "the order of its rows was"), ("steps", "its steps were")):
        had, has = found.get(what, "none"), expected.get(what, "none")
        if had != has:
            return f"{after} {had}, here {'it is' if what == 'order' else 'they are'} {has}"
    return "its rows come in another order"


def differs(found: str, expected: str, had_of: Any = None, has_of: Any = None) -> str:
    """Return the error text for a state with other steps: what differs, and what to do.

    Args:
        found: The signature in the state.
        expected: The signature of the stream.
        had_of: What the state says of its stream, if anything.
        has_of: What the stream says of itself.
    """
    (had, had_steps), (has, has_steps) = _taken_apart(found), _taken_apart(expected)
    if not had or not has:
        steps = (
            ", ".join(map(_short, has_steps if not had else had_steps))
            or "a mixture or a generator"
        )
        what = (
            f"it was taken {'without' if not had else 'with'} what this stream"
            f" {'has' if not had else 'does not have'}: {steps}"
        )
    else:
        what = _source(had, has, had_of, has_of) if had != has else _steps(had_steps, has_steps)
    return f"the state is of another stream: {what}. {_ADVICE}"


def _taken_apart(signature: str) -> tuple[str, list[str]]:
    """Return the source in a signature, and the steps after it."""
    words = _split(signature, " ", most=1)
    return words[0], [step for step in _split(words[1] if len(words) > 1 else "", ", ") if step]


def _split(text: str, between: str, most: int | None = None) -> list[str]:
    """Split a text at a separator that is not inside brackets."""
    parts: list[str] = []
    start, depth = 0, 0
    for i, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if (
            depth == 0
            and text.startswith(between, i)
            and i >= start
            and (most is None or len(parts) < most)
        ):
            parts.append(text[start:i])
            start = i + len(between)
    return [*parts, text[start:]]


def _source(had: str, has: str, had_of: Any, has_of: Any) -> str:
    kinds = [text.partition("(")[0] if "(" in text else "files" for text in (had, has)]
    words = {
        "mixed": "a mixture",
        "chained": "streams one after another",
        "zipped": "streams beside each other",
        "generated": "a generator",
        "weighted": "a mixture by weights",
        "table": "rows of a table by number",
        "earlier": "rows that an earlier run left",
    }
    if kinds[0] != kinds[1]:
        return (
            f"it is of {words.get(kinds[0], kinds[0])}, this stream is of"
            f" {words.get(kinds[1], kinds[1])}"
        )
    if kinds[0] == "files":
        if isinstance(had_of, dict) and isinstance(has_of, dict):
            return _part(had_of, has_of)
        return "the files differ, or the shuffle, take, skip, shard, repeat or batch of their rows"
    before, now = (_split(text[text.index("(") + 1 : -1], ", ") for text in (had, has))
    if kinds[0] == "generated":
        return (
            f"the generator was {before[0]}, it is {now[0]}"
            if before[0] != now[0]
            else "the generator has other arguments or shards"
        )
    if kinds[0] == "table":
        return f"the table was {had}, it is {has}"
    parts, others = (_split(text[0].strip("[]"), ", ") for text in (before, now))
    if len(parts) != len(others):
        return f"it has {len(parts)} parts, this stream has {len(others)}" + _remix(kinds[0])
    changed = [
        str(i) for i, (one, other) in enumerate(zip(parts, others, strict=True)) if one != other
    ]
    if changed:
        there = [of.get("parts", ()) if isinstance(of, dict) else () for of in (had_of, has_of)]
        first = int(changed[0])
        how = (
            _part(there[0][first], there[1][first])
            if first < min(map(len, there))
            else "other files or other steps"
        )
        return f"part {', '.join(changed)} differs: {how}"
    return (
        f"the weights, the strategy or the seed differ: {', '.join(before[1:])}, now"
        f" {', '.join(now[1:])}" + _remix(kinds[0])
    )


def _remix(kind: str) -> str:
    return (
        "; load_state_dict(state, strict=False) goes on all the same, with each part where it was"
        if kind == "mixed"
        else ""
    )


def _steps(had: list[str], has: list[str]) -> str:
    for i, (one, other) in enumerate(zip(had, has, strict=False), 1):
        if one != other:
            return f"step {i} was {_short(one)}, it is {_short(other)}"
    if len(had) > len(has):
        return f"it has one step more, {_short(had[len(has)])}"
    return (
        f"it was taken before the step {_short(has[len(had)])}"
        if len(has) > len(had)
        else "its steps are written differently"
    )


def _short(step: str) -> str:
    return step if len(step) <= _SHOWN else step[:_SHOWN] + "…"
