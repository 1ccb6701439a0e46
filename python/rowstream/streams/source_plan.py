"""Plans over sources: mixtures, chains, zipped streams and generators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import UnsupportedError
from rowstream.ops.cut import Every, Skip, Take
from rowstream.ops.shuffle import Shuffle
from rowstream.plan.plan import Plan
from rowstream.streams.chain import Chain
from rowstream.streams.consumer import Consumer
from rowstream.streams.generator import Generator
from rowstream.streams.mixture import Mixture
from rowstream.streams.table_rows import TableSource
from rowstream.streams.zip import Zip

if TYPE_CHECKING:
    from rowstream.ops.base import World
    from rowstream.streams.source import Source


_PARTS = 4  # parts that a state says more of than a hash


class _Core:
    """The parts of the core's interface that a plan without a listing has."""

    def __init__(self, source: Source) -> None:
        self.fingerprint = source.key()
        self._source = source

    def pieces(self) -> int:
        return self._source.pieces()


def _nothing(plan: Plan) -> Plan:
    """Return a plan without rows, with the same steps."""
    return SourcePlan(scan="", steps=plan.steps, source=Generator(iter, {}, ()))


@dataclass(frozen=True)
class SourcePlan(Plan):
    """A plan over a source instead of a listing: all of its steps run in Python."""

    source: Any = field(default=None)

    @property
    def core(self) -> Any:
        return _Core(self.source)

    @property
    def described(self) -> dict[str, Any]:
        """The description of the plan in a state, with its first parts."""
        parts = [part.plan.described for part in getattr(self.source, "parts", ())[:_PARTS]]
        return {**({"parts": parts} if parts else {}), **self._described_steps()}

    @property
    def rowwise(self) -> bool:
        """Always false, since a source has a state of its own."""
        return False

    @property
    def python(self) -> bool:
        return True

    @property
    def keeps_types(self) -> bool:
        parts = getattr(self.source, "parts", None)
        own = (
            all(part.plan.keeps_types for part in parts)
            if parts
            else isinstance(self.source, TableSource)
        )
        return own and super().keeps_types

    @property
    def direct(self) -> bool:
        return False

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @property
    def lanes(self) -> int:
        return self.source.sequences if self.source.turns else 1

    @property
    def shares(self) -> bool:
        return bool(self.source.shares)

    @property
    def sequences(self) -> int | None:
        return int(self.source.sequences)

    @property
    def rows(self) -> int | None:
        if isinstance(self.source, TableSource):
            return len(self.source.table)
        known = (
            [part.plan.rows for part in self.source.parts]
            if isinstance(self.source, Chain)
            else [None]
        )
        return None if None in known else sum(known)  # type: ignore[arg-type]

    def begin(self, world: World, state: Any, number: int, limit: int | None) -> Consumer:
        """Return the node of the source for a consumer."""
        return Consumer(self.source, world, state, number, limit)

    def as_deterministic(self) -> SourcePlan:
        # Now that all have rows, they all take their part of a number.
        steps = tuple(
            replace(step, sequences=None) if isinstance(step, (Skip, Take)) else step
            for step in self.steps
        )
        plan = replace(self, steps=steps)
        if isinstance(self.source, Generator):
            return replace(plan, source=replace(self.source, shares=True))
        if isinstance(self.source, (Mixture, Chain, Zip)):
            return plan._mapped(lambda plan: plan.as_deterministic())
        return plan

    def shuffled(self, seed: int, buffer: int) -> SourcePlan:
        """Return the plan shuffled: the parts of a mixture, or others in windows."""
        source = self.source
        if not self.steps and isinstance(source, Mixture):
            return self._mapped(lambda plan: plan.shuffled(seed, buffer))
        if not self.steps and isinstance(source, Chain):
            plan = self._mapped(lambda plan: plan.shuffled(seed, buffer))
        elif not self.steps and isinstance(source, Generator):
            plan = replace(self, source=replace(source, shuffled=seed))
        else:
            plan = self
        return plan.then(Shuffle(seed, buffer))  # type: ignore[return-value]

    @property
    def permutable(self) -> bool:
        return isinstance(self.source, TableSource) and not self.steps

    def permuted(self, seed: int) -> SourcePlan:
        """Return the plan with all rows permuted uniformly, anew in each epoch."""
        return replace(self, source=replace(self.source, seed=seed))

    def shard(
        self, of: int, index: int, *, contiguous: bool, before: int = 0, by_rows: bool = False
    ) -> SourcePlan:
        """Return a fixed subset of the rows, as in `Plan`."""
        source = self.source
        if self.cut:
            return self.then(Every(of, index))  # type: ignore[return-value]
        if self.steps:
            # The rows of a part go through the same steps, after those that make it a part.
            rows = replace(self, steps=()).shard(of, index, contiguous=contiguous, before=before)
            return replace(rows, steps=(*rows.steps, *self.steps))
        if isinstance(source, Generator) and len(source.order) >= of:
            n = len(source.order)
            start = index * (n // of) + min(index, n % of)
            order = (
                source.order[start : start + n // of + (index < n % of)]
                if contiguous
                else source.order[index::of]
            )
            return replace(self, source=replace(source, order=order))
        if isinstance(source, (Mixture, Chain)):
            parts = []
            for part in source.parts:
                try:
                    plan = part.plan.shard(of, index, contiguous=contiguous, before=before)
                except UnsupportedError:
                    if isinstance(source, Mixture):
                        raise
                    # One after another, a part that cannot be divided is a part of one of the
                    # subsets.
                    plan = part.plan if before % of == index else _nothing(part.plan)
                    before += 1
                else:
                    before += part.plan.rows or 0
                parts.append(replace(part, plan=plan))
            return replace(self, source=replace(source, parts=tuple(parts)))
        if isinstance(source, (Zip, TableSource)) or (
            isinstance(source, Generator) and source.shares
        ):
            return self.then(Every(of, index))  # type: ignore[return-value]
        raise UnsupportedError(
            f"shard({of}, …): the generator has {source.pieces()} shards, and one of them is run as"
            " a whole: give it lists in gen_kwargs, of at least as many items, or"
            " deterministic=True"
        )

    def pieces_of(self, of: int, index: int) -> SourcePlan:
        return self.shard(of, index, contiguous=False)

    def rows_of(self, of: int, index: int) -> SourcePlan:
        return self.as_deterministic().then(Every(of, index))  # type: ignore[return-value]

    def _mapped(self, change: Callable[[Plan], Plan]) -> SourcePlan:
        """Return the plan with each part changed."""
        parts = tuple(replace(part, plan=change(part.plan)) for part in self.source.parts)
        return replace(self, source=replace(self.source, parts=parts))
