"""Which rows of a stream come, and in which order."""

from __future__ import annotations

import copy
import os
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
    """Which rows come, and in which order."""

    def shuffle(
        self,
        seed: int | None = None,
        generator: Any = None,
        buffer_size: int | None = 1000,
        max_buffer_input_shards: int = _INPUT_SHARDS,
    ) -> Self:
        """Return rows in another order: pieces of the files permuted, and rows among `buffer_size`
        that are held.

        A batch's rows come from up to 64 pieces of the files. What a `take` or `skip` before chose
        stays chosen.

        Args:
            seed: what the order follows from, with the epoch; one is drawn, and kept, if it is
                `None`.
            generator: a `numpy.random.Generator` to draw the seed from instead; it is left as it
                was.
            buffer_size: rows to draw from. They are held in memory. If it is `None`, all rows are
                permuted, and each may land anywhere: where they do not fit into `ROWSTREAM_MEMORY`,
                the files are read as often as it takes.
            max_buffer_input_shards: pieces of the files that are open at once, if that is below 10,
                the default of `datasets`. Fewer pieces are less memory and worse mixing.
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
        """Return the first `n` rows, or batches. Which rows they are is settled in epoch 0; later
        epochs permute within.

        Of a rank's part, as `split_dataset_by_node` gives it, they are the first of that part.
        """
        return self._cut(check_number("n", n), take=True)

    def skip(self, n: int) -> Self:
        """Return all but the first `n` rows, or batches: just what `take(n)` leaves, in every
        epoch.
        """
        return self._cut(check_number("n", n), take=False)

    def _cut(self, n: int, *, take: bool) -> Self:
        plan, (rank, among) = self._plan, self._consumer
        if (
            isinstance(plan, SourcePlan)
            or not all(step.one_to_one for step in plan.steps)
            or (among > 1 and plan.global_)
        ):
            return self._with(plan.then(Take(n, among) if take else Skip(n, among)))
        if among > 1:
            # The rank's rows first, so that its workers share the rows that it takes.
            plan = plan.part(among, rank)
        return self._with(plan.take(n) if take else plan.skip(n), _consumer=(0, 1))

    def shard(self, num_shards: int, index: int, contiguous: bool = True) -> Self:
        """One of `num_shards` disjoint parts, the same whatever the seed and epoch.

        A part is a run of pieces of the files, or every `num_shards`-th if not `contiguous`; every
        `num_shards`-th row where there are fewer pieces than parts.
        """
        of, index = check_number("num_shards", num_shards, least=1), check_number("index", index)
        if index >= of:
            raise InvalidArgumentError(f"index must be in 0..{of - 1}, found {index}")
        plan = self._plan
        return self._with(plan.shard(of, index, contiguous=contiguous))

    def _of_rank(self, rank: int, of: int, strategy: str) -> Self:
        """Return the part of a rank: see `split_dataset_by_node`."""
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
            return self._with(_consumer=(c * of + rank, consumers * of), _rank=whole)
        if strategy == "shards" and self.num_shards < of:
            raise InvalidArgumentError(
                f"Cannot split an iterable dataset with num_shards={self.num_shards} across"
                f" world_size={of} nodes with strategy='shards' because some nodes would not be"
                " assigned any shard."
            )
        plan = self._plan
        return self._with(
            plan.pieces_of(of, rank) if strategy == "shards" else plan.rows_of(of, rank),
            _rank=whole,
        )

    def reshard(self, num_shards: int | None = None) -> Self:
        """Return the same: a file is cut into its row groups, batches or ranges already, and
        consumers beyond those share rows.
        """
        if num_shards is not None:
            check_number("num_shards", num_shards, least=1)
        return self._with()

    def repeat(self, num_times: int | None = None) -> Self:
        """Return all rows `num_times` times, for ever if `None`. Each pass is shuffled anew."""
        times = (
            None if num_times is None else max(0, check_number("num_times", num_times, least=None))
        )
        plan = self._plan
        return self._with(plan.repeat(times) if plan.rowwise else plan.then(Repeat(times)))

    def batch(
        self, batch_size: int | None = None, by_column: Any = None, drop_last_batch: bool = False
    ) -> Self:
        """Return rows grouped: each item is a dict of lists.

        Args:
            batch_size: rows of a batch.
            by_column: a column, or several: rows that follow one another with the same values there
                are a batch, of whatever size.
            drop_last_batch: leave out a last batch that is shorter; of those by column, the last,
                which may not be whole.

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
        """Return rows in groups, decoded before."""
        plan = self._decoded()
        if plan is self._plan:
            return self._with(plan.then(step))
        return self._with(plan.then(step), _known=self.features, _decoding=None)
