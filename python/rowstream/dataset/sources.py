"""Rows that are not those of one listing: mixtures, chains and pairs of streams, and what a user's generator gives.

A source is **sequences** of rows, dealt to consumers as the core deals lanes. Sequence `v` is a pure function of the plan: the
rows of a mixture that are drawn from the parts of consumer `v` of all sequences. So the rows and their order do not depend
on how many consumers there are: a sequence is one consumer's alone, or several share it row by row.

A state says for each sequence how many of its rows are behind, and where its parts are. The states of all consumers join:
each sequence goes on from the consumer that was furthest behind, and what others had of it is left out.
"""

from __future__ import annotations

import copy
import zlib
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from rowstream import _core
from rowstream.dataset.remixing import as_it_was, moved
from rowstream.dataset.running import node
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features.rows import Typing
from rowstream.features.types import requires_decoding
from rowstream.info import DatasetInfo
from rowstream.ops import Every, Shuffle
from rowstream.ops.apply import name_of
from rowstream.ops.base import World
from rowstream.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Row = dict[str, Any]

_MOST = 64  # sequences of a source
_ANCHOR = 256  # rows of a part between two states that are kept of it
_STORED = 100  # rows of a table that are read at once as they are stored
_DRAWS = 1000  # draws that `datasets` makes at once
_PARTS = 4  # parts that a state says more of than a hash
_NAMED = 100  # shards of a generator that a key names one by one


class Sequence(Protocol):
    """Rows one after another."""

    def pull(self) -> Row:
        """The next row. Raises `StopIteration` after the last."""
        ...

    def state(self) -> Any:
        """Where it is, after the last row pulled: plain JSON."""
        ...


class Source(Protocol):
    """Sequences of rows: plain data.

    Attributes:
        sequences: how many there are.
        turns: whether consumers take a row of each in turn; else one sequence after another.
        shares: whether several consumers may take the rows of one sequence in turn; else each sequence is one consumer's alone.
    """

    @property
    def shares(self) -> bool:
        """See the class."""
        ...

    @property
    def sequences(self) -> int:
        """See the class."""
        ...

    @property
    def turns(self) -> bool:
        """See the class."""
        ...

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """The `v`-th, from a state on, in an epoch and a pass."""
        ...

    def pieces(self) -> int:
        """How many shards a user has: what can be read beside each other without reading a row twice."""
        ...

    def key(self) -> str:
        """What identifies it."""
        ...


# ------------------------------------------------------------------------------------------------------------ sequences


