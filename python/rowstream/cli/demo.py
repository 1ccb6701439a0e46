"""`demo`: what rowstream does, on data that it makes."""

from __future__ import annotations

import os
import tempfile
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms, count
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.load import load_dataset
from rowstream.plan.expr import col

if TYPE_CHECKING:
    import argparse

_WORDS = ["the", "data", "of", "a", "row", "is", "read", "and", "kept", "in", "order"]


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "demo", help="make some data, stream it shuffled, stop, and go on without losing a row"
    )
    parser.add_argument(
        "-n", type=count, default=100_000, metavar="ROWS", help="how many (100,000)"
    )
    add_forms(parser, "the number of rows")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Output) -> int:
    n = max(given.n, 10)
    with tempfile.TemporaryDirectory() as folder:
        made = IterableDataset.from_dict(
            {
                "id": [*range(n)],
                "text": [
                    " ".join(_WORDS[(i * k) % len(_WORDS)] for k in range(3, 9)) for i in range(n)
                ],
                "score": [i * 7919 % n / n for i in range(n)],
            }
        )
        rates = {}
        for form, ending in (("json", "jsonl"), ("parquet", "parquet")):
            path = os.path.join(folder, f"rows.{ending}")
            getattr(made, f"to_{form}")(path)
            ds = load_dataset(form, data_files=path, split="train", streaming=True)
            rates[form] = _rate(ds.shuffle(seed=1, buffer_size=10_000))
        shuffled = ds.shuffle(seed=1, buffer_size=10_000)
        rows = iter(shuffled)
        first = [next(rows)["id"] for _ in range(n // 3)]
        state = shuffled.state_dict()
        again = ds.shuffle(seed=1, buffer_size=10_000)
        again.load_state_dict(state)
        rest = [row["id"] for row in again]
        exact = sorted(first + rest) == [*range(n)]
        best = ds.filter(col("score") > 0.999).count()
    if out.json:
        out.value({"rows": n, "rows_per_second": rates, "exact_resume": exact})
    elif out.quiet:
        out.line(str(n))
    else:
        out.line(f"{n:,} rows, written as JSON Lines and as Parquet, and streamed shuffled:")
        for form, rate in rates.items():
            out.line(f"  {form:8} {rate:12,.0f} rows/s")
        out.line(f"stopped after {len(first):,} rows, and gone on with from a state of the stream:")
        out.line(
            f"  {len(rest):,} more rows; "
            + ("each row came once" if exact else "ROWS WERE LOST OR REPEATED")
        )
        out.line(f"{best:,} rows have a score above 0.999, by a filter that is pushed down")
        out.line(out.dim("next: rowstream head YOUR-FILES, or import rowstream"))
    return 0 if exact else 1


def _rate(ds: IterableDataset) -> float:
    began = perf_counter()
    rows = sum(1 for _ in ds)
    return round(rows / (perf_counter() - began), 1)
