"""The plan: immutable data that says which rows come in which order. Building one does no I/O.

A plan is the listing (made once, when files are resolved), the columns, the passes with their transforms, the
batching, and the steps that follow a batching and run in Python. Transforms give another plan. Those that do not
touch each other are put in one order: columns are chosen while files are read, and a shard is a fixed subset under
any shuffle.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.ops import Every, Rebatch, Skip, Take

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rowstream.access import Access
    from rowstream.expr import Expr
    from rowstream.ops import Step
    from rowstream.skipped import Skipped

Op = tuple[tuple[str, Any], ...]
"""One transform of the order: the items of its JSON object."""

_MOST_SEGMENTS = 100_000
_DESCRIBED = 200  # characters of an order in a state
_UNROLLED = 64  # passes that are divided each for itself
FILE, ROW = "\0file", "\0row"
"""What the core calls the file of a row, and its number there."""
ALL_ROWS = 1 << 62
"""More rows than there are."""
_CHOOSES = ("take", "skip", "pieces", "shard", "stride", "part")  # transforms that leave rows out


def _op(name: str, **values: Any) -> Op:
    return (("op", name), *values.items())


op_of = _op
"""An op of its name and its values."""


@dataclass(frozen=True)
class Segment:
    """Transforms that apply to each of `times` passes; `flush`: a batch ends where a pass does."""

    ops: tuple[Op, ...] = ()
    times: int = 1
    flush: bool = False

    def then(self, op: Op) -> Segment:
        """This segment with one more transform."""
        return replace(self, ops=(*self.ops, op))

    def to_json(self) -> dict[str, Any]:
        """What the core reads."""
        return {"ops": [dict(op) for op in self.ops], "times": self.times, "flush": self.flush}


@dataclass(frozen=True)
class Plan:
    """Which rows come in which order.

    Attributes:
        scan: the listing as JSON: files, pieces, schema, lanes. Kept as text; only the core takes it apart.
        columns: `(name in the files, name in the row)` of each column, in order; all of them if `None`.
        condition: which rows are kept, by the names that columns have in the files.
        first: the number that the first pass has, in the keys of its shuffles.
        segments: the passes.
        cycle: the passes that follow for ever.
        batch: `(size, drop_last)` if rows are batched.
        steps: what follows in Python, on batches.
        access: how files on other machines are asked for. Not part of what is read.
        held: what is in memory of files that are.
        skipped: where records that cannot be read are told of, rather than errors.
    """

    scan: str
    columns: tuple[tuple[str, str], ...] | None = None
    condition: Expr | None = None
    first: int = 0
    segments: tuple[Segment, ...] = (Segment(),)
    cycle: tuple[Segment, ...] = ()
    batch: tuple[int, bool] | None = None
    steps: tuple[Step, ...] = ()
    skipped: Skipped | None = field(default=None, compare=False)
    access: Access | None = field(default=None, compare=False)
    held: tuple[_core.Held, ...] = field(default=(), compare=False)

    @cached_property
    def core(self) -> _core.Plan:
        """The plan as the core has it."""
        rest = {
            "columns": self.columns,
            "filter": None if self.condition is None else self.condition.to_json(),
            "lenient": self.skipped is not None,
            "first": self.first,
            "segments": [segment.to_json() for segment in self.segments],
            "cycle": [segment.to_json() for segment in self.cycle],
            "batch": self.batch and {"size": self.batch[0], "drop_last": self.batch[1]},
        }
        text = f'{{"version":1,"scan":{self.scan},{json.dumps(rest)[1:]}'
        return _core.Plan(text, None if self.access is None else self.access.core(self.listing["files"][0]["path"]))

    @cached_property
    def listing(self) -> dict[str, Any]:
        """The listing, taken apart."""
        listing: dict[str, Any] = json.loads(self.scan)
        return listing

    @cached_property
    def described(self) -> dict[str, Any]:
        """What a state says of the stream that it is of, for the error where it is loaded into another one."""
        names = [(re.split(r"[/\\]", file["path"])[-1], file["size"], file["version"]) for file in self.listing["files"]]
        order = [order_of(segment) for segment in self.segments] + [f"{order_of(segment)}, for ever" for segment in self.cycle]
        if self.batch is not None:
            order.append(f"batch({self.batch[0]})")
        return {"files": f"{zlib.crc32(repr(names).encode()):08x}", "order": "; then ".join(order)[:_DESCRIBED], **self._described_steps()}

    def _described_steps(self) -> dict[str, Any]:
        return {"steps": ", ".join(map(repr, self.steps))[:_DESCRIBED]} if self.steps else {}

    @property
    def schema(self) -> dict[str, Any]:
        """The schema of the files, as JSON."""
        schema: dict[str, Any] = self.listing["schema"]
        return schema

    @property
    def rowwise(self) -> bool:
        """Whether the steps in Python have no state of their own: a cursor of the core says all."""
        return all(step.rowwise for step in self.steps)

    @property
    def python(self) -> bool:
        """Whether functions make the rows: what there is of columns is then only known as they come."""
        return any(step.python for step in self.steps)

    @property
    def direct(self) -> bool:
        """Whether the core's own rows are what is streamed."""
        return self.batch is None and not self.steps

    @property
    def grouped(self) -> bool:
        """Whether an item is several rows: what a function makes of such items are rows again."""
        steps = [step for step in self.steps if step.python or isinstance(step, Rebatch)]
        return not steps[-1].python if steps else self.batch is not None

    @property
    def commutes(self) -> bool:
        """Whether what orders rows can be done before the steps in Python, with the same result."""
        return self.batch is None and self.rowwise

    def __getstate__(self) -> dict[str, Any]:
        """Only the data: what was made of it is made again."""
        return {name: value for name, value in self.__dict__.items() if name not in ("core", "listing", "described")}

    # ------------------------------------------------------------------------------------------------------ columns

    @property
    def column_names(self) -> list[str]:
        """The names of a row's columns."""
        if self.columns is None:
            return [field["name"] for field in self.schema["fields"]]
        return [name for _, name in self.columns]

    def select(self, names: Iterable[str]) -> Plan:
        """Only these columns, in this order."""
        known = dict(zip(self.column_names, self._sources(), strict=True))
        names = list(names)
        if missing := [name for name in names if name not in known]:
            raise InvalidArgumentError(f"there is no column {', '.join(map(repr, missing))}; the columns are {list(known)}")
        if len(set(names)) < len(names):
            raise InvalidArgumentError(f"a column is named twice in {names}")
        return replace(self, columns=tuple((known[name], name) for name in names))

    def rename(self, mapping: Mapping[str, str]) -> Plan:
        """Other names for columns."""
        names = self.column_names
        if not isinstance(mapping, Mapping) or not all(isinstance(name, str) for name in mapping.values()):
            raise InvalidArgumentError(f"rename_columns expects a dict of names, found {mapping!r}")
        if missing := [name for name in mapping if name not in names]:
            raise InvalidArgumentError(f"there is no column {', '.join(map(repr, missing))} to rename; the columns are {names}")
        renamed = [mapping.get(name, name) for name in names]
        if twice := sorted({name for name in renamed if renamed.count(name) > 1}):
            raise InvalidArgumentError(f"renaming would give two columns the name {', '.join(map(repr, twice))}")
        return replace(self, columns=tuple(zip(self._sources(), renamed, strict=True)))

    def _sources(self) -> list[str]:
        return self.column_names if self.columns is None else [source for source, _ in self.columns]

    def where(self, condition: Expr) -> Plan:
        """Only rows for which this is so, by the names that columns have in rows."""
        known = dict(zip(self.column_names, self._sources(), strict=True))
        if missing := sorted(condition.columns() - known.keys()):
            raise InvalidArgumentError(f"filter: there is no column {', '.join(map(repr, missing))}; the columns are {list(known)}")
        if said := sorted(name for name in condition.columns() if known[name] in (FILE, ROW)):
            raise UnsupportedError(
                f"filter: {said[0]!r} says where a row is, and is not a column of files: use a function, as lambda row: …"
            )
        condition = condition.renamed(known)
        return replace(self, condition=condition if self.condition is None else self.condition & condition)

    def with_source(self, file: str, row: str) -> Plan:
        """Two more columns: the file that a row is of, and its number there."""
        names = self.column_names
        if taken := [name for name in (file, row) if name in names] or ([file] if file == row else []):
            raise InvalidArgumentError(f"with_source: there is a column {taken[0]!r} already; choose other names with file= and row=")
        plan = self if all(piece[2] is not None for piece in self.listing["pieces"]) else self._counted_all()
        columns = list(zip(self._sources(), names, strict=True))
        return replace(plan, columns=(*columns, (FILE, file), (ROW, row)))

    # -------------------------------------------------------------------------------------------------------- order

    def each(self, op: Op) -> Plan:
        """A transform of every pass."""
        return replace(
            self,
            segments=tuple(segment.then(op) for segment in self.segments),
            cycle=tuple(segment.then(op) for segment in self.cycle),
        )

    def shuffle(self, seed: int, buffer: int, lanes: int | None = None) -> Plan:
        """Pieces permuted, rows permuted in windows that hold `buffer` rows in all."""
        return self.each(_op("shuffle", seed=seed, buffer=buffer, **({} if lanes is None else {"lanes": lanes})))

    def permuted(self, seed: int) -> Plan:
        """All rows permuted: each may land anywhere. Their number has to be known, so what does not say it is counted."""
        plan = self if all(piece[2] is not None for piece in self.listing["pieces"]) else self._counted_all()
        return plan.each(_op("global", seed=seed))

    @property
    def global_(self) -> bool:
        """Whether rows are permuted as a whole."""
        return any(dict(op)["op"] == "global" for segment in (*self.segments, *self.cycle) for op in segment.ops)

    @property
    def cut(self) -> bool:
        """Whether a step takes or skips items: what comes then is no longer that of pieces of files."""
        return any(isinstance(step, (Skip, Take)) for step in self.steps)

    def shard(self, of: int, index: int, *, contiguous: bool, before: int = 0, by_rows: bool = False) -> Plan:
        """A fixed subset: of `of`, whose numbers of rows differ by one at most, where rows are counted or can be counted here.

        Runs of pieces where those are balanced already, else runs of rows; every `of`-th of them if not `contiguous`. Far away, rows
        that the files do not count are not read for it, and a subset is some of their pieces.

        Args:
            of: how many.
            index: which of them.
            contiguous: a run, rather than every `of`-th piece or row.
            before: rows of other plans that are divided before these, so that all together are balanced.
            by_rows: whether single rows are dealt out, also where pieces are balanced.
        """
        if self.cut:
            return self.then(Every(of, index))
        plan = self
        if self._raw(self.segments[0].ops if self.segments else ()).core.rows(0) is None:
            if self._is_far:
                return self.each(_op("shard", of=of, index=index, contiguous=contiguous))
            plan = self._counted_all()

        made: list[list[Segment]] = [[], []]
        number = self.first
        for which, some in enumerate((self.segments, self.cycle)):
            for segment in some:
                last = max((i + 1 for i, op in enumerate(segment.ops) if dict(op)["op"] in _CHOOSES), default=0)
                head, tail = segment.ops[:last], segment.ops[last:]
                rows = replace(plan._raw(head), first=number).core.rows(0) or 0
                # Which subsets have a row more differs from pass to pass, so that they are balanced over all passes.
                alone = bool(rows % of) and 1 < segment.times <= _UNROLLED and not which
                for _ in range(segment.times if alone else 1):
                    ops = plan._shard_ops(head, rows, of, index, before, number, contiguous=contiguous, by_rows=by_rows)
                    made[which].append(replace(segment, ops=(*head, *ops, *tail), times=1 if alone else segment.times))
                    number += made[which][-1].times
                    before += rows * made[which][-1].times
        return replace(plan, segments=tuple(made[0]), cycle=tuple(made[1]))

    def _shard_ops(
        self, head: tuple[Op, ...], rows: int, of: int, index: int, before: int, number: int, *, contiguous: bool, by_rows: bool
    ) -> tuple[Op, ...]:
        """What makes a subset of the `rows` rows that the transforms `head` leave in the pass `number`."""
        pieces = [rows for _, _, rows, _ in self.listing["pieces"]]
        if not head and not before and not by_rows and _balanced(pieces, of, contiguous=contiguous):
            return (_op("shard", of=of, index=index, contiguous=contiguous),)
        if not head and not contiguous:
            return (_op("stride", of=of, index=(index + before) % of),)
        # As map-style data sets are cut; which parts are longer follows from the rows before.
        least, longer = divmod(rows, of)
        sizes = [least + ((i - before) % of < longer) for i in range(of)]
        start = sum(sizes[:index])
        skip = (_op("skip", n=start, **{"pass": number}),) if start else ()
        return (*skip, _op("take", n=sizes[index], **{"pass": number})) if start + sizes[index] < rows else skip

    def _raw(self, ops: tuple[Op, ...]) -> Plan:
        """The rows of the files after these transforms, before any filter."""
        return replace(self, condition=None, skipped=None, batch=None, steps=(), segments=(Segment(ops),), cycle=(), first=0)

    @property
    def _is_far(self) -> bool:
        """Whether a file is not on this machine, so that its rows are not read to count them."""
        return any("://" in file["path"] for file in self.listing["files"])

    def pieces_of(self, of: int, index: int) -> Plan:
        """Every `of`-th piece, however many rows it has."""
        return self.each(_op("shard", of=of, index=index, contiguous=False))

    def rows_of(self, of: int, index: int) -> Plan:
        """Every `of`-th row; where nobody may count them, of those that come."""
        uncounted = self.core.rows(0) is None and self._is_far
        return self.then(Every(of, index)) if uncounted else self.shard(of, index, contiguous=False, by_rows=True)

    def part(self, of: int, index: int) -> Plan:
        """What consumer `index` of `of` has, as a plan of its own."""
        return self.each(_op("part", of=of, index=index))

    def repeat(self, times: int | None) -> Plan:
        """All passes `times` times; for ever if `None`."""
        if self.cycle:
            return self if times != 0 else replace(self, segments=(), cycle=())
        segments = self.segments if self.batch is None else _flushed(self.segments)
        if times is None:
            return replace(self, segments=(), cycle=segments)
        if len(segments) == 1:
            return replace(self, segments=(replace(segments[0], times=segments[0].times * times),) if times else ())
        if len(segments) * times > _MOST_SEGMENTS:
            raise InvalidArgumentError(f"repeat({times}) of {len(segments)} different passes is too long a plan")
        return replace(self, segments=segments * times)

    def take(self, n: int) -> Plan:
        """The first `n` rows, or batches where rows are batched, that one consumer sees."""
        return self._cut(n, take=True)

    def skip(self, n: int) -> Plan:
        """All but those."""
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
            if n and (self.core.rows(0) is None or self.condition is not None or self.skipped is not None):
                plan, at["at"] = self._counted(min(n * size, ALL_ROWS))
            return replace(plan, segments=(plan.segments[0].then(_op("take" if take else "skip", **at)),))
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
                before.append(replace(segment.then(_op("take", **at)), times=1))
                after = [*self._rest(segment, whole + 1), *after]
                after.insert(0, replace(segment.then(_op("skip", **at)), times=1))
                left = 0
            else:
                after = [*self._rest(segment, whole), *after]
            number += whole
            if len(before) > _MOST_SEGMENTS:
                raise InvalidArgumentError(f"{'take' if take else 'skip'}({n}) of so many passes is too long a plan")
        if take:
            return replace(self, segments=tuple(before), cycle=())
        return replace(self, first=self.first + number, segments=tuple(after))

    def numbered(self) -> Plan:
        """This plan with as many rows as it has known."""
        if self.condition is not None or self.skipped is not None:
            raise UnsupportedError("a part of a split is chosen among all of its rows: filter afterwards, with ds.filter(…)")
        return self if self.core.rows(0) is not None else self._counted_all()

    def _counted_all(self) -> Plan:
        """This plan with all rows of all pieces counted."""
        plain = replace(self, condition=None, skipped=None, segments=(Segment(),), cycle=(), first=0)
        return replace(self, scan=plain._counted(ALL_ROWS)[0].scan)

    def _counted(self, n: int) -> tuple[Plan, tuple[int, int]]:
        """This plan with what was counted to find the turn after `n` rows of its first pass, and that turn."""
        found = json.loads(self.core.boundary(0, n))
        pieces = [
            [file, place, found["rows"].get(str(i), rows), size] for i, (file, place, rows, size) in enumerate(self.listing["pieces"])
        ]
        at: tuple[int, int] = tuple(found["at"])
        return replace(self, scan=json.dumps({**self.listing, "pieces": pieces})), at

    @staticmethod
    def _rest(segment: Segment, done: int) -> list[Segment]:
        """What is left of a segment's passes."""
        return [replace(segment, times=segment.times - done)] if segment.times > done else []

    def _units(self, number: int) -> int:
        """Rows of a pass; batches where a batch ends with it."""
        rows = self.core.rows(number)
        if rows is None:
            raise AssertionError("rows that nobody counted")
        if self.batch is None:
            return rows
        size, drop_last = self.batch
        return rows // size if drop_last else -(-rows // size)

    # ------------------------------------------------------------------------------------------------------ batches

    def batched(self, size: int, *, drop_last: bool) -> Plan:
        """Rows as batches."""
        return replace(self, batch=(size, drop_last))

    def then(self, step: Step) -> Plan:
        """One more step in Python, on batches."""
        return replace(self, steps=(*self.steps, step))


