"""A loader for Keras, with any of its backends, which resumes at the next batch."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any

from rowstream.exceptions import InvalidArgumentError
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

    def __len__(self) -> int:
        """Return the number of batches of an epoch: the `steps_per_epoch` of `fit`.

        Raises:
            TypeError: The number of rows is not known before they are read.
        """
        return len(self._loader)

    def batches(self) -> Generator[tuple[Any, ...], None, None]:
        """Yield the batches after those that the model was trained on, epoch after epoch.

        Each `fit` takes a new one.

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
        self._ahead.clear()
        self._loader.load_state_dict(self._place)
        resumed = self._place.get("batches", 0) > 0
        while True:
            given = False
            for batch in self._loader:
                given = True
                self._ahead.append(self._loader.state_dict())
                yield tuple(_columns(batch, part) for part in self._parts)
            # What was left of an epoch may be nothing.
            if not given and not resumed:
                raise InvalidArgumentError("KerasLoader: the dataset has no rows for this process")
            resumed = False

    def callback(self, path: str | None = None, every: int = 1) -> Any:
        """Return a callback of Keras that moves the place after each step of the training.

        Args:
            path: A file that the place is written to, as JSON, if there is to be one.
            every: After how many batches it is written: the `save_freq` of the callback that saves
                the model, after which it stands in the list of callbacks. It is also written at the
                end of each epoch.

        Returns:
            A `keras.callbacks.Callback`.

        Raises:
            ImportError: Keras is not installed.
            InvalidArgumentError: `every` is not positive.
        """
        from keras.callbacks import Callback

        check_number("every", every, least=1)
        moved, written = self._moved, self._written

        class Place(Callback):  # type: ignore[misc]
            """Moves the place of the loader."""

            def on_epoch_begin(self, *_: Any, **__: Any) -> None:
                """Count the batches of an epoch from its first one."""
                self.batches = 0

            def on_train_batch_end(self, batch: int, *_: Any, **__: Any) -> None:
                """Count a batch, or as many as one execution had."""
                before, self.batches = self.batches, batch + 1
                moved(self.batches - before)
                if path is not None and before // every != self.batches // every:
                    written(path)

            def on_epoch_end(self, *_: Any, **__: Any) -> None:
                """Write the place that the next epoch begins at."""
                if path is not None:
                    written(path)

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
            self.load_state_dict(json.load(file))

    def _moved(self, batches: int) -> None:
        for _ in range(min(batches, len(self._ahead))):
            self._place = self._ahead.popleft()

    def _written(self, path: str) -> None:
        with atomic_file(path) as file:
            file.write(json.dumps(self._place).encode())


def _columns(batch: dict[str, Any], names: str | Sequence[str]) -> Any:
    """Return a column of a batch, or a dict of several."""
    several = (names,) if isinstance(names, str) else names
    if missing := [name for name in several if name not in batch]:
        raise InvalidArgumentError(f"KerasLoader: there is no column {missing}, but {[*batch]}")
    return batch[names] if isinstance(names, str) else {name: batch[name] for name in names}
