"""`load_dataset`: from names of files to data sets."""

from __future__ import annotations

import os
from typing import Any

from rowstream import config
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.dataset.stream_splits import load_streams
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, UnsupportedError
from rowstream.plan.lock import read as read_lock
from rowstream.resolve.data_files import DataFiles  # noqa: TC001 - annotations can be evaluated
from rowstream.resolve.names import is_of_hub, meant
from rowstream.resolve.planning import info_of_files
from rowstream.resolve.request import request_of
from rowstream.splits.select import check_splits
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import origins
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
    """Load a data set of the Hub, of URLs or of local files: as rows by number, or as streams.

    Rows by number (`streaming=False`) are Arrow files that are mapped: local Arrow files where they
    lie, and of other formats a copy in the cache, made once by one pass of the core. Streams
    (`streaming=True`) read files as they are, and write nothing.

    Args:
        path: a data set of the Hub (`"org/name"`); a format (`"parquet"`, `"json"`,
            `"webdataset"`); a folder, file or URL, whose format is found from names and first
            bytes; or a subclass of `DatasetBuilder`.
        name: the configuration of a data set of the Hub; files have only `"default"`.
        data_dir: the folder that `data_files` are in; below `path` if that is a folder or a data
            set.
        data_files: a pattern, a list of them, or a dict of them by split. Patterns have `*`, `?`,
            `[…]`, `**`, `{a,b}` and `{000..099}`. Paths, or URLs: `https://`, `s3://`, `gs://`,
            `az://`, `hf://datasets/org/name@revision/…`, or of any file system of `fsspec`. Without
            it, splits are those of the card, or are found from the names in the folder.
        split: the split to give, a part of one (`"train[:10%]"`), several together
            (`"train+test"`), or a list of them; all of them, as a dict, if `None`.
        cache_dir: the folder of the cache. Rows by number: where Arrow files are made. Streams: a
            folder in which a stream keeps what it reads of other machines, for the next epoch and
            for other processes; nothing is kept if `None`.
        features: the types of the columns, in place of those that the files show. A
            `Value("string")` of JSON lines takes any value, as its JSON text.
        download_config: how a builder's own files are downloaded; nothing is downloaded for other
            data sets.
        download_mode: `"force_redownload"` makes the files of the cache anew.
        verification_mode: `"no_checks"` takes splits whose number of rows is not what the card
            says.
        keep_in_memory: read the rows into memory, rather than map them.
        save_infos: not used.
        revision: the branch, tag or commit of a data set of the Hub.
        token: the token for the Hub; `True` or `None`: that of `HF_TOKEN` or of `hf auth login`;
            `False`: none.
        streaming: whether to give streams.
        num_proc: processes of a builder's own code. Files are read on threads, whatever it is;
            streams refuse it.
        storage_options: options of the sources: credentials, endpoints, `timeout`, `retries`; by
            the names of fsspec's file systems or of the `object_store` crate. They are never part
            of what is pickled, but to start a process of this machine.
        **config_kwargs: options of the format, and those of rowstream: `columns`, the columns to
            read, where others are not touched (Parquet), or passed over (JSON); `infer="all"`,
            which finds the types of JSON from all rows, rather than from the first 10 MB of the
            first file and the first megabyte of each other; `cache_limit`, the bytes that a
            stream's cache may take, where what is wanted last goes first; `lock`, a file that
            `ds.lock(path)` wrote, whose files and versions are read exactly, and `path` is not
            needed.

    Returns:
        A `Dataset`, or an `IterableDataset` of a stream; a list of them if `split` is a list; a
        `DatasetDict` or an `IterableDatasetDict` if it is `None`.

    Raises:
        DataFilesNotFoundError: there are no such files.
        DatasetNotFoundError: there is no such data set of the Hub, or the token may not see it.
        FileFormatError: a file is not what its format says.
        NonMatchingSplitsSizesError: a split has not as many rows as the card says.
        SchemaError: the files' columns do not go together.
        UnsupportedError: the format, source or option is not there yet.

    Example:
        >>> ds = load_dataset("openai/gsm8k", "main", split="train")
        >>> ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
        >>> ds = load_dataset("my_folder", split="validation", streaming=True, columns=["text"])
    """
    if num_proc is not None and streaming:
        raise UnsupportedError(
            "num_proc does not apply to streams, which read on threads; leave it out"
        )
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
        builder = builder_of_class(
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
        if streaming:
            return builder.as_streaming_dataset(split)
        builder.download_and_prepare(
            None, download_config, download_mode, verification_mode, num_proc=num_proc
        )
        return builder.as_dataset(split, in_memory=bool(keep_in_memory))
    request = request_of(
        path, name, data_dir, data_files, features, revision, access, config_kwargs, streaming
    )
    if streaming:
        return load_streams(request, split)
    from rowstream.dataset.splits import load_prepared

    return load_prepared(
        request, split, cache_dir, keep_in_memory, download_mode, verification_mode
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
    """Return what `load_dataset` would load: its configuration, its files and what is known of it,
    without its rows.

    Arguments as those of `load_dataset`. Of files that no card describes, the head of the first is
    read for the features.

    Returns:
        A `DatasetBuilder`: `.info`, `.config.data_files`, `.download_and_prepare()`,
        `.as_dataset()`, `.as_streaming_dataset()`.

    Example:
        >>> builder = load_dataset_builder("openai/gsm8k", "main")
        >>> builder.info.features
        {'question': Value('string'), 'answer': Value('string')}
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
    """Return a builder of a class of this process."""
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
    """Return the `Dataset` or `DatasetDict` that `save_to_disk` wrote into a folder, of rowstream
    or of `datasets`.

    Args:
        dataset_path: the folder, or a URL of one.
        keep_in_memory: read it into memory, rather than map its files.
        storage_options: options of the file system of a URL.

    Raises:
        FileNotFoundError: it is no such folder.
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
            f"Directory {path} not found{meant(path) if fs is None else ''}"
        )
    if exists(config.DATASETDICT_JSON_FILENAME):
        return DatasetDict.load_from_disk(path, keep_in_memory, storage_options)
    if exists(config.DATASET_INFO_FILENAME) and exists(config.DATASET_STATE_JSON_FILENAME):
        return load_dataset_folder(Dataset, path, keep_in_memory, storage_options)
    raise DataFilesNotFoundError(
        f"Directory {path} is neither a `Dataset` directory nor a `DatasetDict` directory."
    )


def _of_lock(path: str | os.PathLike[str], split: Any, access: StorageOptions) -> Any:
    """Return the streams of a lock file's splits."""
    plans, label = read_lock(path, access)
    wanted = check_splits(split, list(plans))
    made = {
        one: IterableDataset(
            plans[one], info_of_files(plans[one], plans[one].listing["format"], label, one), one
        )
        for one in wanted
    }
    if split is None:
        return IterableDatasetDict(made)
    return [made[one] for one in wanted] if isinstance(split, list) else made[wanted[0]]
