"""Loading what is read in Python: map-style datasets and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.dataset.combine import concatenate_datasets
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.dataset.splits import chosen_splits, load_prepared
from rowstream.exceptions import UnsupportedError
from rowstream.packaged.folders import folder_datasets
from rowstream.packaged.reading import Reading, rows_of
from rowstream.prepare.files import describe
from rowstream.resolve.formats import MEDIA
from rowstream.splits.instruction import instructions
from rowstream.splits.select import check_splits, splits_used

if TYPE_CHECKING:
    from rowstream.resolve.request import Request


def load_packaged(
    request: Request,
    split: Any,
    *,
    streaming: bool,
    cache_dir: Any,
    keep_in_memory: bool | None,
    mode: Any = None,
) -> Any:
    """Return the requested splits of files that are read in Python."""
    found = request.found
    there = list(found.files)
    if found.format in MEDIA:
        result = folder_datasets(
            found.format,
            found.files,
            request.how.options,
            request.declared,
            found.places.access,
        )
        describe(result, found)
        if not streaming:
            return chosen_splits(result, split, there)
        if split is not None and _is_sliced(split):
            chosen: Any = chosen_splits(result, split, there)
            return (
                [one.to_iterable_dataset() for one in chosen]
                if isinstance(chosen, list)
                else chosen.to_iterable_dataset()
            )
        return _chosen_streams(
            {one: ds.to_iterable_dataset() for one, ds in result.items()}, split, there
        )
    if not streaming:
        return load_prepared(request, split, cache_dir, keep_in_memory, mode)
    if split is not None and _is_sliced(split):
        raise UnsupportedError(
            f"a part of a split of {found.format} needs the number of its rows, which is known"
            " after reading them: use take and skip, or a map-style data set"
        )
    reading = Reading.of(request, there if split is None else splits_used(there, split))
    return _chosen_streams(
        {
            one: IterableDataset.from_generator(
                rows_of,
                features=reading.features,
                gen_kwargs=reading.arguments(one, versions=False),
                split=one,
                deterministic=True,
            )
            for one in reading.sources
        },
        split,
        there,
    )


def _is_sliced(split: Any) -> bool:
    several = split if isinstance(split, (list, tuple)) else [split]
    return any(instructions(str(one)) for one in several)


def _chosen_streams(made: dict[str, Any], split: Any, there: list[str]) -> Any:
    if split is None:
        return IterableDatasetDict(made)

    def one(name: str) -> Any:
        parts = there if name == "all" else [part.strip() for part in name.split("+")]
        parts = check_splits(parts, there)
        return made[parts[0]] if len(parts) == 1 else concatenate_datasets([made[p] for p in parts])

    several = list(split) if isinstance(split, (list, tuple)) else [split]
    chosen = [one(str(name)) for name in several]
    return chosen if isinstance(split, (list, tuple)) else chosen[0]
