"""The base class of streams: what a stream reads, where it is, and how it is iterated."""

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
from rowstream.features.features import Features
from rowstream.features.nested import List, requires_decoding
from rowstream.features.schema import features_from_schema
from rowstream.formatting.streams import (
    TABLES,
    format_name,
    formatted,
    formatted_group,
    formatter,
    typed_formatter,
)
from rowstream.info import DatasetInfo
from rowstream.ops.base import World
from rowstream.ops.decode import Decode
from rowstream.ops.rebatch import Rebatch
from rowstream.streams.count import endless, known_count
from rowstream.streams.earlier import resumed
from rowstream.streams.iteration import Items, Iteration
from rowstream.streams.pipeline import node
from rowstream.streams.rows import Rows
from rowstream.streams.state import State, signature
from rowstream.streams.torch_worker import SharedEpoch, is_worker, spawning, worker
from rowstream.utils.arguments import check_number
from rowstream.utils.core_log import follow

if TYPE_CHECKING:
    from rowstream.formatting.streams import Formatter
    from rowstream.plan.plan import Plan


ARROW_ROWS = 8192  # rows of a batch of the Arrow stream


class StreamBase(DatasetInfoMixin):
    """The base class of streams: what a stream reads, where it is, and how it is iterated."""

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
        """Return an iterator over the rows, in the dataset's format.

        After `load_state_dict`, the first iteration resumes at the loaded state; the next one
        begins at the start of the epoch.
        """
        follow()
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
        """Return an iterator over batches of rows, in the dataset's format.

        Without a format a batch is a dict of lists; with `"numpy"` it is a dict of arrays, with
        `"arrow"` a table, and so on.

        Args:
            batch_size: The number of rows in a batch.
            drop_last_batch: Leave out a last batch that is shorter.

        Raises:
            InvalidArgumentError: `batch_size` is not a positive integer.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> list(ds.iter(batch_size=2))
            [{'a': [1, 2]}, {'a': [3]}]
            >>> next(ds.with_format("numpy").iter(batch_size=2))["a"]
            array([1, 2])
        """
        size = check_number("batch_size", batch_size, least=1)
        follow()
        plan = self._decoded()
        if plan.direct:
            return map(formatter(self._format).batch, self._rows().batches(size, drop_last_batch))
        groups = self._groups(plan, size, drop_last_batch)
        return map(partial(formatted_group, self._formatter()), groups)

    def _formatter(self) -> Formatter:
        """Return the formatter of rows that are not the core's any more."""
        features = None if self._plan.grouped else self.features
        return typed_formatter(self._format, features, keeps_types=self._plan.keeps_types)

    def _decodes(self) -> bool:
        """Return whether values are still to be decoded by their features; tables stay encoded."""
        if self._decoding is None or self._format in TABLES or self._plan.grouped:
            return False
        known = self.features or self._partly
        # The core makes references of media that stay encoded; functions give what they like.
        return known is not None and requires_decoding(
            known, ignore_decode_attribute=self._plan.python
        )

    def _decoded(self) -> Plan:
        """Return the plan with a decoding step at its end, if values are still to be decoded."""
        if not self._decodes():
            return self._plan
        return self._plan.then(
            Decode(self.features or self._partly or Features(), self._decoding or 0)
        )

    def _part(self) -> tuple[int, int]:
        """Return the number of this consumer and of all consumers, over ranks and workers."""
        (c, of), (w, workers) = self._consumer, worker()
        return c * workers + w, of * workers

    def _world(self, epoch: int | None = None) -> World:
        return World(*self._part(), self._shared.epoch if epoch is None else epoch)

    def _loaded(self) -> State | None:
        """Return the loaded state that the next iteration resumes at, if no row was read since."""
        resume, running = self._resume, self._running
        if resume is None or resume.epoch != self._shared.epoch:
            return None
        if running is not None and running.resumed is resume:
            return None if running.behind else resume
        if self._loader != os.getpid() and is_worker():
            return resume if self._shared.resume(self._loads) else None
        return None if self._shared.resumed(self._loads) else resume

    def _begin(self) -> tuple[World, State | None]:
        """Return the world of a new iteration, and the loaded state that it resumes at, if any."""
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
            begin = resume.cursor if resume else None
            items = Items(lambda at: node(plan, world, at)[0], begin, whole=whole)
            self._running = Iteration(items, lambda: State(world.epoch, items.state()), resume)
        else:
            steps = signature(self._plan)
            begin = resume.place if resume else None
            items = Items(lambda at: resumed(plan, world, at), begin, whole=whole)
            state = partial(State, world.epoch, None, steps)
            self._running = Iteration(items, lambda: state(items.state()), resume)
        return iter(items)

    def _groups(self, plan: Plan, size: int, drop_last: bool) -> Iterator[Any]:
        """Yield tuples of `size` items. The state is that after the last whole tuple."""
        items = self._items(plan)
        while group := tuple(islice(items, size)):
            if drop_last and len(group) < size:
                return
            yield group

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch: each epoch has another order of the shuffled rows, from the same seed.

        The epoch is that of this stream and of the loaders that read it, including their workers.
        Streams that were derived from it before keep their own epoch. A loaded state of another
        epoch is dropped.

        Args:
            epoch: The number of the epoch, from 0.

        Raises:
            InvalidArgumentError: `epoch` is negative or not an integer.

        Example:
            >>> ds = Dataset.from_dict({"x": [*range(4)]}).to_iterable_dataset().shuffle(seed=1)
            >>> ds.set_epoch(1)
            >>> ds.epoch
            1
        """
        self._shared.epoch = check_number("epoch", epoch)

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration, from 0, as `set_epoch` or a loaded state set it.

        Example:
            >>> Dataset.from_dict({"a": [1]}).to_iterable_dataset().epoch
            0
        """
        return self._shared.epoch

    def __copy__(self) -> Self:
        """Return a copy that iterates from the start of the epoch."""
        return self._copied()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy that iterates from the start of the epoch; its contents are immutable."""
        return self._copied()

    def _copied(self) -> Self:
        result = self._with(_resume=None)
        result._shared.read_by_workers = self._shared.read_by_workers
        return result

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle: the unpickled dataset resumes where this iteration is."""
        state = self.__dict__.copy()
        # A worker has another part of the rows than whoever pickles it, and begins as a forked one
        # does.
        if self._running is not None and not spawning():
            # What comes after an iteration that ended begins anew, there as here.
            state["_resume"] = None if self._running.ended else self._running.state()
        state["_running"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _with(self, plan: Plan | None = None, **changes: Any) -> Self:
        result = object.__new__(type(self))
        result.__dict__.update(self.__dict__)
        result.__dict__.update(
            _shared=SharedEpoch(self._shared.epoch),
            _running=None,
            _plan=self._plan if plan is None else plan,
        )
        result.__dict__.update(_resume=self._loaded(), _loads=1)
        if "_known" in changes:
            result._partly = None
        result.__dict__.update(changes)
        if plan is not None and result._resume is not None:
            result._fits(result._resume)
        return result

    def _fits(self, state: State) -> None:
        """Raise if a state that was loaded before the last step does not fit after it."""
        plan = self._plan
        if state.of_plan(plan):
            return
        raise CheckpointMismatchError(
            "a state was loaded into this stream, and it does not say where the stream is after the"
            " step that was added now: add all steps first, as they were when the state was taken,"
            " and load the state then"
        )

    def with_format(self, type: str | None = None) -> Self:
        """Return the dataset with rows and batches of another type, such as NumPy arrays.

        Args:
            type: `"numpy"`, `"torch"`, `"jax"`, `"tensorflow"`, `"mlx"`, `"arrow"`, `"pandas"`,
                `"polars"`, or `None` for Python objects.

        Raises:
            InvalidArgumentError: There is no such format.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset()
            >>> next(iter(ds.with_format("pandas")))
               a
            0  1
        """
        return self._with(_format=format_name(type))

    def _known_count(self) -> int | None:
        """Return the number of rows of the next iteration; `None` if it is not known."""
        return (
            None
            if self._loaded() is not None or endless(self._plan)
            else known_count(self._plan, self._world())
        )

    @property
    def features(self) -> Features | None:
        """The types of the columns, or `None` after a function without declared types.

        `map(features=...)` declares them.

        Example:
            >>> Dataset.from_dict({"a": [1]}).to_iterable_dataset().features
            {'a': Value('int64')}
        """
        plan = self._plan
        features: Features | None
        if plan.python:
            features = self._known
        else:
            features = features_from_schema(
                plan.schema, list(plan.columns) if plan.columns is not None else None
            )
            if plan.column_steps:
                made = {step.column: step.feature for step in plan.column_steps}
                features = Features({name: made.get(name, of) for name, of in features.items()})
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
        """The format as an object with `format_type`, for trl."""
        return None if self._format is None else SimpleNamespace(format_type=self._format)

    @property
    def column_names(self) -> list[str] | None:
        """The names of the columns, or `None` where `features` is `None`.

        Example:
            >>> Dataset.from_dict({"a": [1], "b": [2]}).to_iterable_dataset().column_names
            ['a', 'b']
        """
        features = self.features
        return None if features is None else list(features)

    @property
    def num_columns(self) -> int | None:
        """The number of columns, or `None` where `features` is `None`.

        Example:
            >>> Dataset.from_dict({"a": [1], "b": [2]}).to_iterable_dataset().num_columns
            2
        """
        names = self.column_names
        return None if names is None else len(names)

    @property
    def num_shards(self) -> int:
        """The number of shards, such as row groups of Parquet (in `datasets`: of files).

        More workers than shards share the rows of the shards. After `split_dataset_by_node` it is
        the number of shards of this rank, at least 1.

        Example:
            >>> IterableDataset.from_dict({"a": [1, 2, 3, 4]}, num_shards=2).num_shards
            2
        """
        pieces, (c, of) = self._plan.core.pieces(), self._consumer
        return max((c + 1) * pieces // of - c * pieces // of, min(pieces, 1))

    n_shards = num_shards

    @property
    def info(self) -> DatasetInfo:
        """The metadata of the dataset: a `DatasetInfo` with the current `features`.

        Example:
            >>> Dataset.from_dict({"a": [1]}).to_iterable_dataset().info.features
            {'a': Value('int64')}
        """
        return replace(self._info, features=self.features)
