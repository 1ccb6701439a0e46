"""How a user's function is called, and what is done with its result, for rows and batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, Any]

_SHOWN = 300  # characters of a row in an error


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, which is the same in every process."""
    inner = getattr(function, "func", None)  # functools.partial
    if inner is not None and not hasattr(function, "__qualname__"):
        return f"partial({name_of(inner)})"
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    return f"{module}.{name}" if name else type(function).__qualname__


@dataclass(frozen=True)
class Call:
    """A user's function and how it is called.

    Attributes:
        function: The function.
        what: The method that it was passed to, for errors.
        indices: Whether the position is an argument.
        inputs: The columns that are arguments, instead of the row.
        kwargs: More keyword arguments.
    """

    function: Callable[..., Any]
    what: str
    indices: bool = False
    inputs: tuple[str, ...] | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_async(self) -> bool:
        """Whether the function returns a coroutine."""
        return inspect.iscoroutinefunction(self.function)

    def __call__(self, example: Columns, index: Any) -> Any:
        """Call the function. An error in it gets a note with the row."""
        try:
            return self.function(*self._arguments(example, index), **self.kwargs)
        except Exception as error:
            self._noted(error, example)
            raise

    async def awaited(self, example: Columns, index: Any) -> Any:
        """Call the function and wait for its result."""
        try:
            return await self.function(*self._arguments(example, index), **self.kwargs)
        except Exception as error:
            self._noted(error, example)
            raise

    def _arguments(self, example: Columns, index: Any) -> list[Any]:
        if self.inputs is None:
            arguments: list[Any] = [example]
        else:
            there = getattr(example, "column_names", None) or list(
                example
            )  # of a table, frame or dict
            missing = [name for name in self.inputs if name not in there]
            if missing:
                raise InvalidArgumentError(
                    f"{self.what}: there is no column {', '.join(map(repr, missing))} in"
                    f" input_columns; the columns are {there}"
                )
            arguments = [example[name] for name in self.inputs]
        if self.indices:
            arguments.append(index)
        return arguments

    def _noted(self, error: Exception, example: Columns) -> None:
        text = repr(example)
        error.add_note(
            f"in {self.what}({name_of(self.function)}), at"
            f" {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
        )

    def __repr__(self) -> str:
        """Return a text that is the same in every process, for states."""
        more = [f"indices={self.indices}"] if self.indices else []
        more += [f"inputs={list(self.inputs)}"] if self.inputs else []
        more += [f"kwargs={sorted(self.kwargs)}"] if self.kwargs else []
        return ", ".join([name_of(self.function), *more])


def merged(what: str, example: Any, kept: Any, made: Any, remove: tuple[str, ...]) -> Columns:
    """Merge the result of a function into its row, as `datasets` does.

    Args:
        what: The method, for errors.
        example: The row that the function got and may have changed.
        kept: A copy of it from before.
        made: The result of the function.
        remove: The columns to remove.
    """
    if not isinstance(example, Mapping):
        return _replaced(what, made, remove)
    if not isinstance(made, Mapping):
        raise InvalidArgumentError(
            f"{what}: the function must return a dict of columns, it returned {type(made).__name__}"
            + (" (is a return missing?)" if made is None else "")
        )
    for name in remove:
        kept.pop(name, None)
        if made is example:
            example.pop(name, None)  # type: ignore[attr-defined]  # it is a dict
    kept.update(made)
    whole: Columns = kept
    return whole


def _replaced(what: str, made: Any, remove: tuple[str, ...]) -> Columns:
    """Return the result of a function of tables as columns.

    As in `datasets`, they replace all columns.
    """
    table = made if isinstance(made, Mapping) else table_of(made)
    if table is None:
        raise InvalidArgumentError(
            f"{what}: the function is given tables, so it must return a table, a frame or a dict of"
            f" columns; it returned {type(made).__name__}"
            + (" (is a return missing?)" if made is None else "")
        )
    columns = dict(table) if isinstance(table, Mapping) else table.to_pydict()
    return {name: column for name, column in columns.items() if name not in remove}


