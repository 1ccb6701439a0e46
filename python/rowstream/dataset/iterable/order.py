"""Methods of streams that choose the rows and their order."""

from __future__ import annotations

import copy
import os
import warnings
from typing import Any, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.ops.cut import Skip, Take
from rowstream.ops.rebatch import Rebatch
from rowstream.ops.repeat import Repeat
from rowstream.ops.shuffle import Shuffle
from rowstream.plan.transforms import names, permuted
from rowstream.streams.source_plan import SourcePlan
from rowstream.utils.arguments import check_number

_INPUT_SHARDS = (
    10  # what `datasets` has by default; a shuffle has up to 64 lanes unless fewer are asked for
)


class StreamOrder(StreamBase):
    """Methods of streams that choose the rows and their order."""

    def shuffle(
        self,
        seed: int | None = None,
        generator: Any = None,
        buffer_size: int | None = 1000,
        max_buffer_input_shards: int = _INPUT_SHARDS,
    ) -> Self:
        """Shuffle the shards, and the rows within a buffer; or all rows, with `buffer_size=None`.

        Up to 64 shards are open at a time, and rows are taken from them in turn, so a batch has
        rows of up to 64 shards. The order depends on the files, the seed and the epoch only, not on
        the number of workers; it is not the order of `datasets`. Rows chosen by an earlier `take`
        or `skip` stay the same.

        Args:
            seed: The seed of the order, which also depends on the epoch. A random one if `None`.
            generator: A `numpy.random.Generator` to draw the seed from instead. It is not advanced.
            buffer_size: The number of rows in memory to draw from. With `None` all rows are
                shuffled uniformly; where they do not fit into `ROWSTREAM_MEMORY`, files are read
                several times.
            max_buffer_input_shards: The maximum number of open shards, if below 10 (the default
                means 64). Fewer shards need less memory and mix rows less.

        Raises:
            InvalidArgumentError: Arguments have no such values, or there are both seed and
                generator.
            UnsupportedError: `buffer_size=None` after a batched function, a mixture or a generator.

        Example:
            >>> ds = Dataset.from_dict({"a": [0, 1, 2, 3]}).to_iterable_dataset()
            >>> sorted(ds.shuffle(seed=7, buffer_size=1000)["a"])
            [0, 1, 2, 3]
        """
        lanes = check_number("max_buffer_input_shards", max_buffer_input_shards, least=1)
        if seed is not None and generator is not None:
            raise InvalidArgumentError("give seed or generator, not both")
        if generator is not None:
            drawn = copy.deepcopy(generator)
            if hasattr(drawn, "integers"):
                seed = int(drawn.integers(0, 1 << 63))
            elif hasattr(drawn, "randint"):
                seed = int(drawn.randint(0, 1 << 31))
            else:
                raise InvalidArgumentError(
                    f"generator must be a numpy.random.Generator, not {generator!r}"
                )
        seed = int.from_bytes(os.urandom(8)) >> 1 if seed is None else check_number("seed", seed)
        plan = self._plan
        if buffer_size is None:
            return self._with(permuted(plan, seed))
        buffer = check_number("buffer_size", buffer_size, least=1)
        if isinstance(plan, SourcePlan):
            return self._with(plan.shuffled(seed, buffer))
        if plan.commutes:
            return self._with(plan.shuffle(seed, buffer, lanes if lanes < _INPUT_SHARDS else None))
        # Whole batches move: pieces are permuted before rows are batched, and batches among those
        # that are held.
        if plan.rowwise:
            plan = plan.shuffle(seed, 1, lanes=1)
        return self._with(plan.then(Shuffle(seed, buffer)))

    def take(self, n: int) -> Self:
        """Return the first `n` rows, or batches after `batch`.

        The same rows are taken in every epoch, those of epoch 0; a later `shuffle` or `set_epoch`
        only changes their order. After `split_dataset_by_node` they are the first of the rank's
        rows.

        Args:
            n: The number of rows.

        Raises:
            InvalidArgumentError: `n` is negative or not an integer.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> list(ds.take(2))
            [{'a': 1}, {'a': 2}]
        """
        return self._cut(check_number("n", n), take=True)

    def skip(self, n: int) -> Self:
        """Return all but the first `n` rows: those that `take(n)` leaves, in every epoch.

        Args:
            n: The number of rows, or of batches after `batch`.

        Raises:
            InvalidArgumentError: `n` is negative or not an integer.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> list(ds.skip(2))
            [{'a': 3}]
        """
        return self._cut(check_number("n", n), take=False)

    def _cut(self, n: int, *, take: bool) -> Self:
        plan, (rank, among) = self._plan, self._consumer
        if (
            isinstance(plan, SourcePlan)
            or not all(step.one_to_one for step in plan.steps)
            or (among > 1 and plan.global_)
        ):
            step = Take if take else Skip
            return self._with(plan.then(step(n, among, None if plan.shares else plan.sequences)))
        if among > 1:
            # The rank's rows first, so that its workers share the rows that it takes.
            plan = plan.part(among, rank)
        return self._with(plan.take(n) if take else plan.skip(n), _consumer=(0, 1))

    def shard(self, num_shards: int, index: int, contiguous: bool = True) -> Self:
        """Return one of `num_shards` disjoint parts of the rows, the same for every seed and epoch.

        The numbers of rows of the parts differ by one at most: a part consists of whole shards
        where these have equal sizes, otherwise of single rows. Remote files that do not store row
        counts are divided by whole shards.

        Args:
            num_shards: The number of parts.
            index: The number of the part, from 0.
            contiguous: Whether a part is a contiguous range, rather than every `num_shards`-th
                shard or row.

        Raises:
            InvalidArgumentError: `index` is not in `range(num_shards)`.
            UnsupportedError: A generator has fewer shards than that and is not `deterministic`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3, 4]}).to_iterable_dataset()
            >>> list(ds.shard(num_shards=2, index=1))
            [{'a': 3}, {'a': 4}]
        """
        of, index = check_number("num_shards", num_shards, least=1), check_number("index", index)
        if index >= of:
            raise InvalidArgumentError(f"index must be in 0..{of - 1}, found {index}")
        plan = self._plan
        return self._with(plan.shard(of, index, contiguous=contiguous))

    def _of_rank(self, rank: int, of: int, strategy: str) -> Self:
        """Return the part of a rank, as in `split_dataset_by_node`."""
        if self._rank is not None:
            before, among, how = self._rank
            if strategy not in ("auto", how):
                raise InvalidArgumentError(
                    "Cannot change the strategy when splitting an already distributed iterable"
                    f" dataset: it is {how!r}, the new one {strategy!r}"
                )
            strategy, whole = how, (before * of + rank, among * of, how)
        else:
            whole = (rank, of, strategy)
        if strategy == "auto":
            c, consumers = self._consumer
            shards = self._plan.sequences or 0
            if not self._plan.shares and shards < consumers * of:
                warnings.warn(
                    f"split_dataset_by_node: {consumers * of} ranks share {shards} shards of a"
                    " generator, so some have no rows: from_generator(…, deterministic=True) says"
                    " that each run gives the same rows, of which each rank takes its part, and"
                    " strategy='examples' takes that for granted",
                    stacklevel=3,
                )
            return self._with(_consumer=(c * of + rank, consumers * of), _rank=whole)
        if strategy == "shards" and self.num_shards < of:
            raise InvalidArgumentError(
                f"Cannot split an iterable dataset with num_shards={self.num_shards} across"
                f" world_size={of} nodes with strategy='shards' because some nodes would not be"
                " assigned any shard."
            )
        plan = self._plan
        if strategy == "shards":
            return self._with(plan.pieces_of(of, rank), _rank=whole)
        return self._with(plan.rows_of(of, rank), _rank=whole)

    def reshard(self, num_shards: int | None = None) -> Self:
        """Return the same dataset, since files are split into shards already.

        It is there for code that was written for `datasets`. More workers than shards share the
        rows of the shards, so more shards are never needed.

        Args:
            num_shards: No effect; must be a positive integer or `None`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset()
            >>> ds.reshard(2).num_shards
            1
        """
        if num_shards is not None:
            check_number("num_shards", num_shards, least=1)
        return self._with()

    def repeat(self, num_times: int | None = None) -> Self:
        """Repeat the rows a number of times, or endlessly. Each pass is shuffled differently.

        Args:
            num_times: The number of passes; endless if `None`, none if 0 or less.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset()
            >>> [row["a"] for row in ds.repeat(2)]
            [1, 2, 1, 2]
        """
        times = (
            None if num_times is None else max(0, check_number("num_times", num_times, least=None))
        )
        plan = self._plan
        return self._with(plan.repeat(times) if plan.rowwise else plan.then(Repeat(times)))

    def batch(
        self, batch_size: int | None = None, by_column: Any = None, drop_last_batch: bool = False
    ) -> Self:
        """Group rows into batches: each item is a dict of lists.

        Args:
            batch_size: The number of rows in a batch.
            by_column: A column or a list of columns; consecutive rows with equal values there are a
                batch of any size. `batch_size` is then ignored.
            drop_last_batch: Leave out a last batch that is shorter; with `by_column` the last
                batch, which may be incomplete.

        Raises:
            InvalidArgumentError: There is no such column, or neither `batch_size` nor `by_column`.

        Example:
            >>> rows = {"chat": [1, 1, 2], "text": ["Hello", "Hi!", "Bye"]}
            >>> ds = Dataset.from_dict(rows).to_iterable_dataset()
            >>> list(ds.batch(batch_size=2))
            [{'chat': [1, 1], 'text': ['Hello', 'Hi!']}, {'chat': [2], 'text': ['Bye']}]
            >>> [batch["text"] for batch in ds.batch(by_column="chat")]
            [['Hello', 'Hi!'], ['Bye']]
        """
        plan = self._plan
        if by_column is not None:
            by, there = names(by_column), self.column_names
            if there is not None and (missing := [name for name in by if name not in there]):
                raise InvalidArgumentError(
                    f"batch: there is no column {', '.join(map(repr, missing))} in by_column; the"
                    f" columns are {there}"
                )
            if plan.grouped or not by:
                raise InvalidArgumentError("batch(by_column=…) is of rows, by at least one column")
            return self._grouped(Rebatch(None, drop_last_batch, by))
        if batch_size is None:
            raise InvalidArgumentError("batch expects batch_size or by_column")
        size = check_number("batch_size", batch_size, least=1)
        if self._decoded().direct:
            return self._with(plan.batched(size, drop_last=drop_last_batch))
        return self._grouped(Rebatch(size, drop_last_batch))

    def _grouped(self, step: Rebatch) -> Self:
        """Return the dataset with a batching step, after decoding."""
        plan = self._decoded()
        if plan is self._plan:
            return self._with(plan.then(step))
        return self._with(plan.then(step), _known=self.features, _decoding=None)
