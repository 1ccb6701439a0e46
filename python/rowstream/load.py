"""`load_dataset`: from names of files to data sets."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.access import Access
from rowstream.dataset import IterableDataset, IterableDatasetDict, concatenate_datasets
from rowstream.dataset.build import informed, planned
from rowstream.dataset.combine import concatenate_map_style
from rowstream.dataset.dicts import DatasetDict
from rowstream.downloads import DownloadMode, VerificationMode
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features import features_from_schema
from rowstream.features.card import features_of_card
from rowstream.features.schema import schema_from_features
from rowstream.features.types import ClassLabel, Features, Json, Value, has_labels, visit
from rowstream.features.types import modern as _modern
from rowstream.lock import read as read_lock
from rowstream.resolve import formats
from rowstream.resolve.builders import Reading, reading
from rowstream.resolve.hub import Repo, configuration, folder
from rowstream.resolve.instructions import Instruction, instructions
from rowstream.resolve.names import format_named, is_of_hub, meant, named_repo
from rowstream.resolve.splits import by_split
from rowstream.resolve.urls import Places, is_url, origins, without_query
from rowstream.splits import ReadInstruction, SplitDict, SplitInfo, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    DataFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]

# Options that leave no row out.
_WHOLE = frozenset(("columns", "usecols", "infer", "dtype", "sep", "delimiter", "encoding"))
_SPLIT = re.compile(r"\w+(\.\w+)*")


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
    """Loads a data set of the Hub, of URLs or of local files: as rows by number, or as streams.

    Rows by number (`streaming=False`) are Arrow files that are mapped: local Arrow files where they lie, and of other formats a copy in
    the cache, made once by one pass of the core. Streams (`streaming=True`) read files as they are, and write nothing.

    Args:
        path: a data set of the Hub (`"org/name"`); a format (`"parquet"`, `"json"`, `"webdataset"`); a folder, file or URL, whose
            format is found from names and first bytes; or a subclass of `DatasetBuilder`.
        name: the configuration of a data set of the Hub; files have only `"default"`.
        data_dir: the folder that `data_files` are in; below `path` if that is a folder or a data set.
        data_files: a pattern, a list of them, or a dict of them by split. Patterns have `*`, `?`, `[…]`, `**`,
            `{a,b}` and `{000..099}`. Paths, or URLs: `https://`, `s3://`, `gs://`, `az://`, `hf://datasets/org/name@revision/…`, or of any
            file system of `fsspec`. Without it, splits are those of the card, or are found from the names in the folder.
        split: the split to give, a part of one (`"train[:10%]"`), several together (`"train+test"`), or a list of them; all of them, as
            a dict, if `None`.
        cache_dir: the folder of the cache. Rows by number: where Arrow files are made. Streams: a folder in which a stream keeps what
            it reads of other machines, for the next epoch and for other processes; nothing is kept if `None`.
        features: the types of the columns, in place of those that the files show. A `Value("string")` of JSON lines takes any value, as
            its JSON text.
        download_config: how a builder's own files are downloaded; nothing is downloaded for other data sets.
        download_mode: `"force_redownload"` makes the files of the cache anew.
        verification_mode: `"no_checks"` takes splits whose number of rows is not what the card says.
        keep_in_memory: read the rows into memory, rather than map them.
        save_infos: not used.
        revision: the branch, tag or commit of a data set of the Hub.
        token: the token for the Hub; `True` or `None`: that of `HF_TOKEN` or of `hf auth login`; `False`: none.
        streaming: whether to give streams.
        num_proc: processes of a builder's own code. Files are read on threads, whatever it is; streams refuse it.
        storage_options: options of the sources: credentials, endpoints, `timeout`, `retries`; by the names of fsspec's file systems or
            of the `object_store` crate. They are never part of what is pickled, but to start a process of this machine.
        **config_kwargs: options of the format, and those of rowstream: `columns`, the columns to read, where others are not touched
            (Parquet), or passed over (JSON); `infer="all"`, which finds the types of JSON from all rows, rather than from the first
            10 MB of the first file and the first megabyte of each other; `cache_limit`, the bytes that a stream's cache may take,
            where what is wanted last goes first; `lock`, a file that `ds.lock(path)` wrote,
            whose files and versions are read exactly, and `path` is not needed.

    Returns:
        A `Dataset`, or an `IterableDataset` of a stream; a list of them if `split` is a list; a `DatasetDict` or an
        `IterableDatasetDict` if it is `None`.

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
        raise UnsupportedError("num_proc does not apply to streams, which read on threads; leave it out")
    limit = config_kwargs.pop("cache_limit", None)
    kept = None if cache_dir is None else os.fspath(cache_dir)
    access = Access(token, storage_options, kept if streaming else None, limit, origins=origins(path, data_dir, data_files))
    if (locked := config_kwargs.pop("lock", None)) is not None:
        return _of_lock(locked, split, access)
    if isinstance(path, type):
        builder = _of_class(path, name, cache_dir, features, token, data_files, data_dir, storage_options, config_kwargs)
        if streaming:
            return builder.as_streaming_dataset(split)
        builder.download_and_prepare(None, download_config, download_mode, verification_mode, num_proc=num_proc)
        return builder.as_dataset(split, in_memory=bool(keep_in_memory))
    request = requested(path, name, data_dir, data_files, features, revision, access, config_kwargs, streaming)
    return request.streamed(split) if streaming else request.prepared(split, cache_dir, keep_in_memory, download_mode, verification_mode)


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
    """What `load_dataset` would load: its configuration, its files and what is known of it, without its rows.

    Arguments as those of `load_dataset`. Of files that no card describes, the head of the first is read for the features.

    Returns:
        A `DatasetBuilder`: `.info`, `.config.data_files`, `.download_and_prepare()`, `.as_dataset()`, `.as_streaming_dataset()`.

    Example:
        >>> builder = load_dataset_builder("openai/gsm8k", "main")
        >>> builder.info.features
        {'question': Value('string'), 'answer': Value('string')}
    """
    from rowstream.inspect import FilesBuilder

    if isinstance(path, type):
        return _of_class(path, name, cache_dir, features, token, data_files, data_dir, storage_options, config_kwargs)
    if download_config is not None and token is None:
        token = download_config.token
    access = Access(token, storage_options, origins=origins(path, data_dir, data_files))
    request = requested(path, name, data_dir, data_files, features, revision, access, config_kwargs, streaming=False)
    hub = path if is_of_hub(os.fspath(path), data_files, data_dir) else None
    return FilesBuilder(request, cache_dir, hub, token, storage_options)


