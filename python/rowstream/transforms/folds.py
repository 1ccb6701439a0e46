"""Assignments of rows to folds, for k-fold cross-validation.

Sizes and shares are those of scikit-learn's `KFold`, `StratifiedKFold` and `GroupKFold`, and the
method for both at once that of its `StratifiedGroupKFold`; which rows a fold has depends on the
seed.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from rowstream.exceptions import InvalidArgumentError

T = TypeVar("T")
_FEW = 64  # classes of which rows are looked for one class at a time, without sorting them


class Folds(Sequence[tuple[T, T]], Generic[T]):
    """The pairs of training and test rows of a cross-validation, each made when it is asked for.

    Args:
        dataset: The rows.
        folds: The fold of each row.
        n: The number of folds.
    """

    def __init__(self, dataset: Any, folds: Any, n: int) -> None:
        self._dataset, self._folds, self._n = dataset, folds, n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._n))]
        index = operator.index(index)
        if not -self._n <= index < self._n:
            raise IndexError(f"fold {index} of {self._n}")
        test = self._folds == index % self._n
        return (
            self._dataset.select(np.flatnonzero(~test)),
            self._dataset.select(np.flatnonzero(test)),
        )

    def __iter__(self) -> Iterator[tuple[T, T]]:
        return (self[i] for i in range(self._n))

    def __repr__(self) -> str:
        sizes = np.bincount(self._folds, minlength=self._n).tolist()
        return f"Folds(n={self._n}, test rows: {sizes})"


def fold_type(n: int) -> Any:
    """Return the smallest type of integers that numbers `n` folds."""
    return np.min_scalar_type(n - 1)


def class_counts(codes: Any) -> Any:
    """Return the number of rows of each class, given the class of each row."""
    counts = np.zeros(int(codes.max()) + 1, np.int64)
    # A part at a time: NumPy makes 64-bit integers of what it counts.
    for start in range(0, len(codes), 1 << 20):
        counts += np.bincount(codes[start : start + (1 << 20)], minlength=len(counts))
    return counts


def plain_folds(size: int, n: int, generator: Any) -> Any:
    """Return folds of equal size; the first ones have a row more where that does not come out even.

    Args:
        size: The number of rows.
        n: The number of folds.
        generator: Draws which rows each has; consecutive ones if `None`.
    """
    sizes = np.full(n, size // n)
    sizes[: size % n] += 1
    folds = np.repeat(np.arange(n, dtype=fold_type(n)), sizes)
    if generator is not None:
        generator.shuffle(folds)
    return folds


def stratified_folds(codes: Any, n: int, generator: Any) -> Any:
    """Return folds that each have the same share of every class.

    Args:
        codes: The class of each row, as a number from 0 on.
        n: The number of folds.
        generator: Draws which rows of a class each fold has; the first ones first if `None`.

    Raises:
        InvalidArgumentError: No class has `n` rows.
    """
    counts = class_counts(codes)
    if counts.max() < n:
        raise InvalidArgumentError(
            f"k_fold(n={n}, stratify_by=…): the largest class has {counts.max()} rows, so that no"
            " fold can have its share; use fewer folds"
        )
    # With rows in the order of classes each n-th is a fold's, so that sizes of folds are equal too.
    ends, each = np.cumsum(counts), np.arange(n)[:, None]
    shares = (ends - 1 - each) // n - (ends - counts - 1 - each) // n
    folds = np.empty(len(codes), fold_type(n))
    for code, rows in enumerate(rows_of_each(codes, counts)):
        drawn = np.repeat(np.arange(n, dtype=folds.dtype), shares[:, code])
        if generator is not None:
            generator.shuffle(drawn)
        folds[rows] = drawn
    return folds


def rows_of_each(codes: Any, counts: Any) -> Iterator[Any]:
    """Yield the positions of the rows of each class, in order, given the class of each row."""
    if len(counts) <= _FEW:
        yield from (np.flatnonzero(codes == code) for code in range(len(counts)))
        return
    yield from np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])


def group_folds(groups: Any, n: int, generator: Any) -> Any:
    """Return folds of whole groups, with numbers of rows as equal as may be.

    The largest group goes to the smallest fold, and so on.

    Args:
        groups: The group of each row, as a number from 0 on.
        n: The number of folds.
        generator: Draws the order of groups of one size; their own order if `None`.

    Raises:
        InvalidArgumentError: There are fewer groups than folds.
    """
    counts = _counted(groups, n)
    order = np.arange(len(counts)) if generator is None else generator.permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    sizes = np.zeros(n, np.int64)
    fold_of = np.empty(len(counts), fold_type(n))
    for group in order:
        fold = int(sizes.argmin())
        sizes[fold] += counts[group]
        fold_of[group] = fold
    return fold_of[groups]


def stratified_group_folds(codes: Any, groups: Any, n: int, generator: Any) -> Any:
    """Return folds of whole groups, with shares of classes as equal as may be.

    Groups in which classes differ most are first, each in the fold where the shares of classes over
    folds then deviate least: the method of scikit-learn's `StratifiedGroupKFold`.

    Args:
        codes: The class of each row, as a number from 0 on.
        groups: The group of each row, as a number from 0 on.
        n: The number of folds.
        generator: Draws the order of groups that are alike; their own order if `None`.

    Raises:
        InvalidArgumentError: There are fewer groups than folds.
    """
    number, classes = len(_counted(groups, n)), int(codes.max()) + 1
    of_group = np.zeros((number, classes), np.int32)
    np.add.at(of_group, (groups, codes), 1)
    totals = of_group.sum(axis=0)
    order = np.arange(number) if generator is None else generator.permutation(number)
    order = order[np.argsort(-of_group[order].std(axis=1), kind="stable")]
    in_fold = np.zeros((n, classes))
    fold_of = np.empty(number, fold_type(n))
    each = np.arange(n)
    for group in order:
        tried = np.repeat(in_fold[None], n, axis=0)
        tried[each, each] += of_group[group]
        deviation = (tried / totals).std(axis=1).mean(axis=1)
        best = np.flatnonzero(np.isclose(deviation, deviation.min()))
        fold = int(best[tried[best, best].sum(axis=1).argmin()])
        in_fold[fold] += of_group[group]
        fold_of[group] = fold
    return fold_of[groups]


def _counted(groups: Any, n: int) -> Any:
    counts = class_counts(groups)
    if len(counts) < n:
        raise InvalidArgumentError(
            f"k_fold(n={n}, group_by=…): there are {len(counts)} groups; use as many folds or fewer"
        )
    return counts
