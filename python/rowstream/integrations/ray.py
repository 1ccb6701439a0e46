"""Datasets as sources of Ray Data, which divides their shards among the tasks of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rowstream.arrow.empty import empty_table
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import pa_schema
from rowstream.integrations.conditions import columns_of_arrow, from_arrow
from rowstream.utils.arguments import check_number

_ROWS = 10_000  # of a block, at most
# What Ray calls the column of a block of which only the number of rows is wanted.
_ROWS_ONLY = "__bsp_stub"


def read(dataset: Any, *, num_tasks: int | None = None, **options: Any) -> Any:
    """Return a dataset as a `ray.data.Dataset`, which is read where its tasks run.

    A task reads some shards of the files: the rows of `ds.shard(tasks, i)`. What Ray selects and
    filters by expressions is pushed down: other columns are not read, and of Parquet neither are
    row groups without a row that is wanted. Functions of `map` and `filter` run in the tasks.
    Without a step of Ray's that reorders blocks, and with `preserve_order`, the rows come in their
    order.

    Args:
        dataset: A stream, or a map-style dataset whose files every machine of the cluster sees.
        num_tasks: The number of tasks that read. Ray chooses by the size if `None`, up to the
            number of shards.
        options: Those of `ray.data.read_datasource`, such as `concurrency` and `ray_remote_args`.

    Raises:
        InvalidArgumentError: It is no dataset of ours.
        ImportError: Ray is not installed.

    Example:
        >>> from rowstream.integrations.ray import read  # doctest: +SKIP
        >>> ds = load_dataset("json", data_files="text/*.jsonl", split="train", streaming=True)
        ... # doctest: +SKIP
        >>> read(ds).select_columns(["id"]).write_parquet("s3://bucket/ids")  # doctest: +SKIP
    """
    import ray.data

    if not isinstance(dataset, (Dataset, IterableDataset)):
        raise InvalidArgumentError(
            "read: a dataset is a Dataset or an IterableDataset of rowstream, found"
            f" {type(dataset).__name__}"
        )
    if num_tasks is not None:
        options["override_num_blocks"] = check_number("num_tasks", num_tasks, least=1)
    return ray.data.read_datasource(_source(dataset, num_tasks), **options)


@dataclass(frozen=True)
class _Task:
    """What a task reads.

    Attributes:
        dataset: The dataset.
        index, of: The number of the part, and of all parts.
        columns: The columns that are wanted; all if `None`.
        condition: An expression of pyarrow; all rows if `None`.
    """

    dataset: Dataset | IterableDataset
    index: int = 0
    of: int = 1
    columns: list[str] | None = None
    condition: Any = None

    def __call__(self) -> Iterator[Any]:
        """Yield the rows as Arrow tables."""
        ds: Any = self.dataset.shard(self.of, self.index)
        ds = ds if isinstance(ds, IterableDataset) else ds.to_iterable_dataset()
        wanted = self.columns
        if self.condition is not None:
            # What ours says is true for at least these rows.
            ours = from_arrow(self.condition)
            ds = ds if ours is None else ds.with_format(None).filter(ours)
            asked = columns_of_arrow(self.condition)
            wanted = None if wanted is None else [*dict.fromkeys([*wanted, *asked])]
        if wanted is not None:
            # To count rows, one column is read.
            names = wanted or (ds.column_names or [])[:1]
            ds = ds.select_columns(names) if names else ds
        for table in ds.with_format("arrow").iter(_ROWS):
            kept = table if self.condition is None else table.filter(self.condition)
            if self.columns is not None:
                kept = kept.select(self.columns)
            if self.columns == []:
                import pyarrow as pa

                # A block without columns would have no rows.
                kept = kept.append_column(_ROWS_ONLY, pa.nulls(kept.num_rows))
            yield kept


def _source(dataset: Dataset | IterableDataset, num_tasks: int | None) -> Any:
    """Return a dataset as a `Datasource`."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Source(Datasource):  # type: ignore[misc]
        """The shards of a dataset."""

        def __init__(self) -> None:
            super().__init__()
            self._projection_map: dict[str, str] | None = None

        def get_name(self) -> str:
            return "rowstream"

        def supports_projection_pushdown(self) -> bool:
            return True

        def supports_predicate_pushdown(self) -> bool:
            return True

        def estimate_inmemory_data_size(self) -> int | None:
            return _size(dataset)

        def get_read_tasks(
            self,
            parallelism: int,
            per_task_row_limit: int | None = None,
            data_context: Any = None,  # noqa: ARG002 — Ray gives it by its name
        ) -> list[Any]:
            expression = self.get_current_predicate()
            work = _Task(
                dataset,
                columns=self._get_data_columns(),
                condition=None if expression is None else expression.to_pyarrow(),
            )
            of = num_tasks or max(1, min(parallelism, _shards(dataset)))
            size, features = _size(dataset), dataset.features
            metadata = BlockMetadata(
                num_rows=None,
                size_bytes=None if size is None else max(1, size // of),
                input_files=None,
                exec_stats=None,
            )
            schema = None
            if features is not None and work.columns != []:
                schema = pa_schema(features)
                if work.columns is not None:
                    schema = empty_table(schema).select(work.columns).schema
            return [
                ReadTask(replace(work, index=i, of=of), metadata, schema, per_task_row_limit)
                for i in range(of)
            ]

    return Source()


def _shards(dataset: Dataset | IterableDataset) -> int:
    """Return into how many parts the rows can be divided without reading any twice."""
    if isinstance(dataset, IterableDataset):
        return dataset.num_shards
    return -(-len(dataset) // _ROWS)


def _size(dataset: Dataset | IterableDataset) -> int | None:
    """Return about how many bytes the rows have, where that is known before they are read."""
    if not isinstance(dataset, IterableDataset):
        return dataset.size_in_bytes or None
    if dataset._plan.begin is not None:
        # A generator, or several sources.
        return None
    return sum(file["size"] for file in dataset._plan.listing["files"]) or None
