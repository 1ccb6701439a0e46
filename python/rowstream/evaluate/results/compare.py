"""Two runs, item by item: is one better than the other?"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rowstream.evaluate.result import ItemResult, text_table
from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from rowstream.evaluate.results.run import Run

_BATCH = 512


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
        return "\n".join(
            [text_table(rows), "", told, *([f"{alone} items are in one run only"] if alone else [])]
        )

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
) -> RunComparison:
    """Compare two runs on the items that both have, by their ids.

    Args:
        first, second: Runs with items.
        metric: The score that is compared; the first one that the items of both have if `None`.
        confidence: How likely the interval has the true difference.
        n_resamples: The number of permutations and bootstrap samples.
        seed: Their seed.

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
    if not 0 < confidence < 1:
        raise InvalidArgumentError(f"confidence={confidence} is not between 0 and 1")
    for run in (first, second):
        if not run.items:
            raise InvalidArgumentError(
                f"the run {run.name!r} has no items to compare: load it from the store, or evaluate"
                " with keep_items=True"
            )
    pairs = _pairs(first, second)
    if metric is None:
        metric = next((name for name in pairs[0][0].scores if name in pairs[0][1].scores), None)
    missing = [
        name
        for name, run in zip((first.name, second.name), zip(*pairs, strict=True), strict=True)
        if metric is None or any(metric not in item.scores for item in run)
    ]
    if metric is None or missing:
        raise InvalidArgumentError(
            f"the items of {' and '.join(map(repr, missing))} have no score {metric!r}; they have"
            f" {[*pairs[0][0].scores]} and {[*pairs[0][1].scores]}"
        )
    scores = np.array([[item.scores[metric] for item in pair] for pair in pairs], np.float64)
    gained = scores[:, 1] - scores[:, 0]
    generator = np.random.default_rng(seed)
    low, high = _interval(gained, confidence, n_resamples, generator)
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
        len(first.items) - len(pairs),
        len(second.items) - len(pairs),
        pairs,
    )


def _pairs(first: Run, second: Run) -> tuple[tuple[ItemResult, ItemResult], ...]:
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
        if all(asked) and asked[0] not in asked[1] and asked[1] not in asked[0]:
            raise InvalidArgumentError(
                f"item {one.id!r} asks {one.input!r} in {first.name!r} and {other.input!r} in"
                f" {second.name!r}: they are not of one task"
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
    if isinstance(asked, (list, tuple)):
        asked = "\n".join(
            str(one.get("content", "")) if isinstance(one, dict) else str(one) for one in asked
        )
    return " ".join(asked.split()) if isinstance(asked, str) else ""


def _interval(gained: Any, confidence: float, samples: int, generator: Any) -> tuple[float, float]:
    means = [
        gained[generator.integers(0, len(gained), (size, len(gained)))].mean(axis=1)
        for size in _sizes(samples, len(gained))
    ]
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    low, high = np.quantile(np.concatenate(means), tails)
    return float(low), float(high)


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
    if np.all(sizes == sizes[0]):
        fewer = int(min((moved > 0).sum(), (moved < 0).sum()))
        tail = sum(math.comb(n, k) for k in range(fewer + 1))
        # As a ratio of integers: 2**n is too large for a float.
        return float(min(1.0, 2 * tail / 2**n))
    observed = abs(moved.sum()) * (1 - 1e-12)
    extreme = 0
    for size in _sizes(samples, n):
        signs = generator.integers(0, 2, (size, n), np.int8) * 2 - 1
        extreme += int((np.abs(signs @ moved) >= observed).sum())
    return (1 + extreme) / (1 + samples)


def _sizes(samples: int, items: int) -> list[int]:
    """Return samples in parts, so that one takes little memory."""
    part = max(1, min(_BATCH, 4_000_000 // items))
    return [min(part, samples - done) for done in range(0, samples, part)]
