"""Dicts of map-style datasets by split, loaded from files and saved to them."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

from rowstream import config
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.map_style.disk import load_dataset_folder
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.prepare.files import prepare_files
from rowstream.resolve.csv_options import said
from rowstream.writers.hub import UploadOptions, push, uploader
from rowstream.writers.target import file_system


class DatasetDictBase(dict[str, Any]):
    """A dict of map-style datasets by split, with checks of its values."""

    def _check_values_type(self) -> None:
        for ds in self.values():
            if not isinstance(ds, Dataset):
                raise TypeError(
                    f"Values in `DatasetDict` should be of type `Dataset` but got type '{type(ds)}'"
                )

    def _check_values_features(self) -> None:
        items = list(self.items())
        for (one, ds), (other, after) in itertools.pairwise(items):
            if ds.features != after.features:
                raise InvalidArgumentError(
                    "All datasets in `DatasetDict` should have the same features but features for"
                    f" '{one}' and '{other}' don't match: {ds.features} != {after.features}"
                )


def _from_files(
    format: str,
    path_or_paths: dict[str, Any],
    features: Any,
    cache_dir: Any,
    keep_in_memory: bool,
    options: dict[str, Any],
) -> Any:
    given = said(options)
    return Dataset._dict_class(
        prepare_files(Dataset, format, path_or_paths, features, cache_dir, keep_in_memory, given)
    )


class DatasetDictFiles(DatasetDictBase):
    """The methods that load datasets by split from files, save them and upload them."""

    def save_to_disk(
        self,
        dataset_dict_path: Any,
        max_shard_size: Any = None,
        num_shards: dict[str, int] | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """Save each split to a folder of its name, which `load_from_disk` memory-maps.

        Args:
            dataset_dict_path: The path or URL of the folder that the folders of the splits are in.
            max_shard_size: As in `Dataset.save_to_disk`.
            num_shards: The number of files of each split, by split, instead of `max_shard_size`.
            num_proc, storage_options: As in `Dataset.save_to_disk`.

        Raises:
            InvalidArgumentError: `num_shards` is not a dict, or as in `Dataset.save_to_disk`.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
            >>> DatasetDict({"train": ds.take(2), "test": ds.skip(2)}).save_to_disk("my_dataset")
            >>> load_from_disk("my_dataset").num_rows
            {'train': 2, 'test': 1}
        """
        self._check_values_type()
        if num_shards is not None and not isinstance(num_shards, dict):
            raise InvalidArgumentError(
                "Please provide one `num_shards` per dataset in the dataset dictionary, e.g."
                " {'train': 128, 'test': 4}"
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
        dataset_dict_path: Any,
        keep_in_memory: bool | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> Any:
        """Load the splits that `save_to_disk` wrote, of rowstream or of `datasets`.

        Args:
            dataset_dict_path: The path or URL of the folder.
            keep_in_memory, storage_options: As in `Dataset.load_from_disk`.

        Raises:
            DataFilesNotFoundError: The folder has no saved `DatasetDict`.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"]})
            >>> DatasetDict({"train": ds}).save_to_disk("my_dataset")
            >>> DatasetDict.load_from_disk("my_dataset")["train"][1]
            {'text': 'b'}
        """
        path = os.fspath(dataset_dict_path)
        fs, folder = file_system(path, storage_options)

        def there(name: str) -> bool:
            return (
                os.path.isfile(f"{folder}/{name}")
                if fs is None
                else bool(fs.isfile(f"{folder}/{name}"))
            )

        if not there(config.DATASETDICT_JSON_FILENAME):
            alone = there(config.DATASET_INFO_FILENAME) and there(
                config.DATASET_STATE_JSON_FILENAME
            )
            hint = (
                "; it is a Dataset: use load_from_disk or Dataset.load_from_disk" if alone else ""
            )
            raise DataFilesNotFoundError(
                f"No such file: '{folder}/{config.DATASETDICT_JSON_FILENAME}'. Expected to load a"
                f" `DatasetDict` object{hint}"
            )
        name = f"{folder}/{config.DATASETDICT_JSON_FILENAME}"
        with open(name, encoding="utf-8") if fs is None else fs.open(name, "r") as file:
            splits = json.loads(file.read())["splits"]
        return Dataset._dict_class(
            {
                split: load_dataset_folder(
                    Dataset, f"{path.rstrip('/')}/{split}", keep_in_memory, storage_options
                )
                for split in splits
            }
        )

    @staticmethod
    def from_csv(
        path_or_paths: dict[str, Any],
        features: Any = None,
        cache_dir: Any = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load CSV files by split, as in `Dataset.from_csv`.

        Args:
            path_or_paths: The path, glob pattern or URL of each split, or a list of them, by split.
            features, cache_dir, keep_in_memory, **kwargs: As in `Dataset.from_csv`.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}).to_csv("train.csv")
            19
            >>> DatasetDict.from_csv({"train": "train.csv"})["train"][1]
            {'text': 'b', 'label': 1}
        """
        return _from_files("csv", path_or_paths, features, cache_dir, keep_in_memory, kwargs)

    @staticmethod
    def from_json(
        path_or_paths: dict[str, Any],
        features: Any = None,
        cache_dir: Any = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load JSON or JSON Lines files by split, as in `Dataset.from_json`.

        Args:
            path_or_paths: As in `from_csv`.
            features, cache_dir, keep_in_memory, **kwargs: As in `Dataset.from_json`.

        Example:
            >>> write_jsonl("train.jsonl", [{"text": "a"}, {"text": "b"}])
            2
            >>> DatasetDict.from_json({"train": "train.jsonl"})["train"][1]
            {'text': 'b'}
        """
        return _from_files("json", path_or_paths, features, cache_dir, keep_in_memory, kwargs)

    @staticmethod
    def from_parquet(
        path_or_paths: dict[str, Any],
        features: Any = None,
        cache_dir: Any = None,
        keep_in_memory: bool = False,
        columns: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Load Parquet files by split, as in `Dataset.from_parquet`.

        Args:
            path_or_paths: As in `from_csv`.
            features, cache_dir, keep_in_memory, columns, **kwargs: As in `Dataset.from_parquet`.

        Example:
            >>> _ = Dataset.from_dict({"id": [1], "text": ["a"]}).to_parquet("train.parquet")
            >>> DatasetDict.from_parquet({"train": "train.parquet"}, columns=["text"])["train"][0]
            {'text': 'a'}
        """
        return _from_files(
            "parquet",
            path_or_paths,
            features,
            cache_dir,
            keep_in_memory,
            {"columns": columns, **kwargs},
        )

    @staticmethod
    def from_text(
        path_or_paths: dict[str, Any],
        features: Any = None,
        cache_dir: Any = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load text files by split into a column `text`, as in `Dataset.from_text`.

        Args:
            path_or_paths: As in `from_csv`.
            features, cache_dir, keep_in_memory, **kwargs: As in `Dataset.from_text`.

        Example:
            >>> with open("notes.txt", "w") as file:
            ...     _ = file.write("first line")
            >>> DatasetDict.from_text({"train": "notes.txt"})["train"][0]
            {'text': 'first line'}
        """
        return _from_files("text", path_or_paths, features, cache_dir, keep_in_memory, kwargs)

    def _upload(self, options: UploadOptions) -> Any:
        self._check_values_type()
        self._check_values_features()
        if options.num_shards is not None and not isinstance(options.num_shards, dict):
            raise InvalidArgumentError(
                "Please provide one `num_shards` per dataset in the dataset dictionary, e.g."
                " {'train': 128, 'test': 4}"
            )
        return push(dict(self), options, whole=True)

    push_to_hub = uploader(_upload, several=True)
