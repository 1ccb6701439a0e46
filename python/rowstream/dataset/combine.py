"""Streams together: one after another, beside each other, or mixed."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.dataset.iterable import IterableDataset
from rowstream.dataset.sources import Chained, Mixed, Part, Source, SourcePlan, Zipped
from rowstream.exceptions import InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features import Features
from rowstream.info import DatasetInfo
from rowstream.plan import Plan, Segment, op_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_STRATEGIES = ("first_exhausted", "all_exhausted", "all_exhausted_without_replacement")


def interleave_datasets(
    datasets: Sequence[IterableDataset],
    probabilities: Sequence[float] | None = None,
    seed: int | None = None,
    info: Any = None,
    split: Any = None,
    stopping_strategy: str = "first_exhausted",
) -> IterableDataset:
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
    parts = _checked("interleave_datasets", datasets)
    if stopping_strategy not in _STRATEGIES:
        raise InvalidArgumentError(f"stopping_strategy is one of {', '.join(_STRATEGIES)}, found {stopping_strategy!r}")
    chances = None
    if probabilities is not None:
        chances = tuple(float(p) for p in probabilities)
        if len(chances) != len(parts) or any(p < 0 for p in chances) or abs(sum(chances) - 1) > 1e-6:
            raise InvalidArgumentError(f"probabilities: expected {len(parts)} numbers that add up to 1, found {list(chances)}")
        seed = int.from_bytes(os.urandom(4)) if seed is None else seed
    features = _joined([ds.features for ds in parts])
    names = None if features is None else tuple(features)
    return _over(Mixed(tuple(map(_part, parts)), chances, stopping_strategy, seed, names), parts, features, info, split)


def concatenate_datasets(dsets: Sequence[IterableDataset], info: Any = None, split: Any = None, axis: int = 0) -> IterableDataset:
    """Several streams as one: their rows one after another, or their columns beside each other if `axis` is 1.

    Streams of files of one format are one listing, so that a shuffle afterwards mixes the rows of all. A column that some lack is
    null there.

    Example:
        >>> both = concatenate_datasets([old, new]).shuffle(seed=1)
    """
    parts = _checked("concatenate_datasets", dsets)
    if axis not in (0, 1):
        raise InvalidArgumentError(f"axis is 0 for rows or 1 for columns, found {axis!r}")
    if axis == 1:
        names = [name for ds in parts for name in ds.column_names or ()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidArgumentError(f"concatenate_datasets(axis=1): more than one data set has the columns {twice}")
        known = [ds.features for ds in parts]
        beside = Features({name: of for one in known for name, of in one.items()}) if None not in known else None  # type: ignore[union-attr]
        every = None if beside is None else tuple(beside)
        return _over(Zipped(tuple(map(_part, parts)), every), parts, beside, info, split)
    features = _joined([ds.features for ds in parts])
    plan = _listed([ds._plan for ds in parts]) if len({ds._consumer for ds in parts}) == 1 else None
    if plan is not None:
        return parts[0]._with(plan, _info=_info(parts, info), _split=split or parts[0].split)
    names_ = None if features is None else tuple(features)
    return _over(Chained(tuple(map(_part, parts)), names_), parts, features, info, split)


def _checked(what: str, datasets: Any) -> list[IterableDataset]:
    parts = list(datasets)
    if not parts:
        raise InvalidArgumentError(f"{what} expects at least one data set")
    for ds in parts:
        if not isinstance(ds, IterableDataset):
            hint = "; pass its values" if isinstance(ds, dict) else ""
            raise InvalidArgumentError(f"{what} expects streams, found {type(ds).__name__}{hint}")
    return parts


def _part(ds: IterableDataset) -> Part:
    if ds._plan.batch is not None:
        raise UnsupportedError("batches are not mixed: mix the streams first, then batch")
    return Part(ds._plan, ds._consumer)


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
    try:
        scan = _core.join_scans([plan.scan for plan in plans])
    except (UnsupportedError, SchemaError):
        return None
    if all(plan.segments == (Segment(),) for plan in plans):
        return replace(first, scan=scan)
    ends = list(accumulate(len(plan.listing["pieces"]) for plan in plans))
    segments = []
    for plan, end in zip(plans, ends, strict=True):
        own = op_of("pieces", **{"from": end - len(plan.listing["pieces"]), "upto": end})
        segments += [replace(segment, ops=(own, *segment.ops)) for segment in plan.segments]
    return replace(first, scan=scan, segments=tuple(segments))


def _info(parts: list[IterableDataset], info: Any) -> DatasetInfo:
    return (
        info if isinstance(info, DatasetInfo) else replace(copy.copy(parts[0]._info), splits=None, download_size=None, size_in_bytes=None)
    )


def _over(source: Source, parts: list[IterableDataset], features: Features | None, info: Any, split: Any) -> IterableDataset:
    made = IterableDataset(SourcePlan(scan="", source=source), _info(parts, info), split or parts[0].split)
    return made._with(_known=features, _format=parts[0]._format)
