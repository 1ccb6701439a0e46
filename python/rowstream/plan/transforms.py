"""Transforms of a plan by users' functions, from the arguments of `datasets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.nested import requires_decoding
from rowstream.features.rows import pydict
from rowstream.formatting.streams import TABLES
from rowstream.ops.apply import Call
from rowstream.ops.map import Filter, FlatMap, Map, worker_pool
from rowstream.ops.project import As
from rowstream.plan.expr import Expr
from rowstream.plan.order import ALL_ROWS

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


def mapped(
    plan: Plan,
    format: str | None,
    function: Callable[..., Any] | None,
    *,
    with_indices: bool,
    input_columns: str | Sequence[str] | None,
    batched: bool,
    batch_size: int | None,
    drop_last_batch: bool,
    remove_columns: str | Sequence[str] | None,
    fn_kwargs: Mapping[str, Any] | None,
    num_threads: int | None,
    num_proc: int | None,
    features: Any,
) -> Plan:
    """Return the plan with a `map` step."""
    call = _call(
        "map",
        function or _same,
        with_indices=with_indices,
        input_columns=input_columns,
        fn_kwargs=fn_kwargs,
    )
    pool = worker_pool(call, *_workers(call, num_threads, num_proc))
    size = _size(batched, batch_size)
    return _prepared(plan, format, batched=size is not None).then(
        Map(call, size, format, pool, drop_last_batch, names(remove_columns or ()), features)
    )


def filtered(
    plan: Plan,
    format: str | None,
    function: Callable[..., Any] | None,
    *,
    with_indices: bool,
    input_columns: str | Sequence[str] | None,
    batched: bool,
    batch_size: int | None,
    fn_kwargs: Mapping[str, Any] | None,
    num_threads: int | None,
    num_proc: int | None,
) -> Plan:
    """Return the plan with a `filter` step or a condition."""
    if function is None:
        raise InvalidArgumentError('filter expects a function or a condition, as col("x") > 3')
    if isinstance(function, Expr):
        if (
            with_indices
            or batched
            or input_columns is not None
            or fn_kwargs
            or num_threads
            or num_proc
        ):
            raise InvalidArgumentError("filter: a condition on columns takes no other argument")
        if plan.direct and not plan.global_:
            return plan.where(function)
        # It is of the values of a row, whatever the format of rows.
        format = None
    call = _call(
        "filter",
        function,
        with_indices=with_indices,
        input_columns=input_columns,
        fn_kwargs=fn_kwargs,
    )
    pool = worker_pool(call, *_workers(call, num_threads, num_proc))
    return _prepared(plan, format, batched=batched).then(
        Filter(call, _size(batched, batch_size), format, pool)
    )


def permuted(plan: Plan, seed: int) -> Plan:
    """Return the plan with all rows permuted before the functions of one row."""
    what = "shuffle(buffer_size=None) needs single rows that come straight from files"
    if plan.python and not plan.permutable:
        raise UnsupportedError(
            f"{what}: call it before batched functions, and on the parts of a mixture; a generator"
            " takes a buffer_size"
        )
    if plan.batch is not None or plan.skipped is not None:
        why = "batch()" if plan.batch is not None else "on_error="
        raise UnsupportedError(
            f"{what}, all of which can be read, and there is {why} before it: give a buffer_size,"
            " or call it first, without on_error="
        )
    steps, condition = plan.steps, plan.condition
    if condition is not None:
        steps = (
            Filter(Call(condition.renamed(dict(plan.columns or ())), "filter"), None, None, None),
            *steps,
        )
    return replace(replace(plan, condition=None, steps=()).permuted(seed), steps=steps)


def flattened(
    plan: Plan,
    format: str | None,
    function: Callable[..., Any],
    fn_kwargs: Mapping[str, Any] | None,
) -> Plan:
    """Return the plan with a `flat_map` step."""
    return _prepared(plan, format).then(
        FlatMap(
            _call(
                "flat_map", function, with_indices=False, input_columns=None, fn_kwargs=fn_kwargs
            ),
            format,
        )
    )


def extended(plan: Plan, name: str, column: Any) -> Plan:
    """Return the plan with one more column."""
    call = Call(partial(_added, name, column), "add_column", indices=True)
    return _prepared(plan, None).then(Map(call))


def typed_column(name: str, column: Any) -> tuple[Any, Any]:
    """Return the values of a column as rows have them, and its feature.

    Values that features decode stay as they were passed.
    """
    import pyarrow as pa

    from rowstream.writers.infer import column as column_of

    array, feature = column_of(column, name=name)
    return (
        column if requires_decoding(feature) else pydict(pa.table({name: array}))[name]
    ), feature


def _added(name: str, column: Any, row: dict[str, Any], index: int) -> dict[str, Any]:
    if name in row:
        raise InvalidArgumentError(f"add_column: there is a column {name!r} already")
    if index >= len(column):
        raise InvalidArgumentError(
            f"add_column: the column has {len(column)} values, and there are more rows"
        )
    return {name: column[index]}


def _same(row: Any) -> Any:
    return row


def _prepared(plan: Plan, format: str | None, *, batched: bool = False) -> Plan:
    """Return the plan with its rows in the dataset's format for a function; a batch is a dict."""
    if batched and format in TABLES and not plan.grouped:
        return plan  # rows become one table, with the types that they have together
    if plan.grouped:
        return plan.then(As(format))
    return (
        plan.then(As(format, batched))
        if (plan.steps or plan.python) and format is not None
        else plan
    )


def names(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of columns as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _size(batched: bool, batch_size: int | None) -> int | None:
    if not batched:
        return None
    if batch_size is None or batch_size <= 0:
        return ALL_ROWS
    return batch_size


def _workers(
    call: Call, num_threads: int | None, num_proc: int | None
) -> tuple[int | None, int | None]:
    for name, n in (("num_threads", num_threads), ("num_proc", num_proc)):
        if n is not None and (not isinstance(n, int) or n < 1):
            raise InvalidArgumentError(f"{call.what}: {name} must be at least 1, found {n!r}")
    if num_threads and num_proc:
        raise InvalidArgumentError(f"{call.what}: give num_threads or num_proc, not both")
    if call.is_async and (num_threads or num_proc):
        raise InvalidArgumentError(
            f"{call.what}: an async function runs in one event loop, without num_threads or"
            " num_proc"
        )
    return num_threads, num_proc


def _call(
    what: str,
    function: Any,
    *,
    with_indices: bool,
    input_columns: str | Sequence[str] | None,
    fn_kwargs: Mapping[str, Any] | None,
) -> Call:
    if not callable(function):
        raise InvalidArgumentError(f"{what} expects a function, found {function!r}")
    inputs = None if input_columns is None else names(input_columns)
    return Call(function, what, bool(with_indices), inputs, dict(fn_kwargs or {}))
