"""`DatasetDict` and `IterableDatasetDict`: the splits of a data set, by name."""

from __future__ import annotations

import inspect
import itertools
import json
import os
import re
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from rowstream import config
from rowstream.dataset.iterable import IterableDataset
from rowstream.dataset.pushing import push
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.lock import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    F = TypeVar("F", bound=Callable[..., Any])


_BY_SPLIT = {"cache_file_names": "cache_file_name", "indices_cache_file_names": "indices_cache_file_name"}


def _each(method: F) -> F:
    """A method that is called on each split, and gives the dict of what they give. Its arguments are those that it is declared with.

    Files are named by split, in dicts. With `with_split` the function's last argument is the split's name.
    """
    declared = inspect.signature(method)
    name = method.__name__

    @wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_values_type()
        bound = declared.bind(self, *args, **kwargs).arguments
        given = {key: value for key, value in bound.items() if key not in ("self", "with_split", "format_kwargs", *_BY_SPLIT)}
        given |= bound.get("format_kwargs", {})
        made = {}
        for split, ds in self.items():
            own = {one: bound[key][split] for key, one in _BY_SPLIT.items() if split in (bound.get(key) or {})}
            if bound.get("with_split"):
                own["function"] = partial(_with_split, given["function"], split)
            made[split] = getattr(ds, name)(**{**given, **own})
        return type(self)(made)

    return called  # type: ignore[return-value]


