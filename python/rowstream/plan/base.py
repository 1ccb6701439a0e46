"""A plan: what it is, and its columns."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.ops.rebatch import Rebatch
from rowstream.plan.order import (
    DESCRIBED,
    FILE,
    ROW,
    Segment,
    order_of,
)

if TYPE_CHECKING:
    from rowstream.ops.base import Step
    from rowstream.plan.bad_records import BadRecords
    from rowstream.plan.expr import Expr
    from rowstream.storage.access import StorageOptions


@dataclass(frozen=True)
class PlanBase:
    """Which rows come in which order.

    Attributes:
        scan: the listing as JSON: files, pieces, schema, lanes. Kept as text; only the core takes
            it apart.
        columns: `(name in the files, name in the row)` of each column, in order; all of them if
            `None`.
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
    skipped: BadRecords | None = field(default=None, compare=False)
    access: StorageOptions | None = field(default=None, compare=False)
    held: tuple[_core.Held, ...] = field(default=(), compare=False)
    # What plans over other sources than a listing, which stand above this module, begin with in
    # place of the core's rows.
    begin: ClassVar[Any] = None

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
        return _core.Plan(
            text,
            None if self.access is None else self.access.core(self.listing["files"][0]["path"]),
        )

    @cached_property
    def listing(self) -> dict[str, Any]:
        """The listing, parsed."""
        listing: dict[str, Any] = json.loads(self.scan)
        return listing

    @cached_property
    def described(self) -> dict[str, Any]:
        """What a state says of the stream that it is of, for the error where it is loaded into
        another one.
        """
        names = [
            (re.split(r"[/\\]", file["path"])[-1], file["size"], file["version"])
            for file in self.listing["files"]
        ]
        order = [order_of(segment) for segment in self.segments] + [
            f"{order_of(segment)}, for ever" for segment in self.cycle
        ]
        if self.batch is not None:
            order.append(f"batch({self.batch[0]})")
        return {
            "files": f"{zlib.crc32(repr(names).encode()):08x}",
            "order": "; then ".join(order)[:DESCRIBED],
            **self._described_steps(),
        }

    def _described_steps(self) -> dict[str, Any]:
        return {"steps": ", ".join(map(repr, self.steps))[:DESCRIBED]} if self.steps else {}

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
        """Whether functions make the rows: what there is of columns is then only known as they
        come.
        """
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
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("core", "listing", "described")
        }

    @property
    def column_names(self) -> list[str]:
        """The names of a row's columns."""
        if self.columns is None:
            return [field["name"] for field in self.schema["fields"]]
        return [name for _, name in self.columns]

    def select(self, names: Iterable[str]) -> Self:
        """Only these columns, in this order."""
        known = dict(zip(self.column_names, self._sources(), strict=True))
        names = list(names)
        if missing := [name for name in names if name not in known]:
            raise InvalidArgumentError(
                f"there is no column {', '.join(map(repr, missing))}; the columns are {list(known)}"
            )
        if len(set(names)) < len(names):
            raise InvalidArgumentError(f"a column is named twice in {names}")
        return replace(self, columns=tuple((known[name], name) for name in names))

    def rename(self, mapping: Mapping[str, str]) -> Self:
        """Other names for columns."""
        names = self.column_names
        if not isinstance(mapping, Mapping) or not all(
            isinstance(name, str) for name in mapping.values()
        ):
            raise InvalidArgumentError(f"rename_columns expects a dict of names, found {mapping!r}")
        if missing := [name for name in mapping if name not in names]:
            raise InvalidArgumentError(
                f"there is no column {', '.join(map(repr, missing))} to rename; the columns are"
                f" {names}"
            )
        renamed = [mapping.get(name, name) for name in names]
        if twice := sorted({name for name in renamed if renamed.count(name) > 1}):
            raise InvalidArgumentError(
                f"renaming would give two columns the name {', '.join(map(repr, twice))}"
            )
        return replace(self, columns=tuple(zip(self._sources(), renamed, strict=True)))

    def _sources(self) -> list[str]:
        return self.column_names if self.columns is None else [source for source, _ in self.columns]

    def where(self, condition: Expr) -> Self:
        """Only rows for which this is so, by the names that columns have in rows."""
        known = dict(zip(self.column_names, self._sources(), strict=True))
        if missing := sorted(condition.columns() - known.keys()):
            raise InvalidArgumentError(
                f"filter: there is no column {', '.join(map(repr, missing))}; the columns are"
                f" {list(known)}"
            )
        if said := sorted(name for name in condition.columns() if known[name] in (FILE, ROW)):
            raise UnsupportedError(
                f"filter: {said[0]!r} says where a row is, and is not a column of files: use a"
                " function, as lambda row: …"
            )
        condition = condition.renamed(known)
        return replace(
            self, condition=condition if self.condition is None else self.condition & condition
        )
