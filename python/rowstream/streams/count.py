"""The number of rows of a stream, from metadata of the files and by reading little."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rowstream.exceptions import InvalidArgumentError
from rowstream.ops.base import World
from rowstream.ops.cut import Every, Skip, Take
from rowstream.ops.map import Map
from rowstream.ops.rebatch import Rebatch
from rowstream.ops.repeat import Repeat
from rowstream.ops.shuffle import Shuffle
from rowstream.ops.undivided import undivided
from rowstream.plan.order import ALL_ROWS
from rowstream.streams.chain import Chain
from rowstream.streams.generator import Generator
from rowstream.streams.mixture import Mixture
from rowstream.streams.pipeline import node
from rowstream.streams.rows import Rows
from rowstream.streams.source_plan import SourcePlan
from rowstream.streams.table_rows import TableSource

if TYPE_CHECKING:
    from rowstream.ops.base import Step
    from rowstream.plan.plan import Plan
    from rowstream.streams.source import Part


_ROWS = 8192  # rows that are counted at once


def count(plan: Plan, world: World) -> int:
    """Return the number of items of a plan for a consumer in an epoch.

    Raises:
        InvalidArgumentError: The plan is endless.
    """
    if endless(plan):
        raise InvalidArgumentError("count(): the stream is repeated for ever; take(n) ends it")
    n = known_count(plan, world)
    if n is not None:
        return n
    # What follows the last step that only reading tells is reckoned. A take ends the reading early.
    steps = plan.steps
    read = max(
        (
            i + 1
            for i, step in enumerate(steps)
            if isinstance(step, Take) or not _tells(step, world)
        ),
        default=0,
    )
    with undivided():
        n = _read(replace(plan, steps=steps[:read]), world)
    return _after(n, steps[read:])


def known_count(plan: Plan, world: World) -> int | None:
    """Return the number of items of a plan that ends, or `None` if items have to be read."""
    if not all(_tells(step, world) for step in plan.steps):
        return None
    n = _of_source(plan, world) if isinstance(plan, SourcePlan) else _of_files(plan, world)
    return None if n is None else _after(n, plan.steps)


def endless(plan: Plan) -> bool:
    """Return whether a plan is repeated endlessly."""
    for step in reversed(plan.steps):
        if isinstance(step, Take):
            return False
        if isinstance(step, Repeat) and step.times is None:
            return True
    if not isinstance(plan, SourcePlan):
        return _goes_round(plan)
    source = plan.source
    if isinstance(source, (Generator, TableSource)):
        return False
    if repeat := getattr(source, "repeat", ()):
        once = [part for part, again in zip(source.parts, repeat, strict=True) if not again]
        return not once or any(endless(part.plan) for part in once)
    if isinstance(source, Mixture):
        ends = all if source.strategy == "first_exhausted" else any
        return ends(endless(part.plan) for part in _drawn(source))
    return any(endless(part.plan) for part in source.parts)


def _goes_round(plan: Plan) -> bool:
    """Return whether passes over files that have rows, or may have rows, repeat endlessly."""
    number = sum(segment.times for segment in plan.segments)
    for segment in plan.cycle:
        if segment.times and plan.core.rows(number) != 0:
            return True
        number += segment.times
    return False


def _drawn(source: Mixture) -> list[Part]:
    """Return the parts of a mixture whose probability is not 0."""
    chances = source.probabilities or (1.0,) * len(source.parts)
    return [part for part, chance in zip(source.parts, chances, strict=True) if chance > 0]


def _of_files(plan: Plan, world: World) -> int | None:
    """Return the number of rows or batches of all passes over files, or `None`."""
    if plan.condition is not None or plan.skipped is not None:
        return None
    if _goes_round(plan):
        return ALL_ROWS
    ops = {dict(op)["op"] for segment in plan.segments for op in segment.ops}
    if "shuffle" in ops and (world.of > 1 or "part" in ops):
        return None  # how many of them are whose differs from pass to pass, and from epoch to epoch
    part = plan.part(world.of, world.c) if world.of > 1 else plan
    size, drop_last = plan.batch or (1, False)
    items = waiting = number = 0  # `waiting`: rows of a batch that goes on in the next pass
    for segment in part.segments:
        if not segment.times:
            continue
        rows = part.core.rows(number)
        if rows is None:
            return None
        number += segment.times
        if segment.flush:
            passes = [waiting + rows] + [rows] * (segment.times - 1)
            waiting = 0
            items += sum(_batches(n, size, drop_last=drop_last) for n in passes)
        else:
            waiting += rows * segment.times
    return items + _batches(waiting, size, drop_last=drop_last)


def _batches(rows: int, size: int, *, drop_last: bool) -> int:
    return rows // size if drop_last else -(-rows // size)


def _of_source(plan: SourcePlan, world: World) -> int | None:
    """Return the number of rows of a source whose parts know theirs, or `None`.

    It is known for a chain, and for a mixture that has each row once.
    """
    source = plan.source
    if isinstance(source, TableSource):
        # Consumers take the rows in turn.
        return len(range(world.c, len(source.table), world.of))
    each_once = isinstance(source, Chain) or (
        isinstance(source, Mixture) and source.strategy == "all_exhausted_without_replacement"
    )
    if world.of > 1 or not each_once:
        return None
    counts = [
        known_count(part.plan, _world(part, world))
        for part in (_drawn(source) if isinstance(source, Mixture) else source.parts)
    ]
    return None if None in counts else sum(n for n in counts if n is not None)


def _world(part: Part, world: World) -> World:
    return World(*part.consumer, world.epoch)


def _tells(step: Step, world: World) -> bool:
    """Return whether the number of items of a step follows from the number before it."""
    if isinstance(step, (Take, Skip, Every)):
        return world.of == 1
    if isinstance(step, Map):
        return step.size is None
    return (
        step.one_to_one
        or isinstance(step, (Shuffle, Repeat))
        or (isinstance(step, Rebatch) and step.size is not None)
    )


def _after(n: int, steps: tuple[Step, ...]) -> int:
    """Return the number of items after some steps, from the number `n` before them."""
    for step in steps:
        if isinstance(step, Take):
            n = min(n, step.n)
        elif isinstance(step, Skip):
            n = max(0, n - step.n)
        elif isinstance(step, Every):
            n = len(range(step.index, n, step.of))
        elif isinstance(step, Repeat):
            n = min(ALL_ROWS, n * (ALL_ROWS if step.times is None else step.times))
        elif isinstance(step, Rebatch):
            n = _batches(n, step.size or 1, drop_last=step.drop_last)
    return n


def _read(plan: Plan, world: World) -> int:
    """Return the number of items, by reading them."""
    if (
        isinstance(plan, SourcePlan)
        and isinstance(plan.source, Chain)
        and not plan.steps
        and world.of == 1
    ):
        counts: list[int] = [count(part.plan, _world(part, world)) for part in plan.source.parts]
        return sum(counts)
    if plan.steps or isinstance(plan, SourcePlan):
        return sum(1 for _ in node(plan, world)[0])
    # Where bad records are left out, what is bad shows only in the columns that are read.
    rows = Rows(plan if plan.skipped is not None else plan.select(()), world)
    return (
        sum(1 for _ in rows)
        if plan.batch is not None
        else sum(batch.num_rows for batch in rows.batches(_ROWS, drop_last=False))
    )
