"""Tables of Apache Iceberg, by pyiceberg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rowstream.dataset.combine import concatenate_datasets
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.splits import chosen_splits
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.fingerprint.hasher import Hasher
from rowstream.packaged.base import choose
from rowstream.splits.select import parts_of, splits_used
from rowstream.utils.optional import import_optional


def load_iceberg(
    *,
    streaming: bool,
    catalog: Any = None,
    table: Any = None,
    columns: list[str] | None = None,
    filters: Any = None,
    snapshot_id: int | None = None,
    batch_size: int | None = None,  # noqa: ARG001 - as in `datasets`, without effect
    features: Any = None,
    split: Any = None,
    cache_dir: Any = None,
    keep_in_memory: bool | None = None,
) -> Any:
    """Return the rows of a table of a catalog; a shard is one of its files.

    Args:
        streaming: Whether as a stream.
        catalog: The catalog, an object of pyiceberg.
        table: The name of the table, as `"db.table"`, or a dict of them by split.
        columns: The columns to read; all of them if `None`.
        filters: A condition on rows, as pyiceberg takes it, such as `"id > 1"`.
        snapshot_id: The snapshot to read; the present one if `None`.
        batch_size: Accepted, without effect.
        features: The types of the columns; those of the table if `None`.
        split: The split, as in `load_dataset`; a dict of all if `None`.
        cache_dir: The folder of the cache.
        keep_in_memory: Whether to read the rows into memory.

    Raises:
        InvalidArgumentError: There is no catalog, no name of a table, or no such column.
        UnsupportedError: A part of a split is wanted as a stream.
    """
    if not hasattr(catalog, "load_table"):
        raise InvalidArgumentError(
            "load_dataset('iceberg', …) needs catalog=, a catalog of pyiceberg, found"
            f" {type(catalog).__name__}"
        )
    tables = table if isinstance(table, dict) else {"train": table}
    if not tables or not all(isinstance(one, str) for one in tables.values()):
        raise InvalidArgumentError(
            "load_dataset('iceberg', …) needs table=, such as 'db.my_table', or a dict of them by"
            " split"
        )
    wanted = [] if split is None else [parts for _, parts in parts_of(split)]
    if streaming and any(part.sliced for parts in wanted for part in parts):
        raise UnsupportedError(
            "a part of a split of iceberg needs the number of its rows: use take and skip, or a"
            " map-style data set"
        )
    made: dict[str, Any] = {}
    for name in tables if split is None else splits_used(list(tables), split):
        # No snapshot unless one is named: it would have the columns of its day, not those of now.
        chosen: dict[str, Any] = {"selected_fields": tuple(columns or ("*",))}
        if filters is not None:
            chosen["row_filter"] = filters
        if snapshot_id is not None:
            chosen["snapshot_id"] = snapshot_id
        scan = catalog.load_table(tables[name]).scan(**chosen)
        try:
            projected = scan.projection()
        except ValueError as error:
            raise InvalidArgumentError(f"{tables[name]}: {error}") from error
        found = Features.from_arrow_schema(projected.as_arrow())
        if columns is not None and set(columns) == set(found):
            found = choose(found, columns)
        # The scan itself has connections of the catalog, which no other process can have.
        of = (scan.table_metadata, scan.io, projected, scan.row_filter, scan.case_sensitive)
        arguments: dict[str, Any] = {
            "features": found if features is None else features,
            "gen_kwargs": {"tasks": list(scan.plan_files()), "of": of},
            "split": name,
        }
        if streaming:
            made[name] = IterableDataset.from_generator(_rows, deterministic=True, **arguments)
            continue
        # Files of a snapshot never change.
        now = scan.snapshot()
        said = [str(scan.table_metadata.table_uuid), now and now.snapshot_id, repr(projected)]
        said += [repr(scan.row_filter), Features(arguments["features"]).to_dict(), name]
        made[name] = Dataset.from_generator(
            _rows,
            fingerprint=Hasher.hash(["iceberg", *said]),
            cache_dir=cache_dir,
            keep_in_memory=bool(keep_in_memory),
            **arguments,
        )
    if not streaming:
        return chosen_splits(made, split, list(tables))
    if split is None:
        return IterableDatasetDict(made)
    streams = []
    for parts in wanted:
        some = [made[name] for part in parts for name in tables if part.split in (name, "all")]
        streams.append(some[0] if len(some) == 1 else concatenate_datasets(some))
    return streams if isinstance(split, (list, tuple)) else streams[0]


def _rows(tasks: list[Any], of: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    arrow = import_optional("pyiceberg.io.pyarrow", "Iceberg tables", "pyiceberg")
    metadata, io, projected, condition, exact_case = of
    scan = arrow.ArrowScan(metadata, io, projected, condition, case_sensitive=exact_case)
    for task in tasks:
        for batch in scan.to_record_batches([task]):
            yield from batch.to_pylist()
