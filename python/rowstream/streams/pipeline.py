"""The rows of one consumer through steps that have states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rowstream.ops.base import World
from rowstream.ops.cut import Skip, Take
from rowstream.streams.rows import Source, Stateless

if TYPE_CHECKING:
    from rowstream.ops.base import Node
    from rowstream.plan.plan import Plan


def node(
    plan: Plan, world: World, state: Any = None, limit: int | None = None, number: int = 0
) -> tuple[Node, list[Any]]:
    """Return the last node of a plan in a pass, and a list with the source node that it reads."""
    sources: list[Any] = []
    begin = plan.begin
    # What a cut chooses is settled in epoch 0, so that a part that is held out never leaks.
    cut = max(
        (i + 1 for i, step in enumerate(plan.steps) if isinstance(step, (Skip, Take))), default=0
    )
    whole, chosen = world, replace(world, epoch=0)

    def make(depth: int, state: Any, number: int) -> Node:
        world = chosen if depth < cut else whole
        if depth == 0 and begin is not None:
            begun: Node = begin(world, state, number, limit)
            sources[:] = [begun]
            return begun
        if depth == 0:
            source = (
                Stateless(plan, world, state and (state, 0), number)
                if plan.rowwise
                else Source(plan, world, state, number, limit)
            )
            sources[:] = [source]
            return source
        return plan.steps[depth - 1].node(
            lambda state, number: make(depth - 1, state, number), state, number, world
        )

    return make(len(plan.steps), state, number), sources


class Pipeline:
    """The rows of one consumer through steps that have states.

    It first finishes the runs that it was given: rows that earlier consumers had read from the core
    but not returned. A run is `[c, of, state, limit]`: it continues from its last boundary, as the
    consumer that began it, and ends after `limit` rows were read. Then it continues with its own
    rows.

    Its state is `{"of", "runs", "own", "cursor", "taken"}`: which consumer it is; the runs that are
    left; the state of its own steps; the position in the core, and the number of rows read from it.
    Merged states have no `own`: all begin at `cursor`.
    """

    def __init__(self, plan: Plan, world: World, place: Any = None) -> None:
        self._plan, self._world = plan, world
        self._runs: list[list[Any]] = []
        self._run: Node | None = None
        # Where the core was, until a row of its own is read: a list that was begun is read again.
        self._resumed: tuple[Any, int] | None = None
        own = None
        if place is not None:
            if not isinstance(place, dict):
                raise TypeError("it has no place")
            runs = [list(run) for run in place["runs"]]
            own = place.get("own")
            self._resumed = None if own is None else (place["cursor"], place["taken"])
            self._runs = runs if own is not None else runs[world.c :: world.of]
            if own is None:
                own = place["cursor"] if plan.begin is not None else [place["cursor"], 0]
                for step in plan.steps:
                    own = step.fresh(own)
        self._own, self._sources = node(plan, world, own)

    def state(self) -> dict[str, Any]:
        runs = [[*run] for run in self._runs]
        if self._run is not None and runs:
            runs[0][2] = self._run.state()
        (source,) = self._sources
        fixed = any(step.counted for step in self._plan.steps)
        result = {"of": [self._world.c, self._world.of], "runs": runs, "own": self._own.state()}
        more = {"fixed": True} if fixed else {}
        if self._plan.begin is not None and all(step.rowwise for step in self._plan.steps):
            more["whole"] = True
        cursor, taken = self._resumed or source.reach()
        return {**result, "cursor": cursor, "taken": taken, **more}

    @staticmethod
    def merge(places: list[dict[str, Any]], join: Callable[[list[Any]], Any]) -> dict[str, Any]:
        """Merge the places of all consumers of a run into one that any number of them resumes at.

        Args:
            places: The place of each consumer.
            join: Merge their cursors.
        """
        runs = [run for place in places for run in place["runs"]]
        # Without steps of its own a source has no list that was begun.
        runs += [
            [*place["of"], place["own"], place["taken"]]
            for place in places
            if place["taken"] and not place.get("whole")
        ]
        return {"runs": runs, "cursor": join([place["cursor"] for place in places])}

    def __iter__(self) -> Iterator[Any]:
        while self._runs:
            c, of, state, limit = self._runs[0]
            self._run, _ = node(self._plan, World(c, of, self._world.epoch), state, limit)
            yield from self._run
            del self._runs[0]
            self._run = None
        rows = iter(self._own)
        for row in rows:
            self._resumed = None
            yield row
            break
        yield from rows
