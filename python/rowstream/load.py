"""`load_dataset`: from names of files to streams."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.dataset import IterableDataset, IterableDatasetDict, concatenate_datasets
from rowstream.dataset.build import informed, planned
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, UnsupportedError
from rowstream.resolve import formats
from rowstream.resolve.builders import Reading, reading
from rowstream.resolve.instructions import Instruction, instructions
from rowstream.resolve.patterns import resolve, walk
from rowstream.resolve.splits import by_split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    DataFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]

_SPLIT = re.compile(r"\w+(\.\w+)*")


def load_dataset(
    path: str,
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
    """Opens a data set of local files as streams of rows.

    Args:
        path: a format (`"parquet"`, `"json"`, `"webdataset"`), or a folder or file, whose format is found from names and first bytes.
        name: the configuration; local files have only `"default"`.
        data_dir: the folder that `data_files` are in; below `path` if that is a folder.
        data_files: a pattern, a list of them, or a dict of them by split. Patterns have `*`, `?`, `[…]`, `**`,
            `{a,b}` and `{000..099}`. Without it, splits are found from the names in the folder.
        split: the split to give, or a list of them; all of them, as a dict, if `None`.
        streaming: must be true: data sets that are not streamed come with a later release.
        columns: the columns to read; others are not touched (Parquet), or passed over (JSON).
        infer: `"all"` finds the types of JSON Lines from all lines, rather than from each file's first megabyte.
        cache_dir: not used: nothing of a local file is cached.
        features: the types of the lines (JSON), in place of those that their first megabyte shows. A `Value("string")`
            takes any value, as its JSON text.
        download_config: not used: nothing is downloaded.
        download_mode: not used.
        verification_mode: not used.
        keep_in_memory: not used.
        save_infos: not used.
        revision: not used: it is for the Hub.
        token: not used: it is for the Hub.
        num_proc: not for streams, which read on threads.
        storage_options: not used: it is for remote files.
        **config_kwargs: options of the format.

    Returns:
        An `IterableDataset`; a list of them if `split` is a list; an `IterableDatasetDict` if it is `None`.

    Raises:
        DataFilesNotFoundError: there are no such files.
        FileFormatError: a file is not what its format says.
        SchemaError: the files' columns do not go together.
        UnsupportedError: the format, source or option is not there yet.

    Example:
        >>> ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
        >>> ds = load_dataset("my_folder", split="validation", streaming=True, columns=["text"])
    """
    if not streaming:
        raise UnsupportedError(
            "load_dataset(…, streaming=False) is not there yet: pass streaming=True for an IterableDataset; map-style "
            "data sets come with a later release"
        )
    if num_proc is not None:
        raise UnsupportedError("num_proc does not apply to streams, which read on threads; leave it out")
    if name not in (None, "default"):
        raise InvalidArgumentError(f"local files have only the configuration 'default', not {name!r}")
    by_split_, format_name, label = _files(os.fspath(path), data_dir, data_files)
    if (
        format_name == "csv"
        and path != "csv"
        and all(file.lower().endswith((".tsv", ".tsv.gz")) for files in by_split_.values() for file in files)
    ):
        config_kwargs.setdefault("sep", "\t")
    how = reading(format_name, config_kwargs, features)
    if split is not None:
        parts_of = {str(one): sliced for one in (split if isinstance(split, list) else [split]) if (sliced := instructions(str(one)))}
        if parts_of:
            made = {one: _sliced(how, parts, by_split_, one, label) for one, parts in parts_of.items()}
            rest = [one for one in (split if isinstance(split, list) else [split]) if str(one) not in parts_of]
            by_split_ |= {one: [f for part in _parts(one, list(by_split_)) for f in by_split_[part]] for one in _several(rest)}
            made |= {one: _stream(how, by_split_[one], one, label) for one in (_wanted(rest, list(by_split_)) if rest else [])}
            return [made[str(one)] for one in split] if isinstance(split, list) else made[str(split)]
        # Splits together: "train+test", "all".
        by_split_ |= {one: [f for part in _parts(one, list(by_split_)) for f in by_split_[part]] for one in _several(split)}
    wanted = _wanted(split, list(by_split_))
    made = {one: _stream(how, by_split_[one], one, label) for one in wanted}
    if split is None:
        return IterableDatasetDict(made)
    return [made[one] for one in split] if isinstance(split, list) else made[wanted[0]]


def _several(split: Any) -> list[str]:
    """The names that stand for more than one split."""
    return [str(one) for one in (split if isinstance(split, list) else [split]) if "+" in str(one) or str(one) == "all"]


def _parts(name: str, there: list[str]) -> list[str]:
    parts = there if name == "all" else [part.strip() for part in name.split("+")]
    return _wanted(parts, there)


def _sliced(how: Reading, parts: list[Instruction], there: dict[str, list[str]], name: str, label: str) -> IterableDataset:
    """Parts of splits, one after another."""
    made = []
    for part in parts:
        names = list(there) if part.split == "all" else _wanted([part.split], list(there))
        ds = _stream(how, [file for one in names for file in there[one]], name, label)
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


def _files(path: str, data_dir: str | None, data_files: DataFiles | None) -> tuple[dict[str, list[str]], str, str]:
    """The files of each split, their format, and what to call them."""
    here = Path(path).expanduser()
    if path in formats.BUILDERS:
        format_name = formats.require(path)
        if data_files is None and data_dir is None:
            raise InvalidArgumentError(f"load_dataset({path!r}, …) needs data_files or data_dir")
        base, label = data_dir or ".", path
        found = _listed(data_files, base) if data_files is not None else _discovered(base, format_name)
        return found, format_name, label
    if here.is_dir():
        base = str(here / data_dir) if data_dir else str(here)
        found = _listed(data_files, base) if data_files is not None else _discovered(base, None)
    elif here.is_file():
        found = {"train": [str(here.absolute())]}
    else:
        raise DataFilesNotFoundError(
            f"{path!r} is neither a folder or file here nor a format ({', '.join(formats.READ)}); "
            "data sets of the Hub come with a later release"
        )
    return found, formats.require(formats.of_files(file for files in found.values() for file in files)), here.resolve().name


def _listed(data_files: Any, base: str) -> dict[str, list[str]]:
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
        made[str(split)] = [file for pattern in some for file in resolve(pattern, base)]
    if not made:
        raise InvalidArgumentError("data_files names no files")
    return made


def _discovered(folder: str, format_name: str | None) -> dict[str, list[str]]:
    """The splits of a folder, by names; only the files of its format."""
    if not Path(folder).is_dir():
        raise DataFilesNotFoundError(f"there is no folder {folder}")
    try:
        there = walk(folder)
    except DataFilesNotFoundError:
        raise DataFilesNotFoundError(f"the folder {folder} has no data files") from None
    format_name = format_name or formats.of_files(str(Path(folder) / path) for path in there)
    named = [path for path in there if formats.by_name(path) == format_name]
    files = named or [path for path in there if formats.by_bytes(str(Path(folder) / path)) == format_name]
    if not files:
        raise DataFilesNotFoundError(f"the folder {folder} has no {format_name} files")
    root = os.path.abspath(folder)  # noqa: PTH100 - links keep their names
    return {split: [f"{root}/{path}" for path in paths] for split, paths in by_split(files).items()}


def _stream(how: Reading, files: list[str], split: str, label: str) -> IterableDataset:
    """The stream of files."""
    plan = planned(how, files)
    return IterableDataset(plan, informed(plan, how.format, label, split), split)
