"""Datasets saved to folders with `save_to_disk`, and loaded from them."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from rowstream import config
from rowstream.dataset.map_style.export import MapStyleExport
from rowstream.dataset.map_style.selection import RowSelection
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.features.convert import plain
from rowstream.fingerprint.caching import get_temporary_cache_files_directory
from rowstream.info import DatasetInfo
from rowstream.splits.names import Split
from rowstream.table.table import InMemoryTable, MemoryMappedTable, concat_tables
from rowstream.utils import progress
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.writers.arrow import ArrowWriter
from rowstream.writers.hub import UploadOptions, push, uploader
from rowstream.writers.target import file_system


class MapStyleSaving(RowSelection, MapStyleExport):
    """The methods that save datasets to folders and upload them to the Hub."""

    def save_to_disk(
        self,
        dataset_path: Any,
        max_shard_size: str | int | None = None,
        num_shards: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """Save the dataset to a folder of Arrow files, which `load_from_disk` memory-maps.

        `datasets` can load the folder too. The format and the fingerprint are saved with the rows;
        media files on this machine are embedded.

        Args:
            dataset_path: The path or URL of the folder, which is created if it does not exist.
            max_shard_size: The size of a file in bytes, or as text; `"500MB"` if `None`.
            num_shards: The number of files, instead of `max_shard_size`.
            num_proc: The number of files that are written at the same time, by threads.
            storage_options: Options of the file system of a URL, as fsspec has them.

        Raises:
            InvalidArgumentError: Both `max_shard_size` and `num_shards` are given, or the dataset
                has a search index.
            PermissionError: The dataset is memory-mapped from files in this folder.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"]}).save_to_disk("my_dataset")
            >>> load_from_disk("my_dataset")[0]
            {'text': 'a'}
        """
        if max_shard_size is not None and num_shards is not None:
            raise InvalidArgumentError(
                "Failed to push_to_hub: please specify either max_shard_size or num_shards, but not"
                " both."
            )
        if self.list_indexes():
            raise InvalidArgumentError(
                "please remove all the indexes using `dataset.drop_index` before saving a dataset"
            )
        size = self._estimate_nbytes()
        if num_shards is None:
            most = convert_file_size_to_int(max_shard_size or config.MAX_SHARD_SIZE)
            num_shards = max(1, min(max(size // most + 1, num_proc or 1), len(self) or 1))
        fs, folder = file_system(os.fspath(dataset_path), storage_options)
        if fs is None:
            folder = os.path.abspath(os.path.expanduser(folder))
            if folder in {
                os.path.dirname(os.path.realpath(one["filename"])) for one in self.cache_files
            }:
                raise PermissionError(
                    f"Tried to overwrite {folder} but a dataset can't overwrite itself."
                )
            os.makedirs(folder, exist_ok=True)
        else:
            fs.makedirs(folder, exist_ok=True)
        names = [f"data-{i:05d}-of-{num_shards:05d}.arrow" for i in range(num_shards)]
        keys = (
            "_fingerprint",
            "_format_columns",
            "_format_kwargs",
            "_format_type",
            "_output_all_columns",
        )
        state = {key: getattr(self, key) for key in keys}
        state["_split"] = None if self.split is None else str(self.split)
        state["_data_files"] = [{"filename": name} for name in names]
        for key, value in state["_format_kwargs"].items():
            try:
                json.dumps(value)
            except TypeError as error:
                raise TypeError(
                    f"{error}\nThe format kwargs must be JSON serializable, but key '{key}' isn't."
                ) from None

        def target(name: str, mode: str) -> Any:
            place = f"{folder}/{name}"
            return (
                open(place, mode, encoding=None if "b" in mode else "utf-8")
                if fs is None
                else fs.open(place, mode)
            )

        with progress.bar(len(self), f"Saving the dataset ({num_shards} shards)") as bar:

            def write(i: int) -> None:
                shard = self.shard(num_shards, i, contiguous=True) if num_shards > 1 else self
                with ExitStack() as stack:
                    place = (
                        {"path": f"{folder}/{names[i]}"}
                        if fs is None
                        else {"stream": stack.enter_context(target(names[i], "wb"))}
                    )
                    writer = stack.enter_context(
                        ArrowWriter(features=shard.features, embed_local_files=True, **place)
                    )
                    for start in range(0, len(shard), 1000):
                        table = shard._query(slice(start, start + 1000))
                        writer.write_table(table)
                        bar.update(table.num_rows)
                    writer.finalize()

            with ThreadPoolExecutor(num_proc or 1) as pool:
                list(pool.map(write, range(num_shards)))
        # What says that the folder is whole comes last.
        with target(config.DATASET_INFO_FILENAME, "w") as file:
            file.write(json.dumps(plain(self._info), indent=2, sort_keys=True))
        with target(config.DATASET_STATE_JSON_FILENAME, "w") as file:
            file.write(json.dumps(state, indent=2, sort_keys=True))

    def _upload(self, options: UploadOptions) -> Any:
        name = str(options.split or self.split or "train")
        shards = replace(options, num_shards={name: options.num_shards}, max_shard_size=None)
        return push({name: self}, shards if options.num_shards else options, whole=False)

    push_to_hub = uploader(_upload)


def load_dataset_folder(
    make: Any,
    dataset_path: Any,
    keep_in_memory: bool | None = None,
    storage_options: dict[str, Any] | None = None,
) -> Any:
    """Return the dataset, of the class `make`, that `save_to_disk` wrote to a folder."""
    path = os.fspath(dataset_path)
    fs, folder = file_system(path, storage_options)
    names = (config.DATASET_INFO_FILENAME, config.DATASET_STATE_JSON_FILENAME)

    def there(name: str) -> bool:
        return (
            os.path.isfile(f"{folder}/{name}")
            if fs is None
            else bool(fs.isfile(f"{folder}/{name}"))
        )

    missing = [name for name in names if not there(name)]
    if missing:
        several = there(config.DATASETDICT_JSON_FILENAME)
        hint = (
            "; it is a DatasetDict: use load_from_disk or DatasetDict.load_from_disk"
            if several
            else ""
        )
        raise DataFilesNotFoundError(
            f"{path} is no folder that save_to_disk wrote a Dataset into: it has no"
            f" {' and no '.join(missing)}. Expected to load a `Dataset` object{hint}"
        )
    if fs is not None:
        local = os.path.join(
            get_temporary_cache_files_directory(), folder.strip("/").replace("/", "--")
        )
        os.makedirs(local, exist_ok=True)
        for name in fs.ls(folder, detail=False):
            fs.get_file(name, os.path.join(local, os.path.basename(name)))
        folder = local
    with open(f"{folder}/{config.DATASET_STATE_JSON_FILENAME}", encoding="utf-8") as file:
        state = json.load(file)
    with open(f"{folder}/{config.DATASET_INFO_FILENAME}", encoding="utf-8") as file:
        info = DatasetInfo.from_dict(json.load(file))
    files = [f"{folder}/{one['filename']}" for one in state["_data_files"]]
    size = sum(os.path.getsize(one) for one in files)
    in_memory = (
        keep_in_memory
        if keep_in_memory is not None
        else bool(config.IN_MEMORY_MAX_SIZE) and size < config.IN_MEMORY_MAX_SIZE
    )
    kind = InMemoryTable if in_memory else MemoryMappedTable
    with ThreadPoolExecutor(min(16, max(1, len(files)))) as pool:
        tables = list(pool.map(kind.from_file, files))
    split = state.get("_split")
    result = make(
        concat_tables(tables),
        info=info,
        split=None if split is None else Split(split),
        fingerprint=state["_fingerprint"],
    )
    return result.with_format(
        state["_format_type"],
        state["_format_columns"],
        state["_output_all_columns"],
        **state["_format_kwargs"],
    )
