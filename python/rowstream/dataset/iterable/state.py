"""The methods of streams that save and restore where they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, UnsupportedError
from rowstream.plan.lock import write as write_lock
from rowstream.streams.differences import differs, order_differs
from rowstream.streams.earlier import resumed
from rowstream.streams.mixture import Mixture
from rowstream.streams.remix import described_in, lanes_of, remixed, sequences_of
from rowstream.streams.source_plan import SourcePlan
from rowstream.streams.state import State, signature
from rowstream.streams.torch_worker import is_worker
from rowstream.streams.weighted import WeightedMixture, weights_of
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.plan.bad_records import BadRecords


class StreamState(StreamBase):
    """The methods of streams that save and restore where they are."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the stream, after the last row or batch that was returned.

        It is plain data for `json` or `torch.save`, of at most 4 KiB, more for mixtures of many
        parts. It identifies the files by their contents, not their paths, so it fits wherever the
        same files are, whichever columns are read.

        Returns:
            A dict for `load_state_dict` or `merge_state_dicts`.

        Raises:
            UnsupportedError: The workers of a `DataLoader` read the stream. Use
                `StatefulDataLoader`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> rows = iter(ds)
            >>> next(rows)
            {'a': 1}
            >>> state = ds.state_dict()
            >>> ds.load_state_dict(state)
            >>> list(ds)
            [{'a': 2}, {'a': 3}]
        """
        if self._shared.read_by_workers and not is_worker():
            raise UnsupportedError(
                "state_dict: worker processes of a loader read this stream, each its part, so this"
                " copy does not know where they are. Use torchdata's StatefulDataLoader, which"
                " takes the place of DataLoader, and its state_dict()"
            )
        if self._running is not None:
            return self._running.state().to_dict(self._plan.described)
        plan, world, resume = self._plan, self._world(), self._loaded()
        steps = signature(plan)
        if steps:
            return State(
                world.epoch,
                None,
                steps,
                resumed(plan, world, resume.place if resume else None).state(),
            ).to_dict(plan.described)
        cursor = (
            resume.cursor
            if resume is not None and resume.cursor is not None
            else plan.core.start(world.epoch)
        )
        return State(world.epoch, plan.core.place(cursor, world.c, world.of)).to_dict(
            plan.described
        )

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> None:
        """Resume from a state: the next iteration continues with the row after it.

        An iteration that is running continues there, too. The epoch becomes that of the state. The
        iteration after the next one begins at the start of the epoch.

        Args:
            state_dict: A result of `state_dict` or `merge_state_dicts`.
            strict: Whether a mixture of `interleave_datasets` has to be the same as before.
                Otherwise it may have other probabilities, another seed or strategy, or one more
                part: known parts continue where they were, new ones begin.

        Raises:
            CheckpointMismatchError: The state belongs to other files, other steps, or another
                worker or rank than this one.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> rows = iter(ds)
            >>> next(rows)
            {'a': 1}
            >>> resumed = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> resumed.load_state_dict(ds.state_dict())
            >>> list(resumed)
            [{'a': 2}, {'a': 3}]
        """
        state, steps = State.from_dict(state_dict), signature(self._plan)
        if isinstance(self._plan, SourcePlan) and isinstance(self._plan.source, Mixture):
            state = self._as_mixed(state, steps, strict=strict)
        if state.steps != steps:
            raise CheckpointMismatchError(
                differs(state.steps, steps, state.of, self._plan.described)
            )
        if state.cursor is not None:
            if state.of is not None and not state.of_plan(self._plan):
                raise CheckpointMismatchError(order_differs(state.of, self._plan.described))
            epoch = self._plan.core.check(state.cursor, *self._part())
            if epoch != state.epoch:
                raise CheckpointMismatchError(
                    f"the state is damaged: it is of epoch {state.epoch} and {epoch}"
                )
        if state.steps:
            try:
                resumed(self._plan, self._world(state.epoch), state.place)
            except CheckpointMismatchError:
                raise
            except (TypeError, ValueError, LookupError, OverflowError) as error:
                raise CheckpointMismatchError(f"the state is damaged: {error}") from error
        self._shared.epoch = state.epoch
        self._resume, self._loads, self._loader = state, self._loads + 1, os.getpid()
        self._shared.read_by_workers = False
        # An iteration that is under way goes on from there; what comes after one that ended is the
        # next one's.
        if self._running is not None and not self._running.ended:
            self._running.seek(state)
        else:
            self._running = None

    def _as_mixed(self, state: State, steps: str, *, strict: bool) -> State:
        """Return a state of a mixture for the mixture that this is now, with as many sequences."""
        source: Mixture = self._plan.source  # type: ignore[attr-defined]
        if state.steps != steps:
            after = ", ".join(map(repr, self._plan.steps))
            if strict or not (
                state.steps.startswith("mixed(") and state.steps.endswith(f") {after}")
            ):
                return state
            place, source = remixed(state.place, source)
            state = State(state.epoch, None, steps, place)
        elif (sequences := sequences_of(state.place)) is not None and sequences != source.sequences:
            source = replace(source, lanes=sequences)
        if isinstance(source, WeightedMixture):
            source.adopt(described_in(state.place) or {})
        self._plan = replace(self._plan, source=source)  # type: ignore[call-arg]
        return state

    def set_weights(self, weights: Sequence[float], at: int | None = None) -> None:
        """Change the weights of a mixture of `mix_datasets`, from a row on, also while it is read.

        The state has the change: a stream that loads it goes on with it. With several ranks or
        workers each of them calls it, with the same `at`, before any of them is there.

        Args:
            weights: The new weights.
            at: The row of the mixture, of all ranks together, from which they hold; the next one
                if `None`, for one consumer.

        Raises:
            InvalidArgumentError: The stream is no such mixture, the weights are none, or rows
                after that one were read already.

        Example:
            >>> ones = IterableDataset.from_dict({"a": [1] * 9})
            >>> tens = IterableDataset.from_dict({"a": [10] * 9})
            >>> ds = rowstream.mix_datasets([ones, tens], [1, 0])
            >>> rows = iter(ds)
            >>> [next(rows)["a"] for _ in range(3)]
            [1, 1, 1]
            >>> ds.set_weights([0, 1])
            >>> [next(rows)["a"] for _ in range(3)]
            [10, 10, 10]
        """
        source = getattr(self._plan, "source", None)
        if not isinstance(source, WeightedMixture):
            raise InvalidArgumentError("set_weights: the stream is no mixture of mix_datasets")
        given = weights_of(weights, len(source.parts))
        of = self._part()[1]
        if at is None and of > 1:
            raise InvalidArgumentError(
                f"set_weights: {of} consumers read the mixture: at= says from which row on the"
                " weights hold for all of them"
            )
        read, state = source.read[0], self._loaded()
        if state is not None and (found := lanes_of(state.place)):
            read = max(read, max(lane[0] for lane in found.values()) * source.sequences)
        if at is not None and check_number("at", at) < read:
            raise InvalidArgumentError(
                f"set_weights: at={at}, where up to {read} rows were read already"
            )
        source.changes.append((read if at is None else at, given))

    def lock(self, path: str | os.PathLike[str]) -> None:
        """Write a lock file: the location, size, version and hash of each file of the dataset.

        `load_dataset(lock=path)` then reads exactly these files, on any machine, and raises
        `SourceChangedError` where one has changed. How rows are chosen and ordered is not stored.

        Args:
            path: The path of the lock file.

        Raises:
            UnsupportedError: The dataset does not consist of files only.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> ds = load_dataset("json", data_files="train.jsonl", split="train", streaming=True)
            >>> ds.lock("train.lock")
            >>> list(load_dataset(lock="train.lock", split="train", streaming=True))
            [{'a': 1}]
        """
        write_lock(path, {str(self._split or "train"): self._plan}, self.info.dataset_name)

    def skip_in_state(self, state_dict: dict[str, Any], n: int) -> dict[str, Any]:
        """Return a state that is `n` rows after another one, to leave out rows that a run fails at.

        The rows are skipped without returning them. Load the result in place of `state_dict`.

        Args:
            state_dict: The state of this stream.
            n: The number of rows to skip.

        Raises:
            CheckpointMismatchError: As in `load_state_dict`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
            >>> ds.load_state_dict(ds.skip_in_state(ds.state_dict(), 2))
            >>> list(ds)
            [{'a': 3}]
        """
        n, plan = check_number("n", n), self._plan
        if (
            not plan.steps
            and plan.batch is None
            and plan.skipped is None
            and plan.condition is None
        ):
            plan = plan.select(())
        ahead = self._with(plan)
        ahead.load_state_dict(state_dict)
        for _ in islice(iter(ahead), n):
            pass
        return ahead.state_dict()

    @property
    def skipped(self) -> BadRecords | None:
        """The bad records that `on_error="skip"` left out, or `None` if they raise an error.

        `count` is their number, `errors` is a list of the first 1000 errors, with file and
        position. Each process counts the records that it met, in each epoch again.

        Example:
            >>> write_jsonl("a.jsonl", [{"a": 1}, {"a": "x"}])
            2
            >>> types = Features({"a": Value("int64")})
            >>> ds = IterableDataset.from_json("a.jsonl", features=types, on_error="skip")
            >>> list(ds)
            [{'a': 1}]
            >>> ds.skipped.count
            1
        """
        return self._plan.skipped
