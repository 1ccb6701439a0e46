"""What a stream reads, and what it leaves out, as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream.plan import Plan, Segment


def explained(plan: Plan) -> str:
    """The plan, a step a line, from the files up."""
    listing = plan.listing
    found: dict[str, int] = json.loads(plan.core.explain())
    names = [field["name"] for field in listing["schema"]["fields"]]
    chosen = names if plan.columns is None else [source for source, _ in plan.columns]
    size = f"{_count(len(listing['files']), 'file')}, {_count(found['pieces'], 'piece')}, {_bytes(found['bytes'])}"
    lines = [f"scan      {listing['format']}, {size}"]
    shown = ", ".join(name.strip(chr(0)) for name in chosen[:12]) + (", …" if len(chosen) > 12 else "")
    lines.append(f"columns   {len(chosen)} of {len(names)}: {shown}")
    if plan.condition is not None:
        lines.append(f"filter    {plan.condition!r}")
        left_out = [
            f"{_count(found[key], 'piece')} by {how}" for key, how in (("by_path", "path"), ("by_statistics", "statistics")) if found[key]
        ]
        lines.append(f"left out  {', '.join(left_out) or 'no whole piece'}; what is left out inside of pieces shows when they are read")
    lines.append(f"read      at most {_bytes(found['read'])}")
    lines += [f"order     {_segment(segment)}" for segment in plan.segments]
    lines += [f"for ever  {_segment(segment)}" for segment in plan.cycle]
    if plan.batch is not None:
        lines.append(f"batch     {plan.batch[0]} rows{', the last one only if it is whole' if plan.batch[1] else ''}")
    lines += [f"python    {step!r}" for step in plan.steps]
    return "\n".join(lines)


def _segment(segment: Segment) -> str:
    ops = [_op(dict(op)) for op in segment.ops] or ["as the files have it"]
    return ", ".join(ops) + (f", {segment.times} times" if segment.times != 1 else "")


def _op(op: dict[str, Any]) -> str:
    name = op.pop("op")
    return f"{name}({', '.join(f'{key}={value}' for key, value in op.items() if key not in ('at', 'pass'))})"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _bytes(n: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":
            return f"{n:,.0f} bytes" if unit == "bytes" else f"{n:,.1f} {unit}"
        n /= 1024
    raise AssertionError(n)
