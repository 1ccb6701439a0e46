"""The data sets that users hold."""

from rowstream.dataset.combine import concatenate_datasets, interleave_datasets
from rowstream.dataset.dicts import IterableDatasetDict
from rowstream.dataset.iterable import IterableDataset

__all__ = ["IterableDataset", "IterableDatasetDict", "concatenate_datasets", "interleave_datasets"]
