"""The plan: immutable data that says which rows come in which order. Building one does no I/O.

A plan is the listing (made once, when files are resolved), the columns, the passes with their
transforms, the batching, and the steps that follow a batching and run in Python. Transforms give
another plan. Those that do not touch each other are put in one order: columns are chosen while
files are read, and a shard is a fixed subset under any shuffle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.ops.cut import Every, Skip, Take
from rowstream.ops.shuffle import Shuffle
from rowstream.plan.base import PlanBase
from rowstream.plan.order import (
    ALL_ROWS,
    CHOOSES,
    FILE,
    MOST_SEGMENTS,
    ROW,
    UNROLLED,
    Op,
    Segment,
    balanced,
    flushed,
    op_of,
)

if TYPE_CHECKING:
    from rowstream.ops.base import Step


@dataclass(frozen=True)
class Plan(PlanBase):
    """Which rows come in which order: passes, and what is done in each.

    Attributes: those of `PlanBase`.
    """

    def each(self, op: Op) -> Plan:
        """Return a transform of every pass."""
        return replace(
            self,
            segments=tuple(segment.then(op) for segment in self.segments),
            cycle=tuple(segment.then(op) for segment in self.cycle),
        )

    def shuffle(self, seed: int, buffer: int, lanes: int | None = None) -> Plan:
        """Pieces permuted, rows permuted in windows that hold `buffer` rows in all."""
        return self.each(
            op_of(
                "shuffle", seed=seed, buffer=buffer, **({} if lanes is None else {"lanes": lanes})
            )
        )

    def permuted(self, seed: int) -> Plan:
        """Return all rows permuted: each may land anywhere. Their number has to be known, so what
        does not say it is counted.
        """
        plan = (
            self
            if all(piece[2] is not None for piece in self.listing["pieces"])
            else self._counted_all()
        )
        return plan.each(op_of("global", seed=seed))

    @property
    def global_(self) -> bool:
        """Whether rows are permuted as a whole."""
        return any(
            dict(op)["op"] == "global"
            for segment in (*self.segments, *self.cycle)
            for op in segment.ops
        )

    @property
    def cut(self) -> bool:
        """Whether a step takes or skips items: what comes then is no longer that of pieces of
        files.
        """
        return any(isinstance(step, (Skip, Take)) for step in self.steps)

    @property
    def lanes(self) -> int:
        """How many sequences of its rows may be read in turn: one where they are in the order of
        the files.
        """
        shuffled = [
            [dict(op) for op in segment.ops if dict(op)["op"] == "shuffle"]
            for segment in (*self.segments, *self.cycle)
        ]
        if not shuffled or not all(shuffled):
            return 1
        lanes: int = self.listing["lanes"]
        fewest: int = min(lanes, *(ops[-1].get("lanes", lanes) for ops in shuffled))
        return fewest

    @property
    def shares(self) -> bool:
        """Whether each consumer that reads it gets the same rows: a generator's may differ from run
        to run.
        """
        return True

    @property
    def rows(self) -> int | None:
        """How many rows it has before filters and functions, where that is known."""
        return self.core.rows(0) if len(self.segments) == 1 and not self.cycle else None

    def shuffled(self, seed: int, buffer: int) -> Plan:
        """Its items in another order: rows while files are read, batches after that."""
        return self.shuffle(seed, buffer) if self.commutes else self.then(Shuffle(seed, buffer))

    def shard(
        self, of: int, index: int, *, contiguous: bool, before: int = 0, by_rows: bool = False
    ) -> Plan:
        """Return a fixed subset: of `of`, whose numbers of rows differ by one at most, where rows
        are counted or can be counted here.

        Runs of pieces where those are balanced already, else runs of rows; every `of`-th of them if
        not `contiguous`. Far away, rows that the files do not count are not read for it, and a
        subset is some of their pieces.

        Args:
            of: how many.
            index: which of them.
            contiguous: a run, rather than every `of`-th piece or row.
            before: rows of other plans that are divided before these, so that all together are
                balanced.
            by_rows: whether single rows are dealt out, also where pieces are balanced.
        """
        if self.cut:
            return self.then(Every(of, index))
        plan = self
        if self._raw(self.segments[0].ops if self.segments else ()).core.rows(0) is None:
            if self._is_far:
                return self.each(op_of("shard", of=of, index=index, contiguous=contiguous))
            plan = self._counted_all()

        made: list[list[Segment]] = [[], []]
        number = self.first
        for which, some in enumerate((self.segments, self.cycle)):
            for segment in some:
                last = max(
                    (i + 1 for i, op in enumerate(segment.ops) if dict(op)["op"] in CHOOSES),
                    default=0,
                )
                head, tail = segment.ops[:last], segment.ops[last:]
                rows = replace(plan._raw(head), first=number).core.rows(0) or 0
                # Which subsets have a row more differs from pass to pass, so that they are balanced
                # over all passes.
                alone = bool(rows % of) and 1 < segment.times <= UNROLLED and not which
                for _ in range(segment.times if alone else 1):
                    ops = plan._shard_ops(
                        head,
                        rows,
                        of,
                        index,
                        before,
                        number,
                        contiguous=contiguous,
                        by_rows=by_rows,
                    )
                    made[which].append(
                        replace(
                            segment, ops=(*head, *ops, *tail), times=1 if alone else segment.times
                        )
                    )
                    number += made[which][-1].times
                    before += rows * made[which][-1].times
        return replace(plan, segments=tuple(made[0]), cycle=tuple(made[1]))

    def _shard_ops(
        self,
        head: tuple[Op, ...],
        rows: int,
        of: int,
        index: int,
        before: int,
        number: int,
        *,
        contiguous: bool,
        by_rows: bool,
    ) -> tuple[Op, ...]:
        """Return what makes a subset of the `rows` rows that the transforms `head` leave in the
        pass `number`.
        """
        pieces = [rows for _, _, rows, _ in self.listing["pieces"]]
        if not head and not before and not by_rows and balanced(pieces, of, contiguous=contiguous):
            return (op_of("shard", of=of, index=index, contiguous=contiguous),)
        if not head and not contiguous:
            return (op_of("stride", of=of, index=(index + before) % of),)
        # As map-style data sets are cut; which parts are longer follows from the rows before.
        least, longer = divmod(rows, of)
        sizes = [least + ((i - before) % of < longer) for i in range(of)]
        start = sum(sizes[:index])
        skip = (op_of("skip", n=start, **{"pass": number}),) if start else ()
        return (
            (*skip, op_of("take", n=sizes[index], **{"pass": number}))
            if start + sizes[index] < rows
            else skip
        )

    def _raw(self, ops: tuple[Op, ...]) -> Plan:
        """Return the rows of the files after these transforms, before any filter."""
        return replace(
            self,
            condition=None,
            skipped=None,
            batch=None,
            steps=(),
            segments=(Segment(ops),),
            cycle=(),
            first=0,
        )

    @property
    def _is_far(self) -> bool:
        """Whether a file is not on this machine, so that its rows are not read to count them."""
        return any("://" in file["path"] for file in self.listing["files"])

    def pieces_of(self, of: int, index: int) -> Plan:
        """Every `of`-th piece, however many rows it has."""
        return self.each(op_of("shard", of=of, index=index, contiguous=False))

    def rows_of(self, of: int, index: int) -> Plan:
        """Every `of`-th row; where nobody may count them, of those that come."""
        uncounted = self.core.rows(0) is None and self._is_far
        return (
            self.then(Every(of, index))
            if uncounted
            else self.shard(of, index, contiguous=False, by_rows=True)
        )

    def part(self, of: int, index: int) -> Plan:
        """Return what consumer `index` of `of` has, as a plan of its own."""
        return self.each(op_of("part", of=of, index=index))

    def repeat(self, times: int | None) -> Plan:
        """Return all passes `times` times; for ever if `None`."""
        if self.cycle:
            return self if times != 0 else replace(self, segments=(), cycle=())
        segments = self.segments if self.batch is None else flushed(self.segments)
        if times is None:
            return replace(self, segments=(), cycle=segments)
        if len(segments) == 1:
            return replace(
                self,
                segments=(replace(segments[0], times=segments[0].times * times),) if times else (),
            )
        if len(segments) * times > MOST_SEGMENTS:
            raise InvalidArgumentError(
                f"repeat({times}) of {len(segments)} different passes is too long a plan"
            )
        return replace(self, segments=segments * times)

    def take(self, n: int) -> Plan:
        """Return the first `n` rows, or batches where rows are batched, that one consumer sees."""
        return self._cut(n, take=True)

    def skip(self, n: int) -> Plan:
        """Return all but those."""
        return self._cut(n, take=False)

    def _cut(self, n: int, *, take: bool) -> Plan:
        size = self.batch[0] if self.batch else 1
        single = len(self.segments) == 1 and self.segments[0].times == 1 and not self.cycle
        if (self.condition is not None or self.skipped is not None) and not single:
            # Which rows are kept in which pass is not known: the step counts what comes.
            return self.then(Take(n) if take else Skip(n))
        if single:
            at: dict[str, Any] = {"n": n * size, "pass": self.first}
            plan = self
            if n and (
                self.core.rows(0) is None or self.condition is not None or self.skipped is not None
            ):
                plan, at["at"] = self._counted(min(n * size, ALL_ROWS))
            return replace(
                plan, segments=(plan.segments[0].then(op_of("take" if take else "skip", **at)),)
            )
        if (self.segments or self.cycle) and self.core.rows(0) is None:
            return self._counted(ALL_ROWS)[0]._cut(n, take=take)
        before: list[Segment] = []
        after = list(self.segments)
        left, number, idle = n, 0, 0
        while left and (after or self.cycle):
            endless = not after and len(self.cycle) == 1
            after = after or list(self.cycle)
            segment, *after = after
            units = self._units(number)
            idle = 0 if units else idle + 1
            if idle > len(self.cycle) > 0 and number >= sum(s.times for s in self.segments):
                break  # passes without rows, for ever
            whole = left // units if units else segment.times
            if not endless or not units:
                whole = min(whole, segment.times)
            left -= whole * units
            if whole:
                before.append(replace(segment, times=whole))
            if left and (endless or whole < segment.times):
                at = {"n": left * size, "pass": self.first + number + whole}
                before.append(replace(segment.then(op_of("take", **at)), times=1))
                after = [*self._rest(segment, whole + 1), *after]
                after.insert(0, replace(segment.then(op_of("skip", **at)), times=1))
                left = 0
            else:
                after = [*self._rest(segment, whole), *after]
            number += whole
            if len(before) > MOST_SEGMENTS:
                raise InvalidArgumentError(
                    f"{'take' if take else 'skip'}({n}) of so many passes is too long a plan"
                )
        if take:
            return replace(self, segments=tuple(before), cycle=())
        return replace(self, first=self.first + number, segments=tuple(after))

    def numbered(self) -> Plan:
        """Return this plan with as many rows as it has known."""
        if self.condition is not None or self.skipped is not None:
            raise UnsupportedError(
                "a part of a split is chosen among all of its rows: filter afterwards, with"
                " ds.filter(…)"
            )
        return self if self.core.rows(0) is not None else self._counted_all()

    def _counted_all(self) -> Plan:
        """Return this plan with all rows of all pieces counted."""
        plain = replace(
            self, condition=None, skipped=None, segments=(Segment(),), cycle=(), first=0
        )
        return replace(self, scan=plain._counted(ALL_ROWS)[0].scan)

    def _counted(self, n: int) -> tuple[Plan, tuple[int, int]]:
        """Return this plan with what was counted to find the turn after `n` rows of its first pass,
        and that turn.
        """
        found = json.loads(self.core.boundary(0, n))
        pieces = [
            [file, place, found["rows"].get(str(i), rows), size]
            for i, (file, place, rows, size) in enumerate(self.listing["pieces"])
        ]
        at: tuple[int, int] = tuple(found["at"])
        return replace(self, scan=json.dumps({**self.listing, "pieces": pieces})), at

    @staticmethod
    def _rest(segment: Segment, done: int) -> list[Segment]:
        """Return what is left of a segment's passes."""
        return [replace(segment, times=segment.times - done)] if segment.times > done else []

    def _units(self, number: int) -> int:
        """Return rows of a pass; batches where a batch ends with it."""
        rows = self.core.rows(number)
        if rows is None:
            raise AssertionError("row count unknown at this step (a bug of rowstream)")
        if self.batch is None:
            return rows
        size, drop_last = self.batch
        return rows // size if drop_last else -(-rows // size)

    def batched(self, size: int, *, drop_last: bool) -> Plan:
        """Return rows as batches."""
        return replace(self, batch=(size, drop_last))

    def then(self, step: Step) -> Plan:
        """One more step in Python, on batches."""
        return replace(self, steps=(*self.steps, step))

    def with_source(self, file: str, row: str) -> Plan:
        """Two more columns: the file that a row is of, and its number there."""
        names = self.column_names
        if taken := [name for name in (file, row) if name in names] or (
            [file] if file == row else []
        ):
            raise InvalidArgumentError(
                f"with_source: there is a column {taken[0]!r} already; choose other names with"
                " file= and row="
            )
        plan = (
            self
            if all(piece[2] is not None for piece in self.listing["pieces"])
            else self._counted_all()
        )
        columns = list(zip(self._sources(), names, strict=True))
        return replace(plan, columns=(*columns, (FILE, file), (ROW, row)))
