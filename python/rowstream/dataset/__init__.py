"""The data sets that users hold."""

from rowstream.dataset.dicts import IterableDatasetDict
from rowstream.dataset.iterable import IterableDataset

__all__ = ["IterableDataset", "IterableDatasetDict"]
