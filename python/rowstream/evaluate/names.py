"""Metrics by name, and how others are made known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rowstream.evaluate.answers import equal, exact_match, token_f1
from rowstream.evaluate.classes import Classification
from rowstream.evaluate.mathematics import math_match
from rowstream.evaluate.metric import Mean, Metric
from rowstream.evaluate.texts import Bleu, Rouge
from rowstream.exceptions import InvalidArgumentError

# Names that users have given.
_OWN: set[str] = set()
_ROUGE = ("rouge1", "rouge2", "rougeL")
_MADE: dict[str, Callable[[], Metric]] = {
    "exact_match": lambda: Mean("exact_match", exact_match),
    "token_f1": lambda: Mean("token_f1", token_f1),
    "equal": lambda: Mean("equal", equal),
    "accuracy": lambda: Mean("accuracy", _same),
    "precision": lambda: Classification(only=["precision"]),
    "recall": lambda: Classification(only=["recall"]),
    "f1": lambda: Classification(only=["f1"]),
    "bleu": Bleu,
    "rouge1": lambda: Rouge(["rouge1"]),
    "rouge2": lambda: Rouge(["rouge2"]),
    "rougeL": lambda: Rouge(["rougeL"]),
    "math": lambda: Mean("math", math_match),
}


def list_metrics() -> list[str]:
    """Return the names of the metrics that `evaluate` takes.

    Example:
        >>> from rowstream.evaluate import list_metrics
        >>> list_metrics()[:2]
        ['exact_match', 'token_f1']
    """
    return [*_MADE]


def register_metric(name: str, function: Callable[[Any, Any], float]) -> None:
    """Give a metric a name: the mean of a function of a prediction and its reference.

    Args:
        name: The name; one that is taken is given anew.
        function: Given a prediction and its reference, returns a number.

    Raises:
        InvalidArgumentError: `function` cannot be called.

    Example:
        >>> from rowstream.evaluate import evaluate, register_metric
        >>> register_metric("longer", lambda found, wanted: len(found) > len(wanted))
        >>> evaluate(["abc", "a"], ["ab", "ab"], metrics=["longer"])["longer"].value
        0.5
    """
    if not callable(function):
        raise InvalidArgumentError(f"register_metric: {function!r} is no function")
    _MADE[name] = lambda: Mean(name, function)
    _OWN.add(name)


def metrics_of(given: Any) -> list[Metric]:
    """Return metrics, given them, their names or functions; all of ROUGE by name are one.

    A dict has functions by name.
    """
    if isinstance(given, Mapping):
        return [Mean(name, function) for name, function in given.items()]
    rouge = [one for one in given if isinstance(one, str) and one in _ROUGE and one not in _OWN]
    result, merged = [], Rouge(rouge) if len({*rouge}) == len(rouge) > 1 else None
    for one in given:
        if merged is None or one not in rouge:
            result.append(_metric(one))
        elif one == rouge[0]:
            result.append(merged)
    return result


def _same(prediction: Any, reference: Any) -> float:
    return float(prediction == reference)


def _metric(given: Any) -> Metric:
    """Return a metric, given it, its name, or a function of a prediction and its reference."""
    if isinstance(given, Metric):
        return given
    if isinstance(given, str):
        if given not in _MADE:
            raise InvalidArgumentError(
                f"there is no metric {given!r}; there is {', '.join(_MADE)}, and register_metric"
            )
        return _MADE[given]()
    if callable(given):
        return Mean(getattr(given, "__name__", "score"), given)
    raise InvalidArgumentError(f"{given!r} is no metric, name of one, or function")
