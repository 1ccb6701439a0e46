"""Joining of several listings into one."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from rowstream import _core
from rowstream.exceptions import SchemaError, UnsupportedError
from rowstream.plan.order import Segment, op_of

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan
    from rowstream.storage.access import StorageOptions


def join_plans(plans: list[Plan]) -> Plan | None:
    """Join plans into one with a single listing, or return `None` if they are read differently."""
    first = plans[0]
    for plan in plans:
        alike = (
            plan.columns,
            plan.condition,
            plan.column_steps,
            plan.steps,
            plan.batch,
            plan.skipped,
        ) == (first.columns, first.condition, first.column_steps, (), None, first.skipped)
        if (
            plan.begin is not None
            or not alike
            or plan.cycle
            or plan.first
            or plan.condition is not None
        ):
            return None
        if not same_access(plan.access, first.access):
            return None
    try:
        scan = _core.join_scans([plan.scan for plan in plans])
    except (UnsupportedError, SchemaError):
        return None
    first = replace(first, in_memory=tuple(content for plan in plans for content in plan.in_memory))
    if all(plan.segments == (Segment(),) for plan in plans):
        return replace(first, scan=scan)
    ends = list(accumulate(len(plan.listing["pieces"]) for plan in plans))
    segments = []
    for plan, end in zip(plans, ends, strict=True):
        own = op_of("pieces", **{"from": end - len(plan.listing["pieces"]), "upto": end})
        segments += [replace(segment, ops=(own, *segment.ops)) for segment in plan.segments]
    return replace(first, scan=scan, segments=tuple(segments))


def same_access(one: StorageOptions | None, other: StorageOptions | None) -> bool:
    """Return whether files are requested with the same credentials and settings."""
    if one is None or other is None:
        return one is other
    return one == other and (one.token, one.storage_options) == (other.token, other.storage_options)
