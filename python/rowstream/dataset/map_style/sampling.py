"""Samples, folds, balanced classes and duplicates of map-style datasets."""

from __future__ import annotations

import json
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.dataset.map_style.train_test_split import TrainTestSplit
from rowstream.exceptions import InvalidArgumentError
from rowstream.formatting.query import query_table
from rowstream.transforms import draw, duplicates, folds
from rowstream.utils import logging
from rowstream.writers.infer import is_text

_logger = logging.get_logger(__name__)


class RowSampling(TrainTestSplit):
    """Methods that choose rows by chance, by class, or for not being like others."""

    def sample(
        self,
        n: int | None = None,
        *,
        fraction: float | None = None,
        weights: Any = None,
        replacement: bool = False,
        seed: int | None = None,
    ) -> Self:
        """Return rows drawn at random. No rows are copied.

        Args:
            n: The number of rows.
            fraction: Instead of `n`, a fraction of all rows, between 0 and 1.
            weights: How likely each row is: the name of a column, or a number for each row. All
                rows are alike if `None`.
            replacement: Let a row be drawn more than once.
            seed: The seed of `numpy.random.default_rng`; without one, each call draws other rows.

        Returns:
            A dataset with the rows, in the order in which they were drawn.

        Raises:
            InvalidArgumentError: There are fewer rows than are to be drawn, or weights are missing
                or below zero.

        Example:
            >>> ds = Dataset.from_dict({"a": [0, 1, 2, 3], "w": [0.0, 1.0, 0.0, 1.0]})
            >>> sorted(ds.sample(2, weights="w", seed=0)["a"][:])
            [1, 3]
        """
        self._no_index("sample")
        number = draw.number_of_rows(n, fraction, len(self))
        if weights is not None:
            given = self._of_column(weights).to_numpy() if isinstance(weights, str) else weights
            weights = draw.checked_weights(given, len(self))
        generator = draw.seeded(seed)
        return self.select(draw.drawn(len(self), number, weights, replacement, generator))

    def k_fold(
        self,
        n: int = 5,
        *,
        stratify_by: str | None = None,
        group_by: str | None = None,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> folds.Folds[Self]:
        """Split the rows into `n` folds, each the test rows of one of `n` pairs.

        Sizes and shares are those of scikit-learn's splitters; for `stratify_by` and `group_by` at
        once its method, with a table of groups times classes in memory. A pair is made when it is
        asked for, and no rows are copied.

        Args:
            n: The number of folds.
            stratify_by: A column of classes, of which all folds get the same shares.
            group_by: A column of groups, such as authors, of which all rows are in one fold.
            shuffle: Draw rows at random; if `False`, folds are runs of rows.
            seed: The seed of `numpy.random.default_rng`.

        Returns:
            A sequence of pairs `(train, test)`; rows keep their order.

        Raises:
            InvalidArgumentError: There are fewer rows, rows of every class, or groups than folds.

        Example:
            >>> ds = Dataset.from_dict({"a": list(range(6)), "label": [0, 1, 0, 1, 0, 1]})
            >>> folds = ds.k_fold(3, stratify_by="label", seed=0)
            >>> [(len(train), sorted(test["label"][:])) for train, test in folds]
            [(4, [0, 1]), (4, [0, 1]), (4, [0, 1])]
        """
        self._no_index("k_fold")
        number = int(n) if isinstance(n, (int, np.integer)) and not isinstance(n, bool) else 0
        if not 2 <= number <= len(self):
            raise InvalidArgumentError(
                f"k_fold: n={n!r} is not a number of folds between 2 and the {len(self)} rows"
            )
        generator = draw.seeded(seed) if shuffle else None
        codes = None if stratify_by is None else self._codes(stratify_by)
        groups = None if group_by is None else self._codes(group_by)
        if codes is not None and (least := int(folds.class_counts(codes).min())) < number:
            _logger.warning(
                "k_fold: a class of %r has %d rows, fewer than the %d folds, so that some have none"
                " of it",
                stratify_by,
                least,
                number,
            )
        if codes is not None and groups is not None:
            of = folds.stratified_group_folds(codes, groups, number, generator)
        elif groups is not None:
            of = folds.group_folds(groups, number, generator)
        elif codes is not None:
            of = folds.stratified_folds(codes, number, generator)
        else:
            of = folds.plain_folds(len(self), number, generator)
        return folds.Folds(self, of, number)

    def balance(
        self, column: str, *, strategy: str = "undersample", seed: int | None = None
    ) -> Self:
        """Return as many rows of each class. No rows are copied.

        Args:
            column: The column of classes.
            strategy: `"undersample"`: as many of each as of the smallest class; `"oversample"`: as
                of the largest, of which the others repeat rows.
            seed: The seed of `numpy.random.default_rng`, which draws the rows.

        Returns:
            A dataset with the rows, in their order.

        Raises:
            InvalidArgumentError: There is no such column or strategy.

        Example:
            >>> ds = Dataset.from_dict({"label": ["a", "b", "a", "a"]})
            >>> sorted(ds.balance("label", seed=0)["label"][:])
            ['a', 'b']
            >>> sorted(ds.balance("label", strategy="oversample", seed=0)["label"][:])
            ['a', 'a', 'a', 'b', 'b', 'b']
        """
        self._no_index("balance")
        if strategy not in ("undersample", "oversample"):
            raise InvalidArgumentError(
                f"balance: strategy={strategy!r} is neither 'undersample' nor 'oversample'"
            )
        codes = self._codes(column)
        if not len(self):
            return self  # a data set is one of these
        counts = folds.class_counts(codes)
        most = int(counts.min() if strategy == "undersample" else counts.max())
        generator = draw.seeded(seed)
        chosen = []
        for of_class in folds.rows_of_each(codes, counts):
            whole, rest = divmod(most, len(of_class))
            chosen.append(np.repeat(of_class, whole))
            chosen.append(generator.choice(of_class, rest, replace=False))
        return self.select(np.sort(np.concatenate(chosen)))

    def deduplicate(
        self,
        columns: str | list[str] | None = None,
        *,
        near: float | None = None,
        words: int = 3,
    ) -> Self:
        """Return the rows that are not like an earlier one: the first of each stays.

        Args:
            columns: The column or columns that are compared; all of them if `None`.
            near: Leave out rows whose text is similar, too: from this Jaccard similarity of runs of
                words on, between 0.5 and 1. Estimated by MinHash, of one column of strings, with
                the package `rensa`.
            words: The number of words of a run, for `near`.

        Returns:
            A dataset with the rows, in their order. No rows are copied.

        Raises:
            InvalidArgumentError: There is no such column, or `near` is used for another than one of
                strings.
            UnsupportedError: `near` needs `rensa`, which is not installed.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 1, 2], "b": ["x", "x", "x"]})
            >>> ds.deduplicate()["a"][:], ds.deduplicate("b")["a"][:]
            ([1, 2], [1])
        """
        self._no_index("deduplicate")
        names = self.column_names if columns is None else columns
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, (list, tuple)):
            raise InvalidArgumentError(f"deduplicate: columns={columns!r} are no names of columns")
        if near is not None:
            kind = self._of_column(names[0]).type if len(names) == 1 else None
            if kind is None or not (is_text(kind) or pa.types.is_string_view(kind)):
                raise InvalidArgumentError(
                    "deduplicate(near=…) compares one column of strings: name it, as in"
                    " deduplicate('text', near=0.8)"
                )
            texts = (text.as_py() for text in self._of_column(names[0]))
            return self.select(duplicates.far_apart(texts, near, words))
        codes = [self._codes(name) for name in names]
        if not len(self) or not names:
            return self  # a data set is one of these
        codes = duplicates.combined(codes)
        return self.select(duplicates.first_of_each(codes))

    def _of_column(self, name: str) -> Any:
        if not isinstance(name, str) or name not in self.column_names:
            raise InvalidArgumentError(
                f"there is no column {name!r}; the columns are {self.column_names}"
            )
        return query_table(self._data.select([name]), slice(None), self._indices).column(0)

    def _codes(self, name: str) -> Any:
        """Return a number for each row: the same for equal values of a column, null included."""
        column = self._of_column(name)
        if isinstance(column, pa.ExtensionArray) or isinstance(column.type, pa.BaseExtensionType):
            column = column.cast(column.type.storage_type)
        try:
            encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
        except pa.ArrowNotImplementedError:
            # Values as text: what is nested cannot be compared otherwise.
            texts = pa.array([json.dumps(one, default=_as_text) for one in column.to_pylist()])
            encoded = pc.dictionary_encode(texts, null_encoding="encode")
        codes = encoded.indices if isinstance(encoded, pa.DictionaryArray) else encoded
        # In the smallest type: of many rows, codes are most of what folds need.
        most = len(encoded.dictionary) if isinstance(encoded, pa.DictionaryArray) else 2**31
        small = codes.to_numpy(zero_copy_only=False).astype(np.min_scalar_type(most), copy=False)
        del encoded, codes
        pa.default_memory_pool().release_unused()
        return small


def _as_text(value: Any) -> str:
    """Return what JSON has not, such as bytes and dates, as text."""
    return repr(value)
