"""What a stream reads, and what it leaves out, as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rowstream.ops.apply import name_of
from rowstream.plan.order import order_of
from rowstream.streams.chain import Chain
from rowstream.streams.generator import Generator
from rowstream.streams.mixture import Mixture
from rowstream.streams.source_plan import SourcePlan
from rowstream.streams.table_rows import TableSource
from rowstream.streams.weighted import WeightedMixture, shares

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


def explained(plan: Plan) -> str:
    """Return a plan as text: a line for each step, from the files on; parts are indented."""
    lines = _of_source(plan.source) if isinstance(plan, SourcePlan) else _of_files(plan)
    for step in plan.steps:
        lines.append(f"python    {step!r}")
        lines += [f"            in Jinja2, since {why}" for why in getattr(step, "reasons", ())]
    return "\n".join(lines)


def _of_source(source: Any) -> list[str]:
    if isinstance(source, TableSource):
        permuted = "" if source.seed is None else f", all permuted (seed={source.seed})"
        return [f"table     {_count(len(source.table), 'row')}, by number{permuted}"]
    if isinstance(source, Generator):
        more = [f"shuffled(seed={source.shuffled})"] if source.shuffled is not None else []
        more += ["deterministic"] if source.shares else []
        return [
            ", ".join(
                [f"generator {name_of(source.function)}", _count(len(source.order), "shard"), *more]
            )
        ]
    said: list[str] = []
    if isinstance(source, WeightedMixture):
        said = [*shares(source)]
        head = f"mixture   {_count(len(source.parts), 'part')}, by weights, {_until(source)}"
        for row, weights in [*source.schedule[1:], *source.changes]:
            head += f"; from row {row:,} on {', '.join(f'{one:g}' for one in weights)}"
        if source.unit > 1:
            head += f"; {source.unit} rows of a part at a time"
    elif isinstance(source, Mixture):
        how = (
            "in turn"
            if source.probabilities is None
            else f"by probabilities {', '.join(map(str, source.probabilities))}, seed {source.seed}"
        )
        head = f"mixture   {_count(len(source.parts), 'part')}, {how}, {_until(source)}"
    elif isinstance(source, Chain):
        head = f"chain     {_count(len(source.parts), 'part')}, one after another"
    else:
        head = f"columns   of {_count(len(source.parts), 'part')}, beside each other"
    lines = [head]
    for i, part in enumerate(source.parts):
        lines.append(f"  part {i}" + (f"  {said[i]}" if said else ""))
        lines += [f"    {line}" for line in explained(part.plan).splitlines()]
    return lines


def _until(source: Any) -> str:
    """Return when a mixture ends."""
    if repeat := getattr(source, "repeat", ()):
        last = [str(i) for i, again in enumerate(repeat) if not again]
        return f"until {', '.join(last)} ended" if last else "for ever"
    return {
        "first_exhausted": "until the first ends",
        "all_exhausted": "until all have ended, those that end before begin again",
    }.get(source.strategy, "until all have ended, each row once")


def _of_files(plan: Plan) -> list[str]:
    listing = plan.listing
    found: dict[str, int] = json.loads(plan.core.explain())
    names = [field["name"] for field in listing["schema"]["fields"]]
    chosen = names if plan.columns is None else [source for source, _ in plan.columns]
    size = (
        f"{_count(len(listing['files']), 'file')}, {_count(found['pieces'], 'shard')},"
        f" {_bytes(found['bytes'])}"
    )
    lines = [f"scan      {listing['format']}, {size}"]
    shown = ", ".join(name.strip(chr(0)) for name in chosen[:12]) + (
        ", …" if len(chosen) > 12 else ""
    )
    lines.append(f"columns   {len(chosen)} of {len(names)}: {shown}")
    if plan.condition is not None:
        lines.append(f"filter    {plan.condition!r}")
        left_out = [
            f"{_count(found[key], 'shard')} by {how}"
            for key, how in (("by_path", "path"), ("by_statistics", "statistics"))
            if found[key]
        ]
        lines.append(
            f"left out  {', '.join(left_out) or 'no whole shard'}; what is left out inside of"
            " shards shows when they are read"
        )
    lines.append(f"read      at most {_bytes(found['read'])}")
    lines += [f"order     {order_of(segment)}" for segment in plan.segments]
    lines += [f"for ever  {order_of(segment)}" for segment in plan.cycle]
    if plan.batch is not None:
        lines.append(
            f"batch     {plan.batch[0]}"
            f" rows{', the last one only if it is whole' if plan.batch[1] else ''}"
        )
    return lines


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _bytes(n: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":
            return f"{n:,.0f} bytes" if unit == "bytes" else f"{n:,.1f} {unit}"
        n /= 1024
    raise AssertionError(n)
