"""Evaluation in one pass: of lists, datasets and streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import isclose
from typing import Any

import numpy as np

from rowstream.evaluate.bootstrap import check_confidence, check_resamples, interval
from rowstream.evaluate.metric import Metric, Score
from rowstream.evaluate.names import metrics_of
from rowstream.evaluate.result import KeptItems, Result
from rowstream.evaluate.values import plain
from rowstream.exceptions import InvalidArgumentError
from rowstream.tasks import CodeProblem, Items, Problem
from rowstream.tasks.prompts import asked, target_of

_BATCH = 512
_END = object()
# How often an item is in a bootstrap sample: Poisson with mean 1, by a byte drawn at random.
_POISSON = np.searchsorted(
    np.cumsum([np.exp(-1) / f for f in (1, 1, 2, 6, 24, 120)]), (np.arange(256) + 0.5) / 256
).astype(np.float32)
# Beyond this, numbers of single precision end.
_LARGEST = 1e30


class _Sums:
    """Sums of a metric's statistics, over all items and over bootstrap samples."""

    def __init__(self, of: Metric, samples: int) -> None:
        self.metric = of
        # Over bootstrap samples, of what statistics are above those of the first item: so single
        # precision is enough, which takes half the time.
        self._sums, self._first = np.zeros((samples + 1, 0)), np.zeros(0)
        self.items: dict[str, list[float]] = {}

    def add(self, predictions: list[Any], references: list[Any], weights: Any, keep: bool) -> None:
        statistics = np.asarray(self.metric.statistics(predictions, references), np.float64)
        more = statistics.shape[1] - self._sums.shape[1]
        if more > 0:
            begins = not len(self._first) and np.isfinite(statistics[0]).all()
            first = statistics[0] if begins else 0
            self._first = np.concatenate([self._first, np.broadcast_to(first, more)])
            self._sums = np.pad(self._sums, ((0, 0), (0, more)))
        self._sums[0] += statistics.sum(axis=0)
        if weights is not None:
            # Not as a product of matrices, after which the threads of BLAS spin for a while.
            for i, column in enumerate(np.ascontiguousarray((statistics - self._first).T)):
                if column.any():
                    single = np.abs(column).max() < _LARGEST
                    given = column.astype(np.float32) if single else column
                    self._sums[1:, i] += np.einsum("sn,n->s", weights, given)
        if keep:
            for name, scores in self.metric.items(statistics).items():
                self.items.setdefault(name, []).extend(scores.tolist())

    def scores(self, counts: Any, confidence: float | None) -> dict[str, Score]:
        # Of few items, some samples have none.
        there, made = counts > 0, {}
        sums = self._sums[there]
        sums[1:] += np.outer(counts[there][1:], self._first)
        for name, values in self.metric.scores(sums, counts[there]).items():
            value = low = high = float(values[0])
            if confidence is not None:
                low, high = interval(values[1:], confidence)
                if all(isclose(end, value, rel_tol=1e-13) for end in (low, high)):
                    low = high = value
            made[name] = Score(value, low, high)
        return made


