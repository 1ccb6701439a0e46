"""`verify`: whether all records of a source can be read, and are of one schema."""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, files_of, loaded
from rowstream.dataset.preview import not_decoded
from rowstream.exceptions import InvalidArgumentError, RowstreamError, UnsupportedError
from rowstream.load import load_dataset
from rowstream.resolve.formats import by_name
from rowstream.storage.files import open as open_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rowstream.features.features import Features

_LENIENT = ("json", "csv", "webdataset")
"""The formats whose broken records can be left out, so that all of them are found."""
_BLOCK = 1 << 20


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "verify",
        help="look for broken records and files of other schemas",
        description="Read every record of every file. The exit status is 1 if anything is wrong.",
    )
    add_source(parser, rows=False)
    parser.add_argument(
        "--checksums", metavar="FILE", help="also compare with these, as sha256sum writes them"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be read")
    add_forms(parser, "the paths of files with something wrong")
    parser.set_defaults(run=_run)


@dataclass
class _Report:
    """What was found in a file.

    Attributes:
        path: The file.
        split: The split that it is of.
        rows: The records that can be read.
        broken: Those that cannot.
        problems: What is wrong, in words.
    """

    path: str
    split: str
    rows: int = 0
    broken: int = 0
    problems: list[str] = field(default_factory=list)


def _run(given: argparse.Namespace, out: Output) -> int:
    sums = None if given.checksums is None else _sums(given.checksums)
    wrong = files = 0
    for path, split, kind, features in _files(given):
        if given.dry_run:
            out.would_read(path)
            continue
        report = _read(path, split, kind, features)
        if sums is not None:
            report.problems += _compared(path, sums)
        files += 1
        wrong += bool(report.problems)
        _print(report, out)
    if not given.dry_run:
        out.note(f"{files} files, {wrong or 'none'} of them with something wrong")
    return 1 if wrong else 0


def _files(given: argparse.Namespace) -> Iterator[tuple[str, str, str | None, Any]]:
    """Yield the files of a source: the path, the split, the format and the types of the whole.

    Where one is so broken that the whole cannot be opened, each is looked at by itself. What has no
    files of its own, such as a folder of images, is read as a whole.
    """
    try:
        splits = _loaded(given)
    except (RowstreamError, OSError):
        found = [path for source in given.source for path in _paths(source)]
        if not found:
            raise
        yield from ((path, given.split or "train", given.format, None) for path in found)
        return
    for split, ds in splits.items():
        files = files_of(ds)
        for file in files:
            yield file["path"], split, ds._plan.listing["format"], ds.features
        if not files:
            yield from ((source, split, given.format, ds.features) for source in given.source)


def _paths(source: str) -> list[str]:
    """Return the files that a source stands for, on this machine."""
    if os.path.isdir(source):
        inside = glob.glob(os.path.join(glob.escape(source), "**", "*"), recursive=True)
        return sorted(path for path in inside if os.path.isfile(path) and by_name(path))
    return sorted(glob.glob(source)) or ([source] if os.path.exists(source) else [])


def _loaded(given: argparse.Namespace) -> dict[str, Any]:
    """Return the streams of a source, also if records that show its types are broken."""
    try:
        return loaded(given, on_error="skip")
    except (InvalidArgumentError, UnsupportedError):
        # A format whose records are read together.
        return loaded(given)


def _print(report: _Report, out: Output) -> None:
    if out.json:
        out.value(vars(report))
    elif out.quiet:
        if report.problems:
            out.line(report.path)
    else:
        state = "wrong" if report.problems else "ok"
        out.line(f"{state}  {report.path}  {report.rows:,} rows")
        for problem in report.problems:
            out.line(f"       {problem}")


def _read(path: str, split: str, kind: str | None, features: Features | None) -> _Report:
    """Read all of a file, and compare its columns with those of the whole."""
    report = _Report(path, split)
    errors: list[str] = []
    try:
        # Its own types, not those of the whole.
        kind = kind or by_name(path)
        lenient = (lambda error: errors.append(str(error))) if kind in _LENIENT else "raise"
        ds = (
            load_dataset(path, split=split, streaming=True)
            if kind is None
            else load_dataset(
                kind, data_files=path, split="train", streaming=True, on_error=lenient
            )
        )
        for table in not_decoded(ds).with_format("arrow").iter(10_000):
            report.rows += len(table)
        if features is not None and ds.features is not None:
            report.problems += _drift(features, ds.features)
    except (RowstreamError, OSError) as error:
        report.problems.append(str(error))
    report.broken = len(errors)
    report.problems += errors[:20]
    if len(errors) > 20:
        report.problems.append(f"… {len(errors) - 20:,} more broken records")
    return report


def _drift(whole: Features, own: Features) -> list[str]:
    """Return how the columns of a file differ from those of the whole."""
    found = [f"column {name!r} is missing" for name in whole if name not in own]
    found += [f"column {name!r} is in no schema of the whole" for name in own if name not in whole]
    found += [
        f"column {name!r} is {own[name]!r}, and {whole[name]!r} in the whole"
        for name in whole
        if name in own and own[name] != whole[name]
    ]
    return found


def _sums(path: str) -> dict[str, str]:
    """Read a list of checksums: a hexadecimal SHA-256 and the name of a file on each line."""
    found = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            digest, _, name = line.strip().partition(" ")
            if len(digest) != 64 or not name.strip():
                raise InvalidArgumentError(
                    f"{path}: line {number} is no checksum: {line.strip()!r}"
                )
            found[os.path.basename(name.strip().lstrip("*"))] = digest.lower()
    return found


def _compared(path: str, sums: dict[str, str]) -> list[str]:
    wanted = sums.get(os.path.basename(path))
    if wanted is None:
        return ["it has no checksum in the list"]
    digest = hashlib.sha256()
    with open_file(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    found = digest.hexdigest()
    return [] if found == wanted else [f"its SHA-256 is {found}, the list has {wanted}"]
