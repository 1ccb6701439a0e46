"""An iteration of a stream: what it gives next, and its state."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import CheckpointMismatchError
from rowstream.formats import formatter
from rowstream.ops import Skip, Take
from rowstream.ops.base import World
from rowstream.ops.undivided import undivided, undivided_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowstream.ops import Node
    from rowstream.plan import Plan

VERSION = 1
_OTHERS = {
    frozenset(("_snapshot", "_sampler_iter_yielded", "_num_yielded", "_steps_since_snapshot")): (
        "this is what a StatefulDataLoader saved: load it into one, or join what it has of its workers with merge_state_dicts([state])"
    ),
    frozenset(("examples_iterable",)): "this is a state of datasets, which counts the rows of another order: begin anew, without it",
}
_PASS = 1 << 32  # passes that Python repeats are epochs of the core, beyond those that a user counts


class Rows:
    """The core's own iteration: rows, or batches where the plan batches."""

    def __init__(self, plan: Plan, world: World, state: str | None = None, number: int = 0) -> None:
        cursor = state or plan.core.start(world.epoch + number * _PASS)
        self.stream = _core.Stream(plan.core, world.c, world.of, cursor, plan.skipped)
        self._batch = plan.batch or (1, False)

    def state(self) -> str:
        """The core's cursor."""
        return self.stream.cursor()

    @property
    def ended(self) -> bool:
        """Whether its last row was given."""
        return self.stream.ended

    @property
    def pending(self) -> bool:
        """Whether it was moved, and gave nothing since."""
        return self.stream.pending

    def seek(self, cursor: str) -> None:
        """Goes on after another cursor."""
        self.stream.seek(cursor)

    def batches(self, size: int, drop_last: bool) -> Iterator[_core.Batch]:
        """Batches of rows."""
        while (batch := self.stream.next_batch(size, drop_last)) is not None:
            yield batch

    def __iter__(self) -> Iterator[_core.Batch]:
        """The plan's own batches; of one row where it has none."""
        return self.batches(*self._batch)


class Source:
    """Rows for steps in Python: as their first step wants them. Its state is `[the core's cursor, rows given]`.

    Args:
        limit: rows that it gives at most, over all that went on from one beginning.
    """

    def __init__(self, plan: Plan, world: World, state: Any = None, number: int = 0, limit: int | None = None) -> None:
        self.given: int
        cursor, self.given = state or (None, 0)
        self._rows = Rows(plan, world, cursor, number)
        self._batched, self._limit = plan.batch is not None, limit
        format = getattr(plan.steps[0], "format", None) if plan.steps else None
        self._make, self._python = formatter(format), format is None

    def state(self) -> Any:
        """See the class."""
        return [self.cursor(), self.given]

    def cursor(self) -> str:
        """The core's cursor."""
        return self._rows.state()

    def _left(self, most: int) -> int:
        return most if self._limit is None else min(most, self._limit - self.given)

    def _items(self) -> Iterator[Any]:
        """Rows, or the plan's batches."""
        if self._batched:
            return iter(self._rows)
        return iter(self._rows.stream) if self._python else map(self._make.row, self._rows)

    def __iter__(self) -> Iterator[Any]:
        """Rows, or the plan's batches, counted."""
        rows = self._items()
        while self._left(1):
            try:
                row = next(rows)
            except StopIteration:
                return
            self.given += 1
            yield row

    @property
    def chunks(self) -> Callable[[int], Iterator[Any]] | None:
        """Gives columns of up to so many rows; `None` where rows come in batches."""
        return None if self._batched else self._chunks

    def _chunks(self, size: int) -> Iterator[Any]:
        while size := self._left(size):
            batch = self._rows.stream.next_batch(size, drop_last=False)
            if batch is None:
                return
            self.given += batch.num_rows
            yield self._make.batch(batch)


class Stateless(Source):
    """A source under steps without a state of their own: its state is the core's cursor."""

    def state(self) -> Any:
        """See the class."""
        return self.cursor()

    def __iter__(self) -> Iterator[Any]:
        """Rows, or the plan's batches."""
        return self._items()


