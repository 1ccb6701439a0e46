"""Datasets as sources of Grain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.distributed import split_dataset_by_node
from rowstream.exceptions import InvalidArgumentError
from rowstream.utils.arguments import check_number


def source(dataset: Any, *, epoch: int = 0) -> Any:
    """Return a dataset as a source of Grain, with rows of NumPy values.

    A stream becomes a `grain.IterDataset` with exact states, which are JSON, as Orbax wants them;
    Grain's worker processes divide its rows. A map-style dataset becomes a source for
    `grain.MapDataset.source` and `grain.DataLoader`, read one batch at a time.

    Args:
        dataset: A stream or a map-style dataset.
        epoch: The epoch of a stream, which its order depends on. Grain's own `repeat` gives the
            same order again.

    Raises:
        InvalidArgumentError: It is no dataset of ours.

    Example:
        >>> import grain
        >>> from rowstream.integrations.grain import source
        >>> ds = Dataset.from_dict({"x": [1, 2, 3]}).to_iterable_dataset()
        >>> [batch["x"].tolist() for batch in source(ds).batch(2)]
        [[1, 2], [3]]
    """
    if isinstance(dataset, Dataset):
        return RowSource(dataset)
    if not isinstance(dataset, IterableDataset):
        raise InvalidArgumentError(
            "source: a dataset is a Dataset or an IterableDataset of rowstream, found"
            f" {type(dataset).__name__}"
        )
    ds = dataset if dataset._format is not None else dataset.with_format("numpy")
    return _stream_source(ds, check_number("epoch", epoch))


class RowSource:
    """The rows of a map-style dataset, as Grain reads them: by number, and several at once."""

    def __init__(self, dataset: Dataset) -> None:
        self._rows = dataset if dataset.format["type"] else dataset.with_format("numpy")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        return self._rows[int(index)]

    def _getitems(self, indices: Sequence[int]) -> list[Any]:
        return self._rows.__getitems__([int(index) for index in indices])

    def __repr__(self) -> str:
        # Grain compares it with that of a checkpoint.
        return f"rowstream.Dataset({len(self)} rows, {self._rows._fingerprint})"


def _stream_source(dataset: IterableDataset, epoch: int) -> Any:
    """Return a stream as an `IterDataset`."""
    import grain

    class StreamIterator(grain.DatasetIterator):  # type: ignore[misc]
        """The rows of a stream, with its states."""

        def __init__(self, stream: IterableDataset) -> None:
            super().__init__()
            self._stream = stream
            self._rows: Any = None

        def __next__(self) -> Any:
            self._assert_not_closed()
            if self._rows is None:
                self._rows = iter(self._stream)
            return next(self._rows)

        def get_state(self) -> Any:
            return self._stream.state_dict()

        def set_state(self, state: Any) -> None:
            self._stream.load_state_dict(state)
            self._rows = None

    class StreamSource(grain.IterDataset):  # type: ignore[misc]
        """A stream as a source."""

        def __init__(self, stream: IterableDataset) -> None:
            super().__init__()
            self._stream = stream

        def __iter__(self) -> Any:
            stream = self._stream._copied()
            stream.set_epoch(epoch)
            return StreamIterator(stream)

        def set_slice(self, part: slice, sequential_slice: bool = False) -> None:  # noqa: ARG002
            # Of each worker process.
            self._stream = split_dataset_by_node(self._stream, part.start or 0, part.step or 1)

        def __reduce__(self) -> Any:
            """Return what pickle needs: the class is made anew in a worker process."""
            return _sliced, (self._stream, epoch)

    return StreamSource(dataset)


def _sliced(stream: IterableDataset, epoch: int) -> Any:
    return _stream_source(stream, epoch)
