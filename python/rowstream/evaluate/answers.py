"""Answers: exact match and overlap of words as SQuAD has them, and equal texts and numbers."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from rowstream.exceptions import InvalidArgumentError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NUMBER = re.compile(r"([-+]?)\$?((?:\d+|[1-9]\d{0,2}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][-+]?\d{1,9})?)")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: Any) -> str:
    """Return a text in lower case without punctuation, articles and runs of spaces.

    As in the official evaluation of SQuAD (Rajpurkar et al., 2016).
    """
    text = "" if text is None else str(text)
    plain = _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION))
    return " ".join(plain.split())


def each(reference: Any) -> list[Any]:
    """Return the references of an item: one, a list, or the `text` of an answer of SQuAD."""
    if isinstance(reference, Mapping):
        if "text" not in reference:
            raise InvalidArgumentError(
                f"a reference is a dict with {[*reference]}; expected an answer, a list of them, or"
                " the 'text' that SQuAD has; reference_column= says which field it is"
            )
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

    Spaces around it do not count, nor how a number is written: `5.0`, `$5` and `5`, `1,000` and
    `1000`.
    """
    found = _number(prediction)
    return float(any(found == _number(one) for one in each(reference)))


def _number(value: Any) -> Any:
    text = str(value).strip()
    match = _NUMBER.fullmatch(text.replace("\u2212", "-"))
    if match is None or not any(map(str.isdigit, match[2])):
        return text
    try:
        return Decimal(match[1] + match[2].replace(",", ""))
    except InvalidOperation:
        return text
