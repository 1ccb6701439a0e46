"""Rows that are not those of one listing: mixtures, chains and pairs of streams, and what a user's generator gives.

A source is **sequences** of rows, dealt to consumers as the core deals lanes. Sequence `v` is a pure function of the plan: the
rows of a mixture that are drawn from the parts of consumer `v` of all sequences. So the rows and their order do not depend
on how many consumers there are: a sequence is one consumer's alone, or several share it row by row.

A state says for each sequence how many of its rows are behind, and where its parts are. The states of all consumers join:
each sequence goes on from the consumer that was furthest behind, and what others had of it is left out.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from rowstream import _core
from rowstream.dataset.running import node
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, UnsupportedError
from rowstream.ops import Every, Shuffle
from rowstream.ops.base import World
from rowstream.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Row = dict[str, Any]

_MOST = 64  # sequences of a source
_ANCHOR = 256  # rows of a part between two states that are kept of it
_STORED = 100  # rows of a table that are read at once as they are stored
_DRAWS = 1000  # draws that `datasets` makes at once


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
    """

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
        self._ended = list(ended) if ended is not None else [False] * len(parts)
        self._enough = any if source.strategy == "first_exhausted" else all
        self._draws = islice(source.draws(v, epoch, number), self._step, None)

    def pull(self) -> Row:
        source, ended = self._source, self._ended
        while not self._enough(ended):
            d = next(self._draws)
            self._step += 1
            part = self._parts[d]
            if ended[d] and source.strategy == "all_exhausted_without_replacement":
                continue
            if not part.more:
                ended[d] = True
                continue
            row, more = part.take()
            if not more:
                ended[d] = True
                if source.strategy != "all_exhausted_without_replacement" and not self._enough(ended):
                    part.restart()
            return _whole(row, source.names)
        raise StopIteration

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
        live = [part for part in self._parts if part.more]
        if not live:
            raise StopIteration
        row: Row = {}
        for part in live:
            for name, value in part.take()[0].items():
                if name in row:
                    raise InvalidArgumentError(f"concatenate_datasets(axis=1): two data sets have a column {name!r}")
                row[name] = value
        return _whole(row, self._source.names)

    def state(self) -> Any:
        return [part.state() for part in self._parts]


class _Generating:
    """What a user's generator gives for one shard. Its state is how many rows that were: the generator is run again."""

    def __init__(self, source: Generated, v: int, state: Any) -> None:
        self._count = state or 0
        self._rows = iter(source.function(**source.shard_kwargs(v)))
        for _ in islice(self._rows, self._count):
            pass

    def pull(self) -> Row:
        row = next(self._rows)
        if not isinstance(row, dict):
            raise InvalidArgumentError(f"from_generator: the generator must yield dicts, it yielded {type(row).__name__}")
        self._count += 1
        return row

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


@dataclass(frozen=True)
class Mixed:
    """Rows drawn from parts: in turn, or by probabilities. With one sequence the draws are those of `datasets`."""

    parts: tuple[Part, ...]
    probabilities: tuple[float, ...] | None
    strategy: str
    seed: int | None
    names: tuple[str, ...] | None = None
    turns = True

    @property
    def sequences(self) -> int:
        """See `Source`."""
        return _lanes(self.parts)

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
    """

    function: Callable[..., Any]
    kwargs: Mapping[str, Any]
    order: tuple[int, ...]
    shuffled: int | None = None
    turns = False

    @property
    def sequences(self) -> int:
        """See `Source`."""
        return len(self.order)

    def shard_kwargs(self, v: int) -> dict[str, Any]:
        """The arguments of the `v`-th shard."""
        return {name: [value[self.order[v]]] if isinstance(value, list) else value for name, value in self.kwargs.items()}

    def sequence(self, v: int, epoch: int, number: int, state: Any) -> Sequence:
        """See `Source`."""
        if self.shuffled is not None:
            place = _core.permutation([self.shuffled, epoch, number, 3], len(self.order))
            return _Generating(replace(self, order=tuple(self.order[i] for i in place)), v, state)
        return _Generating(self, v, state)

    def pieces(self) -> int:
        """See `Source`."""
        return len(self.order)

    def key(self) -> str:
        """See `Source`."""
        from rowstream.ops.apply import name_of

        return f"generated({name_of(self.function)}, {sorted(self.kwargs)}, {self.order}, {self.shuffled})"


def generated(function: Callable[..., Any], kwargs: Mapping[str, Any] | None) -> Generated:
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
    return Generated(function, kwargs, tuple(range(next(iter(lengths.values()), 1))))


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
    """

    v: int
    k: int
    layers: list[list[Any]]
    j: int
    state: Any
    rows: Sequence | None = None
    done: bool = False

    def saved(self) -> list[Any]:
        state = self.state if self.rows is None else self.rows.state()
        return [self.k, [list(layer) for layer in self.layers], self.j, state, self.done]


