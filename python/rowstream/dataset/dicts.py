"""`IterableDatasetDict`: the splits of a data set, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.dataset.iterable import IterableDataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.lock import write

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


class IterableDatasetDict(dict[str, IterableDataset]):
    """Streams by split. A method of streams that is called here is called on each."""

    def __getitem__(self, split: str) -> IterableDataset:
        """The stream of a split."""
        if split not in self:
            raise KeyError(f"there is no split {split!r}; the splits are {list(self)}")
        return super().__getitem__(split)

    def _each(self, method: str, *args: Any, **kwargs: Any) -> IterableDatasetDict:
        return IterableDatasetDict({name: getattr(ds, method)(*args, **kwargs) for name, ds in self.items()})

    def lock(self, path: str | os.PathLike[str]) -> None:
        """`IterableDataset.lock` of all splits, in one file."""
        first = next(iter(self.values()), None)
        write(path, {split: ds._plan for split, ds in self.items()}, first.info.dataset_name if first else None)

    def with_format(self, type: str | None = None) -> IterableDatasetDict:
        """`IterableDataset.with_format` of each split."""
        return self._each("with_format", type)

    def shuffle(
        self, seed: int | None = None, generator: Any = None, buffer_size: int | None = 1000, max_buffer_input_shards: int = 10
    ) -> IterableDatasetDict:
        """`IterableDataset.shuffle` of each split."""
        return self._each("shuffle", seed, generator, buffer_size, max_buffer_input_shards)

    def select_columns(self, column_names: str | Sequence[str]) -> IterableDatasetDict:
        """`IterableDataset.select_columns` of each split."""
        return self._each("select_columns", column_names)

    def remove_columns(self, column_names: str | Sequence[str]) -> IterableDatasetDict:
        """`IterableDataset.remove_columns` of each split."""
        return self._each("remove_columns", column_names)

    def rename_column(self, original_column_name: str, new_column_name: str) -> IterableDatasetDict:
        """`IterableDataset.rename_column` of each split."""
        return self._each("rename_column", original_column_name, new_column_name)

    def rename_columns(self, column_mapping: dict[str, str]) -> IterableDatasetDict:
        """`IterableDataset.rename_columns` of each split."""
        return self._each("rename_columns", column_mapping)

    def map(self, function: Any = None, *args: Any, **kwargs: Any) -> IterableDatasetDict:
        """`IterableDataset.map` of each split."""
        return self._each("map", function, *args, **kwargs)

    def filter(self, function: Any = None, *args: Any, **kwargs: Any) -> IterableDatasetDict:
        """`IterableDataset.filter` of each split."""
        return self._each("filter", function, *args, **kwargs)

    def flat_map(self, function: Any, *args: Any, **kwargs: Any) -> IterableDatasetDict:
        """`IterableDataset.flat_map` of each split."""
        return self._each("flat_map", function, *args, **kwargs)

    def cast(self, features: Any) -> IterableDatasetDict:
        """`IterableDataset.cast` of each split."""
        return self._each("cast", features)

    def cast_column(self, column: str, feature: Any) -> IterableDatasetDict:
        """`IterableDataset.cast_column` of each split."""
        return self._each("cast_column", column, feature)

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
        return "IterableDatasetDict({\n" + "\n".join("    " + line for line in inner.splitlines()) + "\n})"

    def __setitem__(self, split: str, ds: IterableDataset) -> None:
        """Adds a stream."""
        if not isinstance(ds, IterableDataset):
            raise InvalidArgumentError(f"a split is an IterableDataset, not {type(ds).__name__}")
        super().__setitem__(split, ds)
