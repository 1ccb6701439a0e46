"""The requested splits, as map-style datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.dataset.map_style.concatenate import concatenate_map_style
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.map_style.dataset_dict import DatasetDict
from rowstream.prepare.files import prepare_request
from rowstream.splits.names import named
from rowstream.splits.select import parts_of, splits_used

if TYPE_CHECKING:
    from rowstream.resolve.request import Request
    from rowstream.splits.instruction import Instruction


def load_prepared(
    request: Request,
    split: Any,
    cache_dir: Any,
    keep_in_memory: bool | None,
    mode: Any = None,
    checks: Any = None,
) -> Any:
    """Return the requested splits as map-style datasets."""
    there = list(request.found.files)
    names = there if split is None else splits_used(there, split)
    result = prepare_request(Dataset, request, names, cache_dir, keep_in_memory, mode, checks)
    return chosen_splits(result, split, there)


def chosen_splits(
    made: dict[str, Any], split: Any, there: list[str] | None = None
) -> DatasetDict | Dataset | list[Dataset]:
    """Return the requested splits of map-style datasets, whole, sliced or joined; all if `None`."""
    if split is None:
        return DatasetDict(made)
    there = list(made) if there is None else there
    splits_used(there, split)

    def part(one: Any, parts: list[Instruction]) -> Dataset:
        some = []
        for instruction in parts:
            for name in there if instruction.split == "all" else [instruction.split]:
                ds = made[name]
                if instruction.sliced:
                    start, stop = instruction.rows(len(ds))
                    ds = ds.select(range(start, max(start, stop)))
                some.append(ds)
        ds = some[0] if len(some) == 1 else concatenate_map_style(some, some[0].info)
        return ds._copy(_split=named(str(one)))

    result = [part(one, parts) for one, parts in parts_of(split)]
    return result if isinstance(split, (list, tuple)) else result[0]
