"""`IterableDataset`: a stream of rows, lazily, in one exact order."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.dataset.build import Building
from rowstream.dataset.casting import cast
from rowstream.dataset.column import IterableColumn
from rowstream.dataset.counting import count, endless, told
from rowstream.dataset.described import Described
from rowstream.dataset.differences import differs, order_differs
from rowstream.dataset.explain import explained
from rowstream.dataset.export import Exporting, pa_schema
from rowstream.dataset.remixing import remixed, sequences_of
from rowstream.dataset.running import Items, Iteration, Pipeline, Rows, State, node, signature
from rowstream.dataset.sources import Mixed, SourcePlan
from rowstream.dataset.torch_loader import Joining, Shared, is_worker, spawning, worker
from rowstream.dataset.transforms import extended, filtered, flattened, mapped, names, permuted, typed_column
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, UnsupportedError
from rowstream.expr import Expr
from rowstream.features import Features, List, features_from_schema
from rowstream.features.types import requires_decoding, with_decoding
from rowstream.formats import TABLES, Formatter, Typed, format_name, formatted, formatter
from rowstream.info import DatasetInfo
from rowstream.lock import write as write_lock
from rowstream.ops import Decode, Project, Rebatch, Repeat, Shuffle, Skip, Take
from rowstream.ops.base import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rowstream.plan import Plan
    from rowstream.skipped import Skipped

_INPUT_SHARDS = 10  # what `datasets` has by default; a shuffle has up to 64 lanes unless fewer are asked for
_ARROW_ROWS = 8192  # rows of a batch of the Arrow stream


class IterableDataset(Building, Exporting, Described, Joining):
    """Rows of files, streamed. Made by `load_dataset(..., streaming=True)`.

    Every method that changes what is streamed gives a new data set; nothing is read until it is iterated. The order
    of rows is a pure function of the files, the steps, the seed and the epoch: neither threads nor workers change it.
    `state_dict` is exact at any row, under every combination of steps, and small.

    Example:
        >>> ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
        >>> for row in ds.shuffle(seed=7, buffer_size=10_000).take(100):
        ...     print(row)
    """

    def __init__(self, plan: Plan, info: DatasetInfo | None = None, split: str | None = None) -> None:
        self._plan = plan
        self._info = info or DatasetInfo()
        self._split = split
        self._format: str | None = None
        self._shared = Shared()
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

    # ---------------------------------------------------------------------------------------------------- iteration

    def __iter__(self) -> Iterator[Any]:
        """Rows, in the data set's format.

        It goes on after what `load_state_dict` was given, once; the next iteration begins at the start of the epoch.
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
        size = _number("batch_size", batch_size, least=1)
        plan = self._decoded()
        if plan.direct:
            return map(formatter(self._format).batch, self._rows().batches(size, drop_last_batch))
        format = self._formatter()
        return (format.group([formatted(format, item) for item in group]) for group in self._groups(plan, size, drop_last_batch))

    def _formatter(self) -> Formatter:
        """What makes rows of what functions made: tables in the types of the columns, where these are known."""
        features = self.features if self._format in TABLES and not self._plan.grouped else None
        return formatter(self._format) if features is None else Typed(formatter(self._format), pa_schema(features))

    def _decodes(self) -> bool:
        """Whether there is something that features decode, and it is not yet. Tables have what is stored."""
        if self._decoding is None or self._format in TABLES or self._plan.grouped:
            return False
        return (known := self.features or self._partly) is not None and requires_decoding(known)

    def _decoded(self) -> Plan:
        """The plan with what its features decode decoded."""
        if not self._decodes():
            return self._plan
        return self._plan.then(Decode(self.features or self._partly or Features(), self._decoding or 0))

    def __getitem__(self, column_name: str) -> IterableColumn:
        """A column. It may be iterated again and again; of files, no other column is read.

        Example:
            >>> for text in ds["text"]:
            ...     ...
        """
        if not isinstance(column_name, str):
            raise InvalidArgumentError(f"a stream has no row {column_name!r}: ds[name] is a column; ds.skip(n).take(1) reads up to a row")
        there = self.column_names
        if there is not None and column_name not in there:
            raise InvalidArgumentError(f"there is no column {column_name!r}; the columns are {there}")
        return IterableColumn(self.select_columns([column_name]) if self._plan.direct else self, column_name)

    def _part(self) -> tuple[int, int]:
        """Which consumer of how many this is: of the ranks, and of the workers of each."""
        (c, of), (w, workers) = self._consumer, worker()
        return c * workers + w, of * workers

    def _world(self, epoch: int | None = None) -> World:
        return World(*self._part(), self._shared.epoch if epoch is None else epoch)

    def _loaded(self) -> State | None:
        """The state that the next iteration goes on from, if one was loaded and nothing after it was given yet."""
        resume, running = self._resume, self._running
        if resume is None or resume.epoch != self._shared.epoch:
            return None
        if running is not None and running.resumed is resume:
            return None if running.behind else resume
        if self._loader != os.getpid() and is_worker():
            return resume if self._shared.resume(self._loads) else None
        return None if self._shared.resumed(self._loads) else resume

    def _begin(self) -> tuple[World, State | None]:
        """Where an iteration starts: after a state that was loaded, if it is of this epoch."""
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
            items = Items(lambda cursor: node(plan, world, cursor)[0], resume.cursor if resume else None, whole=whole)
            self._running = Iteration(items, lambda: State(world.epoch, items.state()), resume)
        else:
            steps = signature(self._plan)
            items = Items(lambda place: Pipeline(plan, world, place), resume.place if resume else None, whole=whole)
            self._running = Iteration(items, lambda: State(world.epoch, None, steps, items.state()), resume)
        return iter(items)

    def _groups(self, plan: Plan, size: int, drop_last: bool) -> Iterator[Any]:
        """Batches of batches. The state is that of the last whole group."""
        items = self._items(plan)
        while group := tuple(islice(items, size)):
            if drop_last and len(group) < size:
                return
            yield group

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """The rows as an Arrow stream, from the start of the epoch: `pa.table(ds)`, `pl.DataFrame(ds)`, DuckDB.

        Each call is a stream of its own, so a data set can be read again and again; `state_dict` is not touched.
        """
        plan = self._plan
        if not plan.direct:
            raise UnsupportedError(
                "an Arrow stream is of files' rows: take it of the data set before batch() and functions; to_parquet() writes all else"
            )
        c, of = self._part()
        return _core.arrow_stream(plan.core, c, of, plan.core.start(self._shared.epoch), _ARROW_ROWS)

    # -------------------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """The position after the last row or batch that was given: plain data of at most a few KiB.

        It names the data set by content, so it fits wherever the same files lie and whatever columns are read.
        """
        if self._shared.read_by_workers and not is_worker():
            raise UnsupportedError(
                "state_dict: worker processes of a loader read this stream, each its part, so this copy does not know where they are. "
                "Use torchdata's StatefulDataLoader, which takes the place of DataLoader, and its state_dict()"
            )
        if self._running is not None:
            return self._running.state().to_dict(self._plan.described)
        plan, world, resume = self._plan, self._world(), self._loaded()
        steps = signature(plan)
        if steps:
            return State(world.epoch, None, steps, Pipeline(plan, world, resume.place if resume else None).state()).to_dict(plan.described)
        cursor = resume.cursor if resume is not None and resume.cursor is not None else plan.core.start(world.epoch)
        return State(world.epoch, plan.core.place(cursor, world.c, world.of)).to_dict(plan.described)

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> None:
        """Make the next iteration go on after a state, and one that is under way; also set the epoch to the state's.

        Args:
            state_dict: what `state_dict` or `merge_state_dicts` gave.
            strict: whether a mixture has to be the one that the state is of. If not, it may have other weights, another seed or
                strategy, or one more part: the parts that were there go on from where they were, those that are new begin.

        Raises:
            CheckpointMismatchError: the state is of other files or steps, or of another consumer than this one.
        """
        state, steps = State.from_dict(state_dict), signature(self._plan)
        if isinstance(self._plan, SourcePlan) and isinstance(self._plan.source, Mixed):
            state = self._as_mixed(state, steps, strict=strict)
        if state.steps != steps:
            raise CheckpointMismatchError(differs(state.steps, steps, state.of, self._plan.described))
        if state.cursor is not None:
            if state.of is not None and not state.of_plan(self._plan):
                raise CheckpointMismatchError(order_differs(state.of, self._plan.described))
            epoch = self._plan.core.check(state.cursor, *self._part())
            if epoch != state.epoch:
                raise CheckpointMismatchError(f"the state is damaged: it is of epoch {state.epoch} and {epoch}")
        if state.steps:
            try:
                Pipeline(self._plan, self._world(state.epoch), state.place)
            except (TypeError, ValueError, LookupError, OverflowError) as error:
                raise CheckpointMismatchError(f"the state is damaged: {error}") from error
        self._shared.epoch = state.epoch
        self._resume, self._loads, self._loader = state, self._loads + 1, os.getpid()
        self._shared.read_by_workers = False
        # An iteration that is under way goes on from there; what comes after one that ended is the next one's.
        if self._running is not None and not self._running.ended:
            self._running.seek(state)
        else:
            self._running = None

    def _as_mixed(self, state: State, steps: str, *, strict: bool) -> State:
        """A state of a mixture, for the mixture that this is now, which is given as many sequences as the state has."""
        source: Mixed = self._plan.source  # type: ignore[attr-defined]
        if state.steps != steps:
            after = ", ".join(map(repr, self._plan.steps))
            if strict or not (state.steps.startswith("mixed(") and state.steps.endswith(f") {after}")):
                return state
            place, source = remixed(state.place, source)
            state = State(state.epoch, None, steps, place)
        elif (sequences := sequences_of(state.place)) is not None and sequences != source.sequences:
            source = replace(source, lanes=sequences)
        self._plan = replace(self._plan, source=source)  # type: ignore[call-arg]
        return state

    def lock(self, path: str | os.PathLike[str]) -> None:
        """Writes down every file that this data set consists of: location, length, version, hash, and how it is read.

        `load_dataset(lock=path)` then reads exactly these, on any machine, and raises `SourceChangedError` where one is not what it
        was. Which rows are chosen, and in which order, is not part of it.

        Example:
            >>> ds = load_dataset("openai/gsm8k", "main", split="train", streaming=True)
            >>> ds.lock("gsm8k.lock")
            >>> same = load_dataset(lock="gsm8k.lock", split="train", streaming=True)
        """
        write_lock(path, {str(self._split or "train"): self._plan}, self.info.dataset_name)

    def skip_in_state(self, state_dict: dict[str, Any], n: int) -> dict[str, Any]:
        """A state that is `n` rows further on: to leave out rows that a run cannot get over.

        They are passed over as fast as can be, and given to nobody. Load the result in place of `state_dict`.

        Example:
            >>> ds.load_state_dict(ds.skip_in_state(state, 1000))
        """
        n, plan = _number("n", n), self._plan
        if not plan.steps and plan.batch is None and plan.skipped is None and plan.condition is None:
            plan = plan.select(())
        ahead = self._with(plan)
        ahead.load_state_dict(state_dict)
        for _ in islice(iter(ahead), n):
            pass
        return ahead.state_dict()

    @property
    def skipped(self) -> Skipped | None:
        """What `on_error` left out: `count`, and `errors` with their places; `None` where a bad record is an error."""
        return self._plan.skipped

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch: shuffles permute anew in each. A loaded state of another epoch is put aside."""
        self._shared.epoch = _number("epoch", epoch)

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration."""
        return self._shared.epoch

    def __copy__(self) -> IterableDataset:
        """A data set that begins anew."""
        return self._copied()

    def __deepcopy__(self, memo: dict[int, Any]) -> IterableDataset:
        """A data set that begins anew: all that it holds is immutable."""
        return self._copied()

    def _copied(self) -> IterableDataset:
        made = self._with(_resume=None)
        made._shared.read_by_workers = self._shared.read_by_workers
        return made

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the running iteration, whose place is kept: a pickled data set goes on from there."""
        state = self.__dict__.copy()
        # A worker has another part of the rows than whoever pickles it, and begins as a forked one does.
        if self._running is not None and not spawning():
            # What comes after an iteration that ended begins anew, there as here.
            state["_resume"] = None if self._running.ended else self._running.state()
        state["_running"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What `__getstate__` gave."""
        self.__dict__.update(state)

    # --------------------------------------------------------------------------------------------------- transforms

    def _with(self, plan: Plan | None = None, **changes: Any) -> IterableDataset:
        made = IterableDataset.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.update(_shared=Shared(self._shared.epoch), _running=None, _plan=self._plan if plan is None else plan)
        made.__dict__.update(_resume=self._loaded(), _loads=1)
        if "_known" in changes:
            made._partly = None
        made.__dict__.update(changes)
        if plan is not None and made._resume is not None:
            made._fits(made._resume)
        return made

    def _fits(self, state: State) -> None:
        """Raises if a state that was loaded before the last step is not one of the stream with that step."""
        plan = self._plan
        if state.of_plan(plan):
            return
        raise CheckpointMismatchError(
            "a state was loaded into this stream, and it does not say where the stream is after the step that was added now: "
            "add all steps first, as they were when the state was taken, and load the state then"
        )

    def shuffle(
        self,
        seed: int | None = None,
        generator: Any = None,
        buffer_size: int | None = 1000,
        max_buffer_input_shards: int = _INPUT_SHARDS,
    ) -> IterableDataset:
        """Rows in another order: pieces of the files permuted, and rows among `buffer_size` that are held.

        A batch's rows come from up to 64 pieces of the files. What a `take` or `skip` before chose stays chosen.

        Args:
            seed: what the order follows from, with the epoch; one is drawn, and kept, if it is `None`.
            generator: a `numpy.random.Generator` to draw the seed from instead; it is left as it was.
            buffer_size: rows to draw from. They are held in memory. If it is `None`, all rows are permuted, and each may land anywhere:
                where they do not fit into `ROWSTREAM_MEMORY`, the files are read as often as it takes.
            max_buffer_input_shards: pieces of the files that are open at once, if that is below 10, the default of `datasets`. Fewer
                pieces are less memory and worse mixing.
        """
        lanes = _number("max_buffer_input_shards", max_buffer_input_shards, least=1)
        if seed is not None and generator is not None:
            raise InvalidArgumentError("give seed or generator, not both")
        if generator is not None:
            drawn = copy.deepcopy(generator)
            if hasattr(drawn, "integers"):
                seed = int(drawn.integers(0, 1 << 63))
            elif hasattr(drawn, "randint"):
                seed = int(drawn.randint(0, 1 << 31))
            else:
                raise InvalidArgumentError(f"generator must be a numpy.random.Generator, not {generator!r}")
        seed = int.from_bytes(os.urandom(8)) >> 1 if seed is None else _number("seed", seed)
        plan = self._plan
        if buffer_size is None:
            return self._with(permuted(plan, seed))
        buffer = _number("buffer_size", buffer_size, least=1)
        if isinstance(plan, SourcePlan):
            return self._with(plan.shuffled(seed, buffer))
        if plan.commutes:
            return self._with(plan.shuffle(seed, buffer, lanes if lanes < _INPUT_SHARDS else None))
        # Whole batches move: pieces are permuted before rows are batched, and batches among those that are held.
        if plan.rowwise:
            plan = plan.shuffle(seed, 1, lanes=1)
        return self._with(plan.then(Shuffle(seed, buffer)))

    def take(self, n: int) -> IterableDataset:
        """The first `n` rows, or batches. Which rows they are is settled in epoch 0; later epochs permute within.

        Of a rank's part, as `split_dataset_by_node` gives it, they are the first of that part.
        """
        return self._cut(_number("n", n), take=True)

    def skip(self, n: int) -> IterableDataset:
        """All but the first `n` rows, or batches: just what `take(n)` leaves, in every epoch."""
        return self._cut(_number("n", n), take=False)

    def _cut(self, n: int, *, take: bool) -> IterableDataset:
        plan, (rank, among) = self._plan, self._consumer
        if isinstance(plan, SourcePlan) or not all(step.one_to_one for step in plan.steps) or (among > 1 and plan.global_):
            return self._with(plan.then(Take(n, among) if take else Skip(n, among)))
        if among > 1:
            # The rank's rows first, so that its workers share the rows that it takes.
            plan = plan.part(among, rank)
        return self._with(plan.take(n) if take else plan.skip(n), _consumer=(0, 1))

    def shard(self, num_shards: int, index: int, contiguous: bool = True) -> IterableDataset:
        """One of `num_shards` disjoint parts, the same whatever the seed and epoch.

        A part is a run of pieces of the files, or every `num_shards`-th if not `contiguous`; every `num_shards`-th
        row where there are fewer pieces than parts.
        """
        of, index = _number("num_shards", num_shards, least=1), _number("index", index)
        if index >= of:
            raise InvalidArgumentError(f"index must be in 0..{of - 1}, found {index}")
        plan = self._plan
        if isinstance(plan, SourcePlan):
            return self._with(plan.sharded(of, index, contiguous=contiguous))
        return self._with(plan.shard(of, index, contiguous=contiguous))

    def _of_rank(self, rank: int, of: int, strategy: str) -> IterableDataset:
        """The part of a rank: see `split_dataset_by_node`."""
        if self._rank is not None:
            before, among, how = self._rank
            if strategy not in ("auto", how):
                raise InvalidArgumentError(
                    f"Cannot change the strategy when splitting an already distributed iterable dataset: it is {how!r}, "
                    f"the new one {strategy!r}"
                )
            strategy, whole = how, (before * of + rank, among * of, how)
        else:
            whole = (rank, of, strategy)
        if strategy == "auto":
            c, consumers = self._consumer
            return self._with(_consumer=(c * of + rank, consumers * of), _rank=whole)
        if strategy == "shards" and self.num_shards < of:
            raise InvalidArgumentError(
                f"Cannot split an iterable dataset with num_shards={self.num_shards} across world_size={of} nodes with strategy='shards' "
                "because some nodes would not be assigned any shard."
            )
        plan = self._plan
        if isinstance(plan, SourcePlan):
            return self._with(plan.sharded(of, rank, contiguous=False), _rank=whole)
        return self._with(plan.pieces_of(of, rank) if strategy == "shards" else plan.rows_of(of, rank), _rank=whole)

    def reshard(self, num_shards: int | None = None) -> IterableDataset:
        """The same: a file is cut into its row groups, batches or ranges already, and consumers beyond those share rows."""
        if num_shards is not None:
            _number("num_shards", num_shards, least=1)
        return self._with()

    def repeat(self, num_times: int | None = None) -> IterableDataset:
        """All rows `num_times` times, for ever if `None`. Each pass is shuffled anew."""
        times = None if num_times is None else max(0, _number("num_times", num_times, least=None))
        plan = self._plan
        return self._with(plan.repeat(times) if plan.rowwise else plan.then(Repeat(times)))

    def batch(self, batch_size: int | None = None, by_column: Any = None, drop_last_batch: bool = False) -> IterableDataset:
        """Rows grouped: each item is a dict of lists.

        Args:
            batch_size: rows of a batch.
            by_column: a column, or several: rows that follow one another with the same values there are a batch, of whatever size.
            drop_last_batch: leave out a last batch that is shorter; of those by column, the last, which may not be whole.

        Example:
            >>> for conversation in ds.batch(by_column="conversation_id"):
            ...     conversation["text"]
            ['Hello', 'Hello! What can I do for you?']
        """
        plan = self._plan
        if by_column is not None:
            by, there = names(by_column), self.column_names
            if there is not None and (missing := [name for name in by if name not in there]):
                raise InvalidArgumentError(
                    f"batch: there is no column {', '.join(map(repr, missing))} in by_column; the columns are {there}"
                )
            if plan.grouped or not by:
                raise InvalidArgumentError("batch(by_column=…) is of rows, by at least one column")
            return self._grouped(Rebatch(None, drop_last_batch, by))
        if batch_size is None:
            raise InvalidArgumentError("batch expects batch_size or by_column")
        size = _number("batch_size", batch_size, least=1)
        if self._decoded().direct:
            return self._with(plan.batched(size, drop_last=drop_last_batch))
        return self._grouped(Rebatch(size, drop_last_batch))

    def _grouped(self, step: Rebatch) -> IterableDataset:
        """Rows in groups, decoded before."""
        plan = self._decoded()
        if plan is self._plan:
            return self._with(plan.then(step))
        return self._with(plan.then(step), _known=self.features, _decoding=None)

    def select_columns(self, column_names: str | Sequence[str]) -> IterableDataset:
        """Only these columns, in this order. Others are not read."""
        if self._plan.python:
            return self._projected("select", {name: name for name in names(column_names)})
        return self._with(self._plan.select(names(column_names)))

    def remove_columns(self, column_names: str | Sequence[str]) -> IterableDataset:
        """All columns but these."""
        gone = names(column_names)
        if self._plan.python:
            return self._projected("remove", {name: name for name in gone})
        self._plan.select(gone)
        return self._with(self._plan.select(name for name in self._plan.column_names if name not in gone))

    def rename_column(self, original_column_name: str, new_column_name: str) -> IterableDataset:
        """Another name for a column."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: dict[str, str]) -> IterableDataset:
        """Other names for columns."""
        if self._plan.python:
            return self._projected("rename", column_mapping)
        return self._with(self._plan.rename(column_mapping))

    def _projected(self, kind: str, names: dict[str, str]) -> IterableDataset:
        """Columns of rows that a function made: chosen, left out, renamed; their types with them, where they are known."""
        known = self._known
        if known is not None:
            if missing := [name for name in names if name not in known]:
                raise InvalidArgumentError(f"there is no column {', '.join(map(repr, missing))} to {kind}; the columns are {list(known)}")
            if kind == "select":
                known = Features({name: known[name] for name in names})
            elif kind == "remove":
                known = Features({name: of for name, of in known.items() if name not in names})
            else:
                known = Features({names.get(name, name): of for name, of in known.items()})
        partly = self._partly
        if partly is not None and kind != "rename":
            partly = Features({name: of for name, of in partly.items() if (name in names) == (kind == "select")})
        elif partly is not None:
            partly = Features({names.get(name, name): of for name, of in partly.items()})
        return self._with(self._plan.then(Project(kind, tuple(names.items()))), _known=known, _partly=partly)

    def cast(self, features: Any) -> IterableDataset:
        """Other types for all columns: those of files are read so, where the decoder makes them.

        What does not fit is an error that names file and column. Strings become a `ClassLabel`'s integers by its names.
        """
        there = self.column_names
        if there is not None and sorted(features) != sorted(there):
            raise InvalidArgumentError(
                f"cast: features= names {sorted(features)}, the columns are {sorted(there)}; cast_column() casts one"
            )
        return self._cast(dict(features), whole=True)

    def cast_column(self, column: str, feature: Any) -> IterableDataset:
        """Another type for one column."""
        there = self.column_names
        if there is not None and column not in there:
            raise InvalidArgumentError(f"cast_column: there is no column {column!r}; the columns are {there}")
        return self._cast({column: feature})

    def _cast(self, features: dict[str, Any], *, whole: bool = False) -> IterableDataset:
        known = self.features
        plan, rest = cast(self._plan, features, known, whole=whole)
        if known is None or not plan.python:
            partly = None if whole or not plan.python else Features({**(self._partly or {}), **rest})
            return self._with(plan, _known=Features(features) if whole and plan.python else known, _partly=partly, _decoding=0)
        # What was decoded already is stored again by the cast, as far as it is of these columns.
        again = self._decoding is not None or any(requires_decoding(of, True) for of in features.values())
        return self._with(plan, _known=Features({name: rest.get(name, of) for name, of in known.items()}), _decoding=0 if again else None)

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | Sequence[str] | None = None,
        features: Any = None,
        fn_kwargs: dict[str, Any] | None = None,
        num_threads: int | None = None,
        num_proc: int | None = None,
    ) -> IterableDataset:
        """Each row, or batch of rows, through a function, whose columns are added to those there are.

        Args:
            function: is given a row (a dict), or a dict of lists if `batched`, and returns a dict. It may be `async`.
            with_indices: also give it the row's position, or the list of them: counted by this consumer.
            input_columns: give it the values of these columns instead of the row.
            batched: give it batches; it may return another number of rows.
            batch_size: rows of a batch; all of them if `None`.
            drop_last_batch: leave out a last batch that is shorter.
            remove_columns: columns that go, unless the function returns them.
            features: the types of the columns afterwards, if they are to be known.
            fn_kwargs: further arguments for the function.
            num_threads: run it in so many threads beside the loop; rows stay in their order.
            num_proc: run it in so many processes.

        An error of the function has a note with the row. A function may be called again for a row when a stream is
        resumed; the order of its results never changes. A state names the function, not its code.

        Example:
            >>> ds = ds.map(lambda row: {"length": len(row["text"])})
        """
        typed = None if features is None else Features(features)
        plan = mapped(
            self._decoded(),
            self._format,
            function,
            with_indices=with_indices,
            input_columns=input_columns,
            batched=batched,
            batch_size=batch_size,
            drop_last_batch=drop_last_batch,
            remove_columns=remove_columns,
            fn_kwargs=fn_kwargs,
            num_threads=num_threads,
            num_proc=num_proc,
            features=typed,
        )
        return self._with(plan, _known=typed, _decoding=0)

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        fn_kwargs: dict[str, Any] | None = None,
        num_threads: int | None = None,
        num_proc: int | None = None,
    ) -> IterableDataset:
        """The rows for which a function is true. Arguments as in `map`; of a batch it returns a list of booleans.

        Example:
            >>> ds = ds.filter(lambda row: row["score"] > 0.5)
        """
        before = self._plan if isinstance(function, Expr) else self._decoded()
        plan = filtered(
            before,
            self._format,
            function,
            with_indices=with_indices,
            input_columns=input_columns,
            batched=batched,
            batch_size=batch_size,
            fn_kwargs=fn_kwargs,
            num_threads=num_threads,
            num_proc=num_proc,
        )
        return self._with(plan, _known=self.features, **({"_partly": self._partly} if before is self._plan else {"_decoding": None}))

    def flat_map(self, function: Callable[..., Any], fn_kwargs: dict[str, Any] | None = None) -> IterableDataset:
        """The rows that a function gives for each row, one after another: none, one or many, also lazily.

        A state within them is exact: the function is called again for that row, and what was given is passed over.

        Example:
            >>> ds = ds.flat_map(lambda row: ({"turn": turn} for turn in row["messages"]))
        """
        return self._with(flattened(self._decoded(), self._format, function, fn_kwargs), _known=None, _decoding=0)

    def add_column(self, name: str, column: Any) -> IterableDataset:
        """One more column: a list or array with a value for each row of the stream, in its order."""
        known, before = self.features, self._decoded()
        if known is None or self._plan.grouped:
            return self._with(extended(before, name, column), _known=None, _decoding=0)
        values, feature = typed_column(name, column)
        decoding = None if self._decodes() else 0
        return self._with(extended(before, name, values), _known=Features({**known, name: feature}), _decoding=decoding)

    def decode(self, enable: bool = True, num_threads: int | None = None) -> IterableDataset:
        """Whether media, and what else features decode, are decoded; and in how many threads beside the loop.

        Args:
            enable: whether rows have what features decode; else what is stored: of media, `{"bytes": …, "path": …}`.
            num_threads: threads; none, so in the loop, if it is 0; 32 if it is not given, of what is decoded already. Rows stay in
                their order.

        Example:
            >>> ds = ds.decode(num_threads=8)
            >>> raw = ds.decode(False)
        """
        features = self.features
        if not features:
            raise InvalidArgumentError(
                "Features decoding is only available for datasets with known features, but features are Unknown. "
                "Please set the datasets features with `ds = ds.cast(features)`."
            )
        if any(isinstance(step, Decode) for step in self._plan.steps):
            raise UnsupportedError("decode() says how rows come out of files: call it before functions and filters")
        made = with_decoding(features, enable)
        threads = _number("num_threads", (32 if requires_decoding(features) else 0) if num_threads is None else num_threads)
        if self._plan.python:
            return self._with(_known=made, _decoding=threads)
        return self._cast(dict(made))._with(_decoding=threads)

    def with_source(self, file: str = "__file__", row: str = "__row__") -> IterableDataset:
        """Two more columns: the file that a row is of, and its number there, from 0.

        Files of lines do not say how many rows come before a place, so they are counted once.
        """
        plan = self._plan
        if not plan.direct:
            raise UnsupportedError("with_source says where rows of files are: call it before batch() and functions")
        return self._with(plan.with_source(file, row))

    def with_format(self, type: str | None = None) -> IterableDataset:
        """Rows and batches as another kind of object: `"numpy"`, `"arrow"`, or Python objects if `None`."""
        return self._with(_format=format_name(type))

    # ------------------------------------------------------------------------------------------------------- facts

    def explain(self) -> str:
        """What is read and what is left out, as text: from what the files say of themselves, before rows are read.

        Example:
            >>> print(ds.filter(col("year") > 2020).select_columns(["text"]).explain())
        """
        return explained(self._plan)

    def count(self) -> int:
        """How many rows one iteration gives, from the start of the epoch; batches, where rows are batched.

        Where files say it (Parquet, Arrow, tar) nothing is read. Else as little as can be is: no columns, if no function makes or filters
        rows. Of a rank's part, as `split_dataset_by_node` gives it, it is the number of its rows. State and iterations are not touched.

        Raises:
            InvalidArgumentError: the stream never ends.

        Example:
            >>> ds.filter(col("year") > 2020).count()
        """
        return count(self._plan, World(*self._consumer, self._shared.epoch))

    def _told(self) -> int | None:
        """How many rows the next iteration gives, if nothing has to be read to tell."""
        return None if self._loaded() is not None or endless(self._plan) else told(self._plan, self._world())

    @property
    def features(self) -> Features | None:
        """The types of the columns; `None` where a function makes them and nobody said what they are."""
        plan = self._plan
        features: Features | None
        if plan.python:
            features = self._known
        else:
            features = features_from_schema(plan.schema, list(plan.columns) if plan.columns is not None else None)
        # What follows the last function.
        last = max((i + 1 for i, step in enumerate(plan.steps) if step.python), default=0)
        batched = plan.batch is not None and not last
        for _ in range(batched + sum(isinstance(step, Rebatch) for step in plan.steps[last:])):
            features = None if features is None else Features({name: List(feature) for name, feature in features.items()})
        return features

    @property
    def _formatting(self) -> SimpleNamespace | None:
        """The format as trl asks for it."""
        return None if self._format is None else SimpleNamespace(format_type=self._format)

    @property
    def column_names(self) -> list[str] | None:
        """The names of the columns; `None` where a function makes them and nobody said what they are."""
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

        Of a rank's part, as `split_dataset_by_node` gives it, they are its part of them, at least one.
        """
        pieces, (c, of) = self._plan.core.pieces(), self._consumer
        return max((c + 1) * pieces // of - c * pieces // of, min(pieces, 1))

    n_shards = num_shards

    @property
    def info(self) -> DatasetInfo:
        """What is known about the data set."""
        return replace(self._info, features=self.features)

    def __repr__(self) -> str:
        """Columns and pieces."""
        return f"IterableDataset({{\n    features: {self.column_names or 'Unknown'},\n    num_shards: {self.num_shards}\n}})"


def _number(name: str, value: Any, least: int | None = 0) -> int:
    """An integer argument, as any integer type gives it."""
    try:
        number = int(value.__index__())
    except (AttributeError, TypeError):
        raise InvalidArgumentError(f"{name} must be an integer, not {value!r}") from None
    if (least is not None and number < least) or number >= 1 << 64:
        raise InvalidArgumentError(f"{name} must be {'at least ' + str(least) if number < 1 << 64 else 'below 2**64'}, found {number}")
    return number