class Consumer:
    """The rows of a source for one consumer: a node. Its state is `{"of", "given", "lanes"}`."""

    def __init__(self, source: Source, world: World, state: Any = None, number: int = 0, limit: int | None = None) -> None:
        self._source, self._world, self._number, self._limit = source, world, number, limit
        self.given = 0
        saved: dict[int, Any] = {}
        if state is not None:
            if not isinstance(state, dict) or "lanes" not in state:
                raise CheckpointMismatchError("the state is of another kind of stream")
            self.given = state.get("given", 0)
            # A copy: what is counted here is not the user's.
            saved = {int(v): copy.deepcopy(lane) for v, lane in state["lanes"].items()}
        v_most = source.sequences
        c, of = world.c, world.of
        mine = range(c * v_most // of, -(-(c + 1) * v_most // of))
        self._lanes = {v: _Lane(v, *(saved.get(v) or [0, [], 0, None, False])[:4]) for v in mine}
        for v, lane in self._lanes.items():
            lane.done = bool(saved.get(v) and saved[v][4])
        self._shared = {v: self._is_shared(v) for v in mine}

    chunks = None

    def _owner(self, v: int, k: int, of: int) -> int:
        lanes = self._source.sequences
        return (v * of + _golden(k, of)) // lanes

    def _is_shared(self, v: int) -> bool:
        of, lanes = self._world.of, self._source.sequences
        return v * of // lanes != (v * of + of - 1) // lanes

    def state(self) -> Any:
        """See the class."""
        return {
            "of": [self._world.c, self._world.of],
            "given": self.given,
            "lanes": {str(v): lane.saved() for v, lane in self._lanes.items()},
        }

    def cursor(self) -> Any:
        """Its state, for states that join."""
        return self.state()

    def _next(self, lane: _Lane) -> Row | None:
        """The next row of a sequence that is this consumer's; `None` at its end."""
        if lane.done:
            return None
        if lane.rows is None:
            lane.rows = self._source.sequence(lane.v, self._world.epoch, self._number, lane.state)
        while True:
            try:
                row = lane.rows.pull()
            except StopIteration:
                lane.done = True
                return None
            k, lane.k = lane.k, lane.k + 1
            if any(self._had(layer, lane.v, k) for layer in lane.layers):
                continue
            j, lane.j = lane.j, lane.j + 1
            if not self._shared[lane.v] or self._owner(lane.v, j, self._world.of) == self._world.c:
                return row

    def _had(self, layer: list[Any], v: int, k: int) -> bool:
        """Whether a consumer of an earlier run had a row; counts it as left if not."""
        of, behind, left = layer
        owner = self._owner(v, left, of)
        layer[2] = left + 1
        return bool(k < behind.get(str(owner), 0))

    def __iter__(self) -> Iterator[Row]:
        """The rows that are left."""
        if not self._source.turns:
            for lane in self._lanes.values():
                while self._limit is None or self.given < self._limit:
                    if (row := self._next(lane)) is None:
                        break
                    self.given += 1
                    yield row
            return
        heap = sorted((lane.k, v) for v, lane in self._lanes.items())
        while heap and (self._limit is None or self.given < self._limit):
            _, v = heappop(heap)
            lane = self._lanes[v]
            if (row := self._next(lane)) is not None:
                heappush(heap, (lane.k, v))
                self.given += 1
                yield row


def merge(states: list[Any]) -> Any:
    """The states of all consumers of one run as one."""
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
        k, layers, j, inner, done = copy.deepcopy(last)
        # What all are past needs no layer.
        if len(sharers) > 1 and not done:
            layers.append([of, behind, j])
        lanes[v] = [k, [layer for layer in layers if any(n > k for n in layer[1].values())], 0 if len(sharers) > 1 else j, inner, done]
    return {"lanes": lanes}


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


def _sharded(plan: Plan, of: int, index: int, *, contiguous: bool) -> Plan:
    if isinstance(plan, SourcePlan):
        return plan.sharded(of, index, contiguous=contiguous)
    return plan.shard(of, index, contiguous=contiguous)


@dataclass(frozen=True)
class SourcePlan(Plan):
    """A plan over a source in place of a listing: all that is done to its rows is done in Python."""

    source: Any = field(default=None)

    @property
    def core(self) -> Any:
        """See `_Core`."""
        return _Core(self.source)

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

    def sharded(self, of: int, index: int, *, contiguous: bool) -> SourcePlan:
        """A fixed subset."""
        source = self.source
        if self.cut:
            return self.then(Every(of, index))  # type: ignore[return-value]
        if self.steps:
            # The rows of a part go through the same steps.
            return replace(replace(self, steps=()).sharded(of, index, contiguous=contiguous), steps=self.steps)
        if isinstance(source, Generated) and len(source.order) >= of:
            n = len(source.order)
            start = index * (n // of) + min(index, n % of)
            part = source.order[start : start + n // of + (index < n % of)] if contiguous else source.order[index::of]
            return replace(self, source=replace(source, order=part))
        if isinstance(source, (Mixed, Chained)):
            return self._mapped(lambda plan: _sharded(plan, of, index, contiguous=contiguous))
        raise UnsupportedError("shard() of streams beside each other: shard the parts before")

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
    from rowstream.dataset.fast import _has_arrays
    from rowstream.dataset.in_place import ParquetTable
    from rowstream.dataset.iterable import IterableDataset
    from rowstream.features.types import requires_decoding
    from rowstream.info import DatasetInfo

    if ds._format_columns is not None or (ds._format_kwargs and ds._format_type != "custom"):
        raise UnsupportedError(
            "a stream has a format without options and without chosen columns: select_columns() first, and with_format() of the stream"
        )
    info = DatasetInfo(features=ds.features)
    plain = not requires_decoding(ds.features) and not _has_arrays(ds.features)
    if ds._indices is None and isinstance(ds._data, ParquetTable) and plain and ds._data.whole and num_shards == 1:
        made = IterableDataset(ds._data.plan, info, None if ds.split is None else str(ds.split))
    elif ds._indices is None and plain and ds._data.nbytes < 1 << 28:
        made = IterableDataset(held(ds._query(slice(None)), num_shards=num_shards), info, None if ds.split is None else str(ds.split))
    else:
        base = ds.with_format("arrow")
        shards = [base.shard(num_shards, i, contiguous=True) for i in range(num_shards)] if num_shards > 1 else [base]
        made = IterableDataset(
            SourcePlan(scan="", source=generated(_shard_rows, {"shards": shards})), info, None if ds.split is None else str(ds.split)
        )
        made._known = ds.features
    return made.with_format(ds._format_type) if ds._format_type != "custom" else made
