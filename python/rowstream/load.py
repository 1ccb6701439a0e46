"""`load_dataset`: from names of files to streams."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.access import Access
from rowstream.dataset import IterableDataset, IterableDatasetDict, concatenate_datasets
from rowstream.dataset.build import informed, planned
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features.card import features_of_card
from rowstream.features.schema import schema_from_features
from rowstream.features.types import Features
from rowstream.features.types import modern as _modern
from rowstream.lock import read as read_lock
from rowstream.resolve import formats
from rowstream.resolve.builders import Reading, reading
from rowstream.resolve.hub import configuration, is_name, repo
from rowstream.resolve.instructions import Instruction, instructions
from rowstream.resolve.splits import by_split
from rowstream.resolve.urls import Places, is_url, without_query
from rowstream.splits import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    DataFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]

_SPLIT = re.compile(r"\w+(\.\w+)*")


def load_dataset(
    path: str = "",
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
    """Opens a data set of the Hub, of URLs or of local files as streams of rows.

    Args:
        path: a data set of the Hub (`"org/name"`); a format (`"parquet"`, `"json"`, `"webdataset"`); or a folder, file or URL, whose
            format is found from names and first bytes.
        name: the configuration of a data set of the Hub; files have only `"default"`.
        data_dir: the folder that `data_files` are in; below `path` if that is a folder or a data set.
        data_files: a pattern, a list of them, or a dict of them by split. Patterns have `*`, `?`, `[…]`, `**`,
            `{a,b}` and `{000..099}`. Paths, or URLs: `https://`, `s3://`, `gs://`, `az://`, `hf://datasets/org/name@revision/…`, or of any
            file system of `fsspec`. Without it, splits are those of the card, or are found from the names in the folder.
        split: the split to give, or a list of them; all of them, as a dict, if `None`.
        streaming: must be true: data sets that are not streamed come with a later release.
        columns: the columns to read; others are not touched (Parquet), or passed over (JSON).
        infer: `"all"` finds the types of JSON Lines from all lines, rather than from each file's first megabyte.
        cache_dir: a folder in which a stream keeps what it reads of other machines, for the next epoch and for other processes.
        cache_limit: the bytes that it may take; what is wanted last goes first. No limit if `None`.
        features: the types of the lines (JSON), in place of those that their first megabyte shows. A `Value("string")`
            takes any value, as its JSON text.
        download_config: not used: nothing is downloaded.
        download_mode: not used.
        verification_mode: not used.
        keep_in_memory: not used.
        save_infos: not used.
        revision: the branch, tag or commit of a data set of the Hub.
        token: the token for the Hub; `True` or `None`: that of `HF_TOKEN` or of `hf auth login`; `False`: none.
        num_proc: not for streams, which read on threads.
        storage_options: options of the sources: credentials, endpoints, `timeout`, `retries`; by the names of fsspec's file systems or
            of the `object_store` crate. They are never part of what is pickled, but to start a process of this machine.
        lock: a file that `ds.lock(path)` wrote: exactly its files and versions are read, and `path` is not needed.
        **config_kwargs: options of the format.

    Returns:
        An `IterableDataset`; a list of them if `split` is a list; an `IterableDatasetDict` if it is `None`.

    Raises:
        DataFilesNotFoundError: there are no such files.
        DatasetNotFoundError: there is no such data set of the Hub, or the token may not see it.
        FileFormatError: a file is not what its format says.
        SchemaError: the files' columns do not go together.
        UnsupportedError: the format, source or option is not there yet.

    Example:
        >>> ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
        >>> ds = load_dataset("openai/gsm8k", "main", split="train", streaming=True)
        >>> ds = load_dataset("my_folder", split="validation", streaming=True, columns=["text"])
    """
    if num_proc is not None and streaming:
        raise UnsupportedError("num_proc does not apply to streams, which read on threads; leave it out")
    limit = config_kwargs.pop("cache_limit", None)
    kept = None if cache_dir is None else os.fspath(cache_dir)
    access = Access(token, storage_options, kept if streaming else None, limit)
    if (locked := config_kwargs.pop("lock", None)) is not None:
        return _of_lock(locked, split, access)
    found = _files(os.fspath(path), name, data_dir, data_files, revision, Places(access))
    by_split_ = found.files
    if (
        found.format == "csv"
        and path != "csv"
        and all(without_query(file).lower().endswith((".tsv", ".tsv.gz")) for files in by_split_.values() for file in files)
    ):
        config_kwargs.setdefault("sep", "\t")
    declared = None if features is None else Features(_modern(features))
    how = reading(found.format, {**found.options, **config_kwargs}, declared if streaming or found.format == "json" else None)
    config_kwargs.pop("trust_remote_code", None)
    if not streaming:
        anew = str(getattr(download_mode, "value", download_mode)) == "force_redownload"
        try:
            return _prepared(how, found, split, cache_dir, declared, keep_in_memory, anew)
        except SchemaError:
            if declared is None or found.format != "json":
                raise
            # Values that are not of the types that are wanted, and become so: they are read as they are, and cast.
            return _prepared(
                reading(found.format, {**found.options, **config_kwargs}, None), found, split, cache_dir, declared, keep_in_memory, anew
            )
    if split is not None:
        parts_of = {str(one): sliced for one in (split if isinstance(split, list) else [split]) if (sliced := instructions(str(one)))}
        if parts_of:
            made = {one: _sliced(how, parts, found, one) for one, parts in parts_of.items()}
            rest = [one for one in (split if isinstance(split, list) else [split]) if str(one) not in parts_of]
            by_split_ |= {one: [f for part in _parts(one, list(by_split_)) for f in by_split_[part]] for one in _several(rest)}
            made |= {one: _stream(how, found, by_split_[one], one) for one in (_wanted(rest, list(by_split_)) if rest else [])}
            return [made[str(one)] for one in split] if isinstance(split, list) else made[str(split)]
        # Splits together: "train+test", "all".
        by_split_ |= {one: [f for part in _parts(one, list(by_split_)) for f in by_split_[part]] for one in _several(split)}
    wanted = _wanted(split, list(by_split_))
    made = {one: _stream(how, found, by_split_[one], one) for one in wanted}
    if split is None:
        return IterableDatasetDict(made)
    return [made[one] for one in split] if isinstance(split, list) else made[wanted[0]]


def _prepared(how: Reading, found: _Found, split: Any, cache_dir: Any, features: Any, keep_in_memory: bool | None, anew: bool) -> Any:
    """Map-style data sets of files: all splits are made, since the next call may ask for another."""
    from rowstream.dataset.combine import concatenate_map_style
    from rowstream.dataset.dicts import DatasetDict
    from rowstream.dataset.prepared import of_plan
    from rowstream.splits import ReadInstruction, SplitDict, SplitInfo

    there = list(found.files)
    asked = [] if split is None else list(split) if isinstance(split, (list, tuple)) else [split]
    wanted = [one.parts if isinstance(one, ReadInstruction) else _instructions(str(one)) for one in asked]
    names = there
    if split is not None:
        used = dict.fromkeys(name for parts in wanted for part in parts for name in (there if part.split == "all" else [part.split]))
        for name in used:
            if name not in there:
                raise InvalidArgumentError(f'Unknown split "{name}". Should be one of {there}.')
        names = list(used)
    streams = {name: _stream(how, found, found.files[name], name) for name in names}
    made: dict[str, Any] = {}
    for name, stream in streams.items():
        made[name] = of_plan(stream._plan, stream.info, name, cache_dir, features, keep_in_memory, anew)
    splits = SplitDict(dataset_name=found.label)
    for name, ds in made.items():
        splits.add(SplitInfo(name, num_bytes=ds._data.table.nbytes, num_examples=len(ds), dataset_name=found.label))
    size = sum(one.num_bytes for one in splits.values())
    files = sum(stream.info.download_size or 0 for stream in streams.values())
    for ds in made.values():
        ds.info.splits, ds.info.config_name, ds.info.dataset_name = splits.copy(), found.config, found.label
        ds.info.download_size, ds.info.dataset_size, ds.info.size_in_bytes = files, size, files + size
    if split is None:
        return DatasetDict(made)

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

    result = [part(one, parts) for one, parts in zip(asked, wanted, strict=True)]
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
    from rowstream.dataset.dicts import DatasetDict
    from rowstream.dataset.saving import _filesystem, load_dataset_folder

    path = os.fspath(dataset_path)
    fs, folder = _filesystem(path, storage_options)
    exists = (lambda name: os.path.isfile(f"{folder}/{name}")) if fs is None else (lambda name: fs.isfile(f"{folder}/{name}"))
    if not (os.path.exists(folder) if fs is None else fs.exists(folder)):
        raise DataFilesNotFoundError(f"Directory {path} not found")
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
        ds = _stream(how, found, [file for one in names for file in there[one]], name)
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


def _files(path: str, name: str | None, data_dir: str | None, data_files: DataFiles | None, revision: str | None, places: Places) -> _Found:
    """The files of each split, their format, and what to call them."""
    here = Path(path).expanduser()
    hub = path not in formats.BUILDERS and not is_url(path) and not here.exists() and is_name(path) and not path.endswith((".py", ".json"))
    if hub:
        return _of_hub(path, name, data_dir, data_files, revision, places)
    if name not in (None, "default"):
        raise InvalidArgumentError(f"files have only the configuration 'default', not {name!r}; data sets of the Hub have others")
    if path in formats.BUILDERS:
        format_name = formats.require(path)
        if data_files is None and data_dir is None:
            raise InvalidArgumentError(f"load_dataset({path!r}, …) needs data_files or data_dir")
        base, label = data_dir or ".", path
        found = _listed(data_files, base, places) if data_files is not None else _discovered(base, format_name, places)
        return _Found(found, format_name, label, places)
    if is_url(path):
        base = f"{path.rstrip('/')}/{data_dir}" if data_dir else path
        found = _listed(data_files, base, places) if data_files is not None else _of_url(base, places)
        label = without_query(path).rstrip("/").rsplit("/", 1)[-1]
    elif here.is_dir():
        base = str(here / data_dir) if data_dir else str(here)
        found = _listed(data_files, base, places) if data_files is not None else _discovered(base, None, places)
        label = here.resolve().name
    elif here.is_file():
        found, label = {"train": [str(here.absolute())]}, here.resolve().name
    else:
        raise DataFilesNotFoundError(
            f"{path!r} is no folder or file here, no format ({', '.join(formats.READ)}), no URL, "
            "and no name of a data set of the Hub (org/name)"
        )
    return _Found(found, formats.require(formats.of_files(file for files in found.values() for file in files)), label, places)


def _of_url(url: str, places: Places) -> dict[str, list[str]]:
    """The files of a URL: itself, those that it is a pattern of, or those below it."""
    if formats.by_name(without_query(url)) or any(char in url for char in "*["):
        return {"train": places.resolve(url, ".")}
    return _discovered(url, None, places)


def _of_hub(
    path: str, name: str | None, data_dir: str | None, data_files: DataFiles | None, revision: str | None, places: Places
) -> _Found:
    """A data set of the Hub."""
    of = repo(path, revision, places.access)
    label = of.id.rsplit("/", 1)[-1]
    if data_files is None:
        config = configuration(of, name, data_dir, places.access)
        files = {split: config.repo.locate(paths, places) for split, paths in config.files.items()}
        return _Found(files, config.format, label, places, config.name, config.options, config.info)
    base = f"{of.location('')}{data_dir.strip('/')}" if data_dir else of.location("").rstrip("/")
    files = _listed(data_files, base, places)
    return _Found(
        files, formats.require(formats.of_files(file for some in files.values() for file in some)), label, places, name or "default"
    )


def _listed(data_files: Any, base: str, places: Places) -> dict[str, list[str]]:
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
        raise DataFilesNotFoundError(f"there is no folder {folder}")
    try:
        there = places.walk(folder)
    except DataFilesNotFoundError:
        raise DataFilesNotFoundError(f"the folder {folder} has no data files") from None
    root = folder.rstrip("/") if far else os.path.abspath(folder)
    format_name = format_name or formats.of_files(f"{root}/{path}" for path in there)
    named = [path for path in there if formats.by_name(path) == format_name]
    files = named or [path for path in there if formats.by_bytes(f"{root}/{path}") == format_name]
    if not files:
        raise DataFilesNotFoundError(f"the folder {folder} has no {format_name} files")
    return {split: [f"{root}/{path}" for path in paths] for split, paths in by_split(files).items()}


def _stream(how: Reading, found: _Found, files: list[str], split: str) -> IterableDataset:
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


def _same(said: Any, schema: dict[str, Any]) -> bool:
    """Whether a card's features have the columns and types of files, which themselves say nothing of features."""
    if "huggingface" in (schema.get("metadata") or {}):
        return False
    there = {field["name"]: field["data_type"] for field in schema["fields"]}
    return {field["name"]: field["data_type"] for field in json.loads(schema_from_features(said))["fields"]} == there
