"""A file of runs: SQLite, which several programs can write to at once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from rowstream.evaluate.metric import Score
from rowstream.evaluate.result import ItemResult, Result
from rowstream.evaluate.results.as_json import dumps
from rowstream.evaluate.results.compare import RunComparison, compare
from rowstream.evaluate.results.run import Run
from rowstream.exceptions import FileFormatError, InvalidArgumentError, ReadError

_VERSION = 1
# What tells such files from those of other programs: "rows" as a number.
_APPLICATION = int.from_bytes(b"rows", "big")
# How long a writer waits for another.
_TIMEOUT_S = 60
_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, task TEXT NOT NULL, model TEXT NOT NULL,
    created TEXT NOT NULL, count INTEGER NOT NULL, scores TEXT NOT NULL, metadata TEXT NOT NULL);
CREATE INDEX runs_by_name ON runs (name);
CREATE TABLE items (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    id TEXT NOT NULL, input TEXT NOT NULL, target TEXT NOT NULL, prediction TEXT NOT NULL,
    scores TEXT NOT NULL, choices TEXT NOT NULL, metadata TEXT NOT NULL,
    PRIMARY KEY (run, position)) WITHOUT ROWID;
"""
_RUN = "id, name, task, model, created, count, scores, metadata"
# The method `list` hides the type.
_Runs = list[Run]
_ITEM = "id, input, target, prediction, scores, choices, metadata"


