"""Two runs, item by item: is one better than the other?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rowstream.evaluate.bootstrap import check_confidence, check_resamples, interval
from rowstream.evaluate.result import ItemResult, text_table
from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from rowstream.evaluate.results.run import Run

_BATCH = 512
# Beyond this number of items, binomials are added by their logarithms.
_EXACT = 500


@dataclass(frozen=True)
class RunComparison:
    """How a second run differs from a first one, on the items that both have.

    Attributes:
        metric: The score that is compared.
        first, second: Its means over these items.
        difference: `second - first`.
        low, high: The interval of the difference, by a bootstrap over items.
        p_value: How likely a difference this large is by chance, if the runs are alike: a paired
            permutation test, two-sided. For scores of 0 and 1 it is McNemar's exact test.
        better, worse, same: On how many items the second is better, worse, or scores the same.
        only_in_first, only_in_second: How many items are in one run only.
        unscored: How many items are in both, and in one of them without such a score.
        pairs: The items, those of the first run and of the second.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import Run, compare
        >>> one = Run.of(evaluate(["a", "b"], ["a", "c"]), "one")
        >>> two = Run.of(evaluate(["a", "c"], ["a", "c"]), "two")
        >>> found = compare(one, two)
        >>> found.difference, found.better, found.p_value
        (0.5, 1, 1.0)
    """

    metric: str
    names: tuple[str, str]
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    better: int
    worse: int
    same: int
    only_in_first: int
    only_in_second: int
    unscored: int
    pairs: tuple[tuple[ItemResult, ItemResult], ...] = field(repr=False)

    def __repr__(self) -> str:
        rows = [
            ["run", self.metric],
            [self.names[0], f"{self.first:.4f}"],
            [self.names[1], f"{self.second:.4f}"],
            ["difference", f"{self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"],
        ]
        told = (
            f"{len(self.pairs)} items: {self.better} better, {self.worse} worse, {self.same} the"
            f" same; p = {self.p_value:.4g}"
        )
        alone = self.only_in_first + self.only_in_second
        if alone:
            told += f"\n{alone} items are in one run only"
        if self.unscored:
            told += f"\n{self.unscored} items have no {self.metric} in one of both"
        return f"{text_table(rows)}\n\n{told}"

    def differing(self) -> list[tuple[ItemResult, ItemResult]]:
        """Return the pairs of items whose scores differ, those where the second lost most first.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Run, compare
            >>> one = Run.of(evaluate(["a", "b"], ["a", "c"]), "one")
            >>> two = Run.of(evaluate(["a", "c"], ["a", "c"]), "two")
            >>> [(a.prediction, b.prediction) for a, b in compare(one, two).differing()]
            [('b', 'c')]
        """
        gained = [b.scores[self.metric] - a.scores[self.metric] for a, b in self.pairs]
        order = sorted(range(len(gained)), key=lambda i: gained[i])
        return [self.pairs[i] for i in order if gained[i] != 0]


def compare(
    first: Run,
    second: Run,
    metric: str | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
    check_inputs: bool = True,
) -> RunComparison:
    """Compare two runs on the items that both have, by their ids.

    Args:
        first, second: Runs with items.
        metric: The score that is compared; the first one that the items of both have if `None`.
        confidence: How likely the interval has the true difference.
        n_resamples: The number of permutations and bootstrap samples.
        seed: Their seed.
        check_inputs: Raise an error if items of one id ask different things: neither question has
            the other in it.

    Returns:
        A `RunComparison`, which prints as a table.

    Raises:
        InvalidArgumentError: The runs have no items or no such score in common, or items of one id
            ask different things.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import Run, compare
        >>> one = Run.of(evaluate(["a"] * 8, ["b"] * 8), "one")
        >>> two = Run.of(evaluate(["b"] * 8, ["b"] * 8), "two")
        >>> compare(one, two).p_value
        0.0078125
    """
    check_confidence(confidence)
    check_resamples(n_resamples)
    for run in (first, second):
        if not run.items:
            raise InvalidArgumentError(
                f"the run {run.name!r} has no items to compare: load it from the store, or evaluate"
                " with keep_items=True"
            )
    both = _pairs(first, second, check_inputs=check_inputs)
    known = [
        dict.fromkeys(name for item in of for name in item.scores) for of in zip(*both, strict=True)
    ]
    if metric is None:
        metric = next((name for name in known[0] if name in known[1]), None)
    if metric is None or any(metric not in names for names in known):
        raise InvalidArgumentError(
            f"the items of both runs have no score {metric or 'in common'!r}; {first.name!r} has"
            f" {[*known[0]]}, {second.name!r} has {[*known[1]]}"
        )
    pairs = tuple(pair for pair in both if all(_is_scored(item, metric) for item in pair))
    if not pairs:
        raise InvalidArgumentError(f"no item has the score {metric!r} in both runs")
    scores = np.array([[item.scores[metric] for item in pair] for pair in pairs], np.float64)
    gained = scores[:, 1] - scores[:, 0]
    # Scores that were computed in another order are the same but for their last digits.
    gained[np.abs(gained) <= 1e-9 * np.maximum(np.abs(scores).max(axis=1), 1e-9)] = 0
    generator = np.random.default_rng(seed)
    low, high = interval(_resampled(gained, n_resamples, generator), confidence)
    return RunComparison(
        metric,
        (first.name, second.name),
        float(scores[:, 0].mean()),
        float(scores[:, 1].mean()),
        float(gained.mean()),
        low,
        high,
        _p_value(gained, n_resamples, generator),
        int((gained > 0).sum()),
        int((gained < 0).sum()),
        int((gained == 0).sum()),
        len(first.items) - len(both),
        len(second.items) - len(both),
        len(both) - len(pairs),
        pairs,
    )


def _is_scored(item: ItemResult, metric: str) -> bool:
    score = item.scores.get(metric)
    return score is not None and math.isfinite(score)


def _pairs(
    first: Run, second: Run, *, check_inputs: bool
) -> tuple[tuple[ItemResult, ItemResult], ...]:
    """Return the items of both runs that have the same id, in the order of the first run."""
    theirs = dict(_numbered(second))
    pairs = [(item, theirs[key]) for key, item in _numbered(first) if key in theirs]
    if not pairs:
        raise InvalidArgumentError(
            f"the runs {first.name!r} and {second.name!r} have no item in common: their ids are"
            f" such as {first.items[0].id!r} and {second.items[0].id!r}"
        )
    for one, other in pairs:
        asked = [_plain(item.input) for item in (one, other)]
        # Others keep the whole prompt, with instructions and examples around the question.
        if check_inputs and all(asked) and asked[0] not in asked[1] and asked[1] not in asked[0]:
            raise InvalidArgumentError(
                f"item {one.id!r} asks {one.input!r} in {first.name!r} and {other.input!r} in"
                f" {second.name!r}: they are not of one task; check_inputs=False compares them"
            )
    return tuple(pairs)


def _numbered(run: Run) -> list[tuple[tuple[str, int], ItemResult]]:
    """Return items by their id, and how often that was there before: some data have it twice."""
    seen: Counter[str] = Counter()
    result = []
    for item in run.items:
        key = str(item.id)
        result.append(((key, seen[key]), item))
        seen[key] += 1
    return result


def _plain(asked: Any) -> str:
    if isinstance(asked, (list, tuple)) and asked:
        # Of messages the last one, since prompts around the question differ.
        asked = asked[-1].get("content") if isinstance(asked[-1], Mapping) else str(asked[-1])
    return " ".join(asked.split()) if isinstance(asked, str) else ""


def _resampled(gained: Any, samples: int, generator: Any) -> Any:
    """Return the means of bootstrap samples."""
    means = [
        gained[generator.integers(0, len(gained), (size, len(gained)))].mean(axis=1)
        for size in _sizes(samples, len(gained))
    ]
    return np.concatenate(means)


def _p_value(gained: Any, samples: int, generator: Any) -> float:
    """Return the two-sided p-value of a paired permutation test: each difference may be turned.

    Differences of one size are counted exactly, as McNemar's test does; for others it is
    `(1 + b) / (1 + samples)`, b being how many permutations are as extreme (Phipson and Smyth,
    Permutation p-values should never be zero, 2010).
    """
    moved = gained[gained != 0]
    n = len(moved)
    if not n:
        return 1.0
    sizes = np.abs(moved)
    if np.allclose(sizes, sizes[0], rtol=1e-9, atol=0):
        return _sign_test(n, int(min((moved > 0).sum(), (moved < 0).sum())))
    observed = abs(moved.sum()) * (1 - 1e-12)
    extreme = 0
    for size in _sizes(samples, n):
        signs = generator.integers(0, 2, (size, n), np.int8) * 2 - 1
        extreme += int((np.abs(signs @ moved) >= observed).sum())
    return (1 + extreme) / (1 + samples)


def _sign_test(n: int, fewer: int) -> float:
    """Return how likely so few of `n` coins, or so many, are heads."""
    if 2 * fewer >= n:
        return 1.0
    if n <= _EXACT:
        # As a ratio of integers: 2**n is too large for a float.
        return float(min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n))
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(fewer + 1)
    ]
    most = max(logs)
    return float(min(1.0, 2 * math.exp(most) * math.fsum(math.exp(one - most) for one in logs)))


def _sizes(samples: int, items: int) -> list[int]:
    """Return samples in parts, so that one takes little memory."""
    part = max(1, min(_BATCH, 4_000_000 // items))
    return [min(part, samples - done) for done in range(0, samples, part)]
