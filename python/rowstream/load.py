"""`load_dataset` and what else loads datasets from files, the Hub and folders."""

from __future__ import annotations

import os
from typing import Any

from rowstream import config
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, UnsupportedError
from rowstream.packaged.requested import load_request
from rowstream.plan.lock import read as read_lock
from rowstream.resolve.data_files import DataFiles  # noqa: TC001 - annotations can be evaluated
from rowstream.resolve.names import is_of_hub, meant
from rowstream.resolve.planning import info_of_files
from rowstream.resolve.request import request_of
from rowstream.splits.select import check_splits
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import origins
from rowstream.storage.urls import shown
from rowstream.writers.target import file_system


def load_dataset(
    path: Any = "",
    name: str | None = None,
    data_dir: str | None = None,
    data_files: DataFiles | None = None,
    split: str | list[str] | None = None,
    cache_dir: str | None = None,
    features: Any = None,
    download_config: Any = None,
    download_mode: Any = None,
    verification_mode: Any = None,
    keep_in_memory: bool | None = None,
    save_infos: bool = False,
    revision: str | None = None,
    token: bool | str | None = None,
    streaming: bool = False,
    num_proc: int | None = None,
    storage_options: dict[str, Any] | None = None,
    **config_kwargs: Any,
) -> Any:
    """Load a dataset of the Hub, of URLs or of local files, as a map-style dataset or as a stream.

    A map-style dataset (`streaming=False`) consists of memory-mapped Arrow files: local Arrow files
    where they are, and for other formats a copy in the cache, which is written once. A stream
    (`streaming=True`) reads the files as they are and, without `cache_dir`, writes nothing.

    Args:
        path: A dataset of the Hub (`"org/name"`); a format (`"parquet"`, `"json"`, `"webdataset"`);
            a folder, file or URL, whose format is detected from names and first bytes; or a
            subclass of `DatasetBuilder`.
        name: The configuration of a dataset of the Hub, a folder with a card or a builder; other
            files only have `"default"`.
        data_dir: The folder of `data_files`, relative to `path` if that is a folder or a dataset.
        data_files: A pattern, a list of them, or a dict of them by split. Patterns have `*`, `?`,
            `[…]`, `**`, `{a,b}` and `{000..099}`. They are paths, or URLs: `https://`, `s3://`,
            `gs://`, `az://`, `hf://datasets/org/name@revision/…`, or of any file system of
            `fsspec`. Without it, splits come from the card or from the names in the folder.
        split: The name of a split, a slice (`"train[:10%]"`), several splits (`"train+test"`), or a
            list of these; all splits, as a dict, if `None`. Streams of a builder's code have no
            slices and lists.
        cache_dir: The folder of the cache. For map-style datasets, the folder for Arrow files. For
            streams, a folder for what is read over the network, for later epochs and other
            processes; by default, a stream has no cache.
        features: The features, instead of those detected in the files. A `Value("string")` of JSON
            takes any value, as JSON text.
        download_config: How a builder's code downloads files; for other datasets only its token is
            used, if `token` is `None`.
        download_mode: `"force_redownload"` writes the files in the cache again.
        verification_mode: `"no_checks"` accepts a split whose number of rows differs from the card.
        keep_in_memory: Read the rows into memory instead of memory-mapping the files.
        save_infos: Accepted, without effect.
        revision: A branch, tag or commit of a dataset of the Hub.
        token: The token for the Hub; with `True` or `None` that of `HF_TOKEN` or `hf auth login`;
            with `False` none.
        streaming: Return streams instead of map-style datasets.
        num_proc: The number of processes for a builder's code. Files are always read by threads;
            streams do not accept it.
        storage_options: Options of the sources, such as credentials, endpoints, `timeout` and
            `retries`, with the names of fsspec or of the crate `object_store`. They are not
            pickled, except to start a process of this machine.
        **config_kwargs: Options of the format, and these of rowstream: `columns`, the columns to
            read (the data of others are not read in Parquet files, and skipped in JSON);
            `infer="all"`, to detect the types of JSON from all rows instead of the first 10 MB of
            the first file and the first megabyte of each other file; `cache_limit`, the size of a
            stream's cache in bytes, from which the least recently used data are removed; `lock`, a
            file written by `ds.lock(path)`, to read exactly its files in their versions (`path` is
            not needed then).

    Returns:
        A `Dataset`, or an `IterableDataset` with `streaming=True`; a list of them for a list of
        splits; a `DatasetDict` or `IterableDatasetDict` if `split` is `None`.

    Raises:
        DataFilesNotFoundError: There are no such files.
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.
        FileFormatError: A file is damaged, or not of the format.
        InvalidArgumentError: The configuration, the split or an option does not exist, or none is
            chosen of several configurations.
        NonMatchingSplitsSizesError: A split does not have as many rows as the card says.
        SchemaError: The columns or types of the files do not fit together.
        UnsupportedError: The format, source or option is not supported.

    Example:
        >>> write_jsonl("train.jsonl", [{"text": "a"}, {"text": "b"}])
        2
        >>> ds = load_dataset("json", data_files="train.jsonl", split="train")
        >>> ds[0]
        {'text': 'a'}
        >>> ds = load_dataset("json", data_files="train.jsonl", split="train", streaming=True)
        >>> next(iter(ds))
        {'text': 'a'}
        >>> ds = load_dataset("openai/gsm8k", "main", split="train")  # doctest: +SKIP
    """
    if num_proc is not None and streaming:
        raise UnsupportedError(
            "num_proc does not apply to streams, which read on threads; leave it out"
        )
    if token is None and download_config is not None:
        token = download_config.token
    limit = config_kwargs.pop("cache_limit", None)
    kept = None if cache_dir is None else os.fspath(cache_dir)
    access = StorageOptions(
        token,
        storage_options,
        kept if streaming else None,
        limit,
        origins=origins(path, data_dir, data_files),
    )
    if (locked := config_kwargs.pop("lock", None)) is not None:
        return _of_lock(locked, split, access)
    if isinstance(path, type):
        builder = load_dataset_builder(
            path,
            name,
            data_dir,
            data_files,
            cache_dir,
            features,
            token=token,
            storage_options=storage_options,
            **config_kwargs,
        )
        if streaming:
            return builder.as_streaming_dataset(split)
        builder.download_and_prepare(
            None, download_config, download_mode, verification_mode, num_proc=num_proc
        )
        return builder.as_dataset(split, in_memory=bool(keep_in_memory))
    if path == "iceberg":
        from rowstream.packaged.iceberg import load_iceberg

        return load_iceberg(
            streaming=streaming,
            features=features,
            split=split,
            cache_dir=cache_dir,
            keep_in_memory=keep_in_memory,
            **config_kwargs,
        )
    request = request_of(
        path, name, data_dir, data_files, features, revision, access, config_kwargs, streaming
    )
    return load_request(
        request,
        split,
        streaming=streaming,
        cache_dir=cache_dir,
        keep_in_memory=keep_in_memory,
        mode=download_mode,
        checks=verification_mode,
    )


