"""`DataLoader`: batches of a dataset, made ahead by a thread, with exact states."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError, UnsupportedError
from rowstream.loader.collate import Collate
from rowstream.utils.arguments import check_number


class DataLoader:
    """Batches of a dataset as tensors, made in this process.

    The core reads, decodes, tokenizes and shuffles on its own threads, so no worker process is
    needed, and none of the copies between processes. A thread has the next batches ready while a
    step runs. Each iteration is an epoch, and the next one has another order where the dataset
    shuffles.

    A batch is a dict with one tensor a column. Lists of different lengths are padded; beside
    `input_ids`, or what ends so, is always a column `attention_mask` with 1 for what is there.
    Texts and what else is no number stay lists.

    Args:
        dataset: A stream, or a map-style dataset. Its own format does not matter, but batches of
            `batch(n)` are refused.
        batch_size: The number of rows of a batch.
        shuffle: Shuffle all rows of a map-style dataset in each epoch. A stream shuffles itself:
            `ds.shuffle(seed=…, buffer_size=…)`.
        seed: The seed of `shuffle`.
        drop_last: Leave out a last batch that is shorter.
        collate: A function from a dict of columns, as the format `"numpy"` has them, to a batch;
            what is said above if `None`.
        format: `"torch"`, `"numpy"`, `"jax"`, `"mlx"` or `"tensorflow"`.
        padding: The value that fills up lists, by column: 0 if not given, and -100 for names that
            end in `labels`.
        masks: Names of masks for other columns of lists, such as `{"chosen_ids": "chosen_mask"}`.
        pad_to_multiple_of: Lists are filled up to a multiple of it.
        prefetch: The number of batches that are made ahead; 0 makes each when it is asked for.
        pin_memory: Put tensors of torch into memory that is copied to a GPU without waiting.

    Raises:
        InvalidArgumentError: An argument makes no sense.
        UnsupportedError: The rows are in batches already.

    Example:
        >>> ds = Dataset.from_dict({"input_ids": [[5, 6, 7], [8]], "label": [0, 1]})
        >>> for batch in rowstream.DataLoader(ds, batch_size=2, format="numpy"):
        ...     print(batch["input_ids"].tolist(), batch["attention_mask"].tolist(), batch["label"])
        [[5, 6, 7], [8, 0, 0]] [[1, 1, 1], [1, 0, 0]] [0 1]
    """

    def __init__(
        self,
        dataset: IterableDataset | Dataset,
        batch_size: int = 1,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        collate: Callable[[dict[str, Any]], Any] | None = None,
        format: str = "torch",
        padding: Mapping[str, Any] | None = None,
        masks: Mapping[str, str] | None = None,
        pad_to_multiple_of: int = 1,
        prefetch: int = 2,
        pin_memory: bool = False,
        **others: Any,
    ) -> None:
        if others:
            raise InvalidArgumentError(
                f"DataLoader: there is no argument {', '.join(others)}:"
                " batches are made in this process, on the threads of the core, so there are no"
                " workers; collate= takes columns, where collate_fn= of torch takes rows; and a"
                " stream shuffles and splits itself"
            )
        check_number("batch_size", batch_size, least=1)
        check_number("pad_to_multiple_of", pad_to_multiple_of, least=1)
        check_number("prefetch", prefetch)
        if pin_memory and format != "torch":
            raise InvalidArgumentError("DataLoader: pin_memory is for format='torch'")
        self._rows: int | None = None
        if isinstance(dataset, Dataset):
            self._rows = len(dataset)
            stream = dataset.with_format(None).to_iterable_dataset()
            stream = stream.shuffle(seed=seed, buffer_size=None) if shuffle else stream
        elif isinstance(dataset, IterableDataset):
            if shuffle:
                raise InvalidArgumentError(
                    "DataLoader: a stream shuffles itself: ds.shuffle(seed=…, buffer_size=…)"
                )
            stream = dataset
        else:
            raise InvalidArgumentError(
                "DataLoader: a dataset is a Dataset or an IterableDataset of rowstream, found"
                f" {type(dataset).__name__}"
            )
        if stream._plan.grouped:
            raise UnsupportedError("DataLoader: the rows are in batches already: leave out batch()")
        self.dataset = stream.with_format("numpy")
        self.batch_size, self.drop_last = batch_size, drop_last
        self._collate = (
            Collate(format, padding, masks, pad_to_multiple_of) if collate is None else collate
        )
        self._prefetch, self._pin = prefetch, pin_memory
        self._epoch = 0
        self._state: Any = None
        self._resumed: Any = None
        # That of the epoch that has ended, for others of its ranks.
        self._ended: dict[str, Any] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration, which its order depends on.

        A place that was loaded stays, if it is in that epoch.

        Args:
            epoch: The number of the epoch, from 0.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2]}), format="numpy")
            >>> loader.set_epoch(3)
            >>> loader.state_dict()["epoch"]
            3
        """
        if epoch != self._epoch:
            self._epoch, self._state, self._resumed, self._ended = epoch, None, None, None

    def __len__(self) -> int:
        """Return the number of batches of an epoch.

        Raises:
            TypeError: The number of rows is not known before they are read.
        """
        rows = self._rows if self._rows is not None else self.dataset._known_count()
        if rows is None:
            raise TypeError(
                "the number of rows of this stream is not known before they are read; ds.count()"
                " reads as little of it as can be"
            )
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of an epoch: of the next one, or the rest of that of a loaded state."""
        epoch, resumed, self._resumed = self._epoch, self._resumed, None
        self._state, self._ended = resumed, None
        made = self._made(epoch, resumed)
        batches = _ahead(made, self._prefetch) if self._prefetch else made
        try:
            for batch, state in batches:
                self._state = state
                yield batch
        finally:
            batches.close()
            made.close()
        self._ended = {**self.state_dict(), "ended": True}
        self._epoch, self._state = epoch + 1, None

    def _made(self, epoch: int, resumed: Any) -> Generator[tuple[Any, Any], None, None]:
        """Yield batches, and the states after them."""
        ds = copy.copy(self.dataset)
        ds.set_epoch(epoch)
        if resumed is not None:
            ds.load_state_dict(resumed)
        for columns in ds.iter(self.batch_size, self.drop_last):
            batch = self._collate(columns)
            yield (_pinned(batch) if self._pin else batch), ds.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """Return the place after the last batch that was given: plain data, for json or torch.save.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2, 3]}), format="numpy")
            >>> batches = iter(loader)
            >>> _ = next(batches)
            >>> state = loader.state_dict()
            >>> again = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2, 3]}), format="numpy")
            >>> again.load_state_dict(state)
            >>> [int(batch["a"][0]) for batch in again]
            [2, 3]
        """
        if self._ended is not None:
            return self._ended
        if self._state is None:
            # Before its first batch.
            start = copy.copy(self.dataset)
            start.set_epoch(self._epoch)
            self._state = start.state_dict()
        return {"rowstream.loader": 1, "epoch": self._epoch, "dataset": self._state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a place: the next iteration begins with the next batch.

        Args:
            state: What `state_dict` returned, of a loader of the same rows. `batch_size` may be
                another.

        Raises:
            CheckpointMismatchError: It is the state of something else.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2]}), format="numpy")
            >>> loader.load_state_dict(loader.state_dict())
        """
        if not isinstance(state, dict) or state.get("rowstream.loader") != 1:
            raise CheckpointMismatchError(
                "this is not the state of a DataLoader of rowstream: load it into what made it"
            )
        self._ended = None
        if state.get("ended"):
            self._epoch, self._state, self._resumed = state["epoch"] + 1, None, None
            self._ended = state
            return
        if state["dataset"] is not None:
            # Whether it is of these rows is told here, and not at the first batch.
            self.dataset.load_state_dict(state["dataset"])
        self._epoch, self._state, self._resumed = state["epoch"], state["dataset"], state["dataset"]


def _pinned(batch: Any) -> Any:
    if isinstance(batch, dict):
        return {name: _pinned(value) for name, value in batch.items()}
    return batch.pin_memory() if hasattr(batch, "pin_memory") else batch


_END = object()


def _ahead(items: Iterator[Any], most: int) -> Generator[Any, None, None]:
    """Yield items that a thread makes, so many ahead. An error comes where its item would."""
    waiting: queue.Queue[Any] = queue.Queue(most)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    thread = threading.Thread(target=work, name="rowstream.DataLoader", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
