"""What a loader makes of its arguments: the stream that it reads, and where functions run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from rowstream.dataset.convert import of_formatted_columns, transformed
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.formatting.streams import TABLES
from rowstream.ops.pool import Pool
from rowstream.utils.arguments import check_number

AUTO_THREADS = min(32, 4 * (os.cpu_count() or 1) + 4)
"""The most threads where their number is found by trying."""


def stream_of(dataset: Any, *, shuffle: bool, seed: int) -> IterableDataset:
    """Return the stream that a loader reads.

    Raises:
        InvalidArgumentError: It is no dataset, or a stream that is to be shuffled.
        UnsupportedError: The rows are in batches already.
    """
    if isinstance(dataset, Dataset):
        dataset = of_formatted_columns(dataset)
        if dataset._format_type == "custom" and dataset._format_columns is not None:
            raise UnsupportedError(
                "DataLoader: set_transform() with columns= and output_all_columns= is of a part of"
                " the columns, which streams do not have: select_columns() first, and no columns="
            )
        stream: IterableDataset = dataset.with_format(None).to_iterable_dataset()
        stream = stream.shuffle(seed=seed, buffer_size=None) if shuffle else stream
        result: IterableDataset = transformed(stream, dataset)
        return result
    if not isinstance(dataset, IterableDataset):
        raise InvalidArgumentError(
            "DataLoader: a dataset is a Dataset or an IterableDataset of rowstream, found"
            f" {type(dataset).__name__}"
            + (f" with the splits {list(dataset)}: take one" if isinstance(dataset, dict) else "")
        )
    if shuffle:
        raise InvalidArgumentError(
            "DataLoader: a stream shuffles itself: ds.shuffle(seed=…, buffer_size=…)"
        )
    if dataset._plan.grouped:
        raise UnsupportedError("DataLoader: the rows are in batches already: leave out batch()")
    return dataset


def with_rows_of(stream: IterableDataset, dataset: Any) -> IterableDataset:
    """Return the stream of a loader with rows as the dataset gives them; tables are Python objects.

    Raises:
        UnsupportedError: The format of a map-style dataset has options, which streams have not.
    """
    if not isinstance(dataset, Dataset) or dataset._format_type in (None, "custom"):
        return stream.with_format(None) if stream._format in TABLES else stream
    if dataset._format_kwargs:
        raise UnsupportedError(
            "DataLoader: collate_fn= takes rows of a format without options, found"
            f" {dataset._format_kwargs}: with_format({dataset._format_type!r}), and convert in"
            " collate_fn"
        )
    return stream.with_format(None if dataset._format_type in TABLES else dataset._format_type)


def unknown(names: Iterable[str], loader: type) -> str:
    """Return what is wrong with arguments that a loader does not have."""
    said = []
    for name in names:
        near = get_close_matches(name, inspect.signature(loader).parameters, 1, 0.8)
        said.append(name + (f" (is it {near[0]}?)" if near else ""))
    return (
        f"DataLoader: there is no argument {', '.join(said)}: batches are made in this process, on"
        " the threads of the core, so there are no workers (num_threads= and num_proc= are for"
        " Python functions), and a stream shuffles and splits itself"
    )


def rows_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of columns."""
    names = [*columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def pool_of(num_threads: int | str, num_proc: int) -> Pool | None:
    """Return where a function is called; `None` for the thread that makes batches.

    Args:
        num_threads: The number of threads; `"auto"` for as many as may be of use.
        num_proc: The number of processes.

    Raises:
        InvalidArgumentError: There are both threads and processes.
    """
    if num_threads == "auto":
        # Also for functions that wait.
        num_threads = AUTO_THREADS
    num_threads = check_number("num_threads", num_threads)
    check_number("num_proc", num_proc)
    if num_threads and num_proc:
        raise InvalidArgumentError("DataLoader: give num_threads or num_proc, not both")
    if num_proc:
        return Pool("processes", num_proc, ahead_of_each=2)
    return Pool("threads", num_threads, ahead_of_each=2) if num_threads else None