def evaluate(
    predictions: Any,
    references: Any = None,
    *,
    metrics: Any = None,
    prediction_column: str = "prediction",
    reference_column: str = "reference",
    confidence: float | None = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
    keep_items: bool | None = None,
) -> Result:
    """Score predictions against references, in one pass.

    Args:
        predictions: Predictions, or a dataset or stream that has predictions and references in
            columns. Anything that can be iterated, read once and never held as a whole.
        references: The reference of each prediction, or a list of several of which the best fits;
            anything that can be iterated. Or the `Items` of a task, whose answers are found in
            predictions as the task has them. `None` if `predictions` has both.
        metrics: Names as `list_metrics` returns them, `Metric` objects, or functions of a
            prediction and its reference that return a number; one, a list, or functions by name.
            If `None`, those of the task, or `"exact_match"`.
        prediction_column, reference_column: The columns, if `predictions` has both.
        confidence: How likely intervals have the true score, between 0 and 1; `None` for no
            intervals.
        n_resamples: The number of bootstrap samples that intervals are from. Memory is
            proportional to it, not to the number of items.
        seed: The seed of the bootstrap.
        keep_items: Keep the scores of single items; by default those of lists and map-style
            datasets, not of streams.

    Returns:
        A `Result`: scores by name, which prints as a table.

    Raises:
        InvalidArgumentError: There are no items, the numbers of predictions and references differ,
            or there is no such metric or column.
        UnsupportedError: A metric needs a package that is not installed.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> answers = {"prediction": ["Paris.", "in 1976"], "reference": ["paris", "1976"]}
        >>> ds = Dataset.from_dict(answers)
        >>> result = evaluate(ds, metrics=["exact_match", "token_f1"])
        >>> round(result["token_f1"].value, 4)
        0.8333
        >>> from rowstream.tasks import load_task
        >>> items = load_task("gsm8k", synthetic=True)
        >>> answers = [f"The answer is {item.target}." for item in items]
        >>> evaluate(answers, items)["equal"].value
        1.0
    """
    items = references if isinstance(references, Items) else None
    if metrics is None:
        metrics = items.task.metrics if items is not None and items.task.metrics else "exact_match"
    for name, values in (("predictions", predictions), ("references", references)):
        if isinstance(values, (str, bytes)):
            raise InvalidArgumentError(
                f"evaluate: the {name} are the text {values!r}; expected a list, a dataset, or the"
                " items that load_task(name) returns"
            )
    if not isinstance(metrics, Mapping):
        alone = isinstance(metrics, (str, Metric)) or callable(metrics)
        metrics = [metrics] if alone else [*metrics]
    if confidence is not None:
        check_confidence(confidence)
    check_resamples(n_resamples)
    sums = [_Sums(one, n_resamples if confidence is not None else 0) for one in metrics_of(metrics)]
    names = [name for one in sums for name in one.metric.names]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidArgumentError(
            f"two metrics have a score {twice!r}; a dict gives functions names of their own"
        )
    if keep_items is None:
        keep_items = hasattr(predictions, "__len__")
    rows = _rows(predictions, references, prediction_column, reference_column)
    kept = KeptItems() if keep_items else None
    find = None if items is None else items.task.answer
    generator = np.random.default_rng(seed)
    counts = np.zeros((n_resamples if confidence is not None else 0) + 1)
    while batch := [*islice(rows, _BATCH)]:
        weights = None
        if confidence is not None:
            drawn = generator.integers(0, 256, (n_resamples, len(batch)), np.uint8)
            weights = np.take(_POISSON, drawn)
            counts[1:] += weights.sum(axis=1)
        found = [one for one, *_ in batch]
        wanted = [other for _, other, *_ in batch]
        if kept is not None:
            kept.extend(**_fields(batch, int(counts[0])))
        counts[0] += len(batch)
        if find is not None:
            found = [_answer(find, one) for one in found]
        for one in sums:
            one.add(found, wanted, weights, keep_items)
    if not counts[0]:
        raise InvalidArgumentError("evaluate: there are no predictions")
    scores = {name: score for one in sums for name, score in one.scores(counts, confidence).items()}
    if kept is not None:
        kept.scores = {name: values for one in sums for name, values in one.items.items()}
    return Result(scores, int(counts[0]), kept, "" if items is None else items.task.name)


def _answer(find: Callable[[str], str | None], prediction: Any) -> Any:
    """Return the answer in what a model wrote; all of it where none is found."""
    if not isinstance(prediction, str):
        return prediction
    found = find(prediction)
    return prediction if found is None else found


def _fields(batch: list[tuple[Any, Any, Any]], first: int) -> dict[str, list[Any]]:
    """Return what is kept of items, field by field."""
    columns: dict[str, list[Any]] = {
        "prediction": [one for one, *_ in batch],
        "target": [other for _, other, *_ in batch],
    }
    items = [item for *_, item in batch]
    none = items[0] is None
    return {
        "id": [*range(first, first + len(batch))] if none else [item.id for item in items],
        "input": [None if none else asked(item) for item in items],
        "choices": [() if none else getattr(item, "choices", ()) for item in items],
        "metadata": [{} if none else item.metadata for item in items],
        **columns,
    }


def _rows(
    predictions: Any, references: Any, found: str, wanted: str
) -> Iterator[tuple[Any, Any, Any]]:
    """Yield predictions with their references, and the items of the task that these are of."""
    if references is None:
        for i, row in enumerate(predictions):
            if not isinstance(row, Mapping) or found not in row or wanted not in row:
                there = [*row] if isinstance(row, Mapping) else type(row).__name__
                raise InvalidArgumentError(
                    f"evaluate: row {i} has {there}, not the columns {found!r} and {wanted!r}; give"
                    " references, or prediction_column= and reference_column="
                )
            yield plain(row[found]), plain(row[wanted]), None
        return
    ours, theirs = iter(predictions), iter(references)
    count = 0
    while True:
        one, other = next(ours, _END), next(theirs, _END)
        if one is _END and other is _END:
            return
        if one is _END or other is _END:
            what = ("predictions", "references") if one is _END else ("references", "predictions")
            longer = references if one is _END else predictions
            size = len(longer) if hasattr(longer, "__len__") else "more"
            raise InvalidArgumentError(
                f"evaluate: there are {count} {what[0]}, and {size} {what[1]}"
            )
        one = plain(_field(one, found, "prediction", count))
        count += 1
        if isinstance(other, (Problem, CodeProblem)):
            yield one, target_of(other), other
        else:
            yield one, plain(_field(other, wanted, "reference", count - 1)), None


def _field(row: Any, column: str, what: str, i: int) -> Any:
    """Return a field of a row; anything but a row as it is, and an answer of SQuAD."""
    if not isinstance(row, Mapping):
        return row
    if column in row:
        return row[column]
    if what == "reference" and "text" in row:
        return row
    raise InvalidArgumentError(
        f"evaluate: {what} {i} is a row with {[*row]}, without {column!r}; {what}_column= says"
        " which field it is"
    )
