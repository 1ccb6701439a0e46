"""Sources on a command line: files, folders, patterns, URLs, names of the Hub."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from rowstream.dataset.preview import not_decoded
from rowstream.exceptions import InvalidArgumentError
from rowstream.fingerprint.caching import get_temporary_cache_files_directory
from rowstream.load import load_dataset
from rowstream.resolve.formats import NAMES, by_name
from rowstream.storage.urls import is_url
from rowstream.view.condition import condition

if TYPE_CHECKING:
    import argparse

    from rowstream.cli.output import Output
    from rowstream.dataset.iterable.dataset import IterableDataset


def add_source(parser: argparse.ArgumentParser, *, rows: bool = True) -> None:
    """Add the arguments that name a source.

    Args:
        parser: That of a subcommand.
        rows: Whether columns and rows of it can be chosen.
    """
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="files, folders, patterns, URLs (https, s3, gs, az, hf), a dataset of the Hub, or -"
        " for the standard input (with --format)",
    )
    parser.add_argument("--config", help="the configuration of the dataset")
    parser.add_argument("--split", help="the split, such as train or 'test[:100]'")
    parser.add_argument(
        "--format",
        choices=sorted(NAMES),
        metavar="FORMAT",
        help="the format of the files, if their names do not say it",
    )
    parser.add_argument("--revision", help="a branch, tag or commit of the Hub")
    if rows:
        parser.add_argument("--columns", help="only these columns, separated by commas")
        parser.add_argument(
            "--where", metavar="CONDITION", help="only rows such as score > 0.5 and lang == 'en'"
        )


def splits_of(given: argparse.Namespace, **options: Any) -> dict[str, IterableDataset]:
    """Return the streams of a source, by split, with the columns and rows that were asked for.

    Args:
        given: The arguments.
        options: More options of `load_dataset`.
    """
    return {name: narrowed(ds, given) for name, ds in loaded(given, **options).items()}


def first_of(given: argparse.Namespace, out: Output) -> tuple[str, IterableDataset]:
    """Return the name and the stream of the split that was asked for: of the first if none was.

    Args:
        given: The arguments.
        out: Where is said that there are others.
    """
    splits = loaded(given)
    name, ds = next(iter(splits.items()))
    if len(splits) > 1:
        out.note(f"split {name!r} of {', '.join(splits)}: --split chooses")
    return name, narrowed(ds, given)


def files_of(ds: IterableDataset) -> list[dict[str, Any]]:
    """Return the files of a stream, each with its path and size; none where it has no listing."""
    if ds._plan.begin is not None:
        return []
    files: list[dict[str, Any]] = ds._plan.listing["files"]
    return files


def loaded(given: argparse.Namespace, **options: Any) -> dict[str, IterableDataset]:
    """Return the streams of a source, by split, with all their rows."""
    sources, split = [_here(source, given.format) for source in given.source], given.split
    common = {"revision": given.revision, "split": split, "streaming": True, **options}
    if given.format is not None:
        found = load_dataset(given.format, given.config, data_files=sources, **common)
    elif len(sources) > 1 or _is_pattern(sources[0]):
        kinds = {by_name(source) for source in sources}
        endings = {source.lower().endswith(".tsv") for source in sources}
        kind = next(iter(kinds))
        if kind is None or len(kinds) > 1 or len(endings) > 1:
            raise InvalidArgumentError(
                f"{' '.join(sources)}: files of one format are read together; --format says which"
            )
        if endings == {True}:
            common["sep"] = "\t"
        found = load_dataset(kind, given.config, data_files=sources, **common)
    else:
        found = load_dataset(sources[0], given.config, **common)
    return {split: found} if split is not None else dict(found)


def _is_pattern(source: str) -> bool:
    """Return whether a source is a pattern; `?` and brackets mean something else in a URL."""
    if "*" in source:
        return True
    marks = any(mark in source for mark in "?[{")
    return marks and not is_url(source) and not os.path.exists(source)


def _here(source: str, format: str | None) -> str:
    """Return a source; the standard input as a file, which is removed when the process ends."""
    if source != "-":
        return source
    if format is None:
        raise InvalidArgumentError("say what the standard input is with --format, such as jsonl")
    folder = get_temporary_cache_files_directory()
    with tempfile.NamedTemporaryFile(dir=folder, suffix=f".{format}", delete=False) as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return file.name


def narrowed(ds: IterableDataset, given: argparse.Namespace) -> IterableDataset:
    """Return a stream with the columns and rows that were asked for, media not decoded."""
    # Before the filter: what it looks at is not cast after it.
    return chosen(not_decoded(ds), given)


def chosen(ds: IterableDataset, given: argparse.Namespace) -> IterableDataset:
    """Return a stream with the columns and rows that were asked for."""
    if getattr(given, "where", None) is not None:
        ds = ds.filter(condition(given.where))
    if getattr(given, "columns", None) is not None:
        names = [name.strip() for name in given.columns.split(",")]
        if not all(names):
            raise InvalidArgumentError(f"--columns has names, found {given.columns!r}")
        ds = ds.select_columns(names)
    return ds
