"""The rows of a source for one consumer, and the merging of the states of all consumers."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import CheckpointMismatchError
from rowstream.streams.mixture import Mixture
from rowstream.streams.remix import as_it_was, moved

if TYPE_CHECKING:
    from rowstream.ops.base import Position, World
    from rowstream.streams.source import Row, Sequence, Source


def _golden(i: int, n: int) -> int:
    return (i * 2654435769 % 2**32) * n >> 32


@dataclass
class _Lane:
    """A sequence as one consumer sees it.

    Attributes:
        k: The number of its rows that are past, whichever consumer had them.
        layers: What consumers of earlier runs had: `[consumers, rows past of each, rows left so
            far]`.
        j: The number of rows that the layers left so far.
        before: What the source was, and up to which row, if it is another one from there on.
    """

    v: int
    k: int
    layers: list[list[Any]]
    j: int
    state: Any
    rows: Sequence | None = None
    done: bool = False
    before: Any = None

    def saved(self) -> list[Any]:
        state = self.state if self.rows is None else self.rows.state()
        more = [] if self.before is None else [self.before]
        return [self.k, [list(layer) for layer in self.layers], self.j, state, self.done, *more]


class Consumer:
    """The rows of a source for one consumer: a node.

    Its state is `{"of", "given", "lanes", "done"}`. It has all that is known of the sequences that
    have begun or that others share, and of the others only ranges of those that are done, so that
    it is small however many sequences there are.
    """

    def __init__(
        self,
        source: Source,
        world: World,
        state: Any = None,
        number: int = 0,
        limit: int | None = None,
    ) -> None:
        self._source, self._world, self._number, self._limit = source, world, number, limit
        self.given = 0
        self._reached: Any = None
        saved: dict[int, Any] = {}
        self._done: list[list[int]] = []
        if state is not None:
            if not isinstance(state, dict) or "lanes" not in state:
                raise CheckpointMismatchError(
                    "the state is of another kind of stream: load it into one of the same parts"
                    " and steps"
                )
            self.given = state.get("given", 0)
            # A copy: what is counted here is not the user's.
            saved = {int(v): copy.deepcopy(lane) for v, lane in state["lanes"].items()}
            self._done = [list(run) for run in state.get("done", ())]
        # Asked once: a nested source works them out of its parts, and they are used for every row.
        self._sequences, self._shares = source.sequences, source.shares
        # So many rows of a sequence follow each other.
        self._unit: int = getattr(source, "unit", 1)
        v_most, c, of = self._sequences, world.c, world.of
        self._mine = [
            v
            for v in range(c * v_most // of, -(-(c + 1) * v_most // of))
            if self._shares or self._owner(v, 0, of) == c
        ]
        # Sequences that are read now, or were read by others too.
        self._lanes: dict[int, _Lane] = {}
        for v in self._mine:
            if v in saved or source.turns or self._is_shared(v):
                self._lanes[v] = self._lane(v, saved.get(v))
                # Those that fewer consumers finished are not in a state one by one.
                self._lanes[v].done |= self._is_done(v)

    chunks = None

    @staticmethod
    def _lane(v: int, saved: Any = None) -> _Lane:
        result = _Lane(v, *(saved or [0, [], 0, None])[:4])
        result.done = bool(saved and saved[4])
        result.before = saved[5] if saved and len(saved) > 5 else None
        return result

    def _owner(self, v: int, k: int, of: int) -> int:
        """Return which of the consumers that share a sequence has its `k`-th row.

        The first of them has row 0.
        """
        return (v * of + _golden(k // self._unit, of)) // self._sequences

    def _is_shared(self, v: int) -> bool:
        of, lanes = self._world.of, self._sequences
        return self._shares and v * of // lanes != (v * of + of - 1) // lanes

    def _is_done(self, v: int) -> bool:
        return any(start <= v < end for start, end in self._done)

    def state(self) -> Position:
        return {
            "of": [self._world.c, self._world.of],
            "given": self.given,
            "lanes": {str(v): lane.saved() for v, lane in self._lanes.items()},
            **({"mixture": self._source.described} if isinstance(self._source, Mixture) else {}),
            **({"done": [list(run) for run in self._done]} if self._done else {}),
        }

    def cursor(self) -> Position:
        """Return the state, for states that are merged."""
        return self.state()

    def reached(self, state: Any) -> None:
        """Note how far the list goes that is given: what is read ahead of it is not this one's."""
        self._reached = state

    def reach(self) -> tuple[Any, int]:
        """Return the state and the number of rows, as far as they are this one's."""
        state: Any = self._reached or self.state()
        return state, state["given"]

    def _next(self, lane: _Lane) -> Row | None:
        """Return the next row of a sequence for this consumer, or `None` at its end."""
        if lane.done:
            return None
        if lane.rows is None:
            lane.rows = self._opened(lane)
        shared = self._is_shared(lane.v)
        while True:
            row = (
                None
                if lane.before is not None and lane.k >= lane.before["until"]
                else _pulled(lane.rows)
            )
            if row is None:
                if lane.before is None:
                    lane.done = True
                    return None
                lane.state = moved(lane.rows.state(), lane.before["mixture"], self._source)
                lane.before, lane.layers = None, []
                lane.rows = self._opened(lane)
                continue
            k, lane.k = lane.k, lane.k + 1
            if any(self._had(layer, lane.v, k) for layer in lane.layers):
                continue
            j, lane.j = lane.j, lane.j + 1
            if not shared or self._owner(lane.v, j, self._world.of) == self._world.c:
                return row

    def _opened(self, lane: _Lane) -> Sequence:
        """Return a sequence at its position: of the source as it was, if it has changed since."""
        source = self._source
        if lane.before is not None:
            source = as_it_was(lane.before["mixture"], self._source)
        return source.sequence(lane.v, self._world.epoch, self._number, lane.state)

    def _had(self, layer: list[Any], v: int, k: int) -> bool:
        """Return whether a consumer of an earlier run had a row; count it as left if not."""
        of, behind, left = layer
        owner = self._owner(v, left, of)
        layer[2] = left + 1
        return bool(k < behind.get(str(owner), 0))

    def __iter__(self) -> Iterator[Row]:
        if self._source.turns:
            yield from self._in_turn()
            return
        for v in self._mine:
            if v not in self._lanes:
                if self._is_done(v):
                    continue
                self._lanes[v] = self._lane(v)
            lane = self._lanes[v]
            while self._limit is None or self.given < self._limit:
                if (row := self._next(lane)) is None:
                    break
                self.given += 1
                yield row
            if not lane.done:
                return
            if not lane.layers and not self._is_shared(v):
                del self._lanes[v]
                _add(self._done, v)

    def _in_turn(self) -> Iterator[Row]:
        unit = self._unit
        heap = sorted((lane.k // unit, v) for v, lane in self._lanes.items())
        while heap and (self._limit is None or self.given < self._limit):
            _, v = heappop(heap)
            lane = self._lanes[v]
            if (row := self._next(lane)) is not None:
                heappush(heap, (lane.k // unit, v))
                self.given += 1
                yield row


def _pulled(rows: Sequence) -> Row | None:
    try:
        return rows.pull()
    except StopIteration:
        return None


def _add(runs: list[list[int]], v: int) -> None:
    """Add a number to sorted ranges `[first, after the last]`."""
    at = bisect_left(runs, [v])
    before, after = at > 0 and runs[at - 1][1] == v, at < len(runs) and runs[at][0] == v + 1
    if before and after:
        runs[at - 1][1] = runs.pop(at)[1]
    elif before:
        runs[at - 1][1] = v + 1
    elif after:
        runs[at][0] = v
    else:
        runs.insert(at, [v, v + 1])


def merge_cursors(cursors: list[Any]) -> Position:
    """Merge the cursors of all consumers of a run: those of the core, or states of a source."""
    return merge(cursors) if isinstance(cursors[0], dict) else _core.merge_cursors(cursors)


def merge(states: list[Any]) -> Position:
    """Merge the states of all consumers of a run into one."""
    if all("of" not in state for state in states) and all(state == states[0] for state in states):
        same: Position = states[0]
        return same  # that of an earlier run, after which nobody has had a row
    if any("of" not in state for state in states):
        raise CheckpointMismatchError(
            "merge_state_dicts: some of the states were loaded and not gone on from: take them"
            " again, with this rowstream"
        )
    of = states[0]["of"][1]
    if sorted(state["of"] for state in states) != [[c, of] for c in range(of)]:
        raise CheckpointMismatchError(
            f"merge_state_dicts: expected one state of each of {of} consumers, found"
            f" {[state['of'] for state in states]}"
        )
    lanes: dict[str, Any] = {}
    for v in {v for state in states for v in state["lanes"]}:
        sharers = {state["of"][0]: state["lanes"][v] for state in states if v in state["lanes"]}
        behind = {str(c): 1 << 62 if lane[4] else lane[0] for c, lane in sharers.items()}
        last = min(sharers.values(), key=lambda lane: (lane[4], lane[0]))
        k, layers, j, inner, done, *before = copy.deepcopy(last)
        # What all are past needs no layer.
        if len(sharers) > 1 and not done:
            layers.append([of, behind, j])
        lanes[v] = [
            k,
            [layer for layer in layers if any(n > k for n in layer[1].values())],
            0 if len(sharers) > 1 else j,
            inner,
            done,
            *before,
        ]
    finished: list[list[int]] = []
    for first, end in sorted(run for state in states for run in state.get("done", ())):
        if finished and first <= finished[-1][1]:
            finished[-1][1] = max(end, finished[-1][1])
        else:
            finished.append([first, end])
    mixture = {"mixture": states[0]["mixture"]} if "mixture" in states[0] else {}
    return {"lanes": lanes, **mixture, **({"done": finished} if finished else {})}
