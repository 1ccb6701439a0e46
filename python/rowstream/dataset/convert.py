"""Conversion of map-style datasets to streams."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.exceptions import UnsupportedError
from rowstream.features.nested import requires_decoding
from rowstream.formatting.base import unnest
from rowstream.info import DatasetInfo
from rowstream.ops.images import ImageTransform
from rowstream.plan.memory import in_memory_plan
from rowstream.prepare.file_table import FileTable
from rowstream.streams.generator import generator_source
from rowstream.streams.source_plan import SourcePlan
from rowstream.streams.table_rows import TableSource
from rowstream.table.rows import has_arrays

_SMALL = 1 << 28
"""The bytes of rows that are copied for a stream, so that the core reads them."""
_STORED = 100  # rows of a table that are read at once as they are stored


def _shard_rows(shards: list[Any]) -> Any:
    """Yield the stored rows of some shards of a map-style dataset."""
    for shard in shards:
        for table in shard.iter(_STORED):
            yield from table.to_pylist()


def of_formatted_columns(ds: Any) -> Any:
    """Return a map-style dataset of the columns that `with_format(columns=)` left to its rows.

    Where `output_all_columns=` gives the others too, it stays as it is.
    """
    if ds._format_columns is None or ds._output_all_columns:
        return ds
    result = ds.select_columns([name for name in ds.column_names if name in ds._format_columns])
    result._format_columns = None
    return result


def stream_of(ds: Any, num_shards: int) -> Any:
    """Return a map-style dataset as a stream.

    It reads the table directly where that is all the dataset has, otherwise row by row. A transform
    is called for each row.
    """
    ds = of_formatted_columns(ds)
    if ds._format_columns is not None or (ds._format_kwargs and ds._format_type != "custom"):
        raise UnsupportedError(
            "to_iterable_dataset: this dataset has a format of a part of its columns or with"
            " options, which streams do not have: with_format(None) and select_columns() first,"
            " and with_format() of the stream"
        )
    info = DatasetInfo(features=ds.features)
    plain = not requires_decoding(ds.features) and not has_arrays(ds.features)
    if (
        ds._indices is None
        and isinstance(ds._data, FileTable)
        and plain
        and ds._data.whole
        and num_shards == 1
    ):
        result = IterableDataset(ds._data.plan, info, None if ds.split is None else str(ds.split))
    elif plain and ds._estimate_nbytes() < _SMALL:
        result = IterableDataset(
            in_memory_plan(ds._query(slice(None)), num_shards=num_shards),
            info,
            None if ds.split is None else str(ds.split),
        )
    else:
        base = ds.with_format("arrow")
        source: Any = TableSource(base)
        if num_shards > 1:
            shards = [base.shard(num_shards, i, contiguous=True) for i in range(num_shards)]
            source = generator_source(_shard_rows, {"shards": shards}, deterministic=True)
        result = IterableDataset(
            SourcePlan(scan="", source=source),
            info,
            None if ds.split is None else str(ds.split),
        )
        result._known = ds.features
    if ds._format_type == "custom":
        return transformed(result, ds)
    return result.with_format(ds._format_type)


def transformed(stream: Any, ds: Any) -> Any:
    """Return a stream of rows of a map-style dataset with its transform, if it has one."""
    if ds._format_type != "custom":
        return stream
    transform = ds._format_kwargs["transform"]
    if isinstance(transform, ImageTransform):
        return stream._with_images(transform.step)
    return stream.map(partial(_transformed, transform), remove_columns=ds.column_names)


def _transformed(transform: Callable[[dict[str, Any]], Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a transform of batches makes it."""
    return unnest(transform({name: [value] for name, value in row.items()}))
