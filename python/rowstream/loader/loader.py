"""`DataLoader`: batches of a dataset, made ahead by a thread, with exact states."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.distributed import split_dataset_by_node
from rowstream.exceptions import InvalidArgumentError
from rowstream.loader.ahead import Ahead, begun, bytes_of, called, marked
from rowstream.loader.collate import Collate, GivenCollate
from rowstream.loader.device import ToDevice, can_pin, pinned
from rowstream.loader.figures import LoaderFigures
from rowstream.loader.given import AUTO_THREADS, pool_of, rows_of, stream_of, unknown, with_rows_of
from rowstream.loader.live import shown
from rowstream.loader.place import Place
from rowstream.loader.ranks import Agreement, evenly_by_count, initialized, ranks
from rowstream.loader.state import LoaderState
from rowstream.loader.tuning import Tuning
from rowstream.loader.watch import Made, Watch, rows_in
from rowstream.loader.watchdog import watchdog
from rowstream.ops.base import World
from rowstream.streams.count import known_count
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset
    from rowstream.dataset.map_style.dataset import Dataset


class DataLoader(LoaderState, LoaderFigures):
    """Batches of a dataset as tensors, made in this process.

    The core reads, decodes, tokenizes and shuffles on its own threads, so no worker process is
    needed, and none of the copies between processes. A thread has the next batches ready while a
    step runs. Each iteration is an epoch, and the next one has another order where the dataset
    shuffles.

    A batch is a dict with one tensor a column. Lists of different lengths are padded; beside
    `input_ids`, or what ends so, is always a column `attention_mask` with 1 for what is there.
    Texts and what else is no number stay lists.

    Args:
        dataset: A stream, or a map-style dataset. Its own format does not matter, but batches of
            `batch(n)` are refused.
        batch_size: The number of rows of a batch.
        shuffle: Shuffle all rows of a map-style dataset in each epoch. A stream shuffles itself:
            `ds.shuffle(seed=…, buffer_size=…)`.
        seed: The seed of `shuffle`.
        drop_last: Leave out a last batch that is shorter.
        collate: A function from a dict of columns, as the format `"numpy"` has them, to a batch;
            what is said above if `None`.
        collate_fn: A function from a list of rows, as the dataset gives them, to a batch, as torch
            has it; in place of `collate`. It is called in the loop, as it may draw random numbers.
        num_threads: The number of threads that run `collate`, which is for functions that release
            the GIL; batches stay in their order. `"auto"` finds how many calls at once are of use.
        num_proc: The number of processes that run `collate`, for functions that do not. The arrays
            of batches come back in shared memory, without a copy; a process returns NumPy arrays or
            tensors of torch on the CPU.
        format: `"torch"`, `"numpy"`, `"jax"`, `"mlx"` or `"tensorflow"`.
        padding: The value that fills up lists, by column: 0 if not given, and -100 for names that
            end in `labels`.
        masks: Names of masks for other columns of lists, such as `{"chosen_ids": "chosen_mask"}`.
        pad_to_multiple_of: Lists are filled up to a multiple of it; those of other columns than ids
            and labels not where all of a batch have one length.
        prefetch: The bytes of batches that are made ahead by a thread: at least one batch, and 64
            at most; 0 makes each when it is asked for. `"auto"` begins with `PREFETCH`, and takes
            up to half of `ROWSTREAM_MEMORY`, and more batches, where the loop waits although
            all that may be ready was.
        pin_memory: Put tensors of torch into memory that is copied to a GPU without waiting.
        device: Give batches on a device of torch or JAX, such as `"cuda"`. They are copied ahead,
            on CUDA beside the work of the steps.
        gradient_accumulation: The number of batches of one step of the optimizer. `updates` says
            after which of them it is due.
        world: Which rank this is: `(rank, number of ranks)`; or `"auto"`, from `torch.distributed`,
            or what torchrun sets in the environment. Each rank gets its part of the rows. A stream
            that `split_dataset_by_node` made has its part already.
        on_uneven: What ranks do whose numbers of batches differ. `"ignore"`: each gives its own.
            `"stop"`: all end with the first one that ends. `"pad"`: those that end repeat their
            last batch until all have ended, and `padded` is true. They agree by a sum of two
            numbers a step in `torch.distributed`; without that, the numbers have to be known.
        replicate: The number of ranks, one after another, that have the same rows, as tensor
            parallelism needs it.
        epoch_size: The number of rows of an epoch of all ranks. The rows are repeated endlessly,
            and the next epoch goes on where this one ends. Each rank gives as many batches.
        progress: Show a progress bar with the figures of `stats`.

    Attributes:
        updates: Whether the batch that was given last is the last one of a step of the optimizer.
        padded: Whether it is a repetition, of `on_uneven="pad"`.
        last: Whether it is the last one of the epoch.

    Raises:
        InvalidArgumentError: An argument makes no sense.
        UnsupportedError: The rows are in batches already.

    Example:
        >>> ds = Dataset.from_dict({"input_ids": [[5, 6, 7], [8]], "label": [0, 1]})
        >>> for batch in rowstream.DataLoader(ds, batch_size=2, format="numpy"):
        ...     print(batch["input_ids"].tolist(), batch["attention_mask"].tolist(), batch["label"])
        [[5, 6, 7], [8, 0, 0]] [[1, 1, 1], [1, 0, 0]] [0 1]
    """

    PREFETCH = 64 << 20
    """The bytes of batches that are made ahead at first, if nothing else is said."""
    # The most batches that are made ahead, however small they are.
    _most_ahead = 64

    def __init__(
        self,
        dataset: IterableDataset | Dataset,
        batch_size: int = 1,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        collate: Callable[[dict[str, Any]], Any] | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        num_threads: int | str = 0,
        num_proc: int = 0,
        format: str = "torch",
        padding: Mapping[str, Any] | None = None,
        masks: Mapping[str, str] | None = None,
        pad_to_multiple_of: int = 1,
        prefetch: int | str = "auto",
        pin_memory: bool = False,
        device: Any = None,
        gradient_accumulation: int = 1,
        world: tuple[int, int] | str | None = None,
        on_uneven: str = "ignore",
        replicate: int = 1,
        epoch_size: int | None = None,
        progress: bool = False,
        **others: Any,
    ) -> None:
        if others:
            raise InvalidArgumentError(unknown(others, DataLoader))
        check_number("batch_size", batch_size, least=1)
        check_number("pad_to_multiple_of", pad_to_multiple_of, least=1)
        auto = prefetch == "auto"
        prefetch = self.PREFETCH if auto else check_number("prefetch", prefetch)
        check_number("gradient_accumulation", gradient_accumulation, least=1)
        if pin_memory and format != "torch":
            raise InvalidArgumentError("DataLoader: pin_memory is for format='torch'")
        self.batch_size, self.drop_last = batch_size, drop_last
        self.gradient_accumulation = gradient_accumulation
        stream = stream_of(dataset, shuffle=shuffle, seed=seed)
        self._ranks = ranks(world, replicate, on_uneven)
        c, of = self._ranks.part
        if stream._rank is not None:
            if world is not None:
                raise InvalidArgumentError(
                    "DataLoader: the stream is the part of one rank already: leave out world=, or"
                    " split_dataset_by_node"
                )
            c, of, _ = stream._rank
        elif of > 1:
            stream = split_dataset_by_node(stream, c, of)
        elif world is None and (among := initialized()) and among.get_world_size() > 1:
            warnings.warn(
                f"DataLoader: each of the {among.get_world_size()} ranks reads all rows:"
                " world='auto' gives each its part; world=(0, 1) says that all are meant",
                stacklevel=2,
            )
        self._part = c, of
        self._epoch_size = epoch_size
        if epoch_size is not None:
            if check_number("epoch_size", epoch_size) < batch_size * of:
                raise InvalidArgumentError(
                    f"DataLoader: epoch_size={epoch_size} is less than one batch of {batch_size}"
                    f" rows on each of {of} ranks"
                )
            self._once, stream = stream, stream.repeat(None)
        if collate_fn is not None:
            if collate is not None or num_threads or num_proc:
                raise InvalidArgumentError(
                    "DataLoader: collate_fn= takes rows and is called in the loop: it does not go"
                    " together with collate=, num_threads= and num_proc=: those take columns"
                )
            self.dataset = with_rows_of(stream, dataset)
            collate = rows_of
        else:
            self.dataset = stream.with_format("numpy")
        if collate is None:
            collate = Collate(format, padding, masks, pad_to_multiple_of)
        elif collate_fn is None:
            collate = GivenCollate(collate)
        self._collate = collate
        self._collate_fn = collate_fn
        # What users wrote may belong to one thread, such as a connection to a database.
        self._without_user_code = isinstance(collate, Collate) and stream._plan.core_only
        self._pool = pool_of(num_threads, num_proc)
        self._prefetch, self._on_uneven = prefetch, on_uneven
        self._grow = max(prefetch, _core.memory() // 2) if auto else 0
        self._tuning = Tuning(AUTO_THREADS) if num_threads == "auto" else None
        self._pin = pin_memory and can_pin()
        self._device = None if device is None else ToDevice(device, format)
        self._agreement: Agreement | None = None
        self._watch, self._progress = Watch(), progress
        self._ahead: Ahead | None = None
        # After the last batch; where the next iteration begins; and that of a loaded state.
        self._place = self._begin = Place(0)
        self._resume: Place | None = None
        if (loaded := self.dataset._loaded()) is not None:
            # Where the stream is told to go on.
            place = Place(loaded.epoch, self.dataset.state_dict())
            self._place = place
            self._resume = place if epoch_size is None else None
            self._begin = self._begin if epoch_size is None else Place(0, place.stream)
        self._ended: Place | None = None
        self.updates = self.padded = self.last = False

    def __len__(self) -> int:
        """Return the number of batches of an epoch, on this rank.

        Raises:
            TypeError: The number of rows is not known before they are read.
        """
        if self._epoch_size is not None:
            return self._steps(0)
        counts = self._counts()
        own = counts[self._part[0]]
        if self._on_uneven != "ignore" and len(counts) > 1:
            known = [count for count in counts if count is not None]
            least_or_most = min if self._on_uneven == "stop" else max
            own = None if None in counts else least_or_most(known)
        if own is None:
            raise TypeError(
                "the number of rows of this stream is not known before they are read; ds.count()"
                " reads as little of it as can be"
            )
        return own

    def _counts(self) -> list[int | None]:
        """Return the number of batches that each rank has in an epoch, where it is known."""
        plan, (c, of) = self.dataset._plan, self.dataset._consumer
        if of == self._part[1]:
            rows = [known_count(plan, World(r, of, self._begin.epoch)) for r in range(of)]
        else:
            rows = [None] * self._part[1]
            rows[self._part[0]] = known_count(plan, World(c, of, self._begin.epoch))
        size = self.batch_size
        return [None if n is None else n // size if self.drop_last else -(-n // size) for n in rows]

    def _steps(self, rows: int) -> int:
        """Return the batches of this rank that are left of an epoch with a size."""
        return max(0, (self._epoch_size or 0) - rows) // (self.batch_size * self._part[1])

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of an epoch: of the next one, or the rest of that of a loaded state."""
        begin, self._resume, self._ended = self._resume or self._begin, None, None
        self._place = begin
        # An epoch that is left begins again.
        self._begin = Place(begin.epoch) if self._epoch_size is None else begin
        with closing(self._made(begin)) as made:
            source = made if self._epoch_size is None else begun(self._once, made)
            if self._prefetch:
                ahead = self._ahead = Ahead(
                    source,
                    self._prefetch,
                    lambda made: made.size,
                    self._most_ahead,
                    shared=self._without_user_code,
                    grow=self._grow,
                )
                source = ahead.items()
            with closing(source) as batches:
                given: Iterator[Any] = self._watch.over(self._given(begin, batches))
                if self._progress:
                    given = shown(given, self.stats, begin.batches, self._total())
                watchdog.add(self._watch)
                try:
                    yield from given
                finally:
                    watchdog.remove(self._watch)

    def _made(self, begin: Place) -> Generator[Any, None, None]:
        """Yield batches, sent to the device, with the states of the stream after them."""
        ds = copy.copy(self.dataset)
        ds.set_epoch(begin.epoch if self._epoch_size is None else 0)
        if begin.stream is not None:
            ds.load_state_dict(begin.stream)
        columns = (
            (batch, (ds.state_dict(), rows_in(batch, self.batch_size)))
            for batch in ds.iter(self.batch_size, self.drop_last)
        )
        if self._epoch_size is not None:
            columns = islice(columns, self._steps(begin.rows))  # type: ignore[assignment]
        watch = self._watch
        made = called(
            watch.each("read", columns), self._collate, self._pool, watch.handed, self._tuning
        )
        for batch, (state, rows) in watch.each("made", made):
            size = bytes_of(batch)
            yield Made(
                batch if self._collate_fn is not None else self._sent(batch), state, rows, size
            )

    def _sent(self, batch: Any) -> Any:
        if not self._pin and self._device is None:
            return batch
        began, outer = perf_counter(), self._watch.stage
        self._watch.stage = "copy"
        batch = pinned(batch) if self._pin else batch
        sent = batch if self._device is None else self._device.sent(batch)
        self._watch.stage = outer
        self._watch.took("copy", began)
        return sent

    def _given(self, begin: Place, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield batches, and note the place after each."""
        rows, of, device = begin.rows, self._part[1], self._device
        goes_on = self._epoch_size is not None
        even = self._evenly(begin, batches)
        for (made, again), number, last in marked(even, begin.batches):
            rows += self.batch_size * of if goes_on else 0
            self._place = Place(begin.epoch, made.state, rows, last, number)
            if last:
                # Also for those who count the batches, and never ask for the one after it.
                self._begin = self._place.after(goes_on=goes_on)
            self.updates = last or number % self.gradient_accumulation == 0
            self.padded, self.last = again, last
            self._watch.given(made.rows, made.size)
            batch = made.batch
            if self._collate_fn is not None:
                began, self._watch.own = perf_counter(), "made"
                batch = self._collate_fn(batch)
                self._watch.took("rows", began)
                self._watch.own = "copy"
                batch = self._sent(batch)
                self._watch.own = None
            yield batch if device is None else device.arrived(*batch)
        if self._place is begin:
            # There was no batch.
            self._place = self._place._replace(ended=True)
            self._begin = self._place.after(goes_on=goes_on)

    def _evenly(self, begin: Place, batches: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
        """Return batches, and whether each is a repetition, as many on all ranks if asked for."""
        if self._on_uneven == "ignore" or self._part[1] == 1 or self._epoch_size is not None:
            return ((item, False) for item in batches)
        if self._agreement is None and (distributed := initialized()) is not None:
            self._agreement = Agreement(distributed)
        if self._agreement is not None:
            return self._agreement.evenly(batches, self._on_uneven, lambda: self._spare(begin))
        counts = self._counts() if begin.stream is None else list[int | None]([None])
        return evenly_by_count(batches, counts, self._part[0], self._on_uneven)

    def _spare(self, begin: Place) -> Any:
        """Return a batch to repeat where none is left after a resume: the first of the epoch."""
        with closing(self._made(Place(begin.epoch))) as made:
            first = next(made, None)
        return None if first is None else first._replace(state=begin.stream)
