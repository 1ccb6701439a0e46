"""Answers: exact match and overlap of words as SQuAD has them, and mathematical answers."""

from __future__ import annotations

import re
import string
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from rowstream.exceptions import UnsupportedError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: Any) -> str:
    """Return a text in lower case without punctuation, articles and runs of spaces.

    As in the official evaluation of SQuAD (Rajpurkar et al., 2016).
    """
    plain = _ARTICLES.sub(" ", str(text).lower().translate(_NO_PUNCTUATION))
    return " ".join(plain.split())


def each(reference: Any) -> list[Any]:
    """Return the references of an item: one, a list, or the `text` of an answer of SQuAD."""
    if isinstance(reference, Mapping) and "text" in reference:
        reference = reference["text"]
    if isinstance(reference, (str, bytes)) or not isinstance(reference, Iterable):
        return [reference]
    return list(reference) or [""]


def exact_match(prediction: Any, reference: Any) -> float:
    """Return 1 if a prediction is one of the references once both are normalized, else 0."""
    found = normalized(prediction)
    return float(any(found == normalized(one) for one in each(reference)))


def token_f1(prediction: Any, reference: Any) -> float:
    """Return the F1 of the words that a prediction shares with the reference that fits best.

    Where one of both has no words, 1 if neither has, as in SQuAD 2.0.
    """
    found = normalized(prediction).split()
    return max(_overlap(found, normalized(one).split()) for one in each(reference))


def _overlap(found: list[str], wanted: list[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    same = sum((Counter(found) & Counter(wanted)).values())
    return 2 * same / (len(found) + len(wanted))


def equal(prediction: Any, reference: Any) -> float:
    """Return 1 if a prediction is one of the references: the same text, or the same number.

    Spaces around it do not count, nor how a number is written: `5.0` and `5`, `1,000` and `1000`.
    """
    found = _number(prediction)
    return float(any(found == _number(one) for one in each(reference)))


def _number(value: Any) -> Any:
    text = str(value).strip()
    try:
        number = Decimal(_THOUSANDS.sub("", text))
    except InvalidOperation:
        return text
    return number if number.is_finite() else text


def math_match(prediction: Any, reference: Any) -> float:
    """Return 1 if a prediction is mathematically one of the references, else 0.

    Both are read by `math-verify`. What cannot be read or compared is no match; it never raises.
    In the main thread each step is given up after five seconds.

    Raises:
        UnsupportedError: `math-verify` is not installed.
    """
    try:
        from math_verify import parse, verify
    except ImportError as e:
        raise UnsupportedError(
            "the metric 'math' uses the package math-verify: pip install 'rowstream[math]'"
        ) from e
    # Its time-outs are alarms, which only the main thread may set.
    seconds = 5 if threading.current_thread() is threading.main_thread() else None
    try:
        found = parse(str(prediction), parsing_timeout=seconds)
        if not found:
            found = parse(_as_math(prediction), parsing_timeout=seconds)
        for one in each(reference):
            if verify(
                parse(_as_math(one), parsing_timeout=seconds), found, timeout_seconds=seconds
            ):
                return 1.0
    except Exception:  # whatever goes wrong inside, it is no match
        return 0.0
    return 0.0


def _as_math(answer: Any) -> str:
    """Return an answer as `math-verify` reads it: bare LaTeX needs an environment."""
    text = str(answer)
    return f"${text}$" if "\\" in text and "$" not in text and "\\boxed" not in text else text
