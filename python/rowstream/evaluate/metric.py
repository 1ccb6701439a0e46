"""What a metric is: statistics of items that add up, and scores of their sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Score:
    """A score, with its confidence interval.

    Attributes:
        value: The score.
        low, high: The ends of the interval; both are `value` if no interval was asked for.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> result = evaluate(["a", "b"], ["a", "c"], metrics=["exact_match"], confidence=None)
        >>> result["exact_match"].value
        0.5
    """

    value: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        if self.low == self.high == self.value:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Metric:
    """A metric whose score follows from sums over items, as means and most corpus metrics do.

    So a stream is evaluated in one pass, and confidence intervals need no second one.

    Subclasses define `statistics` and `scores`; `Mean` needs a function of an item only.

    Example:
        >>> import numpy as np
        >>> from rowstream.evaluate import Metric, evaluate
        >>> class MeanError(Metric):
        ...     names = ("mean_error",)
        ...     def statistics(self, predictions, references):
        ...         return np.abs(np.subtract(predictions, references))[:, None]
        ...     def scores(self, sums, count):
        ...         return {"mean_error": sums[..., 0] / count}
        >>> evaluate([1, 2], [1, 5], metrics=MeanError(), confidence=None)["mean_error"].value
        1.5
    """

    names: tuple[str, ...] = ()
    """What its scores are called."""

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> Any:
        """Return what adds up: an array of numbers of shape `(items, statistics)`.

        Later calls may return more columns than earlier ones, which then had zeros there.

        Args:
            predictions: The predictions of some items.
            references: Their references.

        Example:
            >>> from rowstream.evaluate import Classification
            >>> Classification(only=["accuracy"]).statistics(["a"], ["a"]).shape[0]
            1
        """
        raise NotImplementedError

    def scores(self, sums: Any, count: Any) -> dict[str, Any]:
        """Return scores by name, of shape `(…)`.

        Args:
            sums: Sums of statistics, shape `(…, statistics)`.
            count: The numbers of items that they are of, shape `(…)`, never 0.

        Example:
            >>> from rowstream.evaluate import Classification
            >>> metric = Classification(only=["accuracy"])
            >>> found = metric.statistics(["a", "b"], ["a", "a"])
            >>> float(metric.scores(found.sum(axis=0), 2)["accuracy"])
            0.5
        """
        raise NotImplementedError

    def items(self, statistics: Any) -> dict[str, Any]:
        """Return scores of single items by name, given their statistics; none if there are none.

        Args:
            statistics: Of some items, shape `(items, statistics)`.

        Example:
            >>> from rowstream.evaluate import Classification
            >>> metric = Classification(only=["accuracy"])
            >>> {k: v.tolist() for k, v in metric.items(metric.statistics(["a"], ["b"])).items()}
            {'accuracy': [0.0]}
        """
        del statistics
        return {}


class Mean(Metric):
    """The mean of a function of an item.

    Args:
        name: What the score is called.
        function: Given a prediction and its reference, returns a number.
    """

    def __init__(self, name: str, function: Callable[[Any, Any], float]) -> None:
        self.names, self._function = (name,), function

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> Any:
        """Return the numbers of items, shape `(items, 1)`."""
        pairs = zip(predictions, references, strict=True)
        return np.fromiter((self._function(*pair) for pair in pairs), np.float64)[:, None]

    def scores(self, sums: Any, count: Any) -> dict[str, Any]:
        """Return the mean of the numbers."""
        return {self.names[0]: sums[..., 0] / np.maximum(count, 1e-12)}

    def items(self, statistics: Any) -> dict[str, Any]:
        """Return the numbers of items."""
        return {self.names[0]: statistics[:, 0]}
