"""The plan: immutable data that defines which rows come in which order.

A plan has the listing (created when files are resolved), the columns, the passes with their
transforms, the batching, and the steps in Python that follow. Building a plan does no I/O, unless
rows have to be counted. A transform returns another plan. Transforms that do not affect each other
are put into a fixed order: columns are chosen while files are read, and a shard is a fixed subset
under any shuffle.
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
    from rowstream.ops.images import DecodeImages
    from rowstream.ops.tokenize import Tokenize


@dataclass(frozen=True)
class Plan(PlanBase):
    """The rows of a stream and their order: passes, and the transforms of each.

    Its attributes are those of `PlanBase`.
    """

    def each(self, op: Op) -> Plan:
        """Return the plan with one more transform of every pass."""
        return replace(
            self,
            segments=tuple(segment.then(op) for segment in self.segments),
            cycle=tuple(segment.then(op) for segment in self.cycle),
        )

    def shuffle(self, seed: int, buffer: int, lanes: int | None = None) -> Plan:
        """Return the plan with shards permuted, and rows permuted in windows of `buffer` rows."""
        return self.each(
            op_of(
                "shuffle", seed=seed, buffer=buffer, **({} if lanes is None else {"lanes": lanes})
            )
        )

    def permuted(self, seed: int) -> Plan:
        """Return the plan with all rows permuted uniformly; they are counted if needed."""
        return self._with_counts().each(op_of("global", seed=seed))

    @property
    def global_(self) -> bool:
        """Whether all rows are permuted uniformly."""
        return any(
            dict(op)["op"] == "global"
            for segment in (*self.segments, *self.cycle)
            for op in segment.ops
        )

    @property
    def cut(self) -> bool:
        """Whether a step takes or skips items, so that items no longer match shards of files."""
        return any(isinstance(step, (Skip, Take)) for step in self.steps)

    @property
    def lanes(self) -> int:
        """The number of sequences of its rows that may be read in turn; 1 in file order."""
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
        """Whether all consumers that read it get the same rows; a generator's may vary."""
        return True

    def as_deterministic(self) -> Plan:
        """Return the plan with generators that each consumer runs whole, to take its part of the
        rows; they have to give the same rows each time.
        """
        return self

    @property
    def sequences(self) -> int | None:
        """The number of sequences of a source; `None` for files."""
        return None

    @property
    def rows(self) -> int | None:
        """The number of rows before filters and functions, or `None` if not known."""
        return self.core.rows(0) if len(self.segments) == 1 and not self.cycle else None

    def shuffled(self, seed: int, buffer: int) -> Plan:
        """Return the plan with its items shuffled: rows while files are read, otherwise batches."""
        return self.shuffle(seed, buffer) if self.commutes else self.then(Shuffle(seed, buffer))

    def shard(
        self, of: int, index: int, *, contiguous: bool, before: int = 0, by_rows: bool = False
    ) -> Plan:
        """Return one of `of` fixed subsets, whose numbers of rows differ by at most one.

        A subset is a range of whole shards where those are balanced already, otherwise a range of
        rows; every `of`-th of them if not `contiguous`. Rows of remote files without row counts are
        not read to count them: a subset of those is some of their shards.

        Args:
            of: The number of subsets.
            index: The number of the subset.
            contiguous: Whether it is a range, rather than every `of`-th shard or row.
            before: The rows of other plans that are divided before these, so that all together are
                balanced.
            by_rows: Whether to deal out single rows, even where shards are balanced.
        """
        if self.cut:
            return self.then(Every(of, index))
        plan = self
        if self._raw(self.segments[0].ops if self.segments else ()).core.rows(0) is None:
            if self._is_far:
                return self.each(op_of("shard", of=of, index=index, contiguous=contiguous))
            plan = self._counted_all()

        result: list[list[Segment]] = [[], []]
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
                    result[which].append(
                        replace(
                            segment, ops=(*head, *ops, *tail), times=1 if alone else segment.times
                        )
                    )
                    number += result[which][-1].times
                    before += rows * result[which][-1].times
        return replace(plan, segments=tuple(result[0]), cycle=tuple(result[1]))

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
        """Return the transforms for a subset of the `rows` rows after `head` in a pass."""
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
        """Return the plan of the rows of the files with these transforms, before any filter."""
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
        """Whether a file is remote, so that its rows are not read to count them."""
        return any("://" in file["path"] for file in self.listing["files"])

    def pieces_of(self, of: int, index: int) -> Plan:
        """Return every `of`-th shard, however many rows it has."""
        return self.each(op_of("shard", of=of, index=index, contiguous=False))

    def rows_of(self, of: int, index: int) -> Plan:
        """Return every `of`-th row; if rows may not be counted, of those that come."""
        uncounted = self.core.rows(0) is None and self._is_far
        return (
            self.then(Every(of, index))
            if uncounted
            else self.shard(of, index, contiguous=False, by_rows=True)
        )

    def part(self, of: int, index: int) -> Plan:
        """Return the rows of consumer `index` of `of`, as a plan of its own."""
        return self.each(op_of("part", of=of, index=index))

    def repeat(self, times: int | None) -> Plan:
        """Return all passes `times` times, or endlessly if `None`."""
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
                f"repeat({times}) of {len(segments)} different passes makes more than"
                f" {MOST_SEGMENTS}: call repeat() before take() and skip()"
            )
        return replace(self, segments=segments * times)

    def take(self, n: int) -> Plan:
        """Return the first `n` rows for one consumer, or batches where rows are batched."""
        return self._cut(n, take=True)

    def skip(self, n: int) -> Plan:
        """Return all items but the first `n`."""
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
        """Return this plan with a known number of rows."""
        if self.condition is not None or self.skipped is not None:
            raise UnsupportedError(
                "a part of a split is chosen among all of its rows: filter afterwards, with"
                " ds.filter(…)"
            )
        return self if self.core.rows(0) is not None else self._counted_all()

    def _with_counts(self) -> Plan:
        """Return the plan with the rows of all pieces known; those that are not are counted."""
        return self._counted_all() if None in self.piece_rows else self

    def _counted_all(self) -> Plan:
        """Return this plan with the rows of all shards counted."""
        plain = replace(
            self, condition=None, skipped=None, segments=(Segment(),), cycle=(), first=0
        )
        return replace(self, scan=plain._counted(ALL_ROWS)[0].scan)

    def _counted(self, n: int) -> tuple[Plan, tuple[int, int]]:
        """Return this plan, counted up to row `n` of its first pass, and that position."""
        found = json.loads(self.core.boundary(0, n))
        pieces = [
            [file, place, found["rows"].get(str(i), rows), size]
            for i, (file, place, rows, size) in enumerate(self.listing["pieces"])
        ]
        at: tuple[int, int] = tuple(found["at"])
        return replace(self, scan=json.dumps({**self.listing, "pieces": pieces})), at

    @staticmethod
    def _rest(segment: Segment, done: int) -> list[Segment]:
        """Return the passes of a segment that are left."""
        return [replace(segment, times=segment.times - done)] if segment.times > done else []

    def _units(self, number: int) -> int:
        """Return the number of rows of a pass, or of batches where a batch ends with it."""
        rows = self.core.rows(number)
        if rows is None:
            raise AssertionError("row count unknown at this step (a bug of rowstream)")
        if self.batch is None:
            return rows
        size, drop_last = self.batch
        return rows // size if drop_last else -(-rows // size)

    def batched(self, size: int, *, drop_last: bool) -> Plan:
        """Return the plan with its rows in batches."""
        return replace(self, batch=(size, drop_last))

    def then(self, step: Step) -> Plan:
        """Return the plan with one more step in Python."""
        return replace(self, steps=(*self.steps, step))

    def decoding(self, step: DecodeImages) -> Plan:
        """Return the plan with the images of a column decoded by the core."""
        return replace(self, column_steps=(*self.column_steps, step))

    def tokenizing(self, step: Tokenize) -> Plan:
        """Return the plan with the texts of a column encoded by the core, as the last column."""
        known = dict(zip(self.column_names, self._sources(), strict=True))
        kept = [name for name in known if step.keep or name != step.source]
        columns = [(known[name], name) for name in kept] + [(known[step.source], step.column)]
        plan = self.select(kept) if kept else replace(self, column_steps=())
        return replace(plan, columns=tuple(columns), column_steps=(*plan.column_steps, step))

    def with_source(self, file: str, row: str) -> Plan:
        """Return the plan with two more columns: the file of each row, and its number there."""
        names = self.column_names
        if taken := [name for name in (file, row) if name in names] or (
            [file] if file == row else []
        ):
            raise InvalidArgumentError(
                f"with_source: there is a column {taken[0]!r} already; choose other names with"
                " file= and row="
            )
        columns = list(zip(self._sources(), names, strict=True))
        plan = self._with_counts()
        return replace(plan, columns=(*columns, (FILE, file), (ROW, row)))