@dataclass(frozen=True)
class Part:
    """A stream that is a part of others: its plan, and which consumer of how many it is of itself."""

    plan: Plan
    consumer: tuple[int, int] = (0, 1)

    def pieces(self) -> int:
        """How many pieces its consumer has."""
        pieces: int = self.plan.core.pieces()
        return max(1, pieces // self.consumer[1])

    def key(self) -> str:
        """What identifies it."""
        return f"{self.plan.core.fingerprint}{list(self.plan.steps) or ''}{self.consumer}"


class _Reading:
    """The rows of a part for one sequence. It knows whether there is another one."""

    def __init__(self, part: Part, v: int, of: int, epoch: int, number: int, state: Any) -> None:
        c, parts = part.consumer
        world = World(c * of + v, parts * of, epoch)
        self._open: Callable[[Any], Any] = lambda state: node(part.plan, world, state, number=number)[0]
        self._begin(*(state or (None, 0)))

    def _begin(self, anchor: Any, since: int) -> None:
        self._node = self._open(anchor)
        self._items = iter(self._node)
        self._anchor, self._since = anchor, since
        for _ in islice(self._items, since):
            pass
        self._peek()

    def _peek(self) -> None:
        self.more = True
        try:
            self._next = next(self._items)
        except StopIteration:
            self.more = False

    def take(self) -> tuple[Row, bool]:
        """The next row, which there is, and whether there is another."""
        row: Row = self._next
        self._since += 1
        if self._since >= _ANCHOR:
            # The row after it is not pulled yet.
            self._anchor, self._since = self._node.state(), 0
        self._peek()
        return row, self.more

    def restart(self) -> None:
        """From the first row."""
        self._begin(None, 0)

    def state(self) -> Any:
        """A state that was kept, and the rows since."""
        return [self._anchor, self._since]


def _whole(row: Row, names: tuple[str, ...] | None) -> Row:
    """A row with all columns; those that its part lacks are null."""
    if names is None or (len(row) == len(names) and tuple(row) == names):
        return row
    return {**{name: row.get(name) for name in names}, **row}


class _Mixing:
    """Rows drawn from parts. Its state is `[draws, ended, parts]`."""

    def __init__(self, source: Mixed, v: int, epoch: int, number: int, state: Any) -> None:
        of = source.sequences
        self._source = source
        self._step: int
        self._step, ended, parts = state or (0, None, [None] * len(source.parts))
        self._parts = [_Reading(part, v, of, epoch, number, one) for part, one in zip(source.parts, parts, strict=True)]
        # A part that is never drawn is no reason to go on, nor to end.
        chances = source.probabilities or (1.0,) * len(parts)
        self._drawn = [d for d, chance in enumerate(chances) if chance > 0]
        self._ended = list(ended) if ended is not None else [False] * len(parts)
        self._enough = any if source.strategy == "first_exhausted" else all
        self._over = self._enough([self._ended[d] for d in self._drawn])
        self._draws = islice(source.draws(v, epoch, number), self._step, None)

    def pull(self) -> Row:
        source, ended = self._source, self._ended
        while not self._over:
            d = next(self._draws)
            self._step += 1
            part = self._parts[d]
            if ended[d] and source.strategy == "all_exhausted_without_replacement":
                continue
            if not part.more:
                self._end(d)
                continue
            row, more = part.take()
            if not more:
                self._end(d)
                if source.strategy != "all_exhausted_without_replacement" and not self._over:
                    part.restart()
            return _whole(row, source.names)
        raise StopIteration

    def _end(self, d: int) -> None:
        self._ended[d] = True
        self._over = self._enough([self._ended[d] for d in self._drawn])

    def state(self) -> Any:
        return [self._step, list(self._ended), [part.state() for part in self._parts]]


class _Chaining:
    """Parts one after another. Its state is `[which part, its state]`."""

    def __init__(self, source: Chained, v: int, epoch: int, number: int, state: Any) -> None:
        self._source = source
        self._at: int
        self._at, inner = state or (0, None)
        self._place = (v, source.sequences, epoch, number)
        self._part = self._made(inner)

    def _made(self, state: Any) -> _Reading:
        return _Reading(self._source.parts[self._at], *self._place, state)

    def pull(self) -> Row:
        while not self._part.more:
            if self._at + 1 == len(self._source.parts):
                raise StopIteration
            self._at += 1
            self._part = self._made(None)
        return _whole(self._part.take()[0], self._source.names)

    def state(self) -> Any:
        return [self._at, self._part.state()]


class _Zipping:
    """A row of each part at once, as one row. Its state is that of the parts."""

    def __init__(self, source: Zipped, v: int, epoch: int, number: int, state: Any) -> None:
        self._source = source
        parts = state or [None] * len(source.parts)
        self._parts = [_Reading(part, v, source.sequences, epoch, number, one) for part, one in zip(source.parts, parts, strict=True)]

    def pull(self) -> Row:
        ended = [i for i, part in enumerate(self._parts) if not part.more]
        if len(ended) == len(self._parts):
            raise StopIteration
        if ended:
            raise InvalidArgumentError(
                f"concatenate_datasets(axis=1): the number of rows must match for all data sets: those at {ended} end while others go on"
            )
        row: Row = {}
        for part in self._parts:
            for name, value in part.take()[0].items():
                if name in row:
                    raise InvalidArgumentError(f"concatenate_datasets(axis=1): two data sets have a column {name!r}")
                row[name] = value
        return _whole(row, self._source.names)

    def state(self) -> Any:
        return [part.state() for part in self._parts]


class _Generating:
    """What a user's generator gives for one shard. Its state is how many rows that were: the generator is run again."""

    def __init__(self, source: Generated, shard: int, state: Any) -> None:
        self._count = state or 0
        self._typing = None if source.features is None else Typing(source.features)
        self._rows = iter(source.function(**source.shard_kwargs(shard)))
        for _ in islice(self._rows, self._count):
            pass

    def pull(self) -> Row:
        row = next(self._rows)
        if not isinstance(row, dict):
            raise InvalidArgumentError(f"from_generator: the generator must yield dicts, it yielded {type(row).__name__}")
        self._count += 1
        if self._typing is None:
            return row
        try:
            return self._typing.row(row)
        except SchemaError as error:
            error.add_note(f"row {self._count - 1} that the generator gave")
            raise

    def state(self) -> Any:
        return self._count


# -------------------------------------------------------------------------------------------------------------- sources


def _lanes(parts: tuple[Part, ...]) -> int:
    """Sequences of a mixture: one where a part is in the order of its files, else as many as the parts have lanes, 64 in all."""

    def of(plan: Plan) -> int:
        if isinstance(plan, SourcePlan):
            nested: Source = plan.source
            return nested.sequences if nested.turns else 1
        shuffled = [[dict(op) for op in segment.ops if dict(op)["op"] == "shuffle"] for segment in (*plan.segments, *plan.cycle)]
        if not shuffled or not all(shuffled):
            return 1
        lanes: int = plan.listing["lanes"]
        fewest: int = min(lanes, *(ops[-1].get("lanes", lanes) for ops in shuffled))
        return fewest

    return max(1, min(_MOST // len(parts), *(of(part.plan) for part in parts)))


def _share(parts: tuple[Part, ...]) -> bool:
    """Whether every part gives the same rows to each consumer that reads it: a generator may not."""
    return all(part.plan.source.shares for part in parts if isinstance(part.plan, SourcePlan))


@dataclass(frozen=True)
class Mixed:
    """Rows drawn from parts: in turn, or by probabilities. With one sequence the draws are those of `datasets`."""

    parts: tuple[Part, ...]
    probabilities: tuple[float, ...] | None
    strategy: str
    seed: int | None
    names: tuple[str, ...] | None = None
    lanes: int | None = None
    turns = True

    @property
    def shares(self) -> bool:
        """See `Source`."""
        return _share(self.parts)

    @property
    def sequences(self) -> int:
        """See `Source`. A run that goes on with other parts keeps as many as it had."""
        return self.lanes or _lanes(self.parts)

    @cached_property
    def described(self) -> dict[str, Any]:
        """What it is a mixture of, for a state: parts by a hash of what identifies them."""
        return {
            "parts": [f"{zlib.crc32(part.key().encode()):08x}" for part in self.parts],
            "probabilities": None if self.probabilities is None else list(self.probabilities),
            "strategy": self.strategy,
            "seed": self.seed,
            "sequences": self.sequences,
        }

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """See `Source`."""
        return _Mixing(self, v, epoch, number, state)

    def draws(self, v: int, epoch: int, number: int) -> Iterator[int]:
        """Which part each row is of."""
        n = len(self.parts)
        if self.probabilities is None:
            d = v % n
            while True:
                yield d
                d = (d + 1) % n
        import numpy as np

        first = self.sequences == 1 and not number
        rng = np.random.default_rng(self.seed if first else [self.seed or 0, epoch, number, v])
        while True:
            yield from rng.choice(n, size=_DRAWS, p=self.probabilities).tolist()

    def pieces(self) -> int:
        """See `Source`."""
        return min(part.pieces() for part in self.parts)

    def key(self) -> str:
        """See `Source`."""
        return f"mixed({[part.key() for part in self.parts]}, {self.probabilities}, {self.strategy}, {self.seed})"


@dataclass(frozen=True)
class Chained:
    """Parts one after another."""

    parts: tuple[Part, ...]
    names: tuple[str, ...] | None = None
    turns = True

    @property
    def shares(self) -> bool:
        """See `Source`."""
        return _share(self.parts)

    @property
    def sequences(self) -> int:
        """See `Source`."""
        return _lanes(self.parts)

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """See `Source`."""
        return _Chaining(self, v, epoch, number, state)

    def pieces(self) -> int:
        """See `Source`."""
        return sum(part.pieces() for part in self.parts)

    def key(self) -> str:
        """See `Source`."""
        return f"chained({[part.key() for part in self.parts]})"


@dataclass(frozen=True)
class Zipped:
    """The columns of parts beside each other."""

    parts: tuple[Part, ...]
    names: tuple[str, ...] | None = None
    sequences = 1
    turns = True

    @property
    def shares(self) -> bool:
        """See `Source`."""
        return _share(self.parts)

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """See `Source`."""
        return _Zipping(self, v, epoch, number, state)

    def pieces(self) -> int:
        """See `Source`."""
        return 1

    def key(self) -> str:
        """See `Source`."""
        return f"zipped({[part.key() for part in self.parts]})"


@dataclass(frozen=True)
class Generated:
    """What a generator gives, called once for each shard: for each item of the lists in its arguments.

    Attributes:
        order: which shards, in which order.
        shuffled: the seed of the order of the shards, if they are shuffled.
        shares: whether each run of a shard gives the same rows in the same order, so that several consumers may each run it and take
            their part of its rows.
        features: what its rows are, if it is known. A state does not name them.
    """

    function: Callable[..., Any]
    kwargs: Mapping[str, Any]
    order: tuple[int, ...]
    shuffled: int | None = None
    shares: bool = False
    features: Any = field(default=None, compare=False)
    turns = False

    @property
    def sequences(self) -> int:
        """See `Source`."""
        return len(self.order)

    def shard_kwargs(self, shard: int) -> dict[str, Any]:
        """The arguments of a shard."""
        return {name: [value[shard]] if isinstance(value, list) else value for name, value in self.kwargs.items()}

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """See `Source`."""
        if self.shuffled is not None:
            v = _permutation(self.shuffled, epoch, number, len(self.order))[v]
        return _Generating(self, self.order[v], state)

    def pieces(self) -> int:
        """See `Source`."""
        return len(self.order)

    def key(self) -> str:
        """See `Source`."""
        # Thousands of shards are named by a hash: the key is in every state.
        order = str(self.order) if len(self.order) <= _NAMED else f"{len(self.order)} shards {zlib.crc32(repr(self.order).encode()):08x}"
        return f"generated({name_of(self.function)}, {sorted(self.kwargs)}, {order}, {self.shuffled})"


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, number: int, n: int) -> list[int]:
    """The order of `n` shards in an epoch and a pass."""
    return _core.permutation([seed, epoch, number, 3], n)


def generated(
    function: Callable[..., Any], kwargs: Mapping[str, Any] | None, *, deterministic: bool = False, features: Any = None
) -> Generated:
    """A source of a generator, with a shard for each item of the lists in its arguments, which are of one length."""
    if not callable(function):
        raise InvalidArgumentError(f"from_generator expects a function that gives rows, found {function!r}")
    kwargs = dict(kwargs or {})
    lengths = {name: len(value) for name, value in kwargs.items() if isinstance(value, list)}
    if len(set(lengths.values())) > 1:
        raise InvalidArgumentError(
            f"from_generator: the lists in gen_kwargs are shards, so they have one length; found {lengths}. "
            "What is no list of shards is passed as a tuple"
        )
    return Generated(function, kwargs, tuple(range(next(iter(lengths.values()), 1))), shares=deterministic, features=features)


# ------------------------------------------------------------------------------------------------------------ consumers


def _golden(i: int, n: int) -> int:
    return (i * 2654435769 % 2**32) * n >> 32


@dataclass
class _Lane:
    """A sequence as one consumer sees it.

    Attributes:
        k: rows of it that are behind, whoever had them.
        layers: what consumers of earlier runs had: `[consumers, rows behind of each, rows left so far]`.
        j: rows that the layers left so far.
        before: what the source was up to which row of it, where it is another one from there on.
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

    Its state is `{"of", "given", "lanes", "done"}`: of the sequences that are under way, or that others have a part of, all that is
    known; of the others only runs of those that are done, so that it is small however many there are.
    """

    def __init__(self, source: Source, world: World, state: Any = None, number: int = 0, limit: int | None = None) -> None:
        self._source, self._world, self._number, self._limit = source, world, number, limit
        self.given = 0
        saved: dict[int, Any] = {}
        self._done: list[list[int]] = []
        if state is not None:
            if not isinstance(state, dict) or "lanes" not in state:
                raise CheckpointMismatchError("the state is of another kind of stream")
            self.given = state.get("given", 0)
            # A copy: what is counted here is not the user's.
            saved = {int(v): copy.deepcopy(lane) for v, lane in state["lanes"].items()}
            self._done = [list(run) for run in state.get("done", ())]
        # Asked once: a nested source works them out of its parts, and they are used for every row.
        self._sequences, self._shares = source.sequences, source.shares
        v_most, c, of = self._sequences, world.c, world.of
        self._mine = [v for v in range(c * v_most // of, -(-(c + 1) * v_most // of)) if self._shares or self._owner(v, 0, of) == c]
        # Sequences that are read now, or were read by others too.
        self._lanes: dict[int, _Lane] = {}
        for v in self._mine:
            if v in saved or source.turns or self._is_shared(v):
                self._lanes[v] = self._lane(v, saved.get(v))

    chunks = None

    @staticmethod
    def _lane(v: int, saved: Any = None) -> _Lane:
        made = _Lane(v, *(saved or [0, [], 0, None])[:4])
        made.done = bool(saved and saved[4])
        made.before = saved[5] if saved and len(saved) > 5 else None
        return made

    def _owner(self, v: int, k: int, of: int) -> int:
        """Who of the consumers that share a sequence has its `k`-th row; the first of them has the row 0."""
        return (v * of + _golden(k, of)) // self._sequences

    def _is_shared(self, v: int) -> bool:
        of, lanes = self._world.of, self._sequences
        return self._shares and v * of // lanes != (v * of + of - 1) // lanes

    def _is_done(self, v: int) -> bool:
        return any(start <= v < end for start, end in self._done)

    def state(self) -> Any:
        """See the class."""
        return {
            "of": [self._world.c, self._world.of],
            "given": self.given,
            "lanes": {str(v): lane.saved() for v, lane in self._lanes.items()},
            **({"mixture": self._source.described} if isinstance(self._source, Mixed) else {}),
            **({"done": [list(run) for run in self._done]} if self._done else {}),
        }

    def cursor(self) -> Any:
        """Its state, for states that join."""
        return self.state()

    def _next(self, lane: _Lane) -> Row | None:
        """The next row of a sequence that is this consumer's; `None` at its end."""
        if lane.done:
            return None
        if lane.rows is None:
            lane.rows = self._opened(lane)
        shared = self._is_shared(lane.v)
        while True:
            row = None if lane.before is not None and lane.k >= lane.before["until"] else _pulled(lane.rows)
            if row is None:
                if lane.before is None:
                    lane.done = True
                    return None
                lane.state, lane.before, lane.layers = moved(lane.rows.state(), lane.before["mixture"], self._source), None, []  # type: ignore[arg-type]
                lane.rows = self._opened(lane)
                continue
            k, lane.k = lane.k, lane.k + 1
            if any(self._had(layer, lane.v, k) for layer in lane.layers):
                continue
            j, lane.j = lane.j, lane.j + 1
            if not shared or self._owner(lane.v, j, self._world.of) == self._world.c:
                return row

    def _opened(self, lane: _Lane) -> Sequence:
        """A sequence where it is: of what the source was, as far as that goes."""
        source = self._source if lane.before is None else as_it_was(lane.before["mixture"], self._source)  # type: ignore[arg-type]
        return source.sequence(lane.v, self._world.epoch, self._number, lane.state)

    def _had(self, layer: list[Any], v: int, k: int) -> bool:
        """Whether a consumer of an earlier run had a row; counts it as left if not."""
        of, behind, left = layer
        owner = self._owner(v, left, of)
        layer[2] = left + 1
        return bool(k < behind.get(str(owner), 0))

    def __iter__(self) -> Iterator[Row]:
        """The rows that are left."""
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
        heap = sorted((lane.k, v) for v, lane in self._lanes.items())
        while heap and (self._limit is None or self.given < self._limit):
            _, v = heappop(heap)
            lane = self._lanes[v]
            if (row := self._next(lane)) is not None:
                heappush(heap, (lane.k, v))
                self.given += 1
                yield row


def _pulled(rows: Sequence) -> Row | None:
    try:
        return rows.pull()
    except StopIteration:
        return None


def _add(runs: list[list[int]], v: int) -> None:
    """Puts a number into runs `[first, after the last]` in order."""
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


def merge(states: list[Any]) -> Any:
    """The states of all consumers of one run as one."""
    if all("of" not in state for state in states) and all(state == states[0] for state in states):
        return states[0]  # that of an earlier run, after which nobody has had a row
    if any("of" not in state for state in states):
        raise CheckpointMismatchError(
            "merge_state_dicts: some of the states were loaded and not gone on from: take them again, with this rowstream"
        )
    of = states[0]["of"][1]
    if sorted(state["of"] for state in states) != [[c, of] for c in range(of)]:
        raise CheckpointMismatchError(
            f"merge_state_dicts: expected one state of each of {of} consumers, found {[state['of'] for state in states]}"
        )
    lanes: dict[str, Any] = {}
    for v in {v for state in states for v in state["lanes"]}:
        sharers = {state["of"][0]: state["lanes"][v] for state in states if v in state["lanes"]}
        behind = {str(c): (1 << 62 if lane[4] else lane[0]) for c, lane in sharers.items()}
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


# ----------------------------------------------------------------------------------------------------------------- plan


class _Core:
    """What a plan without a listing has in place of the core's."""

    def __init__(self, source: Source) -> None:
        self.fingerprint = source.key()
        self._source = source

    def pieces(self) -> int:
        return self._source.pieces()


def _shuffled(plan: Plan, seed: int, buffer: int) -> Plan:
    """A part, shuffled."""
    if isinstance(plan, SourcePlan):
        return plan.shuffled(seed, buffer)
    return plan.shuffle(seed, buffer) if plan.commutes else plan.then(Shuffle(seed, buffer))


def _sharded(plan: Plan, of: int, index: int, *, contiguous: bool, before: int = 0) -> Plan:
    if isinstance(plan, SourcePlan):
        return plan.sharded(of, index, contiguous=contiguous, before=before)
    return plan.shard(of, index, contiguous=contiguous, before=before)


def _nothing(plan: Plan) -> Plan:
    """A plan without rows, in the place of one."""
    return SourcePlan(scan="", steps=plan.steps, source=Generated(iter, {}, ()))


def _rows_of(plan: Plan) -> int | None:
    """How many rows a plan has before filters and functions, where that is known."""
    if not isinstance(plan, SourcePlan):
        return plan.core.rows(0) if len(plan.segments) == 1 and not plan.cycle else None
    known = [_rows_of(part.plan) for part in plan.source.parts] if isinstance(plan.source, Chained) else [None]
    return None if None in known else sum(known)  # type: ignore[arg-type]


@dataclass(frozen=True)
class SourcePlan(Plan):
    """A plan over a source in place of a listing: all that is done to its rows is done in Python."""

    source: Any = field(default=None)

    @property
    def core(self) -> Any:
        """See `_Core`."""
        return _Core(self.source)

    @property
    def described(self) -> dict[str, Any]:
        """What a state says of it: of the first parts."""
        parts = [part.plan.described for part in getattr(self.source, "parts", ())[:_PARTS]]
        return {**({"parts": parts} if parts else {}), **self._described_steps()}

    @property
    def rowwise(self) -> bool:
        """Never: it has a state of its own."""
        return False

    @property
    def python(self) -> bool:
        """Always."""
        return True

    @property
    def direct(self) -> bool:
        """Never."""
        return False

    def __getstate__(self) -> dict[str, Any]:
        """Only the data."""
        return dict(self.__dict__)

    def begin(self, world: World, state: Any, number: int, limit: int | None) -> Consumer:
        """The source at work."""
        return Consumer(self.source, world, state, number, limit)

    def shuffled(self, seed: int, buffer: int) -> SourcePlan:
        """Shuffled: the parts of a mixture are; chains, pairs and what functions give in windows."""
        source = self.source
        if not self.steps and isinstance(source, Mixed):
            return self._mapped(lambda plan: _shuffled(plan, seed, buffer))
        if not self.steps and isinstance(source, Chained):
            plan = self._mapped(lambda plan: _shuffled(plan, seed, buffer))
        elif not self.steps and isinstance(source, Generated):
            plan = replace(self, source=replace(source, shuffled=seed))
        else:
            plan = self
        return plan.then(Shuffle(seed, buffer))  # type: ignore[return-value]

    def sharded(self, of: int, index: int, *, contiguous: bool, before: int = 0) -> SourcePlan:
        """A fixed subset. `before`: rows of other plans that are divided before these."""
        source = self.source
        if self.cut:
            return self.then(Every(of, index))  # type: ignore[return-value]
        if self.steps:
            # The rows of a part go through the same steps.
            return replace(replace(self, steps=()).sharded(of, index, contiguous=contiguous, before=before), steps=self.steps)
        if isinstance(source, Generated) and len(source.order) >= of:
            n = len(source.order)
            start = index * (n // of) + min(index, n % of)
            order = source.order[start : start + n // of + (index < n % of)] if contiguous else source.order[index::of]
            return replace(self, source=replace(source, order=order))
        if isinstance(source, (Mixed, Chained)):
            parts = []
            for part in source.parts:
                try:
                    plan = _sharded(part.plan, of, index, contiguous=contiguous, before=before)
                except UnsupportedError:
                    if isinstance(source, Mixed):
                        raise
                    # One after another, a part that cannot be divided is a part of one of the subsets.
                    plan = part.plan if before % of == index else _nothing(part.plan)
                    before += 1
                else:
                    before += _rows_of(part.plan) or 0
                parts.append(replace(part, plan=plan))
            return replace(self, source=replace(source, parts=tuple(parts)))
        if isinstance(source, Zipped) or (isinstance(source, Generated) and source.shares):
            return self.then(Every(of, index))  # type: ignore[return-value]
        raise UnsupportedError(
            f"shard({of}, …): the generator has {source.pieces()} shards, and one of them is run as a whole: give it lists in "
            "gen_kwargs, of at least as many items, or deterministic=True"
        )

    def _mapped(self, change: Callable[[Plan], Plan]) -> SourcePlan:
        """The same source of other parts."""
        parts = tuple(replace(part, plan=change(part.plan)) for part in self.source.parts)
        return replace(self, source=replace(self.source, parts=parts))


def _shard_rows(shards: list[Any]) -> Any:
    """The rows of some parts of a map-style data set, as they are stored."""
    for shard in shards:
        for table in shard.iter(_STORED):
            yield from table.to_pylist()


def held_rows(ds: Any, num_shards: int) -> Any:
    """The rows of a map-style data set as a stream: of its table where that is all it is, or of its rows as they are read."""
    from rowstream.dataset.build import held
    from rowstream.dataset.fast import has_arrays
    from rowstream.dataset.in_place import ParquetTable
    from rowstream.dataset.iterable import IterableDataset

    if ds._format_columns is not None or (ds._format_kwargs and ds._format_type != "custom"):
        raise UnsupportedError(
            "a stream has a format without options and without chosen columns: select_columns() first, and with_format() of the stream"
        )
    info = DatasetInfo(features=ds.features)
    plain = not requires_decoding(ds.features) and not has_arrays(ds.features)
    if ds._indices is None and isinstance(ds._data, ParquetTable) and plain and ds._data.whole and num_shards == 1:
        made = IterableDataset(ds._data.plan, info, None if ds.split is None else str(ds.split))
    elif ds._indices is None and plain and ds._data.nbytes < 1 << 28:
        made = IterableDataset(held(ds._query(slice(None)), num_shards=num_shards), info, None if ds.split is None else str(ds.split))
    else:
        base = ds.with_format("arrow")
        shards = [base.shard(num_shards, i, contiguous=True) for i in range(num_shards)] if num_shards > 1 else [base]
        made = IterableDataset(
            SourcePlan(scan="", source=generated(_shard_rows, {"shards": shards}, deterministic=True)),
            info,
            None if ds.split is None else str(ds.split),
        )
        made._known = ds.features
    return made.with_format(ds._format_type) if ds._format_type != "custom" else made