def node(plan: Plan, world: World, state: Any = None, limit: int | None = None, number: int = 0) -> tuple[Node, list[Any]]:
    """The steps of a plan at work, over its rows, in a pass; and a list of one, the source that they now have."""
    sources: list[Any] = []
    begin = getattr(plan, "begin", None)
    # What a cut chooses is settled in epoch 0, so that a part that is held out never leaks.
    cut = max((i + 1 for i, step in enumerate(plan.steps) if isinstance(step, (Skip, Take))), default=0)
    whole, chosen = world, replace(world, epoch=0)

    def make(depth: int, state: Any, number: int) -> Node:
        world = chosen if depth < cut else whole
        if depth == 0 and begin is not None:
            sources[:] = [begin(world, state, number, limit)]
            return sources[0]
        if depth == 0:
            source = Stateless(plan, world, state and (state, 0), number) if plan.rowwise else Source(plan, world, state, number, limit)
            sources[:] = [source]
            return source
        return plan.steps[depth - 1].node(lambda state, number: make(depth - 1, state, number), state, number, world)

    return make(len(plan.steps), state, number), sources


class Pipeline:
    """One consumer's rows through steps with states of their own.

    It first finishes the runs that it was given: what earlier consumers had taken from the core and not yet given. A
    run is `[c, of, state, limit]`: it goes on from its last boundary, as the consumer that began it, and ends when
    `limit` rows were taken. Then it goes on with its own.

    Its state is `{"of", "runs", "own", "cursor", "taken"}`: which consumer it is; the runs that are left; the state of
    its own steps; how far the core was read, and how many rows were taken of it. States that were joined have no `own`:
    all begin at `cursor`.
    """

    def __init__(self, plan: Plan, world: World, place: Any = None) -> None:
        self._plan, self._world = plan, world
        self._runs: list[list[Any]] = []
        self._run: Node | None = None
        own = None
        if place is not None:
            if not isinstance(place, dict):
                raise TypeError("it has no place")
            runs = [list(run) for run in place["runs"]]
            own = place.get("own")
            self._runs = runs if own is not None else runs[world.c :: world.of]
            if own is None:
                own = place["cursor"] if hasattr(plan, "begin") else [place["cursor"], 0]
                for step in plan.steps:
                    own = step.fresh(own)
        self._own, self._sources = node(plan, world, own)

    def state(self) -> dict[str, Any]:
        """See the class."""
        runs = [[*run] for run in self._runs]
        if self._run is not None and runs:
            runs[0][2] = self._run.state()
        (source,) = self._sources
        fixed = any(step.counted for step in self._plan.steps)
        made = {"of": [self._world.c, self._world.of], "runs": runs, "own": self._own.state()}
        more = {"fixed": True} if fixed else {}
        if hasattr(self._plan, "begin") and all(step.rowwise for step in self._plan.steps):
            more["whole"] = True
        return {**made, "cursor": source.cursor(), "taken": source.given, **more}

    @staticmethod
    def merge(places: list[dict[str, Any]]) -> dict[str, Any]:
        """The places of all consumers of one run as one that any number of them goes on from."""
        runs = [run for place in places for run in place["runs"]]
        # Without steps of its own a source has no list that was begun.
        runs += [[*place["of"], place["own"], place["taken"]] for place in places if place["taken"] and not place.get("whole")]
        cursors = [place["cursor"] for place in places]
        if isinstance(cursors[0], dict):
            from rowstream.dataset.sources import merge

            return {"runs": runs, "cursor": merge(cursors)}
        return {"runs": runs, "cursor": _core.merge_cursors(cursors)}

    def __iter__(self) -> Iterator[Any]:
        """The items that are left."""
        while self._runs:
            c, of, state, limit = self._runs[0]
            self._run, _ = node(self._plan, World(c, of, self._world.epoch), state, limit)
            yield from self._run
            del self._runs[0]
            self._run = None
        yield from self._own


