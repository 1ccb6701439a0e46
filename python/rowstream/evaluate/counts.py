"""Scores of what was counted elsewhere: programs that pass, answers that are preferred."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rowstream.evaluate.bootstrap import check_confidence, interval
from rowstream.evaluate.metric import Score
from rowstream.exceptions import InvalidArgumentError

_DRAWS = 10_000


def pass_at_k(results: Iterable[Sequence[bool]], k: int | Sequence[int] = 1) -> dict[str, float]:
    """Return how likely one of `k` programs passes: the mean over problems.

    The unbiased estimate of Chen et al., Evaluating large language models trained on code (2021):
    of `n` programs of which `c` pass, `1 - C(n - c, k) / C(n, k)`. Running programs is up to you.

    Args:
        results: For each problem, whether each of its programs passes.
        k: The number of programs, or several.

    Returns:
        The scores, by names such as `"pass@1"`.

    Raises:
        InvalidArgumentError: A problem has fewer programs than `k`, or there are no problems.

    Example:
        >>> from rowstream.evaluate import pass_at_k
        >>> pass_at_k([[True, False, False, False], [False] * 4], k=[1, 2])
        {'pass@1': 0.125, 'pass@2': 0.25}
    """
    numbers = [*map(_whole, [k] if not isinstance(k, Iterable) else k)]
    pairs = [(len(of), sum(bool(one) for one in of)) for of in results]
    if not pairs:
        raise InvalidArgumentError("pass_at_k: there are no problems")
    for number in numbers:
        if number < 1:
            raise InvalidArgumentError(f"pass_at_k: k={number} is not a number of programs")
        short = next((i for i, (n, _) in enumerate(pairs) if n < number), None)
        if short is not None:
            raise InvalidArgumentError(
                f"pass_at_k: problem {short} has {pairs[short][0]} programs, fewer than k={number}"
            )
    return {
        f"pass@{number}": float(np.mean([_passes(n, c, number) for n, c in pairs]))
        for number in numbers
    }


def _whole(k: Any) -> int:
    try:
        return operator.index(k)
    except TypeError:
        raise InvalidArgumentError(f"pass_at_k: k={k!r} is not a number of programs") from None


def _passes(n: int, c: int, k: int) -> float:
    if n - c < k:
        return 1.0
    return 1.0 - float(np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def win_rate(outcomes: Iterable[Any], *, confidence: float = 0.95, seed: int = 0) -> Score:
    """Return the share of comparisons that are won, where a tie is half a win.

    Args:
        outcomes: `"win"`, `"loss"` or `"tie"` for each comparison, or 1, 0 and 0.5.
        confidence: How likely the interval has the true rate, between 0 and 1.
        seed: The seed of the bootstrap of 10,000 draws that the interval is from.

    Returns:
        A `Score`.

    Raises:
        InvalidArgumentError: There are no outcomes, or others.

    Example:
        >>> from rowstream.evaluate import win_rate
        >>> win_rate(["win", "win", "tie", "loss"]).value
        0.625
    """
    check_confidence(confidence)
    values = {"win": 1.0, "loss": 0.0, "tie": 0.5, 1: 1.0, 0: 0.0, 0.5: 0.5}
    counts = {1.0: 0, 0.5: 0, 0.0: 0}
    for i, outcome in enumerate(outcomes):
        value = values.get(outcome)
        if value is None:
            raise InvalidArgumentError(
                f"win_rate: outcome {i} is {outcome!r}, not 'win', 'loss' or 'tie'"
            )
        counts[value] += 1
    total = sum(counts.values())
    if not total:
        raise InvalidArgumentError("win_rate: there are no outcomes")
    shares = np.array([*counts.values()]) / total
    drawn = np.random.default_rng(seed).multinomial(total, shares, _DRAWS) / total
    rates = drawn @ np.array([*counts])
    return Score(float(shares @ np.array([*counts])), *interval(rates, confidence))
