"""The requested splits, as streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.dataset.combine import concatenate_datasets
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.resolve.planning import plan_of, plans_of
from rowstream.splits.instruction import Instruction, instructions
from rowstream.splits.select import check_splits, joined_splits, splits_together

if TYPE_CHECKING:
    from rowstream.info import DatasetInfo
    from rowstream.plan.plan import Plan
    from rowstream.resolve.data_files import ResolvedFiles
    from rowstream.resolve.options import ReadOptions
    from rowstream.resolve.request import Request


def load_streams(request: Request, split: Any) -> Any:
    """Return the requested splits as streams."""
    how, found, by_split_ = request.how, request.found, dict(request.found.files)
    if split is not None:
        several = split if isinstance(split, list) else [split]
        sliced_parts = {str(one): sliced for one in several if (sliced := instructions(str(one)))}
        if sliced_parts:
            result = {
                one: sliced_stream(how, parts, found, one) for one, parts in sliced_parts.items()
            }
            rest = [one for one in several if str(one) not in sliced_parts]
            by_split_ |= {
                one: [f for part in splits_together(one, list(by_split_)) for f in by_split_[part]]
                for one in joined_splits(rest)
            }
            names = check_splits(rest, list(by_split_)) if rest else []
            result |= {
                one: _stream(one, *plan_of(how, found, by_split_[one], one)) for one in names
            }
            return (
                [result[str(one)] for one in split]
                if isinstance(split, list)
                else result[str(split)]
            )
        # Splits together: "train+test", "all".
        by_split_ |= {
            one: [f for part in splits_together(one, list(by_split_)) for f in by_split_[part]]
            for one in joined_splits(split)
        }
    wanted = check_splits(split, list(by_split_))
    result = {
        one: _stream(one, *made_of)
        for one, made_of in plans_of(how, found, {one: by_split_[one] for one in wanted}).items()
    }
    if split is None:
        return IterableDatasetDict(result)
    return [result[one] for one in split] if isinstance(split, list) else result[wanted[0]]


def _stream(split: str, plan: Plan, info: DatasetInfo) -> IterableDataset:
    return IterableDataset(plan, info, split)


def sliced_stream(
    how: ReadOptions, parts: list[Instruction], found: ResolvedFiles, name: str
) -> IterableDataset:
    """Return a stream of parts of splits, one after another."""
    result, there = [], found.files
    for part in parts:
        names = list(there) if part.split == "all" else check_splits([part.split], list(there))
        plan, info = plan_of(how, found, [file for one in names for file in there[one]], name)
        if part.sliced:
            plan = plan.numbered()
            start, stop = part.rows(plan.core.rows(0) or 0)
            plan = plan.skip(start).take(max(0, stop - start))
        result.append(IterableDataset(plan, info, name))
    return result[0] if len(result) == 1 else concatenate_datasets(result, split=name)
