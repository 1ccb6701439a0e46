"""`IterableDatasetDict`: the streams of several splits."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from rowstream.dataset.each_split import each_split
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.plan.lock import write
from rowstream.writers.hub import UploadOptions, uploader


class IterableDatasetDict(dict[str, IterableDataset]):
    """A dict of streams by split. Methods of `IterableDataset` are called on each of them.

    Example:
        >>> train = IterableDataset.from_dict({"a": [1, 2]})
        >>> test = IterableDataset.from_dict({"a": [3]})
        >>> ds = IterableDatasetDict({"train": train, "test": test}).filter(col("a") > 1)
        >>> {split: list(stream) for split, stream in ds.items()}
        {'train': [{'a': 2}], 'test': [{'a': 3}]}
    """

    def _check_values_type(self) -> None:
        pass  # nothing else can be put in

    def __getitem__(self, split: str) -> IterableDataset:
        if str(split) not in self:
            raise KeyError(f"there is no split {split!r}; the splits are {list(self)}")
        return super().__getitem__(str(split))

    def lock(self, path: str | os.PathLike[str]) -> None:
        """Write a lock file of all splits, as in `IterableDataset.lock`.

        Args:
            path: The path of the lock file.

        Raises:
            UnsupportedError: A split does not consist of files only.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> load_dataset("json", data_files="train.jsonl", streaming=True).lock("data.lock")
            >>> list(load_dataset(lock="data.lock", streaming=True))
            ['train']
        """
        first = next(iter(self.values()), None)
        write(
            path,
            {split: ds._plan for split, ds in self.items()},
            first.info.dataset_name if first else None,
        )

    with_format = each_split(IterableDataset.with_format)
    shuffle = each_split(IterableDataset.shuffle)
    select_columns = each_split(IterableDataset.select_columns)
    remove_columns = each_split(IterableDataset.remove_columns)
    rename_column = each_split(IterableDataset.rename_column)
    rename_columns = each_split(IterableDataset.rename_columns)
    map: Callable[..., IterableDatasetDict] = each_split(
        IterableDataset.map,
        "self function with_indices with_split input_columns batched batch_size drop_last_batch"
        " remove_columns fn_kwargs features num_threads num_proc",
    )
    filter = each_split(IterableDataset.filter)
    flat_map = each_split(IterableDataset.flat_map)
    cast = each_split(IterableDataset.cast)
    cast_column = each_split(IterableDataset.cast_column)
    decode_images = each_split(IterableDataset.decode_images)
    tokenize = each_split(IterableDataset.tokenize)
    pack = each_split(IterableDataset.pack)

    def _upload(self, options: UploadOptions) -> Any:
        # Each read once, into an Arrow file.
        result = {name: ds.to_map_style() for name, ds in self.items()}
        given = {name: value for name, value in vars(options).items() if name != "split"}
        return IterableDataset._map_style_class()._dict_class(result).push_to_hub(**given)

    push_to_hub = uploader(_upload, several=True)

    @property
    def num_columns(self) -> dict[str, int | None]:
        """The number of columns of each split, as a dict.

        Example:
            >>> IterableDatasetDict({"train": IterableDataset.from_dict({"a": [1]})}).num_columns
            {'train': 1}
        """
        return {name: ds.num_columns for name, ds in self.items()}

    @property
    def column_names(self) -> dict[str, list[str] | None]:
        """The names of the columns of each split, as a dict.

        Example:
            >>> IterableDatasetDict({"train": IterableDataset.from_dict({"a": [1]})}).column_names
            {'train': ['a']}
        """
        return {name: ds.column_names for name, ds in self.items()}

    def __repr__(self) -> str:
        inner = "\n".join(f"{name}: {ds!r}" for name, ds in self.items())
        return (
            "IterableDatasetDict({\n"
            + "\n".join("    " + line for line in inner.splitlines())
            + "\n})"
        )

    def __setitem__(self, split: str, ds: IterableDataset) -> None:
        if not isinstance(ds, IterableDataset):
            raise InvalidArgumentError(f"a split is an IterableDataset, not {type(ds).__name__}")
        super().__setitem__(str(split), ds)
