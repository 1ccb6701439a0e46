"""Writers of tar archives, a sample at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Self

from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.files import exists
from rowstream.webdataset.reader import stream_members
from rowstream.writers.tar import KEY, TarSink, sample_members
from rowstream.writers.tar_members import BLOCK
from rowstream.writers.target import compressed, open_target

_TOGETHER = 1 << 21


class TarWriter:
    """Writes samples into a tar archive, which is there once it is closed. A context manager.

    A sample is a dict: `__key__`, and values by the ending of their members. Bytes are written as
    they are, texts in UTF-8, `npy` as an array, images of Pillow as their ending says, and what
    else there is as JSON. `None` is left out. The same samples give the same bytes.

    Args:
        target: A path, a URL, or a file that is open for writing bytes.
        compression: `"gzip"`, `"bz2"`, `"xz"`, `"zstd"`, or `None`; by the ending of the path by
            default.
        encoders: Functions that make bytes of a value, by the ending of the field.
        storage_options: Options of a URL's file system.

    Raises:
        InvalidArgumentError: The folder does not exist.

    Example:
        >>> from rowstream.webdataset import TarWriter
        >>> with TarWriter("samples.tar") as writer:
        ...     size = writer.write({"__key__": "a", "txt": "Hello", "cls": 3})
        >>> size, load_dataset("webdataset", data_files="samples.tar", split="train")[0]["txt"]
        (2048, 'Hello')
    """

    def __init__(
        self,
        target: Any,
        *,
        compression: str | None = "infer",
        encoders: Mapping[str, Callable[[Any], bytes]] | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        packed = compressed(target, compression)
        self._encoders = {ending.lower(): of for ending, of in (encoders or {}).items()}
        self._opened = ExitStack()
        self._sink = TarSink(
            self._opened.enter_context(open_target(target, storage_options)), packed=packed
        )
        self._parts: list[Any] = []
        self._waiting, self._last, self._closed = 0, None, False
        self.size = 2 * BLOCK
        self.count = 0

    def write(self, sample: Mapping[str, Any]) -> int:
        """Write a sample, and return its bytes in the archive.

        Args:
            sample: Its key as `__key__`, and its fields.

        Raises:
            InvalidArgumentError: A key is missing, is that of the sample before, or cannot be
                read again; or a value cannot be written.

        Example:
            >>> import io
            >>> from rowstream.webdataset import TarWriter
            >>> with TarWriter(io.BytesIO()) as writer:
            ...     writer.write({"__key__": "a", "json": [1, 2]})
            1024
        """
        parts, size = self._parts_of(sample)
        return self._add(sample[KEY], parts, size)

    def _parts_of(self, sample: Mapping[str, Any]) -> tuple[list[Any], int]:
        if self._closed:
            raise InvalidArgumentError("the archive is closed")
        if (type(sample) is not dict and not isinstance(sample, Mapping)) or KEY not in sample:
            there = [*sample] if isinstance(sample, Mapping) else type(sample).__name__
            raise InvalidArgumentError(f"a sample is a dict with {KEY!r}, found {there}")
        if self.count and sample[KEY] == self._last:
            raise InvalidArgumentError(
                f"two samples, one after another, have the key {self._last!r}"
            )
        return sample_members(sample[KEY], sample, self._encoders)

    def _add(self, key: Any, parts: list[Any], size: int) -> int:
        self._parts += parts
        self._waiting, self._last = self._waiting + size, key
        self.size, self.count = self.size + size, self.count + 1
        if self._waiting >= _TOGETHER:
            self._flush()
        return size

    def _flush(self) -> None:
        self._sink.write_all(self._parts)
        self._parts, self._waiting = [], 0

    def close(self) -> None:
        """Write the end of the archive, and put it in its place.

        Example:
            >>> from rowstream.webdataset import TarWriter
            >>> writer = TarWriter("empty.tar")
            >>> writer.close()
        """
        if not self._closed:
            self._closed = True
            with self._opened:
                self._flush()
                self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self.close()
        elif not self._closed:
            # Half an archive is none.
            self._closed = True
            self._opened.__exit__(*error)  # type: ignore[arg-type]


def _numbers(pattern: str) -> bool:
    """Return whether a pattern gives each number another name."""
    try:
        return pattern % 1 != pattern % 2
    except (TypeError, ValueError):
        return False


class ShardWriter:
    """Writes samples into archives of at most so many samples and bytes. A context manager.

    A shard is there once it is whole; if the block raises an error, the last one is not. After a
    run that was killed, `resume=True` goes on with the shard after those that are there, and
    `count` says how many samples they have: these need not be written again.

    Args:
        pattern: Where to, with the place of the number, such as `"photos-%06d.tar"`.
        maxcount: The most samples of a shard.
        maxsize: The most bytes of a shard, before compression; a larger sample has its own.
        start_shard: The number of the first shard.
        resume: Keep the shards that are there, from `start_shard` on.
        compression, encoders, storage_options: As in `TarWriter`.

    Raises:
        InvalidArgumentError: The pattern has no number, or a limit makes no sense.

    Example:
        >>> from rowstream.webdataset import ShardWriter
        >>> with ShardWriter("texts-%03d.tar", maxcount=2) as writer:
        ...     for i in range(5):
        ...         _ = writer.write({"__key__": f"{i:04d}", "txt": "Hello"})
        >>> writer.shards
        ['texts-000.tar', 'texts-001.tar', 'texts-002.tar']
        >>> samples = [{"__key__": f"{i:04d}", "txt": "Hello"} for i in range(9)]
        >>> with ShardWriter("texts-%03d.tar", maxcount=2, resume=True) as writer:
        ...     for sample in samples[writer.count :]:
        ...         _ = writer.write(sample)
        >>> writer.count, len(writer.shards)
        (9, 5)
    """

    def __init__(
        self,
        pattern: str | os.PathLike[str],
        maxcount: int = 100_000,
        maxsize: float = 3e9,
        *,
        start_shard: int = 0,
        resume: bool = False,
        **options: Any,
    ) -> None:
        self._pattern = os.fspath(pattern)
        if not _numbers(self._pattern):
            raise InvalidArgumentError(
                f"the pattern {self._pattern!r} has no place for a number, such as %06d"
            )
        if maxcount < 1 or maxsize < 1:
            raise InvalidArgumentError(f"maxcount={maxcount} and maxsize={maxsize} are 1 or more")
        self._most, self._largest, self._number = maxcount, maxsize, start_shard
        self._options = options
        self._writer: TarWriter | None = None
        self.shards: list[str] = []
        self.count = 0
        store = options.get("storage_options")
        while resume and exists(path := self._pattern % self._number, storage_options=store):
            self.count += stream_members([path], columns=[KEY], storage_options=store).count()
            self.shards.append(path)
            self._number += 1

    def write(self, sample: Mapping[str, Any]) -> int:
        """Write a sample, into another shard if need be, and return its bytes.

        Args:
            sample: Its key as `__key__`, and its fields.

        Raises:
            InvalidArgumentError: As in `TarWriter.write`.

        Example:
            >>> from rowstream.webdataset import ShardWriter
            >>> with ShardWriter("one-%d.tar") as writer:
            ...     writer.write({"__key__": "a", "txt": "Hello"})
            1024
        """
        writer = self._writer or self._next()
        parts, size = writer._parts_of(sample)
        full = writer.count >= self._most or writer.size + size > self._largest
        if full and writer.count:
            self._finish()
            writer = self._next()
        self.count += 1
        return writer._add(sample[KEY], parts, size)

    def _next(self) -> TarWriter:
        path = self._pattern % self._number
        self._writer = TarWriter(path, **self._options)
        self._number += 1
        self.shards.append(path)
        return self._writer

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def close(self) -> None:
        """Write the end of the last shard.

        Example:
            >>> from rowstream.webdataset import ShardWriter
            >>> writer = ShardWriter("none-%d.tar")
            >>> writer.close()
            >>> writer.shards
            []
        """
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            if error[0] is not None:
                self.shards.pop()
            self._writer.__exit__(*error)
            self._writer = None
