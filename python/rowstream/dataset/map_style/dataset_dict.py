"""`DatasetDict` and `IterableDatasetDict`: the splits of a data set, by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from rowstream.dataset.each_split import each_split, property_of_splits
from rowstream.dataset.map_style.dict_files import DatasetDictFiles
from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    F = TypeVar("F", bound=Callable[..., Any])


class DatasetDict(DatasetDictFiles):
    """Map-style data sets by split. A method of data sets that is called here is called on each.

    Example:
        >>> ds = load_dataset("openai/gsm8k", "main")
        >>> ds = ds.map(tokenize, batched=True)
        >>> ds["train"][0]
    """

    def __getitem__(self, k: Any) -> Any:
        """The data set of a split."""
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
        """Gives up the tables."""
        for ds in self.values():
            ds.__del__()

    def __repr__(self) -> str:
        """The splits, one below the other."""
        inner = "\n".join(f"{name}: {ds!r}" for name, ds in self.items())
        return "DatasetDict({\n" + re.sub(r"^", "    ", inner, count=0, flags=re.MULTILINE) + "\n})"

    data = property_of_splits("data")

    cache_files = property_of_splits("cache_files")

    num_columns = property_of_splits("num_columns")

    num_rows = property_of_splits("num_rows")

    column_names = property_of_splits("column_names")

    shape = property_of_splits("shape")

    @each_split
    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        with_split: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
        features: Any = None,
        disable_nullable: bool = False,
        fn_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        desc: str | None = None,
        try_original_type: bool | None = True,
        on_mixed_types: Any = None,
    ) -> Any:
        """`Dataset.map` of each split. `with_split`: the function is given the split's name after
        all else.
        """

    @each_split
    def filter(
        self,
        function: Any = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
        fn_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        desc: str | None = None,
    ) -> Any:
        """`Dataset.filter` of each split."""

    @each_split
    def sort(
        self,
        column_names: str | Sequence[str],
        reverse: bool | Sequence[bool] = False,
        null_placement: str = "at_end",
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
    ) -> Any:
        """`Dataset.sort` of each split."""

    @each_split
    def flatten_indices(
        self,
        keep_in_memory: bool = False,
        cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
        features: Any = None,
        disable_nullable: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Any:
        """`Dataset.flatten_indices` of each split."""

    @each_split
    def flatten(self, max_depth: int = 16) -> Any:
        """`Dataset.flatten` of each split."""

    @each_split
    def cast(self, features: Any) -> Any:
        """`Dataset.cast` of each split."""

    @each_split
    def cast_column(self, column: str, feature: Any) -> Any:
        """`Dataset.cast_column` of each split."""

    @each_split
    def remove_columns(self, column_names: str | list[str]) -> Any:
        """`Dataset.remove_columns` of each split."""

    @each_split
    def rename_column(self, original_column_name: str, new_column_name: str) -> Any:
        """`Dataset.rename_column` of each split."""

    @each_split
    def rename_columns(self, column_mapping: dict[str, str]) -> Any:
        """`Dataset.rename_columns` of each split."""

    @each_split
    def select_columns(self, column_names: str | list[str]) -> Any:
        """`Dataset.select_columns` of each split."""

    @each_split
    def class_encode_column(self, column: str, include_nulls: bool = False) -> Any:
        """`Dataset.class_encode_column` of each split."""

    @each_split
    def align_labels_with_mapping(self, label2id: dict[str, int], label_column: str) -> Any:
        """`Dataset.align_labels_with_mapping` of each split."""

    @each_split
    def with_format(
        self,
        type: str | None = None,
        columns: list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Any:
        """`Dataset.with_format` of each split."""

    @each_split
    def with_transform(
        self,
        transform: Callable[..., Any] | None,
        columns: list[str] | None = None,
        output_all_columns: bool = False,
    ) -> Any:
        """`Dataset.with_transform` of each split."""

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
