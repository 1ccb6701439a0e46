"""The user's function of `map`, as it is called on rows and batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rowstream.exceptions import DatasetTransformationNotAllowedError
from rowstream.features.rows import exact_in_python
from rowstream.formatting.column import Column
from rowstream.formatting.formatters import get_formatter
from rowstream.formatting.lazy import LazyBatch, LazyDict
from rowstream.formatting.python import PythonFormatter
from rowstream.formatting.query import format_table
from rowstream.ops.apply import check_lengths
from rowstream.table.table import Table

if TYPE_CHECKING:
    from rowstream.transforms.map_job import MapJob


SOME_NONE = (
    "map: the function returned None for some rows and columns for others{}: return the row itself"
    " where nothing changes"
)


def _column_types() -> tuple[type, ...]:
    """Return the types that a column of a returned batch may have."""
    import sys

    result: list[type] = [list, np.ndarray]
    for module, names in (
        ("pandas", ["Series"]),
        ("polars", ["Series", "DataFrame"]),
        ("torch", ["Tensor"]),
        ("tensorflow", ["Tensor"]),
        ("jax", ["Array"]),
    ):
        if (loaded := sys.modules.get(module)) is not None:
            result += [getattr(loaded, name) for name in names]

    return (*result, Column)


def _frame(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("pandas", "polars") and type(
        value
    ).__name__ in ("DataFrame", "LazyFrame")


class Row(dict[str, Any]):
    """A row that is passed to a function.

    `row | other` is a `Row` as well, so that removed columns are removed from it too.
    """

    def __or__(self, other: Any) -> Any:
        result = Row(self)
        result.update(other)
        return result

    def __ror__(self, other: Any) -> Any:
        result = Row(other)
        result.update(self)
        return result

    def copy(self) -> Row:
        """Return a copy that is a `Row` as well."""
        return Row(self)

    __copy__ = copy


class Columns(dict[str, Any]):
    """The columns of a batch; `kept` names those that the function did not change."""

    kept: tuple[str, ...] = ()


def reads_plain_rows(job: MapJob) -> bool:
    """Return whether a function gets rows as the core makes them, or values of such rows.

    With `input_columns`, it has not looked at the other columns: they are what they were, also
    where Python has no value that says so.
    """
    ds = job.shard
    return bool(
        not job.batched
        and ds._plain()
        and (job.input_columns is None or (job.input_columns and exact_in_python(ds.features)))
        and ds._core_rows() is not None
    )


class MapFunction:
    """A user's function, with the preparation of its arguments and the handling of its result."""

    def __init__(self, job: MapJob) -> None:
        self.job, ds = job, job.shard
        self.kwargs = job.fn_kwargs or {}
        self.plain = reads_plain_rows(job)
        if ds._format_type is None:
            self.formatter: Any = PythonFormatter(features=ds.features, lazy=True)
        else:
            self.formatter = get_formatter(
                ds._format_type, features=ds.features, **ds._format_kwargs
            )
        self.merges = ds._format_type is not None or bool(job.input_columns)
        self.removed = set(job.remove_columns or ())
        self.kept_examples = bool(ds.list_indexes())
        self.checked = False

    def arguments(self, part: Any, at: Any) -> tuple[Any, list[Any]]:
        """Return the row or batch, and the positional arguments of the function."""
        job = self.job
        if self.plain:
            given, inputs = (part, part) if job.input_columns is None else part
        else:
            key = range(part.num_rows) if job.batched else 0
            given = format_table(part, key, self.formatter, format_columns=job.input_columns)
            inputs = given
        arguments = (
            [given] if job.input_columns is None else [inputs[name] for name in job.input_columns]
        )
        if job.with_indices:
            arguments.append(
                [i + job.offset for i in at] if isinstance(at, list) else at + job.offset
            )
        if job.with_rank:
            arguments.append(job.rank)
        return given, arguments

    def __call__(self, part: Any, at: Any) -> Any:
        """Return the result for a row or batch; `None` if the function returns `None`."""
        given, arguments = self.arguments(part, at)
        return self.result(part, given, self.job.function(*arguments, **self.kwargs))

    async def later(self, part: Any, at: Any) -> Any:
        """Return the same for an async function."""
        given, arguments = self.arguments(part, at)
        return self.result(part, given, await self.job.function(*arguments, **self.kwargs))

    def result(self, part: Any, given: Any, made: Any) -> Any:
        """Return the columns of the result: those of the input and those that were returned."""
        if made is None:
            return None
        lazy = isinstance(made, (LazyDict, Row))
        if isinstance(made, Row):
            made = dict(made)
        elif lazy:
            made = {
                name: value for name, value in made.data.items() if name not in made.keys_to_format
            }
        self.check(made)
        if not isinstance(made, Mapping):
            return made
        own: Any = made
        if self.plain:
            # As the function leaves it: what it sets in its row is set, whatever it gives.
            merged = dict(given)
        elif self.merges:
            merged = dict(zip(part.column_names, part.columns, strict=True))
        elif isinstance(given, LazyDict):
            merged = {
                name: part[name] if given.untouched(name) else value
                for name, value in given.data.items()
            }
        else:
            merged = dict(given)
        for name in self.removed:
            merged.pop(name, None)
            if lazy:
                own.pop(name, None)
        if (
            self.kept_examples
            and made
            and self.job.batched
            and len(next(iter(made.values()))) != part.num_rows
        ):
            raise DatasetTransformationNotAllowedError(
                "map(batched=True) on a data set with an index may not add or leave out rows:"
                " drop_index() first, and add the index again"
            )
        columns = Columns({**merged, **made} if isinstance(given, Mapping) else made)
        if self.job.batched:
            check_lengths("map", made, columns)
        if not isinstance(given, Mapping):
            return made
        untouched: Callable[[str], bool] | None = (
            given.untouched if isinstance(given, LazyBatch) else None
        )
        if self.job.batched and (self.merges or untouched is not None):
            columns.kept = tuple(
                name
                for name in merged
                if name not in made and (self.merges or untouched is None or untouched(name))
            )
            # What the function has only looked at is what it was, whatever Python has for it.
            columns.update({name: part[name] for name in columns.kept})
        return columns

    def check(self, made: Any) -> None:
        """Raise if the value that a function returned can't become rows."""
        if self.checked:
            return
        if not (isinstance(made, (Mapping, pa.Table, Table)) or _frame(made)):
            raise TypeError(
                "Provided `function` which is applied to all elements of table returns a variable"
                f" of type {type(made)}. Make sure provided `function` returns a variable of type"
                " `dict` (or a pyarrow table) to update the dataset or `None` if you are only"
                " interested in side effects."
            )
        if self.job.batched and isinstance(made, Mapping):
            kinds = _column_types()
            if wrong := {
                name: type(one).__name__
                for name, one in made.items()
                if not isinstance(one, (*kinds, pa.Array, pa.ChunkedArray))
            }:
                raise TypeError(
                    "Provided `function` which is applied to all elements of table returns a"
                    f" `dict` of types {wrong}. When using `batched=True`, make sure provided"
                    f" `function` returns a `dict` of types like `{kinds}`."
                )
        self.checked = True