class ResultStore:
    """Runs in a file of SQLite. Several threads and programs can use one file at once.

    A run is there with all its items or not at all. Lists and dicts come back as such, tuples as
    lists.

    Args:
        path: The file; it is made when the first run is saved.

    Raises:
        InvalidArgumentError: The path names no file.

    Example:
        >>> import os, tempfile
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import ResultStore
        >>> store = ResultStore(os.path.join(tempfile.mkdtemp(), "results.sqlite"))
        >>> _ = store.save(evaluate(["4", "5"], ["4", "4"], metrics="equal"), "first")
        >>> _ = store.save(evaluate(["4", "4"], ["4", "4"], metrics="equal"), "second")
        >>> [run.name for run in store.list()]
        ['second', 'first']
        >>> store.compare("first", "second").difference
        0.5
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.expanduser(os.fspath(path))
        if self.path in ("", ":memory:"):
            raise InvalidArgumentError(f"a store is a file, found {path!r}")

    def __repr__(self) -> str:
        return f"ResultStore({self.path!r})"

    def save(
        self,
        run: Run | Result,
        name: str | None = None,
        *,
        model: str = "",
        task: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Run:
        """Save a run with its items.

        Args:
            run: A `Run`, or the result of `evaluate`.
            name, model, task, metadata: As in `Run.of`; of a `Run`, instead of its own. Without a
                name, that of the task. Several runs may have one name: `load` and `compare` take
                the newest.

        Returns:
            The run.

        Raises:
            InvalidArgumentError: A value has no form in JSON, or the run is there already.
            FileFormatError: The file is no store, or one of a newer version.
            ReadError: It cannot be written.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import ResultStore
            >>> store = ResultStore(os.path.join(tempfile.mkdtemp(), "results.sqlite"))
            >>> store.save(evaluate(["a"], ["a"]), "first", model="echo").model
            'echo'
        """
        if isinstance(run, Result):
            name = name or task or run.task or "run"
            run = Run.of(run, name, model=model, task=task, metadata=metadata)
        else:
            given = {"name": name, "model": model or None, "task": task, "metadata": metadata}
            changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
            run = replace(run, **changes) if changes else run
        scores = {key: [score.value, score.low, score.high] for key, score in run.scores.items()}
        row = (
            *(run.id, run.name, run.task, run.model, run.created, run.count),
            dumps(scores, "a score"),
            dumps(dict(run.metadata), "metadata"),
        )
        items = [(run.id, position, *_fields(item)) for position, item in enumerate(run.items)]
        try:
            with self._open(write=True) as database:
                database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                database.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", items)
        except sqlite3.IntegrityError as e:
            raise InvalidArgumentError(f"{self.path} has the run {run.id} already") from e
        return run

    def load(self, run: str) -> Run:
        """Return a run with its items.

        Args:
            run: Its id, or its name; the newest of this name.

        Raises:
            InvalidArgumentError: There is none.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import ResultStore
            >>> store = ResultStore(os.path.join(tempfile.mkdtemp(), "results.sqlite"))
            >>> _ = store.save(evaluate(["a"], ["a"]), "first")
            >>> store.load("first").items[0].prediction
            'a'
        """
        with self._open() as database:
            found = self._found(database, run)
            items = database.execute(
                f"SELECT {_ITEM} FROM items WHERE run = ? ORDER BY position",  # noqa: S608
                (found[0],),
            ).fetchall()
        return _run(found, [_item(one) for one in items])

    def list(self, *, task: str | None = None, model: str | None = None) -> _Runs:
        """Return the runs, the newest first, without their items.

        Args:
            task: Only those of a task.
            model: Only those of a model.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate.results import ResultStore
            >>> ResultStore(os.path.join(tempfile.mkdtemp(), "results.sqlite")).list()
            []
        """
        with self._open() as database:
            rows = database.execute(
                f"SELECT {_RUN} FROM runs WHERE (?1 IS NULL OR task = ?1)"  # noqa: S608
                " AND (?2 IS NULL OR model = ?2) ORDER BY created DESC, rowid DESC",
                (task, model),
            ).fetchall()
        return [_run(row) for row in rows]

    def delete(self, run: str) -> None:
        """Delete a run and its items.

        Args:
            run: Its id, or its name; the newest of this name.

        Raises:
            InvalidArgumentError: There is none.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import ResultStore
            >>> store = ResultStore(os.path.join(tempfile.mkdtemp(), "results.sqlite"))
            >>> _ = store.save(evaluate(["a"], ["a"]), "first")
            >>> store.delete("first")
            >>> store.list()
            []
        """
        with self._open(write=True) as database:
            found = self._found(database, run)[0]
            database.execute("DELETE FROM items WHERE run = ?", (found,))
            database.execute("DELETE FROM runs WHERE id = ?", (found,))

    def compare(
        self, first: str, second: str, metric: str | None = None, **options: Any
    ) -> RunComparison:
        """Compare two runs, item by item.

        Args:
            first, second: Their ids or names.
            metric: The score that is compared; the first one that both have if `None`.
            **options: As in `compare`.

        Raises:
            InvalidArgumentError: There is no such run, or they have no items or score in common.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import ResultStore
            >>> store = ResultStore(os.path.join(tempfile.mkdtemp(), "results.sqlite"))
            >>> _ = store.save(evaluate(["a", "b"], ["a", "c"]), "first")
            >>> _ = store.save(evaluate(["a", "c"], ["a", "c"]), "second")
            >>> store.compare("first", "second").better
            1
        """
        return compare(self.load(first), self.load(second), metric, **options)

    def _found(self, database: sqlite3.Connection, run: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = database.execute(
            f"SELECT {_RUN} FROM runs WHERE id = ?1 OR name = ?1"  # noqa: S608
            " ORDER BY id = ?1 DESC, created DESC, rowid DESC LIMIT 1",
            (run,),
        ).fetchone()
        if found is None:
            names = [name for (name,) in database.execute("SELECT DISTINCT name FROM runs")]
            raise InvalidArgumentError(
                f"{self.path} has no run {run!r}; it has {', '.join(names) or 'none'}"
            )
        return found

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Open the file for one turn: a connection serves neither other threads nor forks."""
        try:
            if write:
                os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
            elif not os.path.exists(self.path) or not os.path.getsize(self.path):
                with _empty() as nothing:
                    yield nothing
                return
            with closing(
                sqlite3.connect(self.path, timeout=_TIMEOUT_S, isolation_level=None)
            ) as file:
                file.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    self._check(file, write=write)
                    yield file
                    file.execute("COMMIT")
                except BaseException:
                    # A full disk has ended it already.
                    if file.in_transaction:
                        file.execute("ROLLBACK")
                    raise
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.OperationalError, OSError) as e:
            if isinstance(e, ReadError):
                raise
            raise ReadError(f"the store {self.path} cannot be used: {e}") from e
        except sqlite3.DatabaseError as e:
            raise FileFormatError(f"{self.path} is no store of results: {e}") from e

    def _check(self, file: sqlite3.Connection, *, write: bool) -> None:
        """Make the tables of a new file; refuse one of others."""
        (version,) = file.execute("PRAGMA user_version").fetchone()
        (application,) = file.execute("PRAGMA application_id").fetchone()
        (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if write and not version and not tables:
            for statement in _SCHEMA.split(";\n"):
                file.execute(statement)
            file.execute(f"PRAGMA user_version = {_VERSION}")
            file.execute(f"PRAGMA application_id = {_APPLICATION}")
        elif (version, application) != (_VERSION, _APPLICATION):
            raise FileFormatError(
                f"{self.path} is no store of results of version {_VERSION}: it says {version}"
            )


@contextmanager
def _empty() -> Iterator[sqlite3.Connection]:
    """Open a store without runs, for who reads one that is not there yet."""
    with closing(sqlite3.connect(":memory:")) as nothing:
        nothing.executescript(_SCHEMA)
        yield nothing


def _fields(item: ItemResult) -> list[str]:
    what = f"item {item.id!r}"
    return [
        dumps(value, f"the {name} of {what}")
        for name, value in (
            ("id", item.id if isinstance(item.id, int) else str(item.id)),
            ("input", item.input),
            ("target", item.target),
            ("prediction", item.prediction),
            ("scores", dict(item.scores)),
            ("choices", list(item.choices)),
            ("metadata", dict(item.metadata)),
        )
    ]


def _item(row: tuple[str, ...]) -> ItemResult:
    return ItemResult(*map(json.loads, row))


def _run(row: tuple[Any, ...], items: list[ItemResult] | None = None) -> Run:
    id, name, task, model, created, count, scores, metadata = row
    return Run(
        name,
        {key: Score(*value) for key, value in json.loads(scores).items()},
        items or (),
        task=task,
        model=model,
        created=created,
        metadata=json.loads(metadata),
        count=count,
        id=id,
    )
