"""The base class of plans: their data, and their columns."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.media.ref import references
from rowstream.features.schema import features_from_schema
from rowstream.ops.rebatch import Rebatch
from rowstream.plan.order import (
    DESCRIBED,
    FILE,
    ROW,
    Segment,
    order_of,
)
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.ops.base import Step
    from rowstream.ops.images import DecodeImages
    from rowstream.ops.tokenize import Tokenize
    from rowstream.plan.bad_records import BadRecords
    from rowstream.plan.expr import Expr
    from rowstream.storage.access import StorageOptions


@dataclass(frozen=True)
class PlanBase:
    """The rows of a stream and their order, as data.

    Attributes:
        scan: The listing as JSON: files, shards, schema, lanes. It stays text; only the core parses
            it as a whole.
        columns: `(name in the files, name in the row)` of each column, in order; all of them if
            `None`.
        condition: The rows to keep, by the names that columns have in the files.
        first: The number of the first pass, in the keys of its shuffles.
        segments: The passes.
        cycle: The passes that follow endlessly.
        batch: `(size, drop_last)` if rows are batched.
        steps: The steps that follow in Python.
        column_steps: What the core does with columns of rows after they are read.
        access: How files on other machines are requested. Not part of what is read.
        in_memory: The contents of files that are in memory.
        skipped: The record of bad records, where they are not errors.
    """

    scan: str
    columns: tuple[tuple[str, str], ...] | None = None
    condition: Expr | None = None
    first: int = 0
    segments: tuple[Segment, ...] = (Segment(),)
    cycle: tuple[Segment, ...] = ()
    batch: tuple[int, bool] | None = None
    steps: tuple[Step, ...] = ()
    column_steps: tuple[DecodeImages | Tokenize, ...] = ()
    skipped: BadRecords | None = field(default=None, compare=False)
    access: StorageOptions | None = field(default=None, compare=False)
    in_memory: tuple[_core.InMemoryFile, ...] = field(default=(), compare=False)
    # What plans over other sources than a listing, which stand above this module, begin with in
    # place of the core's rows.
    begin: ClassVar[Any] = None

    @property
    def piece_rows(self) -> list[int | None]:
        """The rows of each piece of the files; `None` where they are not known."""
        return [piece[2] for piece in self.listing["pieces"]]

    @property
    def rows_of_files(self) -> int | None:
        """The rows of all files; `None` where they are not known."""
        rows = [n for n in self.piece_rows if n is not None]
        return sum(rows) if len(rows) == len(self.piece_rows) else None

    @property
    def piece_bytes(self) -> list[int]:
        """The bytes of each piece of the files, uncompressed."""
        return [piece[3] for piece in self.listing["pieces"]]

    @cached_property
    def core(self) -> _core.Plan:
        """The plan as an object of the core."""
        rest = {
            "columns": self.columns,
            "filter": None if self.condition is None else self.condition.to_json(),
            "lenient": self.skipped is not None,
            "first": self.first,
            "segments": [segment.to_json() for segment in self.segments],
            "cycle": [segment.to_json() for segment in self.cycle],
            "column_steps": [step.core_step() for step in self.column_steps],
            "batch": self.batch and {"size": self.batch[0], "drop_last": self.batch[1]},
        }
        text = f'{{"version":1,"scan":{self.scan},{json.dumps(rest)[1:]}'
        return _core.Plan(
            text,
            None if self.access is None else self.access.core(self.listing["files"][0]["path"]),
        )

    @cached_property
    def listing(self) -> dict[str, Any]:
        """The listing as a parsed dict."""
        listing: dict[str, Any] = json.loads(self.scan)
        return listing

    @cached_property
    def described(self) -> dict[str, Any]:
        """The description of the stream in a state, for the error when another stream loads it."""
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

    @cached_property
    def refs(self) -> _core.MediaRefs | None:
        """What rows have in the place of media that are not decoded; `None` if they have none."""
        names = None if self.columns is None else list(self.columns)
        return references(features_from_schema(self.schema, names))

    @property
    def rowwise(self) -> bool:
        """Whether the steps in Python have no state: a cursor of the core is enough."""
        return all(step.rowwise for step in self.steps)

    @property
    def permutable(self) -> bool:
        """Whether all rows can be permuted before the steps in Python."""
        return self.rowwise

    @property
    def python(self) -> bool:
        """Whether functions produce the rows, so that columns are only known as rows come."""
        return any(step.python for step in self.steps)

    @property
    def keeps_types(self) -> bool:
        """Whether rows have the types of the files or tables: no function or generator made their
        values.
        """
        return all(step.keeps_types for step in self.steps)

    @property
    def direct(self) -> bool:
        """Whether the rows of the core are streamed as they are."""
        return self.batch is None and not self.steps

    @property
    def core_only(self) -> bool:
        """Whether the core makes the rows: no function or generator of a user does."""
        return self.begin is None and self.direct

    @property
    def grouped(self) -> bool:
        """Whether an item is several rows. The result of a function on such an item is a row."""
        steps = [step for step in self.steps if step.python or isinstance(step, Rebatch)]
        return not steps[-1].python if steps else self.batch is not None

    @property
    def commutes(self) -> bool:
        """Whether ordering rows before the Python steps has the same result as after them."""
        return self.batch is None and self.rowwise

    def __getstate__(self) -> dict[str, Any]:
        """Return the data without cached values, which are computed again."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("core", "listing", "described")
        }

    @property
    def column_names(self) -> list[str]:
        """The names of the columns of a row."""
        if self.columns is None:
            return [field["name"] for field in self.schema["fields"]]
        return [name for _, name in self.columns]

    def select(self, names: Iterable[str]) -> Self:
        """Return the plan with only the given columns, in the given order."""
        known = dict(zip(self.column_names, self._sources(), strict=True))
        names = list(names)
        if missing := [name for name in names if name not in known]:
            raise InvalidArgumentError(
                f"there is no column {', '.join(map(repr, missing))}; the columns are {list(known)}"
            )
        if len(set(names)) < len(names):
            raise InvalidArgumentError(f"a column is named twice in {names}")
        return replace(
            self,
            columns=tuple((known[name], name) for name in names),
            column_steps=tuple(step for step in self.column_steps if step.column in names),
        )

    def rename(self, mapping: Mapping[str, str]) -> Self:
        """Return the plan with other names for columns."""
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
        return replace(
            self,
            columns=tuple(zip(self._sources(), renamed, strict=True)),
            column_steps=tuple(
                step.named(mapping.get(step.column, step.column)) for step in self.column_steps
            ),
        )

    def _sources(self) -> list[str]:
        return self.column_names if self.columns is None else [source for source, _ in self.columns]

    def where(self, condition: Expr) -> Self:
        """Return the plan with a condition on rows, by the names that columns have in rows."""
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
        if made := sorted(condition.columns() & {step.column for step in self.column_steps}):
            raise UnsupportedError(
                f"filter: {made[0]!r} is made after rows are read: use a function, as"
                " lambda row: …, or filter before decode_images or tokenize"
            )
        condition = condition.renamed(known)
        return replace(
            self, condition=condition if self.condition is None else self.condition & condition
        )
