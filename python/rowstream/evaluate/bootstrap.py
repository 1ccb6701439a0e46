"""Arguments of a bootstrap, and the interval that its samples give."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError


def check_confidence(confidence: float) -> None:
    """Raise an `InvalidArgumentError` unless a confidence is between 0 and 1."""
    if not 0 < confidence < 1:
        raise InvalidArgumentError(f"confidence={confidence} is not between 0 and 1")


def check_resamples(n_resamples: Any) -> None:
    """Raise an `InvalidArgumentError` unless there is at least one sample."""
    if isinstance(n_resamples, bool) or not isinstance(n_resamples, int) or n_resamples < 1:
        raise InvalidArgumentError(f"n_resamples={n_resamples!r} is not a number of samples")


def interval(values: Any, confidence: float) -> tuple[float, float]:
    """Return the ends between which so many of the values are, as many below as above."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
