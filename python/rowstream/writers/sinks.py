"""Files under way, of the formats that are written."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol


class Sink(Protocol):
    """A file under way."""

    def write(self, piece: Any) -> int:
        """Write rows, and return their bytes."""
        ...

    def close(self) -> None:
        """Write what is buffered, and the end of the file."""
        ...


_PARQUET_BYTES, _COLUMN_BYTES = 1 << 10, 1 << 9


def parquet_overhead(columns: int) -> int:
    """Estimate the bytes of a Parquet file beside its rows."""
    return _PARQUET_BYTES + columns * _COLUMN_BYTES


class _Held:
    """A file that keeps the first error of a write instead of raising it, and writes no more.

    pyarrow aborts the process where an error comes out of a file while it cuts pages by their
    content.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._error: BaseException | None = None

    def write(self, data: Any) -> int:
        """Write bytes, unless a write failed."""
        if self._error is None:
            try:
                self._file.write(data)
            except BaseException as error:
                self._error = error
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever opened the file flushes it."""

    def check(self) -> None:
        """Raise the error of a write that failed, if one did."""
        if self._error is not None:
            raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C until the block has ended, in the main thread."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    told: list[Any] = []
    signal.signal(signal.SIGINT, lambda *what: told.append(what))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if told:
            before(*told[0])


class ParquetSink:
    """A Parquet file under way.

    Args:
        file: where it is written.
        options: those of `pyarrow.parquet.ParquetWriter`.
        full: whether so many rows, of so many bytes, are a row group.
        notes: what the file says of itself besides.
    """

    def __init__(
        self,
        file: Any,
        options: dict[str, Any],
        full: Callable[[int, int], bool],
        notes: dict[str, str] | None = None,
    ) -> None:
        self._file, self._options, self._full, self._notes = _Held(file), options, full, notes
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, piece: Any) -> int:
        """Write the rows of a table, and return their bytes in memory."""
        import pyarrow.parquet as pq

        self._writer = self._writer or pq.ParquetWriter(self._file, piece.schema, **self._options)
        self._waiting.append(piece)
        self._rows, self._bytes = self._rows + piece.num_rows, self._bytes + piece.nbytes
        if self._full(self._rows, self._bytes):
            self._flush()
        return int(piece.nbytes)

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            with _uninterrupted():
                self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=self._rows)
            self._file.check()
        self._waiting.clear()
        self._rows = self._bytes = 0

    def close(self) -> None:
        """Write what is buffered, and the end of the file."""
        if self._writer is None:
            return
        self._flush()
        if self._notes:
            self._writer.add_key_value_metadata(self._notes)
        with _uninterrupted():
            self._writer.close()
        self._file.check()


class ArrowSink:
    """An Arrow file under way, in the format that is read at random.

    Args:
        file: where it is written.
        schema: that of the rows, with what the file says of itself.
        compression: `"lz4"`, `"zstd"` or `None`.
    """

    def __init__(self, file: Any, schema: Any, compression: str | None) -> None:
        import pyarrow as pa

        options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=True)
        self._schema = schema
        self._writer = pa.ipc.new_file(file, schema, options=options)

    def write(self, piece: Any) -> int:
        """Write the rows of a table, and return their bytes in memory."""
        # One batch, whatever its chunks.
        self._writer.write_table(piece.cast(self._schema).combine_chunks())
        return int(piece.nbytes)

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()


_VECTORS = 1024  # what Linux takes at once


class TextSink:
    """A file of text under way.

    Args:
        file: where it is written.
        head: what stands before its rows.
        packed: what compresses its content, if it is compressed.
    """

    def __init__(
        self, file: Any, head: bytes = b"", packed: Callable[[Any], Any] | None = None
    ) -> None:
        self._opened = ExitStack()
        self._file = file if packed is None else self._opened.enter_context(packed(file))
        self._head = head

    def write(self, piece: bytes) -> int:
        """Add the text of rows."""
        content, self._head = self._head + piece, b""
        return self._file.write(content) or len(content)

    def write_all(self, pieces: list[Any]) -> None:
        """Add several pieces, without a copy of them where the system takes them as they are."""
        raw = getattr(self._file, "raw", None)
        if self._head or not isinstance(raw, io.FileIO) or not hasattr(os, "writev"):
            self.write(b"".join(pieces))
            return
        self._file.flush()
        for start in range(0, len(pieces), _VECTORS):
            some = pieces[start : start + _VECTORS]
            written = os.writev(raw.fileno(), some)
            if written < sum(map(len, some)):
                # As much as there was room for: the rest says why.
                self._file.write(b"".join(some)[written:])

    def close(self) -> None:
        """Write what is buffered, and the end of the file."""
        self._opened.close()
