"""Map-style datasets concatenated, by rows or by columns, and interleaved."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.align import align_features, check_alignable
from rowstream.features.features import Features
from rowstream.features.infer import has_pairs
from rowstream.fingerprint.transform import update_fingerprint
from rowstream.info import DatasetInfo
from rowstream.prepare.file_table import FileTable
from rowstream.streams.mixture import STRATEGIES
from rowstream.table.table import Table, concat_tables
from rowstream.writers.features import with_features


def _aligned(ds: Any, features: Features, maps: dict[str, Any]) -> Any:
    """Return the table of a dataset, with its columns cast to the given features."""
    schema = features.arrow_schema
    if ds.features == features and all(
        ds._data.schema.field(name).type == schema.field(name).type
        for name in maps
        if name in features
    ):
        return ds._data
    return ds._data.cast(schema)


def concatenate_map_style(
    datasets: list[Any], info: Any = None, split: Any = None, axis: int = 0
) -> Any:
    """Concatenate map-style datasets: their rows, or their columns if `axis` is 1."""
    # Beside each other, a part without rows has columns all the same.
    parts = datasets if axis == 1 else [ds for ds in datasets if ds.num_rows > 0] or datasets[:1]
    if axis == 0 and len(parts) == 1 and parts[0].num_rows == 0:
        return parts[0]
    if axis == 0:
        check_alignable([ds.features for ds in parts])
    else:
        if len({ds.num_rows for ds in parts}) > 1:
            raise InvalidArgumentError("Number of rows must match for all datasets")
        names = [name for ds in parts for name in ds.column_names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidArgumentError(
                f"The table can't have duplicated columns but columns {twice} are duplicated."
            )
    format = parts[0].format if all(ds.format == parts[0].format for ds in parts) else {}
    indices = None
    if any(ds._indices is not None for ds in parts):
        if axis == 1:
            indices = parts[0]._indices if len(parts) == 1 else None
            parts = parts if len(parts) == 1 else [ds.flatten_indices() for ds in parts]
        else:
            starts = [0, *accumulate(len(ds._data) for ds in parts)]
            indices = concat_tables(
                [_listed_rows(ds, start) for ds, start in zip(parts, starts, strict=False)]
            )
    if axis == 0:
        aligned = align_features([ds.features for ds in parts])
        # Maps, and the lists of objects that they are taken for, are one where they meet.
        maps = {name: of for ds in parts for name, of in ds.features.items() if has_pairs(of)}
        aligned = [
            Features({name: maps.get(name, of) for name, of in some.items()}) for some in aligned
        ]
        tables = [_aligned(ds, features, maps) for ds, features in zip(parts, aligned, strict=True)]
    else:
        aligned, tables = [ds.features for ds in parts], [ds._data for ds in parts]
    features = Features({name: one for some in aligned for name, one in some.items()})
    first, *rest = tables
    joined = first.joined(rest) if axis == 0 and rest and isinstance(first, FileTable) else None
    table = concat_tables(tables, axis=axis) if joined is None else joined
    missing = [name for name in features if name not in table.column_names]
    if not missing:
        table = with_features(table, features)
    made_info = info if info is not None else DatasetInfo.from_merge([ds.info for ds in parts])
    made_info = made_info.copy()
    made_info.features = Features({name: features[name] for name in table.column_names})
    name = update_fingerprint(
        "".join(ds._fingerprint for ds in datasets),
        "rowstream.concatenate",
        {"split": str(split), "axis": axis, "info": repr(info)},
    )
    result = parts[0]._own_class(
        table, info=made_info, split=split, indices_table=indices, fingerprint=name
    )
    if format:
        result.set_format(
            format["type"],
            format["columns"] if format["type"] else None,
            format["output_all_columns"],
            **format["format_kwargs"],
        )
        result._format_columns = parts[0]._format_columns
        result._fingerprint = name
    return result


def _listed_rows(ds: Any, start: int) -> Any:
    """Return the row indices of a dataset whose table begins at row `start` of the joined table.

    At `start` 0 they stay in the file that they are in.
    """
    schema = pa.schema({"indices": pa.uint64()})
    if ds._indices is None:
        return Table(
            pa.table([pa.array(np.arange(start, start + len(ds), dtype=np.uint64))], schema=schema)
        )
    named = ds._indices.rename_columns(schema.names).cast(schema)
    named.check()
    return (
        Table(
            pa.table([pc.add(named.table.column(0), pa.scalar(start, pa.uint64()))], schema=schema)
        )
        if start
        else named
    )


def interleave_map_style(
    datasets: list[Any],
    probabilities: Any,
    seed: int | None,
    info: Any,
    split: Any,
    stopping_strategy: str,
) -> Any:
    """Interleave map-style datasets, with the random draws of `datasets.interleave_datasets`."""
    if stopping_strategy not in STRATEGIES:
        raise InvalidArgumentError(
            f"{stopping_strategy} is not supported. Please enter a valid stopping_strategy:"
            f" {', '.join(STRATEGIES)}."
        )
    whole = concatenate_map_style(datasets, info, split)
    lengths = np.array([len(ds) for ds in datasets])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    if probabilities is None:
        if stopping_strategy == "first_exhausted":
            rows = (starts.reshape(1, -1) + np.arange(lengths.min()).reshape(-1, 1)).reshape(-1)
        elif stopping_strategy == "all_exhausted":
            rows = (
                np.arange(lengths.max()).reshape(-1, 1) % lengths.reshape(1, -1) + starts
            ).reshape(-1)
        else:
            turns = np.arange(lengths.max()).reshape(-1, 1)
            rows = (turns + starts)[np.broadcast_to(turns < lengths, (len(turns), len(lengths)))]
        return whole.select(rows)
    return whole.select(draw_rows(lengths, starts, probabilities, seed, stopping_strategy))


def draw_rows(
    lengths: Any, starts: Any, probabilities: Any, seed: int | None, stopping_strategy: str
) -> np.ndarray[Any, Any]:
    """Return the positions of the drawn rows, drawn a thousand at a time as `datasets` does."""
    n = len(lengths)
    chances = np.asarray(probabilities, dtype=np.float64)
    drawable = chances > 0
    if stopping_strategy != "all_exhausted_without_replacement":
        if empty := [i for i in range(n) if not lengths[i] and drawable[i]]:
            raise InvalidArgumentError(
                "interleave_datasets with probabilities requires every dataset that can be sampled"
                f" (probability > 0) to be non-empty; datasets at indices {empty} are empty."
            )
        if stopping_strategy == "all_exhausted" and not drawable.all():
            raise InvalidArgumentError(
                'interleave_datasets with stopping_strategy="all_exhausted" cannot exhaust a'
                " dataset that is never sampled; datasets at indices"
                f" {np.flatnonzero(~drawable).tolist()} have probability 0."
            )
    generator = np.random.default_rng(seed)
    blocks: list[Any] = []
    counts = np.zeros(n, dtype=np.int64)
    ends = any if stopping_strategy == "first_exhausted" else all
    while not ends((counts >= lengths)[drawable].tolist()):
        block = generator.choice(n, size=1000, p=probabilities)
        blocks.append(block)
        counts += np.bincount(block, minlength=n)
    draws = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int64)
    of = [np.flatnonzero(draws == i) for i in range(n)]
    if stopping_strategy == "all_exhausted_without_replacement":
        rows = np.full(len(draws), -1, dtype=np.int64)
        for i, places in enumerate(of):
            rows[places[: lengths[i]]] = starts[i] + np.arange(min(lengths[i], len(places)))
        return rows[rows >= 0]
    last = [
        places[lengths[i] - 1]
        for i, places in enumerate(of)
        if drawable[i] and len(places) >= lengths[i]
    ]
    stop = (min(last) if stopping_strategy == "first_exhausted" else max(last)) + 1
    rows = np.empty(stop, dtype=np.int64)
    for i, places in enumerate(of):
        some = places[places < stop]
        rows[some] = np.arange(len(some)) % lengths[i] + starts[i] if lengths[i] else 0
    return rows
