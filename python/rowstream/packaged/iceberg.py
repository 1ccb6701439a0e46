"""Tables of Apache Iceberg, by pyiceberg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features


def load_iceberg(
    *,
    streaming: bool,
    catalog: Any = None,
    table: Any = None,
    columns: list[str] | None = None,
    filters: Any = None,
    snapshot_id: int | None = None,
    features: Any = None,
    split: str = "train",
) -> Any:
    """Return the rows of a table of a catalog.

    Args:
        streaming: Whether as a stream.
        catalog: The catalog, an object of pyiceberg.
        table: The name of the table, as `"db.table"`.
        columns: The columns to read; all of them if `None`.
        filters: A condition on rows, as pyiceberg takes it, such as `"id > 1"`.
        snapshot_id: The snapshot to read; the present one if `None`.
        features: The types of the columns; those of the table if `None`.
        split: The name of the split.

    Raises:
        InvalidArgumentError: There is no catalog, or no name of a table.
    """
    if not hasattr(catalog, "load_table"):
        raise InvalidArgumentError(
            "load_dataset('iceberg', …) needs catalog=, a catalog of pyiceberg, found"
            f" {type(catalog).__name__}"
        )
    if not isinstance(table, str):
        raise InvalidArgumentError("load_dataset('iceberg', …) needs table=, such as 'db.my_table'")
    # The snapshot of now: rows that come later are not half in a data set.
    found = catalog.load_table(table)
    snapshot = snapshot_id
    if snapshot is None and (now := found.current_snapshot()) is not None:
        snapshot = now.snapshot_id
    arguments: dict[str, Any] = {"selected_fields": tuple(columns or ("*",))}
    if filters is not None:
        arguments["row_filter"] = filters
    if snapshot is not None:
        arguments["snapshot_id"] = snapshot
    scan = found.scan(**arguments)
    if features is None:
        features = Features.from_arrow_schema(scan.projection().as_arrow())
    if streaming:
        return IterableDataset.from_generator(
            _rows, features=features, gen_kwargs={"scan": scan}, split=split, deterministic=True
        )
    return Dataset.from_list(list(_rows(scan)), features=features, split=split)


def _rows(scan: Any) -> Iterator[dict[str, Any]]:
    for batch in scan.to_arrow_batch_reader():
        yield from batch.to_pylist()
