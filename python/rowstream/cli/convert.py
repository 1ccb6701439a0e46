"""`convert`: rows of any source as files of any format."""

from __future__ import annotations

import glob
import os
import sys
from typing import TYPE_CHECKING, Any

from rowstream.cache.entries import size
from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, chosen, files_of, loaded
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.nested import visit
from rowstream.resolve.formats import by_name
from rowstream.storage.urls import COMPRESSED

if TYPE_CHECKING:
    import argparse

# The methods that write each format; those of the second line write files apart from each other.
_METHODS = {"json": "to_json", "csv": "to_csv"}
_APART = {"parquet": "to_parquet", "arrow": "to_arrow", "webdataset": "to_webdataset"}
_NAMES = {"jsonl": "json", "tar": "webdataset"}
_ENDINGS = {
    "json": "jsonl",
    "csv": "csv",
    "parquet": "parquet",
    "arrow": "arrow",
    "webdataset": "tar",
}


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "convert",
        help="write a source in another format, whole or not at all",
        description="Write a source in another format. With --shards and --processes a run that"
        " was killed goes on where it was, if it is run again.",
    )
    add_source(parser)
    add_forms(parser, "the paths of the files")
    parser.add_argument(
        "target",
        help="a path or URL, whose ending says the format; a folder, for a file of each split;"
        " - for the standard output",
    )
    parser.add_argument("--to", choices=[*_METHODS, *_APART, *_NAMES], help="the format")
    parser.add_argument("--shards", type=int, metavar="N", help="write N files")
    parser.add_argument("--shard-size", metavar="SIZE", help="files of at most 500MB, say")
    parser.add_argument(
        "--processes", type=int, metavar="N", help="that write files; with --shards"
    )
    parser.add_argument(
        "--sort-by", metavar="COLUMNS", help="separated by commas; score:desc for the largest first"
    )
    parser.add_argument("--shuffle-seed", type=int, metavar="SEED", help="shuffle all rows")
    parser.add_argument(
        "--unique-by", metavar="COLUMNS", help="leave out duplicates in these columns; * for all"
    )
    parser.add_argument("--memory", default="1GB", help="that sorting may take (1GB)")
    parser.add_argument("--compression", help="of the format, such as zstd")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be read and written"
    )
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Output) -> None:
    kind = given.to or by_name(given.target)
    kind = _NAMES.get(kind or "", kind)
    if kind not in {**_METHODS, **_APART}:
        known = ", ".join([*_METHODS, *_APART])
        raise InvalidArgumentError(f"{given.target}: say the format with --to: {known}")
    if kind in ("parquet", "arrow") and given.target.lower().endswith(COMPRESSED):
        raise InvalidArgumentError(
            f"{given.target}: {kind} is compressed inside, with --compression zstd: leave out the"
            " last ending"
        )
    splits = loaded(given)
    folder = given.target.endswith("/") or os.path.isdir(given.target)
    if len(splits) > 1 and not folder:
        raise InvalidArgumentError(
            f"the source has the splits {', '.join(splits)}: choose one with --split, or name a"
            " folder, in which each is written"
        )
    targets = {}
    for split, whole in splits.items():
        # Media are written with their bytes.
        ds = chosen(whole, given)
        _check_types(ds, kind)
        target: Any = given.target
        if folder and (len(splits) > 1 or (given.shards is None and given.shard_size is None)):
            target = os.path.join(given.target, f"{split}.{_ENDINGS[kind]}")
        targets[split] = (ds, target)
    if given.dry_run:
        for split, (ds, target) in targets.items():
            _plan(given, out, kind, split, ds, target)
        return
    place = given.target if folder else os.path.dirname(given.target)
    if place and "://" not in place:
        os.makedirs(place, exist_ok=True)
    for split, (ds, target) in targets.items():
        write = getattr(ds, {**_METHODS, **_APART}[kind])
        if target == "-":
            write(sys.stdout.buffer, **_options(given, kind))
            continue
        written = write(target, **_options(given, kind))
        _tell(out, split, kind, target, written)


def _tell(out: Output, split: str, kind: str, target: str, written: int) -> None:
    files = _files(target) or [target]
    if out.json:
        out.value({"split": split, "format": kind, "files": files, "bytes": written})
    elif out.quiet:
        for file in files:
            out.line(file)
    else:
        where = files[0] if len(files) == 1 else f"{len(files)} files"
        out.line(f"{size(written)} of rows of {split!r} written: {where}")


def _check_types(ds: Any, kind: str) -> None:
    """Raise for columns that a format of text cannot have."""
    found = []

    def look(feature: Any) -> None:
        if getattr(feature, "dtype", None) in ("binary", "large_binary", "binary_view"):
            found.append(feature)

    wrong = []
    for name, feature in (ds.features or {}).items() if kind in _METHODS else ():
        found.clear()
        visit(feature, look)
        if found:
            wrong.append(name)
    if wrong:
        raise InvalidArgumentError(
            f"columns {wrong} have bytes, and {kind} has texts: leave them out with --columns, or"
            " convert to parquet or arrow"
        )


def _options(given: argparse.Namespace, kind: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "num_shards": given.shards,
        "max_shard_size": given.shard_size,
        "compression": given.compression,
    }
    if kind == "csv" and given.target.lower().endswith((".tsv", ".tsv.gz")):
        options["sep"] = "\t"
    apart = {
        "num_proc": given.processes,
        "sort_by": _sort_by(given.sort_by),
        "shuffle_seed": given.shuffle_seed,
        "unique_by": given.unique_by == "*" or _names(given.unique_by),
    }
    given_apart = {name: value for name, value in apart.items() if value not in (None, False)}
    if kind in _APART:
        options |= given_apart
        if given_apart.keys() - {"num_proc"}:
            options["memory"] = given.memory
    elif given_apart:
        names = {"num_proc": "processes"}
        asked = ", ".join("--" + names.get(name, name).replace("_", "-") for name in given_apart)
        raise InvalidArgumentError(
            f"{kind} is written by one process and in the order of the source: convert to parquet,"
            f" arrow or webdataset with {asked}"
        )
    return {name: value for name, value in options.items() if value is not None}


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _sort_by(text: str | None) -> list[tuple[str, str]] | None:
    """Return what to sort by: `lang,score:desc`."""
    keys = []
    for name in _names(text) or []:
        descending = name.endswith(":desc")
        keys.append((name.removesuffix(":desc"), "descending" if descending else "ascending"))
    return keys or None


def _files(target: str) -> list[str]:
    """Return the files that a target stands for, if they are on this machine."""
    if os.path.isfile(target):
        return [target]
    stem, ending = os.path.splitext(target)
    pattern = f"{glob.escape(stem)}-?????-of-?????{glob.escape(ending)}"
    if os.path.isdir(target):
        pattern = os.path.join(glob.escape(target), "*-?????-of-?????.*")
    return sorted(glob.glob(pattern))


def _plan(
    given: argparse.Namespace, out: Output, kind: str, split: str, ds: Any, target: str
) -> None:
    read = [file["path"] for file in files_of(ds)]
    sharded = given.shards is not None or given.shard_size is not None
    gone = [file for file in _files(target) if sharded or file == target]
    if out.json:
        out.value({"split": split, "format": kind, "read": read, "replace": gone, "write": target})
        return
    for title, paths in (("read", read), ("replace", gone)):
        for path in paths:
            out.line(path if out.quiet else f"{title}  {path}")
    if not out.quiet:
        several = "" if given.shards is None else f" in {given.shards} files"
        out.line(f"write  {target}, as {kind}{several}")
