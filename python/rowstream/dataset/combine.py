"""Datasets combined: concatenated by rows or columns, or interleaved."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.exceptions import (
    CheckpointMismatchError,
    InvalidArgumentError,
    SchemaError,
    UnsupportedError,
)
from rowstream.features.align import leaves_open
from rowstream.features.features import Features
from rowstream.features.nested import LargeList, List
from rowstream.features.scalar import Value
from rowstream.info import DatasetInfo
from rowstream.plan.join import join_plans
from rowstream.streams.chain import Chain
from rowstream.streams.mixture import STRATEGIES, Mixture
from rowstream.streams.source import Part
from rowstream.streams.source_plan import SourcePlan
from rowstream.streams.zip import Zip


def interleave_datasets(
    datasets: Sequence[Any],
    probabilities: Sequence[float] | None = None,
    seed: int | None = None,
    info: Any = None,
    split: Any = None,
    stopping_strategy: str = "first_exhausted",
) -> Any:
    """Mix the rows of several datasets, in turn or drawn with probabilities.

    All are streams or all are map-style. Without shuffled streams, the draws and the end are those
    of `datasets` for the same seed. Shuffled streams are drawn in up to 64 independent sequences,
    so that the rows are the same for any number of workers and ranks.

    Args:
        datasets: The datasets.
        probabilities: The probability of each dataset; in turn if `None`.
        seed: The seed of the draws. A random one if `None`.
        info: The metadata of the result: a `DatasetInfo`.
        split: The name of the split of the result.
        stopping_strategy: `"first_exhausted"` ends with the first dataset that ends;
            `"all_exhausted"` when all have ended, while those that end earlier begin again;
            `"all_exhausted_without_replacement"` when all have ended, each row once.

    Returns:
        An `IterableDataset` or a `Dataset`, as the datasets are.

    Raises:
        InvalidArgumentError: There are no datasets, both kinds, or arguments have no such values.
        SchemaError: A column has types that do not go together.

    Example:
        >>> ones = IterableDataset.from_dict({"a": [1, 2]})
        >>> tens = IterableDataset.from_dict({"a": [10, 20]})
        >>> [row["a"] for row in interleave_datasets([ones, tens])]
        [1, 10, 2]
        >>> mixed = interleave_datasets([ones, tens], probabilities=[0.7, 0.3], seed=42)
    """
    map_style = _map_style("interleave", datasets)
    if map_style is not None:
        from rowstream.dataset.map_style.concatenate import interleave_map_style

        return interleave_map_style(map_style, probabilities, seed, info, split, stopping_strategy)
    parts = _checked("interleave_datasets", datasets)
    if stopping_strategy not in STRATEGIES:
        raise InvalidArgumentError(
            f"stopping_strategy is one of {', '.join(STRATEGIES)}, found {stopping_strategy!r}"
        )
    chances = None
    if probabilities is not None:
        chances = tuple(float(p) for p in probabilities)
        if (
            len(chances) != len(parts)
            or any(p < 0 for p in chances)
            or abs(sum(chances) - 1) > 1e-6
        ):
            raise InvalidArgumentError(
                f"probabilities: expected {len(parts)} numbers that add up to 1, found"
                f" {list(chances)}"
            )
        never = [i for i, chance in enumerate(chances) if chance == 0]
        if never and stopping_strategy == "all_exhausted":
            raise InvalidArgumentError(
                'stopping_strategy="all_exhausted" cannot exhaust a stream that is never sampled:'
                f" those at {never} have probability 0"
            )
        seed = int.from_bytes(os.urandom(4)) if seed is None else seed
    features = _resolved(parts)
    names = None if features is None else tuple(features)
    return _over(
        Mixture(tuple(map(_part, parts)), chances, stopping_strategy, seed, names),
        parts,
        features,
        info,
        split,
    )


def concatenate_datasets(
    dsets: Sequence[Any], info: Any = None, split: Any = None, axis: int = 0
) -> Any:
    """Concatenate datasets: their rows one after another, or their columns side by side.

    A shuffle of concatenated streams of one file format mixes the rows of all of them. A column
    that some of them lack is null there.

    Args:
        dsets: The datasets; all are streams or all are map-style.
        info: The metadata of the result: a `DatasetInfo`.
        split: The name of the split of the result.
        axis: 0 for rows, 1 for columns.

    Returns:
        An `IterableDataset` or a `Dataset`, as the datasets are.

    Raises:
        InvalidArgumentError: There are no datasets, both kinds, or columns with the same name.
        SchemaError: A column has types that do not go together.

    Example:
        >>> ones = IterableDataset.from_dict({"a": [1, 2]})
        >>> tens = IterableDataset.from_dict({"a": [10, 20]})
        >>> [row["a"] for row in concatenate_datasets([ones, tens])]
        [1, 2, 10, 20]
    """
    map_style = _map_style("concatenate", dsets)
    if map_style is not None:
        from rowstream.dataset.map_style.concatenate import concatenate_map_style

        return concatenate_map_style(map_style, info, split, axis)
    parts = _checked("concatenate_datasets", dsets)
    if axis not in (0, 1):
        raise InvalidArgumentError(f"axis is 0 for rows or 1 for columns, found {axis!r}")
    if axis == 1:
        known = [ds.features if ds.features is not None else _first_features(ds) for ds in parts]
        names = [
            name
            for ds, one in zip(parts, known, strict=True)
            for name in one or ds.column_names or ()
        ]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidArgumentError(
                f"concatenate_datasets(axis=1): more than one data set has the columns {twice}"
            )
        there = [one for one in known if one is not None]
        joined = Features({name: of for one in there for name, of in one.items()})
        beside = joined if len(there) == len(known) else None
        every = None if beside is None else tuple(beside)
        return _over(Zip(tuple(map(_part, parts)), every), parts, beside, info, split)
    features = _resolved(parts)
    plan = (
        join_plans([ds._plan for ds in parts]) if len({ds._consumer for ds in parts}) == 1 else None
    )
    if plan is not None:
        return parts[0]._with(plan, _info=_info(parts, info), _split=split or parts[0].split)
    names_ = None if features is None else tuple(features)
    return _over(Chain(tuple(map(_part, parts)), names_), parts, features, info, split)


def mixed_parts(
    what: str, datasets: Sequence[Any]
) -> tuple[tuple[Part, ...], list[IterableDataset], Features | None]:
    """Return streams as the parts of a mixture, themselves, and the columns of all."""
    streams = _checked(what, datasets)
    features = _resolved(streams)
    return tuple(map(_part, streams)), streams, features


def combined(
    source: Mixture, parts: list[IterableDataset], features: Features | None
) -> IterableDataset:
    """Return the stream of a mixture of streams."""
    return _over(source, parts, features, None, None)


def _map_style(what: str, datasets: Any) -> list[Any] | None:
    """Return the datasets if they are map-style, or `None` if they are streams.

    Raises:
        InvalidArgumentError: There are none, or both kinds, or dicts of them.
    """
    several = list(datasets)
    if not several:
        raise InvalidArgumentError(f"Unable to {what} an empty list of datasets.")
    kinds = []
    for i, ds in enumerate(several):
        kind = type(ds).__name__
        if isinstance(ds, dict):
            if not ds:
                raise InvalidArgumentError(
                    f"expected data sets; element at position {i} is an empty dataset dictionary."
                )
            raise InvalidArgumentError(
                f"Dataset at position {i} has at least one split: {list(ds)}\nPlease pick one to"
                f" {what} with the other datasets, for example: dataset['{next(iter(ds))}']"
            )
        if isinstance(ds, IterableDataset):
            kinds.append("stream")
        elif hasattr(ds, "_fingerprint") and hasattr(ds, "_indices"):
            kinds.append("map-style")
        else:
            raise InvalidArgumentError(
                "Expected a list of Dataset objects or a list of IterableDataset objects, but"
                f" element at position {i} is a {kind}."
            )
        if kinds[i] != kinds[0]:
            raise InvalidArgumentError(
                f"Unable to {what} a {type(several[0]).__name__} (at position 0) with a {kind} (at"
                f" position {i}). Expected a list of Dataset objects or a list of IterableDataset"
                " objects."
            )
    return several if kinds[0] == "map-style" else None


def _checked(what: str, datasets: Any) -> list[IterableDataset]:
    parts = list(datasets)
    if not parts:
        raise InvalidArgumentError(f"{what} expects at least one data set")
    for ds in parts:
        if not isinstance(ds, IterableDataset):
            hint = "; pass its values" if isinstance(ds, dict) else ""
            hint = "; ds.to_iterable_dataset() makes one" if hasattr(ds, "_indices") else hint
            raise InvalidArgumentError(f"{what} expects streams, found {type(ds).__name__}{hint}")
    for i, ds in enumerate(parts):
        if ds._rank != parts[0]._rank:
            raise InvalidArgumentError(
                "Datasets should be identically split_by_node before they are put together: the"
                f" one at index 0 is {_said(parts[0])}, the one at index {i} is {_said(ds)}"
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
            "a state was loaded into a part: put the streams together first, and load the state of"
            " what they make together"
        )
    return Part(ds._plan, ds._consumer)


def _resolved(parts: list[IterableDataset]) -> Features | None:
    """Return the features of all parts, declared or inferred from first rows as in `datasets`.

    `None` where they are not known: the first rows have no value, or their types differ from part
    to part.
    """
    known = [ds.features for ds in parts]
    found = [
        _first_features(ds) if features is None else features
        for ds, features in zip(parts, known, strict=True)
    ]
    if found == known:
        return _joined(known)
    try:
        return _joined(found)
    except SchemaError:
        _joined([features for features in known if features is not None])
        return None


_HEAD = 5  # rows that tell the types of a part, as in `datasets`


def _first_features(ds: IterableDataset) -> Features | None:
    """Return the types of the first rows of a stream; `None` if they are not clear."""
    import pyarrow as pa

    rows = list(islice(iter(ds.with_format(None)._with(_resume=None)), _HEAD))
    try:
        features = Features.from_arrow_schema(pa.Table.from_pylist(rows).schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    return None if "null" in repr(features) else features


def _joined(all_features: list[Features | None]) -> Features | None:
    """Return the union of the columns of all parts, if all are known."""
    result: dict[str, Any] = {}
    for features in all_features:
        if features is None:
            return None
        for name, feature in features.items():
            both = _both(result[name], feature) if name in result else feature
            if both is None:
                raise SchemaError(
                    f"the column {name!r} is {result[name]!r} in one data set and {feature!r} in"
                    " another: cast_column() makes them alike"
                )
            result[name] = both
    return Features(result)


def _both(one: Any, other: Any) -> Any:
    """Return the feature of the values of both, which one may leave open where it has none; `None`
    if they differ.
    """
    if leaves_open(one):
        return other
    if leaves_open(other) or _plain(one) == _plain(other):
        return one
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        parts = {name: _both(of, other[name]) for name, of in one.items()}
        return None if None in parts.values() else parts
    lists = (List, LargeList)
    if isinstance(one, lists) and isinstance(other, lists) and type(one) is type(other):
        item = _both(one.feature, other.feature)
        if item is not None and getattr(one, "length", None) == getattr(other, "length", None):
            return replace(one, feature=item)
    return None


_ALIKE = {
    "large_string": "string",
    "string_view": "string",
    "large_binary": "binary",
    "binary_view": "binary",
}


def _plain(feature: Any) -> Any:
    """Return a feature in a form that ignores whether its strings may be large."""
    if isinstance(feature, dict):
        return {name: _plain(of) for name, of in feature.items()}
    if isinstance(feature, Value):
        return _ALIKE.get(feature.dtype, feature.dtype)
    return repr(feature)


def _info(parts: list[IterableDataset], info: Any) -> DatasetInfo:
    return (
        info
        if isinstance(info, DatasetInfo)
        else replace(copy.copy(parts[0]._info), splits=None, download_size=None, size_in_bytes=None)
    )


def _over(
    source: Mixture | Chain | Zip,
    parts: list[IterableDataset],
    features: Features | None,
    info: Any,
    split: Any,
) -> IterableDataset:
    # Parts that are of one rank: the rank's part of them all together.
    ranks = {part.consumer for part in source.parts}
    if len(ranks) > 1 and isinstance(source, Zip):
        raise InvalidArgumentError(
            "concatenate_datasets(axis=1) of streams that are not identically split_by_node: their"
            " rows do not fit"
        )
    # What a rank took of its own part stays that.
    own = any(getattr(step, "among", 1) > 1 for part in source.parts for step in part.plan.steps)
    consumer = ranks.pop() if len(ranks) == 1 and not own else (0, 1)
    if consumer != (0, 1):
        source = replace(
            source, parts=tuple(replace(part, consumer=(0, 1)) for part in source.parts)
        )
    result = IterableDataset(
        SourcePlan(scan="", source=source), _info(parts, info), split or parts[0].split
    )
    # What some parts have decoded already, the others decode too; else it is done at the end.
    decoding: int | None = 0
    if any(ds._decoding is None or ds._partly is not None for ds in parts):
        plans = [ds.with_format(None)._decoded() for ds in parts]
        source = replace(
            source,
            parts=tuple(
                replace(part, plan=plan) for part, plan in zip(source.parts, plans, strict=True)
            ),
        )
        result, decoding = result._with(SourcePlan(scan="", source=source)), None
    return result._with(
        _known=features,
        _format=parts[0]._format,
        _decoding=decoding,
        _consumer=consumer,
        _rank=parts[0]._rank,
    )
