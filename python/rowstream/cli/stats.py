"""`stats`: what the columns of a source have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms, count
from rowstream.cli.source import add_source, first_of
from rowstream.view.column_stats import figures_of

if TYPE_CHECKING:
    import argparse

_BARS = " ▁▂▃▄▅▆▇█"


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "stats", help="nulls, distinct values, lengths and a histogram of each column"
    )
    parser.add_argument("-n", type=count, metavar="ROWS", help="only of the first rows")
    add_source(parser)
    add_forms(parser, "the names of columns that have nulls")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Output) -> None:
    _, ds = first_of(given, out)
    rows, found = figures_of(ds if given.n is None else ds.take(given.n))
    if out.json:
        for name, one in found.items():
            out.value({"column": name, "rows": rows, **one})
        return
    if out.quiet:
        for name, one in found.items():
            if one["nulls"]:
                out.line(name)
        return
    header = ["column", "nulls", "distinct", "of", "min", "mean", "max"]
    if out.terminal:
        header.append("histogram")
    lines = []
    for name, one in found.items():
        line = [name, f"{one['nulls']:,}", _distinct(one), one["of"]]
        line += [_number(one.get(key)) for key in ("min", "mean", "max")]
        if out.terminal:
            line.append(bars(one["histogram"]["counts"] if "histogram" in one else []))
        lines.append(line)
    out.table(header, lines)
    out.note(f"{rows:,} rows")
    for name, one in found.items():
        if one.get("most"):
            common = ", ".join(f"{_short(value)} ({n:,})" for value, n in one["most"])
            out.line(f"{name}: {common}")


def bars(counts: list[int]) -> str:
    """Return a histogram as a text of as many characters.

    Args:
        counts: How many values each part of the range has.

    Example:
        >>> from rowstream.cli.stats import bars
        >>> bars([0, 1, 4, 8])
        ' ▁▄█'
    """
    most = max(counts, default=0) or 1
    return "".join(_BARS[-(-n * (len(_BARS) - 1) // most)] for n in counts)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def _distinct(one: dict[str, Any]) -> str:
    return f"{one['distinct']:,}{'' if one['distinct_exact'] else ' or more'}"


def _number(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):  # a time
        return value
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
