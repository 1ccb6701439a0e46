"""Rows of a stream at a steady rate, read ahead by a thread."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from inspect import GEN_RUNNING, getgeneratorstate
from typing import TYPE_CHECKING, Any, Self

from rowstream.exceptions import InvalidArgumentError
from rowstream.loader.ahead import Ahead
from rowstream.loader.given import stream_of
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset
    from rowstream.dataset.map_style.dataset import Dataset


@dataclass(frozen=True)
class StreamingConfig:
    """The settings of `StreamingPipeline`.

    Attributes:
        buffer_size: The most rows that are read ahead.
        chunk_size: The rows that are read at once, and at most given without a look at the clock.
        num_workers: 0 to read when a row is asked for; else a thread reads ahead. The core reads
            and decodes on threads of its own in either case.
        target_throughput: The rows that are given in a second at most; as many as can be if `None`.

    Raises:
        InvalidArgumentError: A number is out of its range.

    Example:
        >>> from rowstream.loader import StreamingConfig
        >>> StreamingConfig(target_throughput=500).chunk_size
        100
    """

    buffer_size: int = 1000
    chunk_size: int = 100
    num_workers: int = 1
    target_throughput: float | None = None

    def __post_init__(self) -> None:
        check_number("buffer_size", self.buffer_size, least=1)
        check_number("chunk_size", self.chunk_size, least=1)
        check_number("num_workers", self.num_workers)
        rate = self.target_throughput
        if rate is not None and not (isinstance(rate, (int, float)) and 0 < rate < float("inf")):
            raise InvalidArgumentError(
                f"target_throughput is a positive number of rows a second, not {rate!r}"
            )


class StreamingPipeline:
    """The rows of a dataset, read ahead, and given no faster than a rate.

    The rate is kept over the time since the first row, so that a late row is made up for; a pause
    of the loop of more than a second is not.

    Args:
        dataset: A stream, or a map-style dataset.
        config: The settings; those by default if `None`.
        clock: Return the seconds since some moment.
        sleep: Wait for so many seconds.

    Example:
        >>> from rowstream.loader import StreamingConfig, StreamingPipeline
        >>> ds = Dataset.from_dict({"x": [1, 2, 3]})
        >>> with StreamingPipeline(ds, StreamingConfig(chunk_size=2)) as rows:
        ...     print([row["x"] for row in rows])
        [1, 2, 3]
    """

    def __init__(
        self,
        dataset: IterableDataset | Dataset,
        config: StreamingConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.config = config or StreamingConfig()
        self.dataset = stream_of(dataset, shuffle=False, seed=0)
        self._clock, self._sleep = clock, sleep
        self._rows: Generator[Any, None, None] | None = None
        self._ahead: Ahead | None = None
        self._chunk = min(self.config.chunk_size, self.config.buffer_size)
        self._given, self._began = 0, 0.0

    def start(self) -> Self:
        """Begin to read; what was begun goes on.

        Example:
            >>> from rowstream.loader import StreamingPipeline
            >>> rows = StreamingPipeline(Dataset.from_dict({"x": [1]})).start()
            >>> next(iter(rows))
            {'x': 1}
            >>> rows.stop()
        """
        if self._rows is None:
            self._given, self._began = 0, self._clock()
            chunks = self._chunks()
            if self.config.num_workers:
                most = max(1, self.config.buffer_size // self._chunk)
                self._ahead = Ahead(chunks, self.config.buffer_size, len, most)
                self._ahead.start()
                chunks = self._ahead.items()
            self._rows = self._timed(chunks)
        return self

    def stop(self) -> None:
        """End reading; rows that were read ahead are dropped. The next `start` begins anew.

        Example:
            >>> from rowstream.loader import StreamingPipeline
            >>> rows = StreamingPipeline(Dataset.from_dict({"x": [1]})).start()
            >>> rows.stop()
            >>> list(rows)
            [{'x': 1}]
        """
        rows, self._rows = self._rows, None
        if rows is not None and getgeneratorstate(rows) != GEN_RUNNING:
            # What another thread is reading ends at its next row.
            rows.close()
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left, from the first one on if it was not started.

        Raises:
            Exception: What reading raised, after the rows before it.
        """
        self.start()
        rows = self._rows
        try:
            while rows is not None and rows is self._rows:
                row = next(rows, None)
                if row is None:
                    break
                yield row
        except BaseException:
            self.stop()
            raise
        else:
            self.stop()

    def __enter__(self) -> Self:
        """Begin to read, as `start` does."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """End reading, as `stop` does."""
        self.stop()

    def stats(self) -> dict[str, float]:
        """Return the rows that were given, those in a second, and those that are read ahead.

        Example:
            >>> from rowstream.loader import StreamingPipeline
            >>> StreamingPipeline(Dataset.from_dict({"x": [1]})).stats()["rows"]
            0
        """
        seconds = self._clock() - self._began if self._given else 0.0
        return {
            "rows": self._given,
            "seconds": seconds,
            "rows_per_second": self._given / seconds if seconds else 0.0,
            "buffered_rows": 0 if self._ahead is None else self._ahead.bytes,
        }

    def _chunks(self) -> Generator[list[Any], None, None]:
        rows = iter(copy.copy(self.dataset))
        chunk: list[Any] = []
        while True:
            try:
                row = next(rows, None)
            except Exception:
                # The rows before it come first.
                if chunk:
                    yield chunk
                raise
            if row is not None:
                chunk.append(row)
            if chunk and (row is None or len(chunk) == self._chunk):
                yield chunk
                chunk = []
            if row is None:
                return

    def _timed(self, chunks: Generator[list[Any], None, None]) -> Generator[Any, None, None]:
        """Yield rows, and wait where they would come too early."""
        rate = self.config.target_throughput
        with closing(chunks):
            due = self._clock()
            for chunk in chunks:
                if rate is not None:
                    now = self._clock()
                    if now < due:
                        self._sleep(due - now)
                    due = max(due, now - _MADE_UP_FOR) + len(chunk) / rate
                for row in chunk:
                    self._given += 1
                    yield row


_MADE_UP_FOR = 1.0  # seconds
