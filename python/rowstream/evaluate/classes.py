"""Accuracy, precision, recall and F1 of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rowstream.evaluate.metric import Metric
from rowstream.exceptions import InvalidArgumentError

_AVERAGES = ("macro", "micro", "weighted", "binary")


_MOST_CLASSES = 2000


class Classification(Metric):
    """Accuracy, precision, recall and F1 of predicted classes.

    The definitions are those of scikit-learn; what has a denominator of 0 is 0.

    Args:
        average: `"macro"`: the mean over classes; `"weighted"`: weighted by how often each is the
            reference; `"micro"`: over all items; `"binary"`: of the class `positive` only.
        positive: The class that `"binary"` is about.
        only: The names of the scores to return, of `"accuracy"`, `"precision"`, `"recall"` and
            `"f1"`; all of them if `None`.

    Raises:
        InvalidArgumentError: There is no such average or name.

    Example:
        >>> from rowstream.evaluate import Classification, evaluate
        >>> metric = Classification(average="binary", positive="spam")
        >>> result = evaluate(["spam", "spam"], ["spam", "ham"], metrics=[metric], confidence=None)
        >>> result["precision"].value, result["recall"].value
        (0.5, 1.0)
    """

    names: tuple[str, ...] = ("accuracy", "precision", "recall", "f1")

    def __init__(
        self, average: str = "macro", positive: Any = 1, only: Sequence[str] | None = None
    ) -> None:
        if average not in _AVERAGES:
            raise InvalidArgumentError(f"average={average!r} is none of {', '.join(_AVERAGES)}")
        if wrong := [name for name in only or () if name not in self.names]:
            raise InvalidArgumentError(f"there is no score {wrong[0]!r}; there is {self.names}")
        self._average, self._positive = average, positive
        self.names = self.names if only is None else tuple(only)
        self._columns: dict[Any, int] = {}

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> Any:
        """Return, for each class, whether an item is one found, one taken for it, or one missed."""
        found = [self._column(one) for one in predictions]
        wanted = [self._column(one) for one in references]
        result = np.zeros((len(found), 3 * len(self._columns)))
        for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
            if one == other:
                result[i, 3 * one] = 1
            else:
                result[i, 3 * one + 1] = result[i, 3 * other + 2] = 1
        return result

    def _column(self, value: Any) -> int:
        try:
            column = self._columns.setdefault(value, len(self._columns))
        except TypeError:
            raise InvalidArgumentError(
                f"a class is a number, text or the like, found {value!r}"
            ) from None
        if column >= _MOST_CLASSES:
            raise InvalidArgumentError(
                f"there are more than {_MOST_CLASSES} classes, such as {value!r}; of answers that"
                " differ, exact_match, equal and accuracy are the metrics"
            )
        return column

    def scores(self, sums: Any, count: Any) -> dict[str, Any]:
        """Return the scores that were asked for."""
        each = sums.reshape(*sums.shape[:-1], -1, 3)
        true, false, missed = each[..., 0], each[..., 1], each[..., 2]
        accuracy = true.sum(axis=-1) / np.maximum(count, 1e-12)
        if self._average == "micro":
            true, false, missed = (part.sum(axis=-1)[..., None] for part in (true, false, missed))
        elif self._average == "binary":
            at = self._columns.get(self._positive)
            if at is None:
                raise InvalidArgumentError(
                    f"no item has the class positive={self._positive!r}; there are"
                    f" {list(self._columns)[:10]}"
                )
            true, false, missed = (part[..., at : at + 1] for part in (true, false, missed))
        parts = {
            "precision": _ratio(true, true + false),
            "recall": _ratio(true, true + missed),
            "f1": _ratio(2 * true, 2 * true + false + missed),
        }
        if self._average == "weighted":
            weights = _ratio(true + missed, (true + missed).sum(axis=-1)[..., None])
            made = {name: (part * weights).sum(axis=-1) for name, part in parts.items()}
        else:
            # Classes of which nothing was drawn are none of the sample's.
            there = true + false + missed > 0
            made = {
                name: (part * there).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
                for name, part in parts.items()
            }
        made["accuracy"] = accuracy
        return {name: made[name] for name in self.names}

    def items(self, statistics: Any) -> dict[str, Any]:
        """Return whether each item is right, as its accuracy."""
        right = statistics[:, 0::3].sum(axis=1)
        return {"accuracy": right} if "accuracy" in self.names else {}


def _ratio(part: Any, of: Any) -> Any:
    return np.divide(part, of, out=np.zeros(np.broadcast(part, of).shape), where=of > 0)
