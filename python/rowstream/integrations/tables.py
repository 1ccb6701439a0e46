"""What engines of queries read of datasets: some columns of the rows that fulfil a condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, SchemaError, UnsupportedError

if TYPE_CHECKING:
    from rowstream.plan.expr import Expr

_ROWS = 8192  # rows of a batch


def narrowed(dataset: Any, columns: list[str] | None, condition: Expr | None) -> Any:
    """Return a dataset with some of its columns, of the rows for which a condition is true."""
    ds = dataset
    if condition is not None:
        try:
            ds = dataset.filter(condition)
            _ = ds.features  # whether the types go together
            if hasattr(ds, "_plan") and ds._plan.direct:
                ds._plan.core.explain()
        except (InvalidArgumentError, SchemaError):
            # The engine compares what we do not: it applies its condition to all rows.
            ds = dataset
    return ds if columns is None else ds.select_columns(columns)


def schema_of(dataset: Any) -> Any:
    """Return the Arrow schema of a dataset.

    Raises:
        InvalidArgumentError: It is no dataset of ours.
        UnsupportedError: A function has made its columns, and no one said their types.
    """
    features = getattr(dataset, "features", None)
    if not hasattr(dataset, "select_columns") or isinstance(dataset, dict):
        raise InvalidArgumentError(
            f"expected a Dataset or an IterableDataset of rowstream, found {type(dataset).__name__}"
            + (f" with the splits {list(dataset)}: take one" if isinstance(dataset, dict) else "")
        )
    if features is None:
        raise UnsupportedError(
            "the types of the columns are not known, since a function made them: map(features=…)"
            " says them"
        )
    if _is_direct(dataset):
        import pyarrow as pa

        return pa.RecordBatchReader.from_stream(dataset).schema
    return features.arrow_schema


def reader_of(dataset: Any) -> Any:
    """Return a reader of the record batches of a dataset."""
    import pyarrow as pa

    if _is_direct(dataset):
        return pa.RecordBatchReader.from_stream(dataset)
    schema = schema_of(dataset)

    def batches() -> Iterator[Any]:
        for table in dataset.with_format("arrow").iter(_ROWS):
            yield from table.cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def _is_direct(dataset: Any) -> bool:
    plan = getattr(dataset, "_plan", None)
    return plan is None or bool(plan.direct)
