"""States of streams."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import CheckpointMismatchError, UnsupportedError
from rowstream.plan.lock import write as write_lock
from rowstream.streams.differences import differs, order_differs
from rowstream.streams.mixture import Mixture
from rowstream.streams.pipeline import Pipeline
from rowstream.streams.remix import remixed, sequences_of
from rowstream.streams.source_plan import SourcePlan
from rowstream.streams.state import State, signature
from rowstream.streams.torch_worker import is_worker
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.plan.bad_records import BadRecords


class StreamState(StreamBase):
    """States: where a stream is, and how it goes on from there."""

    def state_dict(self) -> dict[str, Any]:
        """Return the position after the last row or batch that was given: plain data of at most
        4 KiB, more for mixtures of many parts.

        It names the data set by content, so it fits wherever the same files lie and whatever
        columns are read.
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
                Pipeline(plan, world, resume.place if resume else None).state(),
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
        """Make the next iteration go on after a state, and one that is under way; also set the
        epoch to the state's.

        Args:
            state_dict: what `state_dict` or `merge_state_dicts` gave.
            strict: whether a mixture has to be the one that the state is of. If not, it may have
                other weights, another seed or strategy, or one more part: the parts that were
                there go on from where they were, those that are new begin.

        Raises:
            CheckpointMismatchError: the state is of other files or steps, or of another consumer
                than this one.
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
                Pipeline(self._plan, self._world(state.epoch), state.place)
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
        """Return a state of a mixture, for the mixture that this is now, which is given as many
        sequences as the state has.
        """
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
        self._plan = replace(self._plan, source=source)  # type: ignore[call-arg]
        return state

    def lock(self, path: str | os.PathLike[str]) -> None:
        """Write down every file that this data set consists of: location, length, version, hash,
        and how it is read.

        `load_dataset(lock=path)` then reads exactly these, on any machine, and raises
        `SourceChangedError` where one is not what it was. Which rows are chosen, and in which
        order, is not part of it.

        Example:
            >>> ds = load_dataset("openai/gsm8k", "main", split="train", streaming=True)
            >>> ds.lock("gsm8k.lock")
            >>> same = load_dataset(lock="gsm8k.lock", split="train", streaming=True)
        """
        write_lock(path, {str(self._split or "train"): self._plan}, self.info.dataset_name)

    def skip_in_state(self, state_dict: dict[str, Any], n: int) -> dict[str, Any]:
        """Return a state that is `n` rows further on: to leave out rows that a run cannot get over.

        They are passed over as fast as can be, and given to nobody. Load the result in place of
        `state_dict`.

        Example:
            >>> ds.load_state_dict(ds.skip_in_state(state, 1000))
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
        """What `on_error` left out: `count`, and `errors` with their places; `None` where a bad
        record is an error.
        """
        return self._plan.skipped