class Items:
    """What steps in Python give, from a place on; it can be moved to another.

    Args:
        open: makes the last step's node at a place.
        place: where it begins.
        whole: whether the process is a worker, so that streams which functions read have to be marked as whole.
    """

    def __init__(self, open: Callable[[Any], Node], place: Any, *, whole: bool) -> None:
        self._open, self._place, self._whole = open, place, whole
        self._node: Node | None = None
        self.ended = False
        self.pending = False
        self._opened()

    def _opened(self) -> Node:
        if self._node is None:
            with undivided() if self._whole else nullcontext():
                self._node = self._open(self._place)
        return self._node

    def state(self) -> Any:
        """The state of the last step."""
        return self._opened().state()

    def seek(self, place: Any) -> None:
        """Goes on after another place."""
        self._node, self._place, self.pending = None, place, True

    def __iter__(self) -> Iterator[Any]:
        """The items that are left, of wherever it was moved to."""
        while True:
            node = self._opened()
            self.pending = False
            for item in undivided_items(iter(node)) if self._whole else node:
                yield item
                if self.pending:
                    break
            else:
                self.ended = True
                return


class Iteration:
    """A stream's iteration under way.

    Attributes:
        resumed: the state that it went on from, if any.
    """

    def __init__(self, items: Rows | Items, state: Callable[[], State], resumed: State | None) -> None:
        self._items, self.state, self.resumed = items, state, resumed
        self._began = None if resumed is None else state()

    @property
    def ended(self) -> bool:
        """Whether its last item was given."""
        return self._items.ended

    @property
    def behind(self) -> bool:
        """Whether what it went on from is behind: it gave something since, or ended."""
        return self.ended or (not self._items.pending and self.state() != self._began)

    def seek(self, state: State) -> None:
        """Goes on from another state, of the same stream and consumer."""
        self._items.seek(state.place if state.cursor is None else state.cursor)
        self.resumed, self._began = state, None


@dataclass(frozen=True)
class State:
    """What `state_dict` gives: plain data, the same for every kind of stream."""

    epoch: int
    cursor: str | None
    steps: str = ""
    place: Any = None
    of: Any = field(default=None, compare=False)

    def to_dict(self, of: Any = None) -> dict[str, Any]:
        """As users keep it. `of`: what it says of the stream, for errors."""
        made: dict[str, Any] = {"rowstream": VERSION, "epoch": self.epoch}
        if (of := of or self.of) is not None:
            made["of"] = of
        if self.steps:
            return {**made, "steps": self.steps, "place": self.place}
        return {**made, "cursor": self.cursor}

    def of_plan(self, plan: Plan) -> bool:
        """Whether it says a place in this plan, as far as can be told without its files."""
        return self.steps == signature(plan) and (self.cursor is None or json.loads(self.cursor)["plan"] == plan.core.fingerprint)

    @classmethod
    def from_dict(cls, state: Any) -> State:
        """Reads what `to_dict` gave. Raises `CheckpointMismatchError` for anything else."""
        if not isinstance(state, dict) or state.get("rowstream") != VERSION:
            for names, what in _OTHERS.items():
                if isinstance(state, dict) and names & state.keys():
                    raise CheckpointMismatchError(what)
            raise CheckpointMismatchError(
                f"not a state that this rowstream wrote: expected a dict with 'rowstream': {VERSION}, "
                f"found {type(state).__name__} {sorted(state) if isinstance(state, dict) else ''}".rstrip()
            )
        epoch, cursor = state.get("epoch"), state.get("cursor")
        if not isinstance(epoch, int) or not (isinstance(cursor, str) or "place" in state):
            raise CheckpointMismatchError("the state is damaged: it has no epoch, or no place")
        return cls(epoch, cursor, str(state.get("steps", "")), state.get("place"), state.get("of"))


def signature(plan: Plan) -> str:
    """What a state with Python steps must match; empty where they have no state of their own."""
    return "" if plan.rowwise else f"{plan.core.fingerprint} {', '.join(map(repr, plan.steps))}"
