"""Files that are written apart from each other, by several processes, and by another run what one
that was killed has left.

Each file is written aside, under a name that says which rows it has; all get their places once the
last of them is whole. What an earlier run of the same rows finished is found by that name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.fingerprint.hasher import Hasher
from rowstream.storage.environment import own_cache
from rowstream.utils import progress
from rowstream.utils.locks import held_lock
from rowstream.utils.processes import run_in_processes

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rowstream.writers.exports import ExportedRows
    from rowstream.writers.shards import Output, Shards


@contextmanager
def alone(shards: Shards) -> Iterator[None]:
    """Wait until no other process of this machine writes the files of a name, and keep it so.

    Args:
        shards: The files.
    """
    if shards.fs is not None:
        yield
        return
    place = os.path.abspath(shards.at(f"{shards.name}{shards.ending}"))
    locks = own_cache() / "locks"
    with suppress(OSError):
        locks.mkdir(0o700, parents=True, exist_ok=True)
    if not os.access(locks, os.W_OK):
        # Where nothing can be kept, runs at once are the user's to avoid.
        yield
        return
    with held_lock(locks / f"{Hasher.hash(place)}.lock"):
        yield


@dataclass(frozen=True)
class Part:
    """The rows of one file.

    Attributes:
        rows: Opens them.
        write: Writes them into a binary file, and returns the bytes written before compression.
    """

    rows: Callable[[], AbstractContextManager[ExportedRows]]
    write: Callable[[ExportedRows, Any], int]


def write_parts(
    output: Output,
    parts: list[Part],
    said: Any,
    ending: str,
    name: str,
    num_proc: int | None,
    what: str,
    engine: str | None = None,
) -> int:
    """Write each part into a file of its own.

    Args:
        output: Where.
        parts: What is written.
        said: What the rows and their form depend on, to be hashed.
        ending: That of the files, if the path is a folder.
        name: Theirs, if the path is a folder.
        num_proc: The number of processes.
        what: The name of the method, for errors.
        engine: `"ray"` for processes of a Ray cluster; of this machine if `None`.

    Returns:
        The bytes written, before compression.
    """
    shards = output.shards(ending, name)
    asides = _Asides(shards, len(parts), named(said))
    done = asides.found()
    tasks = [(i, _Task(part, asides, i)) for i, part in enumerate(parts) if i not in done]
    try:
        with progress.bar(len(parts), f"Writing {shards.name}{shards.ending}", " files") as bar:
            bar.update(len(done))
            if engine is None and (num_proc is None or num_proc == 1 or len(tasks) < 2):
                for _, task in tasks:
                    task(bar.update)
            else:
                most = num_proc or len(parts)
                run_in_processes(tasks, most, bar.update, None, what, engine)
        done = asides.found()
        asides.check(done, what)
        total = sum(size for _, size in done.values())
        shards.publish([path for _, (path, _) in sorted(done.items())])
    except Exception:
        # A run that is killed leaves what it finished; one that fails would fail again.
        asides.remove()
        raise
    asides.remove()
    return total


def named(said: Any) -> str:
    """Return a name for what depends on something."""
    try:
        return Hasher.hash(said)
    except TypeError:
        # What cannot be named cannot be found again.
        return os.urandom(8).hex()


@dataclass(frozen=True)
class _Asides:
    """The files of parts, as they are called until all are there."""

    shards: Shards
    of: int
    key: str

    def name(self, i: int) -> str:
        return f".{self.shards.name}-{i:05d}-of-{self.of:05d}{self.shards.ending}.{self.key}"

    def found(self) -> dict[int, tuple[str, int]]:
        """Return the paths of the parts that are whole, and their bytes, by number."""
        names = {self.name(i): i for i in range(self.of)}
        result = {}
        for one in self.shards.listed():
            stem, _, size = one.rpartition(".")
            if stem in names and size.isdigit():
                result[names[stem]] = (self.shards.at(one), int(size))
        return result

    def check(self, done: dict[int, Any], what: str) -> None:
        """Raise if parts that were written are not there.

        Args:
            done: Those that are there.
            what: The name of the method, for the error.

        Raises:
            InvalidArgumentError: The processes see other folders than this one.
        """
        if len(done) < self.of:
            raise InvalidArgumentError(
                f"{what}: {self.of - len(done)} of {self.of} files that were written are not in"
                f" {self.shards.folder or '.'}: all processes have to see one folder"
            )

    def remove(self) -> None:
        """Remove all parts of files of this name, those of earlier runs too."""
        known = re.compile(
            rf"\.{re.escape(self.shards.name)}-\d{{5,}}-of-\d{{5,}}{re.escape(self.shards.ending)}"
            r"\.[0-9a-f]{16}\.(?:\d+|part[0-9a-f]{8})"
        )
        for one in self.shards.listed():
            if known.fullmatch(one):
                self.shards.remove(self.shards.at(one))


@dataclass(frozen=True)
class _Task:
    part: Part
    asides: _Asides
    number: int

    def __call__(self, on_progress: Callable[[int], None]) -> None:
        shards, name = self.asides.shards, self.asides.name(self.number)
        under_way = shards.at(f"{name}.part{os.urandom(4).hex()}")
        opener = open if shards.fs is None else shards.fs.open
        with opener(under_way, "wb") as file, self.part.rows() as rows:
            size = self.part.write(rows, file)
        place = shards.at(f"{name}.{size}")
        if shards.fs is None:
            os.replace(under_way, place)
        else:
            shards.fs.mv(under_way, place)
        on_progress(1)
