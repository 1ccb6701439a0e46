"""Streams together: one after another, beside each other, or mixed."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from rowstream import _core, fingerprint
from rowstream.dataset.dicts import DatasetDict, IterableDatasetDict
from rowstream.dataset.iterable import IterableDataset
from rowstream.dataset.sources import Chained, Mixed, Part, SourcePlan, Zipped
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features import Features
from rowstream.features.features import align_features, check_alignable
from rowstream.info import DatasetInfo
from rowstream.plan import Plan, Segment, op_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rowstream.access import Access

_STRATEGIES = ("first_exhausted", "all_exhausted", "all_exhausted_without_replacement")


def interleave_datasets(
    datasets: Sequence[Any],
    probabilities: Sequence[float] | None = None,
    seed: int | None = None,
    info: Any = None,
    split: Any = None,
    stopping_strategy: str = "first_exhausted",
) -> Any:
    """Rows of several streams, mixed: in turn, or drawn by probabilities.

    Over streams in the order of their files the draws and the end are those of `datasets` for the same seed. Over shuffled ones
    there are up to 64 sequences of draws, each with its own key, so that any number of workers and ranks has the same rows.

    Args:
        datasets: the streams.
        probabilities: how often each is drawn; in turn if `None`.
        seed: what the draws follow from; one is drawn, and kept, if it is `None`.
        info: what is known of the result.
        split: its name.
        stopping_strategy: `"first_exhausted"` ends with the first stream that ends; `"all_exhausted"` when all have ended, those
            that end before beginning again; `"all_exhausted_without_replacement"` when all have ended, each row once.

    Example:
        >>> mixed = interleave_datasets([web.shuffle(seed=1), code.shuffle(seed=2)], probabilities=[0.7, 0.3], seed=42)
    """
    map_style = _map_style("interleave", datasets)
    if map_style is not None:
        return interleave_map_style(map_style, probabilities, seed, info, split, stopping_strategy)
    parts = _checked("interleave_datasets", datasets)
    if stopping_strategy not in _STRATEGIES:
        raise InvalidArgumentError(f"stopping_strategy is one of {', '.join(_STRATEGIES)}, found {stopping_strategy!r}")
    chances = None
    if probabilities is not None:
        chances = tuple(float(p) for p in probabilities)
        if len(chances) != len(parts) or any(p < 0 for p in chances) or abs(sum(chances) - 1) > 1e-6:
            raise InvalidArgumentError(f"probabilities: expected {len(parts)} numbers that add up to 1, found {list(chances)}")
        never = [i for i, chance in enumerate(chances) if chance == 0]
        if never and stopping_strategy == "all_exhausted":
            raise InvalidArgumentError(
                f'stopping_strategy="all_exhausted" cannot exhaust a stream that is never sampled: those at {never} have probability 0'
            )
        seed = int.from_bytes(os.urandom(4)) if seed is None else seed
    features = _resolved(parts)
    names = None if features is None else tuple(features)
    return _over(Mixed(tuple(map(_part, parts)), chances, stopping_strategy, seed, names), parts, features, info, split)


def concatenate_datasets(dsets: Sequence[Any], info: Any = None, split: Any = None, axis: int = 0) -> Any:
    """Several streams as one: their rows one after another, or their columns beside each other if `axis` is 1.

    Streams of files of one format are one listing, so that a shuffle afterwards mixes the rows of all. A column that some lack is
    null there.

    Example:
        >>> both = concatenate_datasets([old, new]).shuffle(seed=1)
    """
    map_style = _map_style("concatenate", dsets)
    if map_style is not None:
        return concatenate_map_style(map_style, info, split, axis)
    parts = _checked("concatenate_datasets", dsets)
    if axis not in (0, 1):
        raise InvalidArgumentError(f"axis is 0 for rows or 1 for columns, found {axis!r}")
    if axis == 1:
        known = [ds.features if ds.features is not None else _first_features(ds) for ds in parts]
        names = [name for ds, one in zip(parts, known, strict=True) for name in one or ds.column_names or ()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidArgumentError(f"concatenate_datasets(axis=1): more than one data set has the columns {twice}")
        beside = Features({name: of for one in known for name, of in one.items()}) if None not in known else None  # type: ignore[union-attr]
        every = None if beside is None else tuple(beside)
        return _over(Zipped(tuple(map(_part, parts)), every), parts, beside, info, split)
    features = _resolved(parts)
    plan = _listed([ds._plan for ds in parts]) if len({ds._consumer for ds in parts}) == 1 else None
    if plan is not None:
        return parts[0]._with(plan, _info=_info(parts, info), _split=split or parts[0].split)
    names_ = None if features is None else tuple(features)
    return _over(Chained(tuple(map(_part, parts)), names_), parts, features, info, split)


def _map_style(what: str, datasets: Any) -> list[Any] | None:
    """The data sets, if they are map-style. Only what is already loaded can be that.

    Raises:
        InvalidArgumentError: there are none, or of both kinds, or dicts of them.
    """
    several = list(datasets)
    if not several:
        raise InvalidArgumentError(f"Unable to {what} an empty list of datasets.")
    kinds = []
    for i, ds in enumerate(several):
        kind = type(ds).__name__
        if isinstance(ds, (DatasetDict, IterableDatasetDict)):
            if not ds:
                raise InvalidArgumentError(f"expected data sets; element at position {i} is an empty dataset dictionary.")
            raise InvalidArgumentError(
                f"Dataset at position {i} has at least one split: {list(ds)}\nPlease pick one to {what} with the other datasets, for "
                f"example: dataset['{next(iter(ds))}']"
            )
        if isinstance(ds, IterableDataset):
            kinds.append("stream")
        elif hasattr(ds, "_fingerprint") and hasattr(ds, "_indices"):
            kinds.append("map-style")
        else:
            raise InvalidArgumentError(
                f"Expected a list of Dataset objects or a list of IterableDataset objects, but element at position {i} is a {kind}."
            )
        if kinds[i] != kinds[0]:
            raise InvalidArgumentError(
                f"Unable to {what} a {type(several[0]).__name__} (at position 0) with a {kind} (at position {i}). Expected a list of "
                "Dataset objects or a list of IterableDataset objects."
            )
    return several if kinds[0] == "map-style" else None


def _aligned(ds: Any, features: Features, maps: dict[str, Any]) -> Any:
    """The table of a data set with the types of features."""
    schema = features.arrow_schema
    if ds.features == features and all(ds._data.schema.field(name).type == schema.field(name).type for name in maps if name in features):
        return ds._data
    return ds._data.cast(schema)


def concatenate_map_style(datasets: list[Any], info: Any = None, split: Any = None, axis: int = 0) -> Any:
    """Map-style data sets as one: their rows one after another, or their columns beside each other if `axis` is 1."""
    from rowstream.arrow_writer import with_features
    from rowstream.dataset.in_place import ParquetTable
    from rowstream.dataset.map_style import Dataset
    from rowstream.features.raw import has_pairs
    from rowstream.table import concat_tables

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
            raise InvalidArgumentError(f"The table can't have duplicated columns but columns {twice} are duplicated.")
    format = parts[0].format if all(ds.format == parts[0].format for ds in parts) else {}
    indices = None
    if any(ds._indices is not None for ds in parts):
        if axis == 1:
            indices = parts[0]._indices if len(parts) == 1 else None
            parts = parts if len(parts) == 1 else [ds.flatten_indices() for ds in parts]
        else:
            starts = [0, *accumulate(len(ds._data) for ds in parts)]
            indices = concat_tables([_listed_rows(ds, start) for ds, start in zip(parts, starts, strict=False)])
    if axis == 0:
        aligned = align_features([ds.features for ds in parts])
        # Maps, and the lists of objects that they are taken for, are one where they meet.
        maps = {name: of for ds in parts for name, of in ds.features.items() if has_pairs(of)}
        aligned = [Features({name: maps.get(name, of) for name, of in some.items()}) for some in aligned]
        tables = [_aligned(ds, features, maps) for ds, features in zip(parts, aligned, strict=True)]
    else:
        aligned, tables = [ds.features for ds in parts], [ds._data for ds in parts]
    features = Features({name: one for some in aligned for name, one in some.items()})
    first, *rest = tables
    joined = first.joined(rest) if axis == 0 and rest and isinstance(first, ParquetTable) else None
    table = concat_tables(tables, axis=axis) if joined is None else joined
    missing = [name for name in features if name not in table.column_names]
    if not missing:
        table = with_features(table, features)
    made_info = info if info is not None else DatasetInfo.from_merge([ds.info for ds in parts])
    made_info = made_info.copy()
    made_info.features = Features({name: features[name] for name in table.column_names})
    name = fingerprint.update_fingerprint(
        "".join(ds._fingerprint for ds in datasets), "rowstream.concatenate", {"split": str(split), "axis": axis, "info": repr(info)}
    )
    made = Dataset(table, info=made_info, split=split, indices_table=indices, fingerprint=name)
    if format:
        made.set_format(
            format["type"], format["columns"] if format["type"] else None, format["output_all_columns"], **format["format_kwargs"]
        )
        made._format_columns = parts[0]._format_columns
        made._fingerprint = name
    return made


def _listed_rows(ds: Any, start: int) -> Any:
    """The list of rows of a data set whose table begins at `start`: where it begins first, the file of the list is kept."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from rowstream.table import Table

    schema = pa.schema({"indices": pa.uint64()})
    if ds._indices is None:
        return Table(pa.table([pa.array(np.arange(start, start + len(ds), dtype=np.uint64))], schema=schema))
    named = ds._indices.rename_columns(schema.names).cast(schema)
    named.check()
    return Table(pa.table([pc.add(named.table.column(0), pa.scalar(start, pa.uint64()))], schema=schema)) if start else named


