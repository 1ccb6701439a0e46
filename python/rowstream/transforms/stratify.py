"""Train and test splits with the same class proportions."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError


def _shares(counts: Any, draws: int, generator: Any) -> Any:
    """Return how many rows of each class to draw: its share, rounded with ties broken at random.

    This approximates the mode of the multivariate hypergeometric distribution, as scikit-learn's
    `_approximate_mode` does, which `datasets` follows.
    """
    exact = draws * counts / counts.sum()
    result = np.floor(exact)
    missing = int(draws - result.sum())
    rest = exact - result
    for value in np.sort(np.unique(rest))[::-1]:
        if missing <= 0:
            break
        (there,) = np.where(rest == value)
        more = min(len(there), missing)
        result[generator.choice(there, size=more, replace=False)] += 1
        missing -= more
    return result.astype(np.int64)


def stratified(
    labels: Any, n_train: int, n_test: int, generator: Any, column: str
) -> tuple[Any, Any]:
    """Return the positions of the training and test rows, with the class proportions of all rows.

    The draws are those of scikit-learn's `StratifiedShuffleSplit`, which `datasets` follows.
    """
    classes, of = np.unique(labels, return_inverse=True)
    counts = np.bincount(of)
    if counts.min() < 2:
        raise InvalidArgumentError(
            f"The least populated class in {column} column has only 1 member, which is too few. The"
            " minimum number of groups for any class cannot be less than 2."
        )
    for name, size in (("train", n_train), ("test", n_test)):
        if size < len(classes):
            raise InvalidArgumentError(
                f"The {name}_size = {size} should be greater or equal to the number of classes ="
                f" {len(classes)}"
            )
    rows = np.split(np.argsort(of, kind="mergesort"), np.cumsum(counts)[:-1])
    for_train = _shares(counts, n_train, generator)
    for_test = _shares(counts - for_train, n_test, generator)
    train: list[Any] = []
    test: list[Any] = []
    for own, count, some, more in zip(rows, counts, for_train, for_test, strict=True):
        drawn = own.take(generator.permutation(count), mode="clip")
        train.extend(drawn[:some])
        test.extend(drawn[some : some + more])
    return generator.permutation(train), generator.permutation(test)
