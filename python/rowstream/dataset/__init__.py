"""The data sets that users hold."""

from rowstream.dataset.dicts import IterableDatasetDict
from rowstream.dataset.combine import concatenate_datasets, interleave_datasets
from rowstream.dataset.iterable import IterableDataset

__all__ = ["concatenate_datasets", "interleave_datasets", "IterableDataset", "IterableDatasetDict"]
