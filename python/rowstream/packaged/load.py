"""Loading what is read in Python: map-style datasets and streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rowstream.dataset.combine import concatenate_datasets
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.splits import chosen_splits
from rowstream.exceptions import FileFormatError, SchemaError, UnsupportedError
from rowstream.packaged.base import Reader, Source, version
from rowstream.packaged.folders import folder_datasets
from rowstream.packaged.registry import reader_of
from rowstream.resolve.formats import MEDIA
from rowstream.splits.instruction import instructions
from rowstream.splits.names import named
from rowstream.splits.select import check_splits, splits_used
from rowstream.storage.urls import shown

if TYPE_CHECKING:
    from rowstream.features.features import Features
    from rowstream.resolve.request import Request


def load_packaged(
    request: Request, split: Any, *, streaming: bool, cache_dir: Any, keep_in_memory: bool | None
) -> Any:
    """Return the requested splits of files that are read in Python."""
    found = request.found
    access = found.places.access
    there = list(found.files)
    if found.format in MEDIA:
        made = folder_datasets(
            found.format, found.files, request.how.options, request.declared, access
        )
        result: dict[str, Any] = {
            one: _described(ds, one, found.format, found.label) for one, ds in made.items()
        }
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
    reader = reader_of(found.format).of(dict(request.how.options))
    used = there if split is None else splits_used(there, split)
    sources = {one: [Source(path, access) for path in found.files[one]] for one in used}
    every = [source for some in sources.values() for source in some]
    features = request.declared if request.declared is not None else reader.features(every)
    declared = request.declared if reader.columns is None else None
    if declared is not None and (there_are := reader.names_there(every)) is not None:
        if not any(name in there_are for name in declared):
            raise SchemaError(
                f"features= names the columns {[*declared]}, which are not there: the"
                f" columns are {there_are}"
            )
        reader = replace(reader, columns=[*declared])
    if streaming:
        if split is not None and _is_sliced(split):
            raise UnsupportedError(
                f"a part of a split of {found.format} needs the number of its rows, which is known"
                " after reading them: use take and skip, or a map-style data set"
            )
        return _chosen_streams(
            {one: _stream(reader, some, features, one) for one, some in sources.items()},
            split,
            there,
        )
    prepared = {
        one: _described(
            Dataset.from_generator(
                _rows,
                features=features,
                cache_dir=cache_dir,
                keep_in_memory=bool(keep_in_memory),
                gen_kwargs={
                    "units": reader.units(some),
                    "reader": (reader, tuple(map(version, some))),
                    "names": None if features is None else tuple(features),
                },
                split=one,
            ),
            one,
            found.format,
            found.label,
        )
        for one, some in sources.items()
    }
    return chosen_splits(prepared, split, there)


def _rows(
    units: list[Any], reader: tuple[Reader, tuple[str, ...]], names: tuple[str, ...] | None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of units, with the declared columns only."""
    for unit in units:
        try:
            for row in reader[0].rows(unit):
                yield row if names is None else {name: row.get(name) for name in names}
        except UnicodeDecodeError as error:
            raise FileFormatError(f"{_named(unit)}: it is not UTF-8: {error}") from error
        except Exception as error:
            # What a library says of a file seldom says which it is.
            if (name := _named(unit)) not in str(error):
                error.add_note(name)
            raise


def _named(unit: Any) -> str:
    """Return what a unit of a reader is called: the path of its file."""
    first = unit[0] if isinstance(unit, tuple) and unit else unit
    return shown(str(getattr(first, "path", first)))


def _stream(
    reader: Reader, sources: list[Source], features: Features | None, split: str
) -> IterableDataset:
    return IterableDataset.from_generator(
        _rows,
        features=features,
        gen_kwargs={
            "units": reader.units(sources),
            "reader": (reader, ()),
            "names": None if features is None else tuple(features),
        },
        split=split,
        deterministic=True,
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


def _described(ds: Any, split: str, format: str, label: str) -> Any:
    ds.info.builder_name, ds.info.dataset_name = format, label
    return ds._copy(_split=named(split))
