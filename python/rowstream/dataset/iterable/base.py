"""A stream: its plan, its place, and how it is iterated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from rowstream.dataset.base import DatasetInfoMixin
from rowstream.exceptions import CheckpointMismatchError
from rowstream.features.features import Features, pa_schema
from rowstream.features.nested import List, requires_decoding
from rowstream.features.schema import features_from_schema
from rowstream.formatting.streams import TABLES, Formatter, Typed, format_name, formatted, formatter
from rowstream.info import DatasetInfo
from rowstream.ops.base import World
from rowstream.ops.decode import Decode
from rowstream.ops.rebatch import Rebatch
from rowstream.streams.count import endless, told
from rowstream.streams.iteration import Items, Iteration
from rowstream.streams.pipeline import Pipeline, node
from rowstream.streams.rows import Rows
from rowstream.streams.state import State, signature
from rowstream.streams.torch_worker import SharedEpoch, is_worker, spawning, worker
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


ARROW_ROWS = 8192  # rows of a batch of the Arrow stream


class StreamBase(DatasetInfoMixin):
    """A stream: its plan, its place, and how it is iterated."""

    def __init__(
        self, plan: Plan, info: DatasetInfo | None = None, split: str | None = None
    ) -> None:
        self._plan = plan
        self._info = info or DatasetInfo()
        self._split = split
        self._format: str | None = None
        self._shared = SharedEpoch()
        # The types of what functions make, where they are known.
        self._known: Features | None = None
        # Where they are not: those of columns that were cast since.
        self._partly: Features | None = None
        # Whether values are yet to be decoded by their features, and in how many threads.
        self._decoding: int | None = 0
        self._consumer = (0, 1)
        # Which rank of how many it is the part of, and how the rows were divided.
        self._rank: tuple[int, int, str] | None = None
        # The state that was loaded last, the number of it, and the process that loaded it.
        self._resume: State | None = None
        self._loads = 1
        self._loader = 0
        self._running: Iteration | None = None

    def __iter__(self) -> Iterator[Any]:
        """Return rows, in the data set's format.

        It goes on after what `load_state_dict` was given, once; the next iteration begins at the
        start of the epoch.
        """
        plan = self._decoded()
        if plan.direct:
            rows = self._rows()
            if self._format is None:
                return rows.stream
            return map(formatter(self._format).row, rows)
        items = self._items(plan)
        if self._format is None and not plan.grouped:
            return items  # rows that functions made, as they are
        return map(partial(formatted, self._formatter()), items)

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of rows: dicts of lists, of NumPy arrays, or Arrow tables, as the format says.

        Args:
            batch_size: rows of a batch.
            drop_last_batch: leave out a last batch that is shorter.

        Example:
            >>> for batch in ds.with_format("numpy").iter(batch_size=256):
            ...     batch["embedding"].shape
            (256, 384)
        """
        size = check_number("batch_size", batch_size, least=1)
        plan = self._decoded()
        if plan.direct:
            return map(formatter(self._format).batch, self._rows().batches(size, drop_last_batch))
        format = self._formatter()
        return (
            format.group([formatted(format, item) for item in group])
            for group in self._groups(plan, size, drop_last_batch)
        )

    def _formatter(self) -> Formatter:
        """Return what makes rows of what functions made: tables in the types of the columns, where
        these are known.
        """
        features = self.features if self._format in TABLES and not self._plan.grouped else None
        return (
            formatter(self._format)
            if features is None
            else Typed(formatter(self._format), pa_schema(features))
        )

    def _decodes(self) -> bool:
        """Return whether there is something that features decode, and it is not yet. Tables have
        what is stored.
        """
        if self._decoding is None or self._format in TABLES or self._plan.grouped:
            return False
        return (known := self.features or self._partly) is not None and requires_decoding(known)

    def _decoded(self) -> Plan:
        """Return the plan with what its features decode decoded."""
        if not self._decodes():
            return self._plan
        return self._plan.then(
            Decode(self.features or self._partly or Features(), self._decoding or 0)
        )

    def _part(self) -> tuple[int, int]:
        """Which consumer of how many this is: of the ranks, and of the workers of each."""
        (c, of), (w, workers) = self._consumer, worker()
        return c * workers + w, of * workers

    def _world(self, epoch: int | None = None) -> World:
        return World(*self._part(), self._shared.epoch if epoch is None else epoch)

    def _loaded(self) -> State | None:
        """Return the state that the next iteration goes on from, if one was loaded and nothing
        after it was given yet.
        """
        resume, running = self._resume, self._running
        if resume is None or resume.epoch != self._shared.epoch:
            return None
        if running is not None and running.resumed is resume:
            return None if running.behind else resume
        if self._loader != os.getpid() and is_worker():
            return resume if self._shared.resume(self._loads) else None
        return None if self._shared.resumed(self._loads) else resume

    def _begin(self) -> tuple[World, State | None]:
        """Return where an iteration starts: after a state that was loaded, if it is of this
        epoch.
        """
        self._resume = self._loaded()
        self._shared.read_by_workers = is_worker()
        return self._world(), self._resume

    def _rows(self) -> Rows:
        world, resume = self._begin()
        rows = Rows(self._plan, world, resume.cursor if resume else None)
        self._running = Iteration(rows, lambda: State(world.epoch, rows.state()), resume)
        return rows

    def _items(self, plan: Plan) -> Iterator[Any]:
        if not plan.steps and not plan.python:
            return iter(self._rows())
        world, resume = self._begin()
        whole = is_worker()
        if plan.rowwise:
            items = Items(
                lambda cursor: node(plan, world, cursor)[0],
                resume.cursor if resume else None,
                whole=whole,
            )
            self._running = Iteration(items, lambda: State(world.epoch, items.state()), resume)
        else:
            steps = signature(self._plan)
            items = Items(
                lambda place: Pipeline(plan, world, place),
                resume.place if resume else None,
                whole=whole,
            )
            self._running = Iteration(
                items, lambda: State(world.epoch, None, steps, items.state()), resume
            )
        return iter(items)

    def _groups(self, plan: Plan, size: int, drop_last: bool) -> Iterator[Any]:
        """Batches of batches. The state is that of the last whole group."""
        items = self._items(plan)
        while group := tuple(islice(items, size)):
            if drop_last and len(group) < size:
                return
            yield group

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch: shuffles permute anew in each. Drop a loaded state of another epoch.

        It is the epoch of this stream, and of loaders that have it, their workers included; streams
        that were made from it before keep theirs.

        Args:
            epoch: Its number, from 0.

        Raises:
            InvalidArgumentError: It is not a whole number from 0.

        Example:
            >>> ds = Dataset.from_dict({"x": [*range(4)]}).to_iterable_dataset().shuffle(seed=1)
            >>> ds.set_epoch(1)
            >>> ds.epoch
            1
        """
        self._shared.epoch = check_number("epoch", epoch)

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration."""
        return self._shared.epoch

    def __copy__(self) -> Self:
        """Return a data set that begins anew."""
        return self._copied()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a data set that begins anew: all that it holds is immutable."""
        return self._copied()

    def _copied(self) -> Self:
        made = self._with(_resume=None)
        made._shared.read_by_workers = self._shared.read_by_workers
        return made

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the running iteration, whose place is kept: a pickled data set goes on
        from there.
        """
        state = self.__dict__.copy()
        # A worker has another part of the rows than whoever pickles it, and begins as a forked one
        # does.
        if self._running is not None and not spawning():
            # What comes after an iteration that ended begins anew, there as here.
            state["_resume"] = None if self._running.ended else self._running.state()
        state["_running"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take in what `__getstate__` gave."""
        self.__dict__.update(state)

    def _with(self, plan: Plan | None = None, **changes: Any) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.update(
            _shared=SharedEpoch(self._shared.epoch),
            _running=None,
            _plan=self._plan if plan is None else plan,
        )
        made.__dict__.update(_resume=self._loaded(), _loads=1)
        if "_known" in changes:
            made._partly = None
        made.__dict__.update(changes)
        if plan is not None and made._resume is not None:
            made._fits(made._resume)
        return made

    def _fits(self, state: State) -> None:
        """Raise if a state that was loaded before the last step is not one of the stream with that
        step.
        """
        plan = self._plan
        if state.of_plan(plan):
            return
        raise CheckpointMismatchError(
            "a state was loaded into this stream, and it does not say where the stream is after the"
            " step that was added now: add all steps first, as they were when the state was taken,"
            " and load the state then"
        )

    def with_format(self, type: str | None = None) -> Self:
        """Return rows and batches as another kind of object: `"numpy"`, `"arrow"`, or Python
        objects if `None`.
        """
        return self._with(_format=format_name(type))

    def _told(self) -> int | None:
        """Return how many rows the next iteration gives, if nothing has to be read to tell."""
        return (
            None
            if self._loaded() is not None or endless(self._plan)
            else told(self._plan, self._world())
        )

    @property
    def features(self) -> Features | None:
        """The types of the columns; `None` where a function makes them and nobody said what they
        are.
        """
        plan = self._plan
        features: Features | None
        if plan.python:
            features = self._known
        else:
            features = features_from_schema(
                plan.schema, list(plan.columns) if plan.columns is not None else None
            )
        # What follows the last function.
        last = max((i + 1 for i, step in enumerate(plan.steps) if step.python), default=0)
        batched = plan.batch is not None and not last
        for _ in range(batched + sum(isinstance(step, Rebatch) for step in plan.steps[last:])):
            features = (
                None
                if features is None
                else Features({name: List(feature) for name, feature in features.items()})
            )
        return features

    @property
    def _formatting(self) -> SimpleNamespace | None:
        """The format as trl asks for it."""
        return None if self._format is None else SimpleNamespace(format_type=self._format)

    @property
    def column_names(self) -> list[str] | None:
        """The names of the columns; `None` where a function makes them and nobody said what they
        are.
        """
        features = self.features
        return None if features is None else list(features)

    @property
    def num_columns(self) -> int | None:
        """How many columns there are, where they are known."""
        names = self.column_names
        return None if names is None else len(names)

    @property
    def num_shards(self) -> int:
        """Pieces of the files: row groups. Consumers beyond that number share the rows of pieces.

        Of a rank's part, as `split_dataset_by_node` gives it, they are its part of them, at least
        one.
        """
        pieces, (c, of) = self._plan.core.pieces(), self._consumer
        return max((c + 1) * pieces // of - c * pieces // of, min(pieces, 1))

    n_shards = num_shards

    @property
    def info(self) -> DatasetInfo:
        """What is known about the data set."""
        return replace(self._info, features=self.features)
