"""`DatasetDict` and `IterableDatasetDict`: the splits of a data set, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from rowstream.dataset.each_split import each_split, property_of_splits
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.map_style.dict_files import DatasetDictFiles
from rowstream.exceptions import InvalidArgumentError


class DatasetDict(DatasetDictFiles):
    """Map-style data sets by split. A method of data sets that is called here is called on each.

    Example:
        >>> ds = load_dataset("openai/gsm8k", "main")
        >>> ds = ds.map(tokenize, batched=True)
        >>> ds["train"][0]
    """

    def __getitem__(self, k: Any) -> Any:
        """Return the data set of a split."""
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
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up the tables."""
        for ds in self.values():
            ds.__del__()

    def __repr__(self) -> str:
        """Return the splits, one below the other."""
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
        " on_mixed_types=None",
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
        """`Dataset.shuffle` of each split: `seed` for all, or `seeds` and `generators` by split."""
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
        """`Dataset.unique` of each split."""
        self._check_values_type()
        return {split: ds.unique(column) for split, ds in self.items()}

    def cleanup_cache_files(self) -> dict[str, int]:
        """`Dataset.cleanup_cache_files` of each split."""
        self._check_values_type()
        return {split: ds.cleanup_cache_files() for split, ds in self.items()}

    def formatted_as(
        self,
        type: str | None = None,
        columns: Any = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Any:
        """`Dataset.formatted_as` of each split."""
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
        """`Dataset.set_format` of each split."""
        self._check_values_type()
        for ds in self.values():
            ds.set_format(type, columns, output_all_columns, **format_kwargs)

    def reset_format(self) -> None:
        """`Dataset.reset_format` of each split."""
        self._check_values_type()
        for ds in self.values():
            ds.set_format()

    def set_transform(
        self, transform: Any, columns: Any = None, output_all_columns: bool = False
    ) -> None:
        """`Dataset.set_transform` of each split."""
        self._check_values_type()
        for ds in self.values():
            ds.set_transform(transform, columns, output_all_columns)
