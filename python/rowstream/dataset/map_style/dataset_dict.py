"""`DatasetDict`: the map-style splits of a dataset, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from rowstream.dataset.each_split import each_split, property_of_splits
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.map_style.dict_files import DatasetDictFiles
from rowstream.exceptions import InvalidArgumentError


class DatasetDict(DatasetDictFiles):
    """A dict of `Dataset` objects by split name, with their methods, which apply to every split.

    Methods that return a dataset return a `DatasetDict`; properties such as `num_rows` and
    `column_names` are dicts of the values of the splits.

    Example:
        >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
        >>> splits = DatasetDict({"train": ds.take(2), "test": ds.skip(2)})
        >>> splits = splits.map(lambda row: {"upper": row["text"].upper()})
        >>> splits["test"][0]
        {'text': 'c', 'upper': 'C'}
        >>> splits.num_rows
        {'train': 2, 'test': 1}
    """

    def __getitem__(self, k: Any) -> Any:
        """Return the dataset of a split."""
        if isinstance(k, (str,)) or not self:
            if str(k) in self or not self:
                return super().__getitem__(str(k))
        elif str(k) in self:
            return super().__getitem__(str(k))
        available = [split for split in ("train", "test", "validation") if split in self] or list(
            self
        )
        raise KeyError(
            f"Invalid key: {k}. Please first select a split. For example:"
            f" `my_dataset_dictionary['{available[0]}'][{k}]`. Available splits: {sorted(self)}"
        )

    def __enter__(self) -> DatasetDict:
        return self

    def __exit__(self, *_: object) -> None:
        """Release the tables, after which the datasets can't be used."""
        for ds in self.values():
            ds.__del__()

    def __repr__(self) -> str:
        """Return the splits as text, one below the other."""
        inner = "\n".join(f"{name}: {ds!r}" for name, ds in self.items())
        return "DatasetDict({\n" + re.sub(r"^", "    ", inner, count=0, flags=re.MULTILINE) + "\n})"

    data = property_of_splits("data")

    cache_files = property_of_splits("cache_files")

    num_columns = property_of_splits("num_columns")

    num_rows = property_of_splits("num_rows")

    column_names = property_of_splits("column_names")

    shape = property_of_splits("shape")

    map: Callable[..., DatasetDict] = each_split(
        Dataset.map,
        "self function with_indices with_rank with_split input_columns batched batch_size"
        " drop_last_batch remove_columns keep_in_memory load_from_cache_file cache_file_names"
        " writer_batch_size features disable_nullable fn_kwargs num_proc desc try_original_type"
        " on_mixed_types=None engine",
    )
    filter: Callable[..., DatasetDict] = each_split(
        Dataset.filter,
        "self function with_indices with_rank input_columns batched batch_size keep_in_memory"
        " load_from_cache_file cache_file_names writer_batch_size fn_kwargs num_proc desc",
    )
    sort: Callable[..., DatasetDict] = each_split(
        Dataset.sort,
        "self column_names reverse null_placement keep_in_memory load_from_cache_file"
        " indices_cache_file_names writer_batch_size",
    )
    flatten_indices: Callable[..., DatasetDict] = each_split(
        Dataset.flatten_indices,
        "self keep_in_memory cache_file_names writer_batch_size features disable_nullable num_proc"
        " new_fingerprint",
    )
    flatten = each_split(Dataset.flatten)
    cast: Callable[..., DatasetDict] = each_split(Dataset.cast, "self features")
    cast_column = each_split(Dataset.cast_column)
    decode_images = each_split(Dataset.decode_images)
    tokenize = each_split(Dataset.tokenize)
    remove_columns = each_split(Dataset.remove_columns)
    rename_column = each_split(Dataset.rename_column)
    rename_columns = each_split(Dataset.rename_columns)
    select_columns = each_split(Dataset.select_columns)
    class_encode_column = each_split(Dataset.class_encode_column)
    align_labels_with_mapping = each_split(Dataset.align_labels_with_mapping)
    with_format: Callable[..., DatasetDict] = each_split(
        Dataset.with_format, "self type columns output_all_columns format_kwargs"
    )
    with_transform = each_split(Dataset.with_transform)

    def shuffle(
        self,
        seeds: Any = None,
        seed: int | None = None,
        generators: Any = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
    ) -> DatasetDict:
        """Shuffle the rows of each split, as in `Dataset.shuffle`.

        Args:
            seeds: A seed for all splits, or a dict of seeds by split.
            seed: A seed for all splits, instead of `seeds`.
            generators: A `numpy.random.Generator` for all splits, or a dict of them by split.
            keep_in_memory, load_from_cache_file, writer_batch_size: As in `Dataset.shuffle`.
            indices_cache_file_names: The files for the shuffled positions, by split.

        Raises:
            InvalidArgumentError: Both `seed` and `seeds` are given.

        Example:
            >>> ds = Dataset.from_dict({"a": [*range(5)]})
            >>> splits = DatasetDict({"train": ds, "test": ds})
            >>> splits = splits.shuffle(seeds={"train": 1, "test": 2})
            >>> sorted(splits["train"]["a"])
            [0, 1, 2, 3, 4]
        """
        self._check_values_type()
        if seed is not None and seeds is not None:
            raise InvalidArgumentError("Please specify seed or seeds, but not both")
        seeds = seed if seed is not None else seeds
        by_seed = seeds if isinstance(seeds, dict) else dict.fromkeys(self, seeds)
        by_generator = (
            generators if isinstance(generators, dict) else dict.fromkeys(self, generators)
        )
        files = indices_cache_file_names or {}
        return DatasetDict(
            {
                split: ds.shuffle(
                    by_seed.get(split),
                    by_generator.get(split),
                    keep_in_memory,
                    load_from_cache_file,
                    files.get(split),
                    writer_batch_size,
                )
                for split, ds in self.items()
            }
        )

    def unique(self, column: str) -> dict[str, list[Any]]:
        """Return the different values of a column in each split, as in `Dataset.unique`.

        Args:
            column: The name of the column.

        Returns:
            The lists of values, by split.

        Example:
            >>> ds = Dataset.from_dict({"label": [1, 0, 1]})
            >>> DatasetDict({"train": ds, "test": ds.take(1)}).unique("label")
            {'train': [1, 0], 'test': [1]}
        """
        self._check_values_type()
        return {split: ds.unique(column) for split, ds in self.items()}

    def cleanup_cache_files(self) -> dict[str, int]:
        """Remove the cached results of each split, as in `Dataset.cleanup_cache_files`.

        Returns:
            The numbers of removed files, by split.

        Example:
            >>> DatasetDict({"train": Dataset.from_dict({"a": [1]})}).cleanup_cache_files()
            {'train': 0}
        """
        self._check_values_type()
        return {split: ds.cleanup_cache_files() for split, ds in self.items()}

    def formatted_as(
        self,
        type: str | None = None,
        columns: Any = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Any:
        """Set another format of all splits for the duration of a `with` block.

        Args:
            type, columns, output_all_columns, **format_kwargs: As in `Dataset.set_format`.

        Example:
            >>> splits = DatasetDict({"train": Dataset.from_dict({"a": [1, 2]})})
            >>> with splits.formatted_as("numpy"):
            ...     print(splits["train"][:]["a"] * 10)
            [10 20]
        """
        from contextlib import ExitStack, contextmanager

        @contextmanager
        def formatted() -> Iterator[None]:
            with ExitStack() as stack:
                for ds in self.values():
                    stack.enter_context(
                        ds.formatted_as(type, columns, output_all_columns, **format_kwargs)
                    )
                yield

        self._check_values_type()
        return formatted()

    def set_format(
        self,
        type: str | None = None,
        columns: Any = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> None:
        """Set the format of all splits, in place, as in `Dataset.set_format`.

        Args:
            type, columns, output_all_columns, **format_kwargs: As in `Dataset.set_format`.

        Example:
            >>> splits = DatasetDict({"train": Dataset.from_dict({"a": [1, 2]})})
            >>> splits.set_format("numpy")
            >>> splits["train"][:]
            {'a': array([1, 2])}
        """
        self._check_values_type()
        for ds in self.values():
            ds.set_format(type, columns, output_all_columns, **format_kwargs)

    def reset_format(self) -> None:
        """Return Python objects from all splits again, as in `Dataset.reset_format`.

        Example:
            >>> splits = DatasetDict({"train": Dataset.from_dict({"a": [1, 2]})})
            >>> splits.set_format("numpy")
            >>> splits.reset_format()
            >>> splits["train"][:]
            {'a': [1, 2]}
        """
        self._check_values_type()
        for ds in self.values():
            ds.set_format()

    def set_transform(
        self, transform: Any, columns: Any = None, output_all_columns: bool = False
    ) -> None:
        """Apply a function to the rows of all splits whenever they are read, in place.

        Args:
            transform, columns, output_all_columns: As in `Dataset.set_transform`.

        Example:
            >>> splits = DatasetDict({"train": Dataset.from_dict({"a": [1, 2]})})
            >>> splits.set_transform(lambda batch: {"double": [2 * a for a in batch["a"]]})
            >>> splits["train"][1]
            {'double': 4}
        """
        self._check_values_type()
        for ds in self.values():
            ds.set_transform(transform, columns, output_all_columns)
