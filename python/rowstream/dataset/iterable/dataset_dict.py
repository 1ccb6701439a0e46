"""Streams by split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.dataset.each_split import each_split
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.plan.lock import write

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence


class IterableDatasetDict(dict[str, IterableDataset]):
    """Streams by split. A method of streams that is called here is called on each."""

    def _check_values_type(self) -> None:
        pass  # nothing else can be put in

    def __getitem__(self, split: str) -> IterableDataset:
        """The stream of a split."""
        if str(split) not in self:
            raise KeyError(f"there is no split {split!r}; the splits are {list(self)}")
        return super().__getitem__(str(split))

    def lock(self, path: str | os.PathLike[str]) -> None:
        """`IterableDataset.lock` of all splits, in one file."""
        first = next(iter(self.values()), None)
        write(
            path,
            {split: ds._plan for split, ds in self.items()},
            first.info.dataset_name if first else None,
        )

    @each_split
    def with_format(self, type: str | None = None) -> Any:
        """`IterableDataset.with_format` of each split."""

    @each_split
    def shuffle(
        self,
        seed: int | None = None,
        generator: Any = None,
        buffer_size: int | None = 1000,
        max_buffer_input_shards: int = 10,
    ) -> Any:
        """`IterableDataset.shuffle` of each split."""

    @each_split
    def select_columns(self, column_names: str | Sequence[str]) -> Any:
        """`IterableDataset.select_columns` of each split."""

    @each_split
    def remove_columns(self, column_names: str | Sequence[str]) -> Any:
        """`IterableDataset.remove_columns` of each split."""

    @each_split
    def rename_column(self, original_column_name: str, new_column_name: str) -> Any:
        """`IterableDataset.rename_column` of each split."""

    @each_split
    def rename_columns(self, column_mapping: dict[str, str]) -> Any:
        """`IterableDataset.rename_columns` of each split."""

    @each_split
    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_split: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | Sequence[str] | None = None,
        fn_kwargs: dict[str, Any] | None = None,
        features: Any = None,
        num_threads: int | None = None,
        num_proc: int | None = None,
    ) -> Any:
        """`IterableDataset.map` of each split. `with_split`: the function is given the split's name
        after all else.
        """

    @each_split
    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        fn_kwargs: dict[str, Any] | None = None,
        num_threads: int | None = None,
        num_proc: int | None = None,
    ) -> Any:
        """`IterableDataset.filter` of each split."""

    @each_split
    def flat_map(
        self, function: Callable[..., Any], fn_kwargs: dict[str, Any] | None = None
    ) -> Any:
        """`IterableDataset.flat_map` of each split."""

    @each_split
    def cast(self, features: Any) -> Any:
        """`IterableDataset.cast` of each split."""

    @each_split
    def cast_column(self, column: str, feature: Any) -> Any:
        """`IterableDataset.cast_column` of each split."""

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = "default",
        set_default: bool | None = None,
        data_dir: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = False,
        max_shard_size: Any = None,
        num_shards: dict[str, int] | None = None,
        embed_external_files: bool = True,
        num_proc: int | None = None,
    ) -> Any:
        """Uploads the splits to a data set of the Hub, each read once into Arrow files. Arguments
        as those of `DatasetDict.push_to_hub`.
        """
        if max_shard_size is not None and num_shards is not None:
            raise InvalidArgumentError(
                "Failed to push_to_hub: please specify either max_shard_size or num_shards, but not"
                " both."
            )
        made = {name: ds.to_map_style() for name, ds in self.items()}
        return (
            IterableDataset.map_style_class()
            .dict_class(made)
            .push_to_hub(
                repo_id,
                config_name,
                set_default,
                data_dir,
                commit_message,
                commit_description,
                private,
                token,
                revision,
                create_pr,
                max_shard_size,
                num_shards,
                embed_external_files,
                num_proc,
            )
        )

    @property
    def num_columns(self) -> dict[str, int | None]:
        """How many columns each split has."""
        return {name: ds.num_columns for name, ds in self.items()}

    @property
    def column_names(self) -> dict[str, list[str] | None]:
        """The names of each split's columns."""
        return {name: ds.column_names for name, ds in self.items()}

    def __repr__(self) -> str:
        """The splits, one below the other."""
        inner = "\n".join(f"{name}: {ds!r}" for name, ds in self.items())
        return (
            "IterableDatasetDict({\n"
            + "\n".join("    " + line for line in inner.splitlines())
            + "\n})"
        )

    def __setitem__(self, split: str, ds: IterableDataset) -> None:
        """Adds a stream."""
        if not isinstance(ds, IterableDataset):
            raise InvalidArgumentError(f"a split is an IterableDataset, not {type(ds).__name__}")
        super().__setitem__(str(split), ds)