def interleave_map_style(datasets: list[Any], probabilities: Any, seed: int | None, info: Any, split: Any, stopping_strategy: str) -> Any:
    """Map-style data sets, mixed, with the draws that `datasets` makes."""
    import numpy as np

    if stopping_strategy not in _STRATEGIES:
        raise InvalidArgumentError(
            f"{stopping_strategy} is not supported. Please enter a valid stopping_strategy: {', '.join(_STRATEGIES)}."
        )
    whole = concatenate_map_style(datasets, info, split)
    lengths = np.array([len(ds) for ds in datasets])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    if probabilities is None:
        if stopping_strategy == "first_exhausted":
            rows = (starts.reshape(1, -1) + np.arange(lengths.min()).reshape(-1, 1)).reshape(-1)
        elif stopping_strategy == "all_exhausted":
            rows = (np.arange(lengths.max()).reshape(-1, 1) % lengths.reshape(1, -1) + starts).reshape(-1)
        else:
            turns = np.arange(lengths.max()).reshape(-1, 1)
            rows = (turns + starts)[np.broadcast_to(turns < lengths, (len(turns), len(lengths)))]
        return whole.select(rows)
    return whole.select(_drawn(lengths, starts, probabilities, seed, stopping_strategy))


def _drawn(lengths: Any, starts: Any, probabilities: Any, seed: int | None, stopping_strategy: str) -> Any:
    """The rows that are drawn: a thousand draws at a time, as `datasets` draws them."""
    import numpy as np

    n = len(lengths)
    chances = np.asarray(probabilities, dtype=np.float64)
    drawable = chances > 0
    if stopping_strategy != "all_exhausted_without_replacement":
        if empty := [i for i in range(n) if not lengths[i] and drawable[i]]:
            raise InvalidArgumentError(
                "interleave_datasets with probabilities requires every dataset that can be sampled (probability > 0) to be non-empty; "
                f"datasets at indices {empty} are empty."
            )
        if stopping_strategy == "all_exhausted" and not drawable.all():
            raise InvalidArgumentError(
                'interleave_datasets with stopping_strategy="all_exhausted" cannot exhaust a dataset that is never sampled; datasets at '
                f"indices {np.flatnonzero(~drawable).tolist()} have probability 0."
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
    last = [places[lengths[i] - 1] for i, places in enumerate(of) if drawable[i] and len(places) >= lengths[i]]
    stop = (min(last) if stopping_strategy == "first_exhausted" else max(last)) + 1
    rows = np.empty(stop, dtype=np.int64)
    for i, places in enumerate(of):
        some = places[places < stop]
        rows[some] = np.arange(len(some)) % lengths[i] + starts[i] if lengths[i] else 0
    return rows


def _checked(what: str, datasets: Any) -> list[IterableDataset]:
    parts = list(datasets)
    if not parts:
        raise InvalidArgumentError(f"{what} expects at least one data set")
    for ds in parts:
        if not isinstance(ds, IterableDataset):
            hint = "; pass its values" if isinstance(ds, dict) else ""
            raise InvalidArgumentError(f"{what} expects streams, found {type(ds).__name__}{hint}")
    for i, ds in enumerate(parts):
        if ds._rank != parts[0]._rank:
            raise InvalidArgumentError(
                f"Datasets should be identically split_by_node before they are put together: the one at index 0 is {_said(parts[0])}, "
                f"the one at index {i} is {_said(ds)}"
            )
    return parts


def _said(ds: IterableDataset) -> str:
    if ds._rank is None:
        return "not split"
    rank, of, strategy = ds._rank
    return f"the part of rank {rank} of {of} by {strategy!r}"


def _part(ds: IterableDataset) -> Part:
    if ds._plan.batch is not None:
        raise UnsupportedError("batches are not mixed: mix the streams first, then batch")
    if ds._loaded() is not None:
        raise CheckpointMismatchError(
            "a state was loaded into a part: put the streams together first, and load the state of what they make together"
        )
    return Part(ds._plan, ds._consumer)


def _resolved(parts: list[IterableDataset]) -> Features | None:
    """The columns of all: as they are declared, or as the first rows of a part have them, as `datasets` finds them.

    `None` where some cannot be told: the first rows have no value, or types that differ from part to part.
    """
    known = [ds.features for ds in parts]
    found = [_first_features(ds) if features is None else features for ds, features in zip(parts, known, strict=True)]
    if found == known:
        return _joined(known)
    try:
        return _joined(found)
    except SchemaError:
        _joined([features for features in known if features is not None])
        return None


_HEAD = 5  # rows that tell the types of a part, as in `datasets`


def _first_features(ds: IterableDataset) -> Features | None:
    """The types of the first rows of a stream; `None` if they do not tell."""
    import pyarrow as pa

    rows = list(islice(iter(ds.with_format(None)._with(_resume=None)), _HEAD))
    try:
        features = Features.from_arrow_schema(pa.Table.from_pylist(rows).schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    return None if "null" in repr(features) else features


def _joined(all_features: list[Features | None]) -> Features | None:
    """The columns of all, if they are known."""
    made: dict[str, Any] = {}
    for features in all_features:
        if features is None:
            return None
        for name, feature in features.items():
            if name not in made or getattr(made[name], "dtype", None) == "null":
                made[name] = feature
            elif getattr(feature, "dtype", None) != "null" and _plain(made[name]) != _plain(feature):
                raise SchemaError(
                    f"the column {name!r} is {made[name]!r} in one data set and {feature!r} in another: cast_column() makes them alike"
                )
    return Features(made)


_ALIKE = {"large_string": "string", "string_view": "string", "large_binary": "binary", "binary_view": "binary"}


def _plain(feature: Any) -> Any:
    """A feature, where how long strings may be does not matter."""
    if isinstance(feature, dict):
        return {name: _plain(of) for name, of in feature.items()}
    dtype = getattr(feature, "dtype", None)
    return _ALIKE.get(dtype, dtype) if isinstance(dtype, str) else repr(feature)


def _listed(plans: list[Plan]) -> Plan | None:
    """One listing of several, if they are read alike; `None` if they are not."""
    first = plans[0]
    for plan in plans:
        alike = (plan.columns, plan.condition, plan.steps, plan.batch, plan.skipped) == (
            first.columns,
            first.condition,
            (),
            None,
            first.skipped,
        )
        if isinstance(plan, SourcePlan) or not alike or plan.cycle or plan.first or plan.condition is not None:
            return None
        if not _asked_alike(plan.access, first.access):
            return None
    try:
        scan = _core.join_scans([plan.scan for plan in plans])
    except (UnsupportedError, SchemaError):
        return None
    first = replace(first, held=tuple(content for plan in plans for content in plan.held))
    if all(plan.segments == (Segment(),) for plan in plans):
        return replace(first, scan=scan)
    ends = list(accumulate(len(plan.listing["pieces"]) for plan in plans))
    segments = []
    for plan, end in zip(plans, ends, strict=True):
        own = op_of("pieces", **{"from": end - len(plan.listing["pieces"]), "upto": end})
        segments += [replace(segment, ops=(own, *segment.ops)) for segment in plan.segments]
    return replace(first, scan=scan, segments=tuple(segments))


def _asked_alike(one: Access | None, other: Access | None) -> bool:
    """Whether files are asked for with the same credentials and settings."""
    if one is None or other is None:
        return one is other
    return one == other and (one.token, one.storage_options) == (other.token, other.storage_options)


def _info(parts: list[IterableDataset], info: Any) -> DatasetInfo:
    return (
        info if isinstance(info, DatasetInfo) else replace(copy.copy(parts[0]._info), splits=None, download_size=None, size_in_bytes=None)
    )


def _over(
    source: Mixed | Chained | Zipped, parts: list[IterableDataset], features: Features | None, info: Any, split: Any
) -> IterableDataset:
    # Parts that are of one rank: the rank's part of them all together.
    ranks = {part.consumer for part in source.parts}
    if len(ranks) > 1 and isinstance(source, Zipped):
        raise InvalidArgumentError("concatenate_datasets(axis=1) of streams that are not identically split_by_node: their rows do not fit")
    # What a rank took of its own part stays that.
    own = any(getattr(step, "among", 1) > 1 for part in source.parts for step in part.plan.steps)
    consumer = ranks.pop() if len(ranks) == 1 and not own else (0, 1)
    if consumer != (0, 1):
        source = replace(source, parts=tuple(replace(part, consumer=(0, 1)) for part in source.parts))
    made = IterableDataset(SourcePlan(scan="", source=source), _info(parts, info), split or parts[0].split)
    # What some parts have decoded already, the others decode too; else it is done at the end.
    decoding: int | None = 0
    if any(ds._decoding is None or ds._partly is not None for ds in parts):
        plans = [ds.with_format(None)._decoded() for ds in parts]
        source = replace(source, parts=tuple(replace(part, plan=plan) for part, plan in zip(source.parts, plans, strict=True)))
        made, decoding = made._with(SourcePlan(scan="", source=source)), None
    return made._with(_known=features, _format=parts[0]._format, _decoding=decoding, _consumer=consumer, _rank=parts[0]._rank)
