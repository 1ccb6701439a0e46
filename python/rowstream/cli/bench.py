"""`bench`: what limits the rows of a source."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.cache.entries import size
from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, files_of, first_of
from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.files import open as open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADVICE = {
    "source": "Bytes come more slowly than they are decoded: keep them on disk (cache_dir=), read"
    " fewer columns (--columns), or filter by conditions that are pushed down (--where).",
    "decode": "Decoding takes most of the time: read fewer columns, use Parquet or Arrow where it"
    " is JSON or CSV now (rowstream convert), and more processors.",
    "edge": "Python rows take most of the time: take batches (ds.iter, DataLoader), or a format"
    ' such as with_format("numpy"), in place of single rows.',
}
_BLOCK = 8 << 20
_SHORTEST = 0.05  # seconds of a measurement that says something


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "bench", help="measure what limits a source: its bytes, decoding, or Python rows"
    )
    add_source(parser)
    add_forms(parser, "what limits: source, decode or edge")
    parser.add_argument("--seconds", type=_seconds, default=3, help="for each measurement (3)")
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds above 0, found {text!r}")
    return seconds


def _run(given: argparse.Namespace, out: Output) -> None:
    _, ds = first_of(given, out)
    files = files_of(ds)
    total = sum(file["size"] for file in files)
    # Decoding first: it says how many bytes make a row.
    tables = ds.with_format("arrow").iter(1000)
    rows, seconds, ended = _timed((len(table) for table in tables), given.seconds)
    count = rows if ended else ds.count()
    if not count:
        raise InvalidArgumentError("there are no rows to measure")
    decode = rows / seconds
    edge_rows, edge_seconds, _ = _timed((1 for _ in ds), given.seconds)
    edge = edge_rows / edge_seconds
    read, read_seconds, _ = _timed(_blocks([file["path"] for file in files]), given.seconds)
    per_row, source = total / count, read / read_seconds
    # Of rows that no files are listed for, only the rest is known.
    rates = {"source": source / per_row if per_row else decode * 2, "decode": decode, "edge": edge}
    # A decoder waits for its bytes, too: it limits only where they would come much faster.
    limit = (
        "source" if rates["source"] < 1.5 * decode else "decode" if edge > 0.67 * decode else "edge"
    )
    found = {
        "rows_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "source_bytes_per_second": round(source),
        "bytes_per_row": round(per_row, 1),
        "limit": limit,
        "activity": _core.activity(),
    }
    if out.json:
        out.value(found)
    elif out.quiet:
        out.line(limit)
    elif ended and seconds < _SHORTEST:
        out.line(f"{count:,} rows are read in {seconds * 1000:.1f} ms: too few to say what limits")
    else:
        out.table(
            ("what", "rows/s"),
            [
                (
                    f"bytes of the source, one after another ({size(round(source))}/s)",
                    f"{rates['source']:,.0f}",
                ),
                ("decoded, as Arrow", f"{decode:,.0f}"),
                ("as Python rows", f"{edge:,.0f}"),
            ],
        )
        out.line(_ADVICE[limit])


def _timed(numbers: Iterator[int], seconds: float) -> tuple[int, float, bool]:
    """Add numbers for so many seconds; return their sum, the time, and whether they ended."""
    total, began = 0, perf_counter()
    for number in numbers:
        total += number
        if perf_counter() - began > seconds:
            return total, perf_counter() - began, False
    return total, max(perf_counter() - began, 1e-9), True


def _blocks(paths: list[str]) -> Iterator[int]:
    for path in paths:
        with open_file(path, "rb") as file:
            while block := file.read(_BLOCK):
                yield len(block)