def order_of(segment: Segment) -> str:
    """The transforms of a pass, for people."""
    ops = [_shown(dict(op)) for op in segment.ops] or ["as the files have it"]
    return ", ".join(ops) + (f", {segment.times} times" if segment.times != 1 else "")


def _shown(op: dict[str, Any]) -> str:
    name = {"global": "all rows permuted"}.get(op["op"], op["op"])
    return f"{name}({', '.join(f'{key}={value}' for key, value in op.items() if key not in ('op', 'at', 'pass'))})"


def _balanced(pieces: list[int | None], of: int, *, contiguous: bool) -> bool:
    """Whether `of` subsets of whole pieces differ by one row at most."""
    counts = [rows or 0 for rows in pieces]
    n = len(counts)
    if n < of:
        return False
    if contiguous:
        ends = [i * (n // of) + min(i, n % of) for i in range(of + 1)]
        sizes = [sum(counts[start:end]) for start, end in pairwise(ends)]
    else:
        sizes = [sum(counts[i::of]) for i in range(of)]
    return max(sizes) - min(sizes) <= 1


def _flushed(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The passes of a batched plan that is repeated: a batch never spans two rounds.

    A batch may span the passes that were there before the batching; it ends with the last of them.
    """
    if len(segments) == 1 and segments[0].times == 1:
        return (replace(segments[0], flush=True),)
    if not segments or segments[-1].flush:
        return tuple(segments)
    *first, last = segments
    rest = [replace(last, times=last.times - 1)] if last.times > 1 else []
    return (*first, *rest, replace(last, times=1, flush=True))