def _with_split(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return function(*args, split, **kwargs)


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
        write(path, {split: ds._plan for split, ds in self.items()}, first.info.dataset_name if first else None)

    @_each
    def with_format(self, type: str | None = None) -> Any:
        """`IterableDataset.with_format` of each split."""

    @_each
    def shuffle(
        self, seed: int | None = None, generator: Any = None, buffer_size: int | None = 1000, max_buffer_input_shards: int = 10
    ) -> Any:
        """`IterableDataset.shuffle` of each split."""

    @_each
    def select_columns(self, column_names: str | Sequence[str]) -> Any:
        """`IterableDataset.select_columns` of each split."""

    @_each
    def remove_columns(self, column_names: str | Sequence[str]) -> Any:
        """`IterableDataset.remove_columns` of each split."""

    @_each
    def rename_column(self, original_column_name: str, new_column_name: str) -> Any:
        """`IterableDataset.rename_column` of each split."""

    @_each
    def rename_columns(self, column_mapping: dict[str, str]) -> Any:
        """`IterableDataset.rename_columns` of each split."""

    @_each
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
        """`IterableDataset.map` of each split. `with_split`: the function is given the split's name after all else."""

    @_each
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

    @_each
    def flat_map(self, function: Callable[..., Any], fn_kwargs: dict[str, Any] | None = None) -> Any:
        """`IterableDataset.flat_map` of each split."""

    @_each
    def cast(self, features: Any) -> Any:
        """`IterableDataset.cast` of each split."""

    @_each
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
        """Uploads the splits to a data set of the Hub, each read once into Arrow files. Arguments as those of `DatasetDict.push_to_hub`."""
        if max_shard_size is not None and num_shards is not None:
            raise InvalidArgumentError("Failed to push_to_hub: please specify either max_shard_size or num_shards, but not both.")
        return DatasetDict({name: ds.to_map_style() for name, ds in self.items()}).push_to_hub(
            repo_id, config_name, set_default, data_dir, commit_message, commit_description, private, token, revision, create_pr,
            max_shard_size, num_shards, embed_external_files, num_proc,
        )  # fmt: skip

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
        super().__setitem__(str(split), ds)


def _of_splits(name: str) -> Any:
    """A property that is a dict of what the splits have."""

    def get(self: DatasetDict) -> dict[str, Any]:
        self._check_values_type()
        return {split: getattr(ds, name) for split, ds in self.items()}

    get.__doc__ = f"`Dataset.{name}` of each split."
    return property(get)


class DatasetDict(dict[str, Any]):
    """Map-style data sets by split. A method of data sets that is called here is called on each.

    Example:
        >>> ds = load_dataset("openai/gsm8k", "main")
        >>> ds = ds.map(tokenize, batched=True)
        >>> ds["train"][0]
    """

    def _check_values_type(self) -> None:
        from rowstream.dataset.map_style import Dataset

        for ds in self.values():
            if not isinstance(ds, Dataset):
                raise TypeError(f"Values in `DatasetDict` should be of type `Dataset` but got type '{type(ds)}'")

    def _check_values_features(self) -> None:
        items = list(self.items())
        for (one, ds), (other, after) in itertools.pairwise(items):
            if ds.features != after.features:
                raise InvalidArgumentError(
                    f"All datasets in `DatasetDict` should have the same features but features for '{one}' and '{other}' don't match: "
                    f"{ds.features} != {after.features}"
                )

    def __getitem__(self, k: Any) -> Any:
        """The data set of a split."""
        if isinstance(k, (str,)) or not self:
            if str(k) in self or not self:
                return super().__getitem__(str(k))
        elif str(k) in self:
            return super().__getitem__(str(k))
        available = [split for split in ("train", "test", "validation") if split in self] or list(self)
        raise KeyError(
            f"Invalid key: {k}. Please first select a split. For example: `my_dataset_dictionary['{available[0]}'][{k}]`. "
            f"Available splits: {sorted(self)}"
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

    data = _of_splits("data")
    cache_files = _of_splits("cache_files")
    num_columns = _of_splits("num_columns")
    num_rows = _of_splits("num_rows")
    column_names = _of_splits("column_names")
    shape = _of_splits("shape")

    @_each
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
        """`Dataset.map` of each split. `with_split`: the function is given the split's name after all else."""

    @_each
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

    @_each
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

    @_each
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

    @_each
    def flatten(self, max_depth: int = 16) -> Any:
        """`Dataset.flatten` of each split."""

    @_each
    def cast(self, features: Any) -> Any:
        """`Dataset.cast` of each split."""

    @_each
    def cast_column(self, column: str, feature: Any) -> Any:
        """`Dataset.cast_column` of each split."""

    @_each
    def remove_columns(self, column_names: str | list[str]) -> Any:
        """`Dataset.remove_columns` of each split."""

    @_each
    def rename_column(self, original_column_name: str, new_column_name: str) -> Any:
        """`Dataset.rename_column` of each split."""

    @_each
    def rename_columns(self, column_mapping: dict[str, str]) -> Any:
        """`Dataset.rename_columns` of each split."""

    @_each
    def select_columns(self, column_names: str | list[str]) -> Any:
        """`Dataset.select_columns` of each split."""

    @_each
    def class_encode_column(self, column: str, include_nulls: bool = False) -> Any:
        """`Dataset.class_encode_column` of each split."""

    @_each
    def align_labels_with_mapping(self, label2id: dict[str, int], label_column: str) -> Any:
        """`Dataset.align_labels_with_mapping` of each split."""

    @_each
    def with_format(
        self, type: str | None = None, columns: list[str] | None = None, output_all_columns: bool = False, **format_kwargs: Any
    ) -> Any:
        """`Dataset.with_format` of each split."""

    @_each
    def with_transform(
        self, transform: Callable[..., Any] | None, columns: list[str] | None = None, output_all_columns: bool = False
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
        by_generator = generators if isinstance(generators, dict) else dict.fromkeys(self, generators)
        files = indices_cache_file_names or {}
        return DatasetDict(
            {
                split: ds.shuffle(
                    by_seed.get(split), by_generator.get(split), keep_in_memory, load_from_cache_file, files.get(split), writer_batch_size
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

    def formatted_as(self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any) -> Any:
        """`Dataset.formatted_as` of each split."""
        from contextlib import ExitStack, contextmanager

        @contextmanager
        def formatted() -> Iterator[None]:
            with ExitStack() as stack:
                for ds in self.values():
                    stack.enter_context(ds.formatted_as(type, columns, output_all_columns, **format_kwargs))
                yield

        self._check_values_type()
        return formatted()

    def set_format(self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any) -> None:
        """`Dataset.set_format` of each split."""
        self._check_values_type()
        for ds in self.values():
            ds.set_format(type, columns, output_all_columns, **format_kwargs)

    def reset_format(self) -> None:
        """`Dataset.reset_format` of each split."""
        self._check_values_type()
        for ds in self.values():
            ds.set_format()

    def set_transform(self, transform: Any, columns: Any = None, output_all_columns: bool = False) -> None:
        """`Dataset.set_transform` of each split."""
        self._check_values_type()
        for ds in self.values():
            ds.set_transform(transform, columns, output_all_columns)

    # ---------------------------------------------------------------------------------------------------------- files

    def save_to_disk(
        self,
        dataset_dict_path: Any,
        max_shard_size: Any = None,
        num_shards: dict[str, int] | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """`Dataset.save_to_disk` of each split, each into a folder of its name."""
        from rowstream.dataset.saving import file_system

        self._check_values_type()
        if num_shards is not None and not isinstance(num_shards, dict):
            raise InvalidArgumentError(
                "Please provide one `num_shards` per dataset in the dataset dictionary, e.g. {'train': 128, 'test': 4}"
            )
        fs, folder = file_system(os.fspath(dataset_dict_path), storage_options)
        if fs is None:
            folder = os.path.expanduser(folder)
            os.makedirs(folder, exist_ok=True)
        else:
            fs.makedirs(folder, exist_ok=True)
        for split, ds in self.items():
            ds.save_to_disk(
                f"{os.fspath(dataset_dict_path).rstrip('/')}/{split}",
                max_shard_size,
                (num_shards or {}).get(split),
                num_proc,
                storage_options,
            )
        name = f"{folder}/{config.DATASETDICT_JSON_FILENAME}"
        with open(name, "w", encoding="utf-8") if fs is None else fs.open(name, "w") as file:
            file.write(json.dumps({"splits": list(self)}))

    @staticmethod
    def load_from_disk(
        dataset_dict_path: Any, keep_in_memory: bool | None = None, storage_options: dict[str, Any] | None = None
    ) -> DatasetDict:
        """What `save_to_disk` wrote, of rowstream or of `datasets`."""
        from rowstream.dataset.saving import file_system, load_dataset_folder

        path = os.fspath(dataset_dict_path)
        fs, folder = file_system(path, storage_options)

        def there(name: str) -> bool:
            return os.path.isfile(f"{folder}/{name}") if fs is None else bool(fs.isfile(f"{folder}/{name}"))

        if not there(config.DATASETDICT_JSON_FILENAME):
            alone = there(config.DATASET_INFO_FILENAME) and there(config.DATASET_STATE_JSON_FILENAME)
            hint = "; it is a Dataset: use load_from_disk or Dataset.load_from_disk" if alone else ""
            raise DataFilesNotFoundError(
                f"No such file: '{folder}/{config.DATASETDICT_JSON_FILENAME}'. Expected to load a `DatasetDict` object{hint}"
            )
        name = f"{folder}/{config.DATASETDICT_JSON_FILENAME}"
        with open(name, encoding="utf-8") if fs is None else fs.open(name, "r") as file:
            splits = json.loads(file.read())["splits"]
        return DatasetDict({split: load_dataset_folder(f"{path.rstrip('/')}/{split}", keep_in_memory, storage_options) for split in splits})

    @staticmethod
    def _from(
        format: str, path_or_paths: dict[str, Any], features: Any, cache_dir: Any, keep_in_memory: bool, options: dict[str, Any]
    ) -> DatasetDict:
        from rowstream.load import load_dataset

        given = {key: value for key, value in options.items() if value is not None}
        made: DatasetDict = load_dataset(
            format, data_files=path_or_paths, features=features, cache_dir=cache_dir, keep_in_memory=keep_in_memory, **given
        )
        return made

    @staticmethod
    def from_csv(
        path_or_paths: dict[str, Any], features: Any = None, cache_dir: Any = None, keep_in_memory: bool = False, **kwargs: Any
    ) -> DatasetDict:
        """`Dataset.from_csv` of files by split."""
        return DatasetDict._from("csv", path_or_paths, features, cache_dir, keep_in_memory, kwargs)

    @staticmethod
    def from_json(
        path_or_paths: dict[str, Any], features: Any = None, cache_dir: Any = None, keep_in_memory: bool = False, **kwargs: Any
    ) -> DatasetDict:
        """`Dataset.from_json` of files by split."""
        return DatasetDict._from("json", path_or_paths, features, cache_dir, keep_in_memory, kwargs)

    @staticmethod
    def from_parquet(
        path_or_paths: dict[str, Any],
        features: Any = None,
        cache_dir: Any = None,
        keep_in_memory: bool = False,
        columns: Any = None,
        **kwargs: Any,
    ) -> DatasetDict:
        """`Dataset.from_parquet` of files by split."""
        return DatasetDict._from("parquet", path_or_paths, features, cache_dir, keep_in_memory, {"columns": columns, **kwargs})

    @staticmethod
    def from_text(
        path_or_paths: dict[str, Any], features: Any = None, cache_dir: Any = None, keep_in_memory: bool = False, **kwargs: Any
    ) -> DatasetDict:
        """`Dataset.from_text` of files by split."""
        return DatasetDict._from("text", path_or_paths, features, cache_dir, keep_in_memory, kwargs)

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
        """Uploads the splits to a data set of the Hub. Arguments as those of `Dataset.push_to_hub`."""
        self._check_values_type()
        self._check_values_features()
        if num_shards is not None and not isinstance(num_shards, dict):
            raise InvalidArgumentError(
                "Please provide one `num_shards` per dataset in the dataset dictionary, e.g. {'train': 128, 'test': 4}"
            )
        return push(
            dict(self), repo_id, config_name, set_default, data_dir, commit_message, commit_description, private, token, revision,
            create_pr, max_shard_size, {**(num_shards or {})}, whole=True,
        )  # fmt: skip
