"""`sql`: a query of DuckDB over any source."""

from __future__ import annotations

import argparse
import json
import os
import re
from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, first_of
from rowstream.exceptions import InvalidArgumentError
from rowstream.integrations.duckdb import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowstream.dataset.iterable.dataset import IterableDataset

_ROWS = 1000  # that are fetched at once


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "sql",
        help="query sources with DuckDB",
        description="Query sources with DuckDB, which pip install 'rowstream[sql]' installs. One"
        " source is the table `data`; several are named: rowstream sql 'select … from a join b"
        " using (id)' a=train.parquet b=labels.jsonl. Columns and conditions are pushed down into"
        " the files.",
    )
    parser.add_argument("query", help="the query")
    add_source(parser, rows=False)
    add_forms(parser, "values, separated by tabs, without a header")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Output) -> None:
    try:
        import duckdb
    except ImportError as error:
        raise ImportError("rowstream sql needs DuckDB: pip install 'rowstream[sql]'") from error

    con = duckdb.connect()
    for name, ds in _tables(given, out).items():
        con.register(name, table(ds))
    found = con.execute(given.query)
    if found is None or found.description is None:
        raise InvalidArgumentError("the query is empty: it begins with select")
    names = _different([one[0] for one in found.description])
    kinds = [str(one[1]) for one in found.description]
    if "TIMESTAMP_NS" in kinds:
        # Times of Python have microseconds.
        parts = [f"#{i}::VARCHAR" if of == "TIMESTAMP_NS" else f"#{i}" for i, of in _nth(kinds)]
        query = given.query.strip().rstrip(";")
        found = con.execute(f"select {', '.join(parts)} from ({query})")  # noqa: S608 - the user's
    rows: list[Any] = found.fetchmany(_ROWS)
    if out.json:
        texts = [i - 1 for i, of in _nth(kinds) if of == "JSON"]
        while rows:
            for row in rows:
                values = list(row)
                for i in texts:
                    values[i] = None if row[i] is None else json.loads(row[i])
                out.value(dict(zip(names, values, strict=True)))
            rows = found.fetchmany(_ROWS)
        return
    if out.terminal and not out.quiet:
        more = found.fetchmany(1)
        out.table(names, ([_cell(value) for value in row] for row in rows))
        if more:
            out.note(f"the first {_ROWS:,} rows; a pipe or --json gives all")
        return
    if not out.quiet:
        out.line("\t".join(names))
    while rows:
        for row in rows:
            out.line("\t".join(_cell(value).replace("\t", " ") for value in row))
        rows = found.fetchmany(_ROWS)


def _nth(items: list[str]) -> Iterator[tuple[int, str]]:
    return enumerate(items, 1)


def _different(names: list[str]) -> list[str]:
    """Return names of columns, with a number behind those that come again."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name] - 1}")
    return result


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("\n", " ")


def _tables(given: argparse.Namespace, out: Output) -> dict[str, IterableDataset]:
    """Return the streams by the names of their tables."""
    # What is there is a file, such as one in the folder year=2024.
    named = [
        None if os.path.exists(source) else re.fullmatch(r"([A-Za-z_]\w*)=(.+)", source)
        for source in given.source
    ]
    if not any(named):
        return {"data": first_of(given, out)[1]}
    result = {}
    for source, match in zip(given.source, named, strict=True):
        if match is None:
            raise InvalidArgumentError(f"{source}: name every table, as in rows={source}")
        own = argparse.Namespace(**{**vars(given), "source": [match[2]]})
        result[match[1]] = first_of(own, out)[1]
    return result
