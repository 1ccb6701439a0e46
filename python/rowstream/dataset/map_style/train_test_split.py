"""Random splits of map-style datasets into training and test rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.dataset.map_style.selection import RowSelection
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.scalar import ClassLabel
from rowstream.fingerprint.transform import fingerprint_transform
from rowstream.transforms.split import seeded_generator, split_sizes
from rowstream.transforms.stratify import stratified


class TrainTestSplit(RowSelection):
    """The method that splits rows into a training set and a test set."""

    @transmit_format
    @fingerprint_transform(
        inplace=False,
        randomized_function=True,
        fingerprint_names=["train_new_fingerprint", "test_new_fingerprint"],
        ignore_kwargs=[
            "load_from_cache_file",
            "train_indices_cache_file_name",
            "test_indices_cache_file_name",
        ],
    )
    def train_test_split(
        self,
        test_size: float | None = None,
        train_size: float | None = None,
        shuffle: bool = True,
        stratify_by_column: str | None = None,
        seed: int | None = None,
        generator: Any = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        train_indices_cache_file_name: str | None = None,
        test_indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        train_new_fingerprint: str | None = None,
        test_new_fingerprint: str | None = None,
    ) -> Any:
        """Split the rows into `train` and `test`: for a seed, the same rows as `datasets`.

        No rows are copied.

        Args:
            test_size, train_size: A number of rows, or a fraction of all rows between 0 and 1. If
                only one is given, the other split has the remaining rows; if neither is, a quarter
                of the rows is for the test.
            shuffle: Draw rows at random. If `False`, the first rows are for training, and the test
                rows follow them.
            stratify_by_column: A `ClassLabel` column, of which both splits get the same shares.
            seed, generator, keep_in_memory, load_from_cache_file: As in `shuffle`.
            train_indices_cache_file_name, test_indices_cache_file_name: A file for the positions of
                each split, instead of one in the dataset's cache.
            writer_batch_size: As in `select`.
            train_new_fingerprint, test_new_fingerprint: The fingerprint of each split.

        Returns:
            A `DatasetDict` with the keys `"train"` and `"test"`.

        Raises:
            InvalidArgumentError: The sizes do not fit the number of rows, both `seed` and
                `generator` are given, or `stratify_by_column` is not a `ClassLabel` column or is
                used without `shuffle`.

        Example:
            >>> ds = Dataset.from_dict({"a": list(range(10))})
            >>> splits = ds.train_test_split(test_size=0.2, seed=0)
            >>> splits["train"].num_rows, splits["test"].num_rows
            (8, 2)
        """
        self._no_index("train_test_split")
        if not len(self):
            return self._own_class._dict_class({"train": self, "test": self})
        if seed is not None and generator is not None:
            raise InvalidArgumentError(
                "Both `seed` and `generator` were provided. Please specify just one of them."
            )
        n_train, n_test = split_sizes(len(self), test_size, train_size)
        if shuffle and generator is None:
            generator = seeded_generator(seed)
        files = []
        there = []
        for file, name in (
            (train_indices_cache_file_name, train_new_fingerprint),
            (test_indices_cache_file_name, test_new_fingerprint),
        ):
            path, result = self._kept_rows(
                "split indices for dataset", file, name, load_from_cache_file, keep_in_memory
            )
            files.append(path)
            there.append(result)
        if all(one is not None for one in there):
            return self._own_class._dict_class({"train": there[0], "test": there[1]})
        if not shuffle:
            if stratify_by_column is not None:
                raise InvalidArgumentError(
                    "Stratified train/test split is not implemented for `shuffle=False`"
                )
            train, test = np.arange(n_train), np.arange(n_train, n_train + n_test)
        elif stratify_by_column is not None:
            train, test = self._stratified(stratify_by_column, n_train, n_test, generator)
        else:
            drawn = generator.permutation(len(self))
            test, train = drawn[:n_test], drawn[n_test : n_test + n_train]
        return self._own_class._dict_class(
            {
                "train": self.select(
                    train, keep_in_memory, files[0], writer_batch_size, train_new_fingerprint
                ),
                "test": self.select(
                    test, keep_in_memory, files[1], writer_batch_size, test_new_fingerprint
                ),
            }
        )

    def _stratified(
        self, column: str, n_train: int, n_test: int, generator: Any
    ) -> tuple[Any, Any]:
        if column not in self.features:
            raise InvalidArgumentError(f"Key {column} not found in {self.features.keys()}")
        if not isinstance(self.features[column], ClassLabel):
            raise InvalidArgumentError(
                f"Stratifying by column is only supported for {ClassLabel.__name__} column, and"
                f" column {column} is {type(self.features[column]).__name__}."
            )
        return stratified(
            self._query(column).column(0).to_numpy(), n_train, n_test, generator, column
        )