def columns_of(rows: Any) -> Columns:
    """Return rows, a table or a frame as a dict of lists; missing values are `None`."""
    if not isinstance(rows, list):
        table = table_of(rows)
        if table is None:
            raise TypeError(f"expected rows, a table or a frame, found {type(rows).__name__}")
        columns: Columns = table.to_pydict()
        return columns
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def table_of(made: Any) -> pa.Table | None:
    """Return a table, or a frame of pandas or Polars, as a pyarrow table; `None` for others."""
    import pyarrow as pa

    if isinstance(made, pa.Table):
        return made
    if isinstance(made, pa.RecordBatch):
        return pa.Table.from_batches([made])
    if type(made).__module__.partition(".")[0] == "pandas" and hasattr(made, "columns"):
        # An index with a name is a column, such as what rows were grouped by; one without says only
        # where they were.
        named = any(name is not None for name in made.index.names)
        return pa.Table.from_pandas(made, preserve_index=None if named else False)
    if type(made).__module__.partition(".")[0] == "polars" and hasattr(made, "collect_schema"):
        return (made.collect() if hasattr(made, "collect") else made).to_arrow()
    inner = getattr(made, "table", None)  # of a table of ours
    return inner if isinstance(inner, pa.Table) else None


def mask_of(made: Any) -> list[Any]:
    """Return which rows a function keeps, as a list, from a list, an array or one value."""
    for name in ("to_pylist", "to_list", "tolist", "as_py"):
        if hasattr(made, name):
            made = getattr(made, name)()
            break
    return made if isinstance(made, list) else [made]


def truth(what: str, made: Any) -> bool:
    """Return whether a function keeps one row, from a truth value or an array of one."""
    if not any(hasattr(made, name) for name in ("to_pylist", "to_list", "as_py")):
        return bool(made)  # arrays of NumPy and tensors of several are an error there
    mask = mask_of(made)
    if len(mask) != 1:
        raise InvalidArgumentError(
            f"{what}: a function of one row returns one truth value, it returned {len(mask)}"
        )
    return bool(mask[0])


def truths(what: str, made: Any, n: int) -> list[Any]:
    """Return which rows of a batch a function keeps, from a list or array of truth values."""
    table = isinstance(made, Mapping) or hasattr(made, "columns") or hasattr(made, "column_names")
    if (
        table
        or isinstance(made, (str, bytes))
        or not isinstance(made, Iterable)
        or getattr(made, "ndim", 1) == 0
    ):
        raise InvalidArgumentError(
            f"{what}: a batched function returns a truth value for each row, it returned"
            f" {type(made).__name__}"
        )
    mask = list(made.to_pylist() if hasattr(made, "to_pylist") else made)
    if len(mask) != n:
        raise InvalidArgumentError(
            f"{what}: lengths differ: the function returned {len(mask)} truth values for a batch of"
            f" {n} rows"
        )
    return mask


def rows_of(columns: Columns) -> Iterator[Columns]:
    """Return columns as an iterator over rows."""
    return _core.RowIterator({name: _sequence(column) for name, column in columns.items()})


def _sequence(column: Any) -> Any:
    """Return a column whose values can be indexed one by one.

    Arrays of Arrow become Python objects, tensors become a list of tensors.
    """
    if isinstance(column, (list, tuple)):
        return column
    if hasattr(column, "to_pylist"):
        return column.to_pylist()
    return list(column) if type(column).__module__.partition(".")[0] == "torch" else column


def length_of(columns: Any) -> int:
    """Return the number of rows of columns, a table or a frame."""
    return len(next(iter(columns.values()), ())) if isinstance(columns, dict) else len(columns)


def check_lengths(what: str, made: Mapping[str, Any], kept: Columns) -> None:
    """Raise if the columns of a batch do not have one length."""
    for name, column in made.items():
        if not hasattr(column, "__len__") or isinstance(column, (str, bytes)):
            raise InvalidArgumentError(
                f"{what}: a batched function returns a list for each column, {name!r} is a"
                f" {type(column).__name__}"
            )
    lengths = {name: len(column) for name, column in {**kept, **made}.items()}
    if len(set(lengths.values())) > 1:
        from rowstream.arrow.exact import LengthError

        raise LengthError(
            f"{what}: Column lengths mismatch: expected length {next(iter(lengths.values()))} of"
            f" all columns of a batch, found {lengths}; a function that changes the number of rows"
            " returns all columns, or the others are named in remove_columns"
        )
