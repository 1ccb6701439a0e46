"""`head`, `count`, `schema`, `sample`, `search` and `plan`: what there is in a source."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms, count
from rowstream.cli.source import add_source, chosen, files_of, first_of, loaded, splits_of
from rowstream.view.pages import has_text
from rowstream.writers.exports import dict_of

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the subcommands to a parser."""
    head = commands.add_parser("head", help="show the first rows")
    head.add_argument("-n", type=count, default=5, metavar="ROWS", help="how many (5)")
    head.set_defaults(run=_head)
    counted = commands.add_parser("count", help="count the rows of each split")
    counted.set_defaults(run=_count)
    schema = commands.add_parser("schema", help="show the columns and their types")
    schema.set_defaults(run=_schema)
    sample = commands.add_parser("sample", help="show rows from anywhere")
    sample.add_argument("-n", type=count, default=5, metavar="ROWS", help="how many (5)")
    sample.add_argument("--seed", type=count, default=0, help="another seed shows others (0)")
    sample.set_defaults(run=_sample)
    search = commands.add_parser("search", help="show rows that have a text")
    search.add_argument("text", help="the text that is looked for, whatever its case")
    search.add_argument("-n", type=count, default=10, metavar="ROWS", help="at most so many (10)")
    search.set_defaults(run=_search)
    plan = commands.add_parser("plan", help="say what would be read, without reading it")
    plan.set_defaults(run=_plan)
    for command, quiet in (
        (head, "the numbers of rows"),
        (counted, "the numbers of rows"),
        (schema, "the names of columns"),
        (sample, "the numbers of rows"),
        (search, "the numbers of rows"),
        (plan, "the files"),
    ):
        add_source(command)
        add_forms(command, quiet)


def _head(given: argparse.Namespace, out: Output) -> None:
    _, ds = first_of(given, out)
    for i, row in enumerate(ds.take(given.n)):
        out.row(i, row)


def _count(given: argparse.Namespace, out: Output) -> None:
    counts = {name: ds.count() for name, ds in splits_of(given).items()}
    if out.json:
        out.value(counts)
    elif out.quiet or len(counts) == 1:
        for n in counts.values():
            out.line(str(n))
    else:
        out.table(("split", "rows"), ((name, f"{n:,}") for name, n in counts.items()))


def _schema(given: argparse.Namespace, out: Output) -> None:
    splits = {name: chosen(ds, given) for name, ds in loaded(given).items()}
    _, ds = next(iter(splits.items()))
    features: dict[str, Any] = ds.features or {}
    if out.json:
        out.value({name: repr(feature) for name, feature in features.items()})
    elif out.quiet:
        for name in features:
            out.line(name)
    else:
        out.table(("column", "type"), ((name, repr(kind)) for name, kind in features.items()))
        if len(splits) > 1:
            out.note(f"splits: {', '.join(splits)}")


def _sample(given: argparse.Namespace, out: Output) -> None:
    """Show rows that are drawn from all, each as likely: those of the smallest random numbers."""
    import numpy as np

    _, ds = first_of(given, out)
    rng = np.random.default_rng(given.seed)
    kept: list[tuple[float, int, dict[str, Any]]] = []
    at = 0
    for batch in ds.with_format("arrow").iter(1000):
        drawn = rng.random(len(batch))
        limit = kept[-1][0] if len(kept) == given.n and kept else 1.0
        kept += [
            (float(drawn[i]), at + i, _row(batch.slice(i, 1), ds.features))
            for i in np.flatnonzero(drawn < limit).tolist()
        ]
        kept = sorted(kept, key=lambda one: one[:2])[: given.n]
        at += len(batch)
    for _, i, row in sorted(kept, key=lambda one: one[1]):
        out.row(i, row)


def _row(table: Any, features: Any) -> dict[str, Any]:
    """Return the row of a table of one, with the values of JSON texts."""
    return {name: values[0] for name, values in dict_of(table, features).items()}


def _search(given: argparse.Namespace, out: Output) -> int:
    _, ds = first_of(given, out)
    wanted = given.text.casefold()
    found = ((i, row) for i, row in enumerate(ds) if has_text(row, wanted))
    shown = 0
    for i, row in islice(found, given.n):
        out.row(i, row)
        shown += 1
    if not shown:
        out.note(f"no row has {given.text!r}")
    return 0 if shown else 1


def _plan(given: argparse.Namespace, out: Output) -> None:
    for name, ds in splits_of(given).items():
        files = files_of(ds)
        if out.json:
            out.value(
                {
                    "split": name,
                    "files": [file["path"] for file in files],
                    "bytes": sum(file["size"] for file in files),
                    "plan": str(ds.explain()).splitlines(),
                }
            )
        elif out.quiet:
            for file in files:
                out.line(file["path"])
        else:
            out.line(out.bold(name))
            out.line(str(ds.explain()))
