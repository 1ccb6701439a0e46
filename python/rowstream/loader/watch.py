"""How long a loop waits for its batches, and how long it works on them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from time import perf_counter
from typing import Any, NamedTuple

from rowstream import _core


class Watch:
    """The times and the numbers of the batches of a loop, since it was made or `reset`.

    Attributes:
        batches: The number of batches.
        rows: The number of their rows.
        bytes: The bytes of their tensors.
        waited: The seconds that the loop waited for them.
        worked: The seconds between a batch and the next call.
        stages: The seconds of what makes batches, by its name, in whichever thread it runs.
        asked: When the loop began to wait for a batch; `None` while it does not.
        stage: What makes batches now.
        own: What the loop does itself while it waits, if it does something.
        collating: The number of batches that threads or processes collate.
    """

    def __init__(self) -> None:
        self.asked: float | None = None
        self.stage = "read"
        self.own: str | None = None
        self.collating = 0
        self.reset()

    def reset(self) -> None:
        """Forget what was counted before."""
        self.batches = self.rows = self.bytes = 0
        # When the batch that the loop works on was given; `None` while it waits, and at the end.
        self._given: float | None = None
        self.waited = self.worked = 0.0
        self.stages: dict[str, float] = {}
        self._before = _core.activity()

    def given(self, rows: int, size: int) -> None:
        """Count a batch of so many rows, of so many bytes."""
        self.batches += 1
        self.rows += rows
        self.bytes += size

    def handed(self, batches: int) -> None:
        """Note how many batches threads or processes collate."""
        self.collating = batches

    def each(self, stage: str, items: Iterator[Any]) -> Generator[Any, None, None]:
        """Yield items, and note how long a stage takes to give them."""
        while True:
            began, outer = perf_counter(), self.stage
            self.stage = stage
            item = next(items, None)
            self.stage = outer
            self.took(stage, began)
            if item is None:
                return
            yield item

    def took(self, stage: str, began: float) -> None:
        """Note that a stage worked from a moment until now."""
        self.stages[stage] = self.stages.get(stage, 0.0) + perf_counter() - began

    def over(self, batches: Iterator[Any]) -> Generator[Any, None, None]:
        """Yield batches, and note their times."""
        while True:
            self.asked = asked = perf_counter()
            try:
                batch = next(batches, _END)
            finally:
                self.asked = None
            given = perf_counter()
            self.waited += given - asked
            if batch is _END:
                return
            self._given = given
            try:
                yield batch
            finally:
                self.worked += perf_counter() - given
                self._given = None

    def activity(self) -> dict[str, int]:
        """Return what the core did since then, in the whole process."""
        return {name: n - self._before[name] for name, n in _core.activity().items()}

    def left(self, batches: int) -> float | None:
        """Return the seconds that so many batches will take, beside the step of now; `None` if no
        step was finished yet.
        """
        in_step = self._given is not None
        finished = self.batches - in_step
        each = (self.waited + self.worked) / finished if finished else None
        return None if each is None else (batches + in_step) * each

    def stats(self) -> dict[str, float]:
        """Return the numbers, and what follows from them; rates are 0 before the first batch."""
        worked = self.worked + (0 if self._given is None else perf_counter() - self._given)
        seconds = self.waited + worked
        per = 1 / seconds if seconds else 0.0
        return {
            "batches": self.batches,
            "rows": self.rows,
            "bytes": self.bytes,
            "seconds": seconds,
            "waited_seconds": self.waited,
            "worked_seconds": worked,
            "waited_share": self.waited * per,
            "rows_per_second": self.rows * per,
            "megabytes_per_second": self.bytes * per / 1e6,
            **self.activity(),
        }


# What a user's function made of rows may be `None`.
_END = object()


class Made(NamedTuple):
    """A batch.

    Attributes:
        batch: What is given.
        state: The state of the stream after it.
        rows, size: Its rows, and its bytes.
    """

    batch: Any
    state: Any
    rows: int
    size: int


def rows_in(batch: Any, size: int) -> int:
    """Return the number of rows in columns; `size` if they do not show how many they have."""
    if isinstance(batch, dict):
        batch = next(iter(batch.values()), ())
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else size
    return len(batch) if isinstance(batch, (list, tuple)) else size
