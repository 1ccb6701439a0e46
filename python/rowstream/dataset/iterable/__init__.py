"""`IterableDataset`: rows as a stream."""

from rowstream.dataset.iterable.dataset import IterableDataset

__all__ = ["IterableDataset"]
