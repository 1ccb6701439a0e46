"""Rows written into one file or into several beside each other: all of them, or none."""

from __future__ import annotations

import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.urls import COMPRESSED
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.utils.atomic import aside, publish_file
from rowstream.writers.target import file_system, open_target

if TYPE_CHECKING:
    from rowstream.writers.sinks import Sink

    Pieces = Iterator[tuple[bool, Any]]  # what is written, and whether a file begins with it


def even(rows: int, num_shards: int) -> list[int]:
    """Return the number of rows of each of `num_shards` files."""
    return [rows // num_shards + (i < rows % num_shards) for i in range(num_shards)]


def together(tables: Iterable[Any], empty: Any) -> Pieces:
    """Put all tables into one file: yield each, and whether a file begins with it."""
    first = True
    for table in tables:
        yield first, table
        first = False
    if first:
        yield True, empty


def by_rows(tables: Iterable[Any], counts: list[int], empty: Any) -> Pieces:
    """Cut tables where files end that have `counts` rows."""
    at, left, begins = 0, counts[0], True
    for table in tables:
        rest = table
        while rest.num_rows:
            if not left and at + 1 < len(counts):
                at, left, begins = at + 1, counts[at + 1], True
            n = min(left, rest.num_rows)
            yield begins, rest.slice(0, n)
            rest, left, begins = rest.slice(n), left - n, False
    # More files than rows.
    yield from ((True, empty) for _ in range(len(counts) - at - (not begins)))


def by_size(
    tables: Iterable[tuple[Any, Any]],
    make: Callable[[Any], Any],
    size: Callable[[Any], int],
    most: int,
    empty: Any,
) -> Pieces:
    """Yield what is made of tables, in files of at most so many bytes. A row that has more has a
    file of its own.
    """
    used = None
    for whole in tables:
        waiting = [whole]
        while waiting:
            table, result = waiting.pop()
            n = size(result)
            if n > most and table.num_rows > 1:
                half = table.num_rows // 2
                waiting += [
                    (part, make(part)) for part in (table.slice(half), table.slice(0, half))
                ]
                continue
            begins = used is None or used + n > most
            used = n if begins or used is None else used + n
            yield begins, result
    if used is None:
        yield True, make(empty)


def ahead(
    function: Callable[[Any], Any], items: Iterable[Any], threads: int | None
) -> Iterator[Any]:
    """Yield what a function makes of items, in their order, by so many threads, which are a few
    items ahead; else as they are asked for.
    """
    if threads is None or threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        queue: deque[Any] = deque()
        for item in items:
            queue.append(pool.submit(function, item))
            if len(queue) > 2 * threads:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()


class Output:
    """Where rows are written: a file, or several.

    Attributes:
        num_shards: how many files, if that is given.
        most: the bytes of a file, if they are limited.
    """

    def __init__(
        self,
        path_or_buf: Any,
        storage_options: Any,
        num_shards: int | None,
        max_shard_size: str | int | None,
    ) -> None:
        if num_shards is not None and max_shard_size is not None:
            raise InvalidArgumentError(
                "please specify either max_shard_size or num_shards, but not both."
            )
        if num_shards is not None and (not isinstance(num_shards, int) or num_shards < 1):
            raise InvalidArgumentError(
                f"num_shards must be an integer of at least 1, found {num_shards!r}"
            )
        self.num_shards = num_shards
        self.most = None if max_shard_size is None else convert_file_size_to_int(max_shard_size)
        if self.most is not None and self.most < 1:
            raise InvalidArgumentError(
                f"max_shard_size must be at least 1, found {max_shard_size!r}"
            )
        if self.several and hasattr(path_or_buf, "write"):
            raise InvalidArgumentError(
                "num_shards and max_shard_size make several files: give a path, not an open file"
            )
        self._of, self._options = path_or_buf, storage_options

    @property
    def several(self) -> bool:
        """Whether there may be more than one."""
        return self.num_shards is not None or self.most is not None

    def pieces(
        self,
        tables: Iterable[Any],
        empty: Any,
        rows: int | None,
        make: Callable[[Any], Any] = lambda table: table,
        size: Callable[[Any], int] = lambda table: int(table.nbytes),
        beside: int = 0,
        threads: int | None = None,
    ) -> Pieces:
        """Return what is made of tables, cut where files end.

        Args:
            tables: all rows.
            empty: a table without rows.
            rows: how many there are, if the files are to be so many.
            make: what is made of a table.
            size: the bytes of what was made.
            beside: the bytes of a file besides.
            threads: those that make it.
        """
        if self.most is not None:
            room = max(self.most // 2, self.most - beside)
            return by_size(
                ahead(lambda table: (table, make(table)), tables, threads), make, size, room, empty
            )
        cut = (
            together(tables, empty)
            if self.num_shards is None
            else by_rows(tables, even(rows or 0, self.num_shards), empty)
        )
        return ahead(lambda piece: (piece[0], make(piece[1])), cut, threads)

    def folder(self) -> str | None:
        """Return the folder of the target; `None` if it is not on a disk of this machine.

        Raises:
            InvalidArgumentError: There is none.
        """
        if self._of is None or hasattr(self._of, "write"):
            return None
        path = os.fspath(self._of)
        fs, inside = file_system(path, self._options)
        if fs is not None:
            return None
        whole: str = os.path.abspath(inside)
        if os.path.isdir(whole) and not self.several:
            raise InvalidArgumentError(
                f"{path} is a folder: name a file in it, or give num_shards= or max_shard_size="
            )
        folder: str = whole if os.path.isdir(whole) else os.path.dirname(whole)
        if os.path.isdir(folder):
            return folder
        if self.several:
            # It is made later.
            return None
        raise InvalidArgumentError(f"there is no folder {folder}")

    def shards(self, ending: str, name: str) -> Shards:
        """Return the files, where there are several."""
        return Shards(self._of, ending, name, self._options)

    def write(self, pieces: Pieces, sink: Callable[[Any], Sink], ending: str, name: str) -> int:
        """Write pieces into the files; gives their bytes. What files are called where the path is
        a folder: a name, and an ending.
        """
        if not self.several:
            total = _poured(pieces, lambda: open_target(self._of, self._options), sink)
            self._tell_of_shards(ending, name)
            return total
        with self.shards(ending, name) as shards:
            return _poured(pieces, shards.open, sink)

    def _tell_of_shards(self, ending: str, name: str) -> None:
        """Warn of shards of the same name, on this machine: a folder of both has rows twice."""
        own = "" if self.folder() is None else os.path.basename(os.fspath(self._of))
        if not all(_split(own)):
            return
        if shards := [one for one in self.shards(ending, name).before() if one != own]:
            warnings.warn(
                f"{own} is written beside {', '.join(sorted(shards)[:3])}"
                f"{', …' if len(shards) > 3 else ''}: whoever reads the folder reads both. Remove"
                " them if they are the same rows",
                stacklevel=2,
            )


def _poured(pieces: Pieces, files: Callable[[], Any], sink: Callable[[Any], Sink]) -> int:
    total = 0
    with ExitStack() as opened:
        for begins, piece in pieces:
            if begins:
                opened.close()
                file = sink(opened.enter_context(files()))
                opened.callback(file.close)
            total += file.write(piece)
    return total


class Shards:
    """Files `name-00000-of-00003.ending`, which are there once all of them are whole. A context
    manager.

    They take the place of those that the same name stood for before: of other numbers, and of the
    file `name.ending`.

    Args:
        path: `folder/name.ending`; or a folder, which is created if it does not exist.
        ending: that of the files, if the path is a folder.
        name: theirs, if the path is a folder.
        storage_options: options of a URL's file system.
    """

    def __init__(self, path: Any, ending: str, name: str, storage_options: Any = None) -> None:
        text = os.fspath(path)
        self.fs, inside = file_system(text, storage_options)
        # Other processes may have another current folder.
        inside = inside if self.fs is not None else os.path.abspath(os.path.expanduser(inside))
        is_folder = text.endswith("/") or (
            os.path.isdir(inside) if self.fs is None else self.fs.isdir(inside)
        )
        self.folder, last = os.path.split(inside)
        self.name, self.ending = _split(last)
        if is_folder or not self.ending:
            self.folder, self.name, self.ending = inside.rstrip("/"), name, ending
            if self.fs is None:
                os.makedirs(self.folder, exist_ok=True)
            else:
                self.fs.makedirs(self.folder, exist_ok=True)
        elif self.fs is None and not os.path.isdir(self.folder or "."):
            raise InvalidArgumentError(f"there is no folder {self.folder}")
        self._aside: list[str] = []

    def at(self, name: str) -> str:
        """Return the path of a file in the folder."""
        return f"{self.folder}/{name}" if self.folder else name

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Open the next file for writing."""
        if self.fs is not None:
            path = self.at(f".{self.name}.{os.urandom(6).hex()}{self.ending}")
            self._aside.append(path)
            with self.fs.open(path, "wb") as file:
                yield file
            return
        handle, path = aside(self.at(self.name))
        self._aside.append(path)
        with os.fdopen(handle, "wb") as file:
            yield file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            for path in self._aside:
                self.remove(path)
            return
        self.publish(self._aside)

    def publish(self, paths: list[str]) -> None:
        """Give files that are whole their names, and remove those that were there before."""
        names = [f"{self.name}-{i:05d}-of-{len(paths):05d}{self.ending}" for i in range(len(paths))]
        for path, name in zip(paths, names, strict=True):
            self.put(path, self.at(name))
        for before in self.before():
            if before not in names:
                self.remove(self.at(before))

    def put(self, path: str, place: str) -> None:
        """Move a file that is whole to its place."""
        if self.fs is not None:
            self.fs.mv(path, place)
        else:
            publish_file(path, place)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        if self.fs is None:
            Path(path).unlink(missing_ok=True)
        elif self.fs.exists(path):
            self.fs.rm(path)

    def listed(self) -> list[str]:
        """Return the names of all files in the folder."""
        if self.fs is None:
            return os.listdir(self.folder or ".")
        # Other processes write, too; and a store has no folder before it has a file in it.
        self.fs.invalidate_cache()
        try:
            return [os.path.basename(one) for one in self.fs.ls(self.folder, detail=False)]
        except FileNotFoundError:
            return []

    def before(self) -> list[str]:
        """Return the files of this name that are there."""
        known = re.compile(
            rf"{re.escape(self.name)}(-\d{{5,}}-of-\d{{5,}})?{re.escape(self.ending)}"
        )
        return [one for one in self.listed() if known.fullmatch(one)]


def _split(name: str) -> tuple[str, str]:
    """Split a file name before its endings: `a.json.gz` into `a` and `.json.gz`."""
    stem, ending = os.path.splitext(name)
    if ending.lower() in COMPRESSED:
        stem, before = os.path.splitext(stem)
        return stem, before + ending
    return stem, ending