def load_dataset_builder(
    path: Any,
    name: str | None = None,
    data_dir: str | None = None,
    data_files: DataFiles | None = None,
    cache_dir: str | None = None,
    features: Any = None,
    download_config: Any = None,
    download_mode: Any = None,
    revision: str | None = None,
    token: bool | str | None = None,
    storage_options: dict[str, Any] | None = None,
    **config_kwargs: Any,
) -> Any:
    """Return the builder of what `load_dataset` would load, with the description but no rows.

    If no card has the features, the beginning of the first file is read for them.

    Args:
        path: A dataset, format, folder, file or URL, or a class, as in `load_dataset`.
        name: The name of the configuration.
        data_dir: As in `load_dataset`.
        data_files: As in `load_dataset`.
        cache_dir: As in `load_dataset`.
        features: As in `load_dataset`.
        download_config: Only its token is used, if `token` is `None`.
        download_mode: Accepted, without effect.
        revision: As in `load_dataset`.
        token: As in `load_dataset`.
        storage_options: As in `load_dataset`.
        config_kwargs: As in `load_dataset`.

    Returns:
        A `DatasetBuilder`, with the attributes `info` and `config` and the methods
        `download_and_prepare`, `as_dataset` and `as_streaming_dataset`.

    Raises:
        DataFilesNotFoundError: There are no such files.
        DatasetNotFoundError: The Hub has no such dataset, or the token has no access.
        InvalidArgumentError: The configuration does not exist, or none is chosen of several.

    Example:
        >>> write_jsonl("train.jsonl", [{"text": "a"}])
        1
        >>> builder = load_dataset_builder("json", data_files="train.jsonl")
        >>> builder.info.features
        {'text': Value('string')}
    """
    from rowstream.builder.files import FilesBuilder

    if isinstance(path, type):
        return builder_of_class(
            path,
            name,
            cache_dir,
            features,
            token,
            data_files,
            data_dir,
            storage_options,
            config_kwargs,
        )
    if download_config is not None and token is None:
        token = download_config.token
    access = StorageOptions(token, storage_options, origins=origins(path, data_dir, data_files))
    request = request_of(
        path, name, data_dir, data_files, features, revision, access, config_kwargs, streaming=False
    )
    hub = path if is_of_hub(os.fspath(path), data_files, data_dir) else None
    return FilesBuilder(request, cache_dir, hub, token, storage_options)


