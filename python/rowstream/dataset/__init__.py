"""Streams and map-style datasets."""

from typing import Any

from rowstream.dataset.combine import concatenate_datasets, interleave_datasets
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict


def _map_style() -> Any:
    from rowstream.dataset.map_style import Dataset

    return Dataset


IterableDataset._map_style_class = staticmethod(_map_style)

__all__ = ["IterableDataset", "IterableDatasetDict", "concatenate_datasets", "interleave_datasets"]