def _of_class(
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
    """A builder of a class of this process."""
    from rowstream.builder import DatasetBuilder

    if not issubclass(of, DatasetBuilder):
        raise InvalidArgumentError(f"load_dataset takes a name, a path or a subclass of DatasetBuilder, found {of!r}")
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


@dataclass
class Request:
    """What is to be loaded: which files, and how they are read."""

    how: Reading
    found: _Found
    declared: Features | None
    plain: Reading

    @property
    def counts(self) -> Any:
        """The splits as the card counts them; nothing of it where a caller's options may leave rows out."""
        return SplitDict() if self.found.cut else SplitDict.of_card(self.found.info.get("splits"))

    def prepared(self, split: Any, cache_dir: Any, keep_in_memory: bool | None, mode: Any = None, checks: Any = None) -> Any:
        """Map-style data sets."""
        anew = mode is not None and DownloadMode(mode) is DownloadMode.FORCE_REDOWNLOAD
        checked = VerificationMode(checks or VerificationMode.BASIC_CHECKS) is not VerificationMode.NO_CHECKS
        counts = self.counts if checked else None
        try:
            return _prepared(self.how, self.found, split, cache_dir, self.declared, keep_in_memory, anew, counts)
        except (SchemaError, UnsupportedError) as error:
            if self.declared is None or self.found.format not in ("json", "csv"):
                raise
            from pyarrow import ArrowInvalid

            # Values that are not of the types that are wanted, and become so: they are read as they are, and cast.
            try:
                return _prepared(self.plain, self.found, split, cache_dir, self.declared, keep_in_memory, anew, counts)
            except ArrowInvalid as wrong:
                raise error from wrong

    def streamed(self, split: Any) -> Any:
        """Streams."""
        how, found, by_split_ = self.how, self.found, dict(self.found.files)
        if split is not None:
            several = split if isinstance(split, list) else [split]
            parts_of = {str(one): sliced for one in several if (sliced := instructions(str(one)))}
            if parts_of:
                made = {one: _sliced(how, parts, found, one) for one, parts in parts_of.items()}
                rest = [one for one in several if str(one) not in parts_of]
                by_split_ |= {one: [f for part in _parts(one, list(by_split_)) for f in by_split_[part]] for one in _several(rest)}
                names = _wanted(rest, list(by_split_)) if rest else []
                made |= {one: stream_of(how, found, by_split_[one], one) for one in names}
                return [made[str(one)] for one in split] if isinstance(split, list) else made[str(split)]
            # Splits together: "train+test", "all".
            by_split_ |= {one: [f for part in _parts(one, list(by_split_)) for f in by_split_[part]] for one in _several(split)}
        wanted = _wanted(split, list(by_split_))
        made = _streams(how, found, {one: by_split_[one] for one in wanted})
        if split is None:
            return IterableDatasetDict(made)
        return [made[one] for one in split] if isinstance(split, list) else made[wanted[0]]


def requested(
    path: Any,
    name: str | None,
    data_dir: str | None,
    data_files: DataFiles | None,
    features: Any,
    revision: str | None,
    access: Access,
    config_kwargs: dict[str, Any],
    streaming: bool,
) -> Request:
    """The files that arguments name, and how they are read."""
    found = _files(os.fspath(path), name, data_dir, data_files, revision, Places(access))
    if format_named(path, data_files, data_dir) is not None:
        tabs = path == "tsv"
    else:
        tabs = found.format == "csv" and all(_of_tabs(file) for files in found.files.values() for file in files)
    if tabs:
        config_kwargs.setdefault("sep", "\t")
    # What only says which columns there are, and of which types, leaves no row out.
    found.cut = bool(config_kwargs.keys() - _WHOLE)
    declared = None if features is None else Features(_modern(features))
    options = {**found.options, **config_kwargs}
    if declared is None or streaming or found.format not in ("json", "csv"):
        # Other formats say the types of their values, which are cast afterwards; but a condition is one of labels, not of their names.
        conditions = options.get("filters") is not None and has_labels(declared)
        how = reading(found.format, dict(options), declared if streaming or conditions else None)
        return Request(how, found, declared, how)
    if found.format == "json":
        return Request(reading("json", dict(options), declared), found, declared, reading("json", dict(options), None))
    # What is declared is not guessed from a text, so that 007 stays that where strings are wanted. Lists and the like are texts first.
    texts = Features({name: of if isinstance(of, (Value, ClassLabel)) else Value("string") for name, of in declared.items()})
    strings = {name: Value("string") for name, of in texts.items() if isinstance(of, ClassLabel) or of.dtype.endswith("string")}
    plain = reading("csv", {**options, "dtype": {**strings, **options.get("dtype", {})}}, None)
    return Request(reading("csv", dict(options), texts), found, declared, plain)


def _prepared(
    how: Reading, found: _Found, split: Any, cache_dir: Any, features: Any, keep_in_memory: bool | None, anew: bool, counts: Any
) -> Any:
    """Map-style data sets of files: the splits that are asked for."""
    from rowstream.dataset.prepared import of_plan

    names = list(found.files) if split is None else _used(list(found.files), split)
    made: dict[str, Any] = {}
    if features is not None and how.columns is not None:
        # Of the features, those of the columns that are asked for.
        chosen = [name for name in how.columns if name in features]
        features = Features({name: features[name] for name in chosen}) if len(chosen) == len(how.columns) else features
    files = 0
    for name, stream in _streams(how, found, {name: found.files[name] for name in names}).items():
        made[name] = of_plan(stream._plan, stream.info, name, cache_dir, features, keep_in_memory, anew)
        files += stream.info.download_size or 0
    splits = SplitDict(dataset_name=found.label)
    for name, ds in made.items():
        splits.add(SplitInfo(name, num_bytes=ds._data.nbytes, num_examples=len(ds), dataset_name=found.label))
    if counts:
        from rowstream.builder import verify_sizes

        verify_sizes(counts, splits)
    size = sum(one.num_bytes for one in splits.values())
    for ds in made.values():
        ds.info.splits, ds.info.config_name, ds.info.dataset_name = splits.copy(), found.config, found.label
        ds.info.download_size, ds.info.dataset_size, ds.info.size_in_bytes = files, size, files + size
    if split is None:
        return DatasetDict(made)
    return chosen_splits(made, split, list(found.files))


def _asked(split: Any) -> list[tuple[Any, list[Instruction]]]:
    """The splits that are asked for, each with its parts."""
    several = list(split) if isinstance(split, (list, tuple)) else [split]
    return [(one, one.parts if isinstance(one, ReadInstruction) else _instructions(str(one))) for one in several]


def _used(there: list[str], split: Any) -> list[str]:
    """The splits that others are made of."""
    used = dict.fromkeys(name for _, parts in _asked(split) for part in parts for name in (there if part.split == "all" else [part.split]))
    for name in used:
        if name not in there:
            raise InvalidArgumentError(f'Unknown split "{name}". Should be one of {there}.')
    return list(used)


def chosen_splits(made: dict[str, Any], split: Any, there: list[str] | None = None) -> Any:
    """Splits, parts of them and several together, of map-style splits."""
    there = list(made) if there is None else there
    _used(there, split)

    def part(one: Any, parts: list[Instruction]) -> Any:
        some = []
        for instruction in parts:
            for name in there if instruction.split == "all" else [instruction.split]:
                ds = made[name]
                if instruction.sliced:
                    start, stop = instruction.rows(len(ds))
                    ds = ds.select(range(start, max(start, stop)))
                some.append(ds)
        ds = some[0] if len(some) == 1 else concatenate_map_style(some, some[0].info)
        return ds._copy(_split=named(str(one)))

    result = [part(one, parts) for one, parts in _asked(split)]
    return result if isinstance(split, (list, tuple)) else result[0]


def _instructions(split: str) -> list[Instruction]:
    return instructions(split) or [Instruction(name.strip()) for name in split.split("+")]


def load_from_disk(dataset_path: Any, keep_in_memory: bool | None = None, storage_options: dict[str, Any] | None = None) -> Any:
    """The `Dataset` or `DatasetDict` that `save_to_disk` wrote into a folder, of rowstream or of `datasets`.

    Args:
        dataset_path: the folder, or a URL of one.
        keep_in_memory: read it into memory, rather than map its files.
        storage_options: options of the file system of a URL.

    Raises:
        FileNotFoundError: it is no such folder.
    """
    from rowstream import config
    from rowstream.dataset.saving import file_system, load_dataset_folder

    path = os.fspath(dataset_path)
    fs, folder = file_system(path, storage_options)
    exists = (lambda name: os.path.isfile(f"{folder}/{name}")) if fs is None else (lambda name: fs.isfile(f"{folder}/{name}"))
    if not (os.path.exists(folder) if fs is None else fs.exists(folder)):
        raise DataFilesNotFoundError(f"Directory {path} not found{meant(path) if fs is None else ''}")
    if exists(config.DATASETDICT_JSON_FILENAME):
        return DatasetDict.load_from_disk(path, keep_in_memory, storage_options)
    if exists(config.DATASET_INFO_FILENAME) and exists(config.DATASET_STATE_JSON_FILENAME):
        return load_dataset_folder(path, keep_in_memory, storage_options)
    raise DataFilesNotFoundError(f"Directory {path} is neither a `Dataset` directory nor a `DatasetDict` directory.")


def _of_lock(path: str | os.PathLike[str], split: Any, access: Access) -> Any:
    """The streams of a lock file's splits."""
    plans, label = read_lock(path, access)
    wanted = _wanted(split, list(plans))
    made = {one: IterableDataset(plans[one], informed(plans[one], plans[one].listing["format"], label, one), one) for one in wanted}
    if split is None:
        return IterableDatasetDict(made)
    return [made[one] for one in wanted] if isinstance(split, list) else made[wanted[0]]


def _several(split: Any) -> list[str]:
    """The names that stand for more than one split."""
    return [str(one) for one in (split if isinstance(split, list) else [split]) if "+" in str(one) or str(one) == "all"]


def _parts(name: str, there: list[str]) -> list[str]:
    parts = there if name == "all" else [part.strip() for part in name.split("+")]
    return _wanted(parts, there)


def _sliced(how: Reading, parts: list[Instruction], found: _Found, name: str) -> IterableDataset:
    """Parts of splits, one after another."""
    made, there = [], found.files
    for part in parts:
        names = list(there) if part.split == "all" else _wanted([part.split], list(there))
        ds = stream_of(how, found, [file for one in names for file in there[one]], name)
        plan = ds._plan
        if part.sliced:
            plan = plan.numbered()
            start, stop = part.rows(plan.core.rows(0) or 0)
            plan = plan.skip(start).take(max(0, stop - start))
        made.append(ds._with(plan, _split=name))
    return made[0] if len(made) == 1 else concatenate_datasets(made, split=name)


def _wanted(split: Any, there: list[str]) -> list[str]:
    if split is None:
        return there
    asked = [split] if not isinstance(split, list) else split
    for one in asked:
        if str(one) in there:
            continue
        if not isinstance(one, str) or not _SPLIT.fullmatch(one):
            raise InvalidArgumentError(
                f"the split {one!r} is not a name; the splits are {there}. "
                "Parts of a stream are taken with take(n), skip(n) and shard(n, i)"
            )
        raise InvalidArgumentError(f"there is no split {one!r}; the splits are {there}")
    return [str(one) for one in asked]


@dataclass
class _Found:
    """The files of each split, and how they are read."""

    files: dict[str, list[str]]
    format: str
    label: str
    places: Places
    config: str = "default"
    options: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    cut: bool = False


def _files(path: str, name: str | None, data_dir: str | None, data_files: DataFiles | None, revision: str | None, places: Places) -> _Found:
    """The files of each split, their format, and what to call them."""
    here = Path(path).expanduser()
    if is_of_hub(path, data_files, data_dir):
        return _of_hub(path, name, data_dir, data_files, revision, places)
    format_name = format_named(path, data_files, data_dir)
    if format_name is None and data_files is None and here.is_dir() and (of := folder(path)) is not None:
        return _configured(of, name, data_dir, here.resolve().name, places)
    if name not in (None, "default"):
        raise InvalidArgumentError(f"files have only the configuration 'default', not {name!r}; data sets of the Hub have others")
    if format_name is not None:
        formats.require(format_name)
        if data_files is None and data_dir is None:
            raise InvalidArgumentError(f"load_dataset({path!r}, …) needs data_files or data_dir")
        base = data_dir or "."
        found = listed_files(data_files, base, places) if data_files is not None else _discovered(base, format_name, places)
        return _Found(found, format_name, format_name, places)
    if is_url(path):
        base = f"{path.rstrip('/')}/{data_dir}" if data_dir else path
        found = listed_files(data_files, base, places) if data_files is not None else _of_url(base, places)
        label = without_query(path).rstrip("/").rsplit("/", 1)[-1]
    elif here.is_dir():
        base = str(here / data_dir) if data_dir else str(here)
        found = listed_files(data_files, base, places) if data_files is not None else _discovered(base, None, places)
        label = here.resolve().name
    elif here.is_file():
        found, label = {"train": [str(here.absolute())]}, here.resolve().name
    else:
        raise DataFilesNotFoundError(
            f"{path!r} is no folder or file here, no format ({', '.join(formats.READ)}), no URL, "
            f"and no name of a data set of the Hub (org/name){meant(path)}"
        )
    return _Found(found, formats.require(formats.of_files(file for files in found.values() for file in files)), label, places)


def _of_tabs(file: str) -> bool:
    """Whether a file's name says that it is CSV with tabs."""
    return without_query(file).lower().endswith((".tsv", ".tsv.gz"))


def _of_url(url: str, places: Places) -> dict[str, list[str]]:
    """The files of a URL: itself, those that it is a pattern of, or those below it."""
    if formats.by_name(without_query(url)) or "*" in url:
        return {"train": places.resolve(url, ".")}
    if "[" in url:
        with contextlib.suppress(DataFilesNotFoundError):
            return {"train": places.resolve(url, ".")}
    return _discovered(places.pinned(url), None, places)


def _of_hub(
    path: str, name: str | None, data_dir: str | None, data_files: DataFiles | None, revision: str | None, places: Places
) -> _Found:
    """A data set of the Hub."""
    of = named_repo(path, revision, places.access, data_files)
    label = of.id.rsplit("/", 1)[-1]
    if data_files is None:
        return _configured(of, name, data_dir, label, places)
    base = f"{of.location('')}{data_dir.strip('/')}" if data_dir else of.location("").rstrip("/")
    files = listed_files(data_files, base, places)
    return _Found(
        files, formats.require(formats.of_files(file for some in files.values() for file in some)), label, places, name or "default"
    )


def _configured(of: Repo, name: str | None, data_dir: str | None, label: str, places: Places) -> _Found:
    """A configuration that a card names."""
    config = configuration(of, name, data_dir, places.access)
    files = {split: config.repo.locate(paths, places.known) for split, paths in config.files.items()}
    return _Found(files, config.format, label, places, config.name, config.options, config.info)


def listed_files(data_files: Any, base: str, places: Places) -> dict[str, list[str]]:
    """The files that `data_files` names."""
    if isinstance(data_files, dict):
        by_name = data_files
    elif hasattr(data_files, "items"):
        by_name = dict(data_files.items())
    else:
        by_name = {"train": data_files}
    made = {}
    for split, patterns in by_name.items():
        if not _SPLIT.fullmatch(str(split)):
            raise InvalidArgumentError(f"data_files: {split!r} is not a name of a split")
        if not isinstance(patterns, (str, os.PathLike, list, tuple)):
            raise InvalidArgumentError(f"data_files: expected a pattern or a list of them for {str(split)!r}, found {patterns!r}")
        some = [patterns] if isinstance(patterns, (str, os.PathLike)) else list(patterns)
        if not some:
            raise InvalidArgumentError(f"data_files: the split {str(split)!r} has no files")
        # A file that is named twice is read twice, as `datasets` does.
        made[str(split)] = [file for pattern in some for file in places.resolve(pattern, base)]
    if not made:
        raise InvalidArgumentError("data_files names no files")
    return made


def _discovered(folder: str, format_name: str | None, places: Places) -> dict[str, list[str]]:
    """The splits of a folder, by names; only the files of its format."""
    far = is_url(folder)
    if not far and not Path(folder).is_dir():
        raise DataFilesNotFoundError(f"there is no folder {folder}{meant(folder)}")
    try:
        there = places.walk(folder)
    except DataFilesNotFoundError:
        raise DataFilesNotFoundError(f"the folder {folder} has no data files") from None
    root = folder.rstrip("/") if far else os.path.abspath(folder)
    format_name = format_name or formats.of_files(f"{root}/{path}" for path in there)
    files: list[str] = []
    for look in formats.LOOKS:
        files = files or [path for path in there if look(f"{root}/{path}") == format_name]
    if not files:
        raise DataFilesNotFoundError(f"the folder {folder} has no {format_name} files")
    return {split: [f"{root}/{path}" for path in paths] for split, paths in by_split(files).items()}


def stream_of(how: Reading, found: _Found, files: list[str], split: str) -> IterableDataset:
    """The stream of files."""
    said = features_of_card(found.info.get("features")) if how.schema is None else None
    if said is not None and how.format != "parquet":
        how = replace(how, schema=schema_from_features(said))
        said = None
    plan = planned(how, files, found.places)
    if said is not None and how.columns is None and _same(said, plan.schema):
        # What files do not say of their columns, such as the names of classes, the card does.
        plan = planned(replace(how, schema=schema_from_features(said)), files, found.places)
    info = informed(plan, how.format, found.label, split)
    return IterableDataset(plan, replace(info, config_name=found.config), split)


def _streams(how: Reading, found: _Found, files: dict[str, list[str]]) -> dict[str, IterableDataset]:
    """The streams of splits. Fields of mixed types are JSON in all of them where they are in one, so that splits have the same types."""
    made = {name: stream_of(how, found, some, name) for name, some in files.items()}
    if how.format != "json" or how.schema is not None or len(made) < 2:
        return made
    # Of all columns of the files, those that are not asked for too.
    known = {split: features_from_schema(ds._plan.schema) for split, ds in made.items()}
    mixed: dict[str, Any] = {}
    for there in known.values():
        for name, feature in there.items():
            if _has_json(feature):
                mixed[name] = feature if mixed.get(name, feature) == feature else Json()
    for split, there in known.items():
        features = Features({name: mixed.get(name, feature) for name, feature in there.items()})
        if features != there:
            made[split] = stream_of(replace(how, schema=schema_from_features(features)), found, files[split], split)
    return made


def _has_json(feature: Any) -> bool:
    found: list[bool] = []
    visit(feature, lambda one: found.append(isinstance(one, Json)))
    return any(found)


def _same(said: Any, schema: dict[str, Any]) -> bool:
    """Whether a card's features have the columns and types of files, which themselves say nothing of features."""
    if "huggingface" in (schema.get("metadata") or {}):
        return False
    declared = {field["name"]: field for field in json.loads(schema_from_features(said))["fields"]}
    found = {field["name"]: field for field in schema["fields"]}
    return declared.keys() == found.keys() and all(_same_type(field, found[name]) for name, field in declared.items())


def _same_type(declared: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether a field of a file has the type that is declared, of which labels may be written by their names."""
    one, other = declared["data_type"], found["data_type"]
    if "rowstream.labels" in declared["metadata"]:
        return one == other or other in ("Utf8", "LargeUtf8", "Utf8View")
    if not isinstance(one, dict) or not isinstance(other, dict) or one.keys() != other.keys():
        return bool(one == other)
    ((kind, of),), (there,) = one.items(), other.values()
    match kind:
        case "List" | "LargeList":
            return _same_type(of, there)
        case "FixedSizeList":
            return _same_type(of[0], there[0]) and of[1] == there[1]
        case "Struct":
            fields = {field["name"]: field for field in there}
            return len(of) == len(there) and all(field["name"] in fields and _same_type(field, fields[field["name"]]) for field in of)
    return bool(one == other)