def builder_of_class(
    of: Any,
    name: Any,
    cache_dir: Any,
    features: Any,
    token: Any,
    data_files: Any,
    data_dir: Any,
    storage_options: Any,
    config_kwargs: dict[str, Any],
) -> Any:
    """Return a builder of a user's class."""
    from rowstream.builder.builder import DatasetBuilder

    if not issubclass(of, DatasetBuilder):
        raise InvalidArgumentError(
            f"load_dataset takes a name, a path or a subclass of DatasetBuilder, found {of!r}"
        )
    return of(
        cache_dir=cache_dir,
        config_name=name,
        features=features,
        token=token,
        data_files=data_files,
        data_dir=data_dir,
        storage_options=storage_options,
        **config_kwargs,
    )


def load_from_disk(
    dataset_path: Any,
    keep_in_memory: bool | None = None,
    storage_options: dict[str, Any] | None = None,
) -> Any:
    """Load a `Dataset` or `DatasetDict` that `save_to_disk` of rowstream or `datasets` wrote.

    Args:
        dataset_path: The path or URL of the folder.
        keep_in_memory: Read the rows into memory instead of memory-mapping the files.
        storage_options: Options of the file system of a URL.

    Raises:
        DataFilesNotFoundError: There is no such folder, or it is of another kind.

    Example:
        >>> Dataset.from_dict({"text": ["a", "b"]}).save_to_disk("my_dataset")
        >>> load_from_disk("my_dataset")[0]
        {'text': 'a'}
    """
    from rowstream.dataset.map_style import Dataset
    from rowstream.dataset.map_style.dataset_dict import DatasetDict
    from rowstream.dataset.map_style.disk import load_dataset_folder

    path = os.fspath(dataset_path)
    fs, folder = file_system(path, storage_options)
    exists = (
        (lambda name: os.path.isfile(f"{folder}/{name}"))
        if fs is None
        else (lambda name: fs.isfile(f"{folder}/{name}"))
    )
    if not (os.path.exists(folder) if fs is None else fs.exists(folder)):
        raise DataFilesNotFoundError(
            f"Directory {shown(str(path))} not found{meant(path) if fs is None else ''}"
        )
    if exists(config.DATASETDICT_JSON_FILENAME):
        return DatasetDict.load_from_disk(path, keep_in_memory, storage_options)
    if exists(config.DATASET_INFO_FILENAME) and exists(config.DATASET_STATE_JSON_FILENAME):
        return load_dataset_folder(Dataset, path, keep_in_memory, storage_options)
    raise DataFilesNotFoundError(
        f"Directory {shown(str(path))} is neither a `Dataset` directory nor a `DatasetDict`"
        " directory."
    )


def _of_lock(path: str | os.PathLike[str], split: Any, access: StorageOptions) -> Any:
    """Return the streams of the splits in a lock file."""
    plans, label = read_lock(path, access)
    wanted = check_splits(split, list(plans))
    result = {
        one: IterableDataset(
            plans[one], info_of_files(plans[one], plans[one].listing["format"], label, one), one
        )
        for one in wanted
    }
    if split is None:
        return IterableDatasetDict(result)
    return [result[one] for one in wanted] if isinstance(split, list) else result[wanted[0]]
