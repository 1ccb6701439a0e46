"""A loader for Keras, with any of its backends, which resumes at the next batch."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from threading import Lock
from typing import Any

from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError
from rowstream.loader.loader import DataLoader
from rowstream.utils.arguments import check_number
from rowstream.utils.atomic import atomic_file


class KerasLoader:
    """Batches for `model.fit`, and the place after those that the model was trained on.

    Keras takes batches ahead of the training, TensorFlow by a number that it chooses itself. So the
    place is moved by a callback, after each step.

    Args:
        dataset: A stream or a map-style dataset.
        batch_size: The number of rows of a batch.
        inputs: The column that the model is given, or several of them, as a dict.
        targets: The column or the columns that it is to predict, if there are any.
        weights: The column of the weights of the samples, if there is one.
        **options: As `rowstream.DataLoader` has them, such as `shuffle`, `drop_last` and `world`.

    Raises:
        InvalidArgumentError: An argument makes no sense.

    Example:
        >>> from rowstream.integrations.keras import KerasLoader
        >>> ds = Dataset.from_dict({"x": [1.0, 2.0, 3.0], "y": [0, 1, 0]})
        >>> loader = KerasLoader(ds, 2, inputs="x", targets="y")
        >>> len(loader)
        2
        >>> next(loader.batches())
        (array([1., 2.], dtype=float32), array([0, 1]))
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 32,
        *,
        inputs: str | Sequence[str],
        targets: str | Sequence[str] | None = None,
        weights: str | None = None,
        **options: Any,
    ) -> None:
        if options.setdefault("format", "numpy") != "numpy":
            raise InvalidArgumentError(
                f"KerasLoader: batches are of NumPy, which Keras converts, not"
                f" {options['format']!r}"
            )
        if weights is not None and targets is None:
            raise InvalidArgumentError("KerasLoader: weights belong to targets, and none are named")
        self._loader = DataLoader(dataset, batch_size, **options)
        self._parts = [inputs] if targets is None else [inputs, targets]
        self._parts += [] if weights is None else [weights]
        self._place = self._loader.state_dict()
        # After each batch that was given, and that the model was not trained on yet.
        self._ahead: deque[dict[str, Any]] = deque()
        # Which of the iterators is the one that counts, and which of the callbacks: the last one.
        self._iterators = self._callbacks = 0
        self._lock = Lock()

    def __len__(self) -> int:
        """Return the number of batches of an epoch: the `steps_per_epoch` of `fit`.

        Raises:
            TypeError: The number of rows is not known before they are read.
        """
        return len(self._loader)

    def batches(self) -> Generator[tuple[Any, ...], None, None]:
        """Yield the batches after those that the model was trained on, epoch after epoch.

        Each `fit` takes a new one, which ends those that were taken before.

        Yields:
            Tuples of the inputs, the targets and the weights, those that are named.

        Raises:
            InvalidArgumentError: A column is not there, or there are no rows.

        Example:
            >>> from rowstream.integrations.keras import KerasLoader
            >>> loader = KerasLoader(Dataset.from_dict({"x": [1, 2]}), 1, inputs="x")
            >>> batches = loader.batches()
            >>> [next(batches)[0].tolist() for _ in range(3)]
            [[1], [2], [1]]
        """
        with self._lock:
            self._iterators += 1
            return self._batches(self._iterators)

    def _batches(self, number: int) -> Generator[tuple[Any, ...], None, None]:
        batches: Iterator[Any] | None = None
        empty = 0
        while True:
            # Keras may still take batches for a `fit` that has ended.
            with self._lock:
                if number != self._iterators:
                    return
                if batches is None:
                    self._ahead.clear()
                    self._loader.load_state_dict(self._place)
                    batches = iter(self._loader)
                batch = next(batches, None)
                if batch is not None:
                    self._ahead.append(self._loader.state_dict())
            if batch is not None:
                empty = 0
                yield tuple(_columns(batch, part) for part in self._parts)
                continue
            # What was left of an epoch may be nothing.
            empty += 1
            if empty > 1:
                raise InvalidArgumentError(
                    "KerasLoader: the dataset has no rows for this process, or fewer than a batch"
                    " and drop_last=True"
                )
            batches = iter(self._loader)

    def callback(self, path: str | None = None, every: int | str = "epoch") -> Any:
        """Return a callback of Keras that moves the place after each step of the training.

        Of several, the one that was made last does.

        Args:
            path: A file that the place is written to, as JSON, if there is to be one.
            every: When: after so many batches, which are counted over epochs, or `"epoch"` for the
                end of each. It is the `save_freq` of the callback that saves the model, after which
                this one stands in the list of callbacks.

        Returns:
            A `keras.callbacks.Callback`.

        Raises:
            ImportError: Keras is not installed.
            InvalidArgumentError: `every` is not positive.
        """
        from keras.callbacks import Callback

        between = None if every == "epoch" else check_number("every", every, least=1)
        self._callbacks += 1
        loader, own = self, self._callbacks

        class Place(Callback):  # type: ignore[misc]
            """Moves the place of the loader."""

            seen = since = 0

            def on_epoch_begin(self, *_: Any, **__: Any) -> None:
                """Count the batches of an epoch from its first one."""
                self.seen = 0

            def on_train_batch_end(self, batch: int, *_: Any, **__: Any) -> None:
                """Count a batch, or as many as one execution had."""
                new, self.seen = batch + 1 - self.seen, batch + 1
                self.since += new
                if own == loader._callbacks:
                    loader._moved(new)
                if between is not None and self.since >= between:
                    # As Keras counts: from the last one that was written.
                    self.since = 0
                    loader._written(path)

            def on_epoch_end(self, *_: Any, **__: Any) -> None:
                """Write the place that the next epoch begins at."""
                if between is None:
                    loader._written(path)

        return Place()

    def state_dict(self) -> dict[str, Any]:
        """Return the place after the batches that the model was trained on: plain data.

        Example:
            >>> from rowstream.integrations.keras import KerasLoader
            >>> loader = KerasLoader(Dataset.from_dict({"x": [1, 2]}), 1, inputs="x")
            >>> loader.load_state_dict(loader.state_dict())
        """
        return self._place

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after a place: of this loader, or of a `DataLoader` of the same dataset.

        Args:
            state: A result of `state_dict`.

        Raises:
            CheckpointMismatchError: It is of another dataset, or no such place.
        """
        with self._lock:
            self._iterators += 1
            self._loader.load_state_dict(state)
            self._place = self._loader.state_dict()
            self._ahead.clear()

    def load(self, path: str) -> None:
        """Go on after the place in a file that the callback wrote.

        Args:
            path: The file.

        Raises:
            OSError: It cannot be read.
            CheckpointMismatchError: It is of another dataset, or no such place.
        """
        with open(path, encoding="utf-8") as file:
            try:
                state = json.load(file)
            except ValueError as error:
                raise CheckpointMismatchError(
                    f"{path} is no place that KerasLoader wrote: {error}"
                ) from error
        self.load_state_dict(state)

    def _moved(self, batches: int) -> None:
        for _ in range(min(batches, len(self._ahead))):
            self._place = self._ahead.popleft()

    def _written(self, path: str | None) -> None:
        if path is None:
            return
        with atomic_file(path) as file:
            file.write(json.dumps(self._place).encode())


def _columns(batch: dict[str, Any], names: str | Sequence[str]) -> Any:
    """Return a column of a batch, or a dict of several."""
    several = (names,) if isinstance(names, str) else names
    if missing := [name for name in several if name not in batch]:
        raise InvalidArgumentError(
            f"KerasLoader: there is no column {missing}; the columns are {[*batch]}"
        )
    return batch[names] if isinstance(names, str) else {name: batch[name] for name in names}
