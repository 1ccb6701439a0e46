"""Pools of threads, processes or coroutines that run functions and keep the order of the rows."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from shutil import rmtree
from threading import Thread, current_thread
from time import perf_counter
from typing import Any, Protocol

from rowstream.exceptions import UnsupportedError
from rowstream.ops.shared import Handed, folder, hand, taken
from rowstream.ops.undivided import stay_undivided
from rowstream.utils.process_errors import sendable

_TASKS = 256  # coroutines that run at once
_TOGETHER = 4e-3  # seconds that calls take which go to a process together
_MOST_TOGETHER = 256  # such calls

# In a worker process: the function that it runs, and the folder of what it hands over.
_call: Callable[..., Any] | None = None
_folder = ""


def _install(call: Callable[..., Any], folder: str, parent: int) -> None:
    global _call, _folder
    _call, _folder = call, folder
    stay_undivided()
    if (torch := sys.modules.get("torch")) is not None:
        # The threads that it had are the parent's: it would wait for them for ever.
        torch.set_num_threads(1)
    Thread(target=_end_with, args=(parent, folder), daemon=True).start()


def _end_with(parent: int, folder: str) -> None:
    """End this process, and remove what it handed over, when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    rmtree(folder, ignore_errors=True)
    os._exit(1)


def _run(given: Handed) -> tuple[float, Handed]:
    """Call the function for each of several arguments; return the time and the results.

    An error stands where the results of that call and of those after it would be.
    """
    if _call is None:
        raise AssertionError("worker started before its function was set (a bug of rowstream)")
    begun, results = perf_counter(), []
    for args in taken(given):
        try:
            result = _call(*args)
            results.append(list(result) if isinstance(result, Iterator) else result)
        except SystemExit as error:
            # In a process of its own it would end that; here it would end the program that waits
            # for the result, without a word.
            failed = RuntimeError(f"the function ended its process: {error!r}")
            failed.__cause__ = error
            results.append(_Failed(failed))
            break
        except Exception as error:
            results.append(_Failed(sendable(error)))
            break
    return perf_counter() - begun, _handed(results)


def _handed(results: list[Any]) -> Handed:
    """Return results as they go to the other process; one that cannot is an error of its own."""
    try:
        return hand(results, _folder)
    except Exception:
        for at, result in enumerate(results):
            try:
                hand(result, _folder)
            except Exception as error:
                what = result.error if isinstance(result, _Failed) else result
                failed = _Failed(
                    TypeError(
                        f"what the function {'raised' if what is not result else 'returned'} cannot"
                        f" be sent to the process that waits for it: {error}: {what!r:.200}"
                    )
                )
                return hand([*results[:at], failed], _folder)
        raise


class _ProcessError(Exception):
    """What a function raised in another process, as text: where it was."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Failed:
    """An error in place of a result. Its traceback crosses as the text of its cause."""

    def __init__(self, error: Exception, where: str = "") -> None:
        self.error = error
        if where:
            error.__cause__ = _ProcessError(where)

    def __reduce__(self) -> Any:
        """Return what pickle needs."""
        return _Failed, (self.error, "".join(traceback.format_exception(self.error)))


class Ahead(Protocol):
    """What runs calls ahead of the rows that are given, in order.

    Attributes:
        ahead: The maximum number of submitted calls, done or not.
    """

    @property
    def ahead(self) -> int:
        """The maximum number of submitted calls."""
        ...

    def running(self, call: Callable[..., Any]) -> AbstractContextManager[Callable[..., Any]]:
        """Return the function that submits a call, for a block."""
        ...


@dataclass(frozen=True)
class Pool:
    """A pool that a step's function runs in.

    Attributes:
        kind: `"threads"`, `"processes"` or `"async"`.
        workers: The number of threads or processes.
        ahead_of_each: The calls that are submitted for each worker before results are awaited.
    """

    kind: str
    workers: int
    ahead_of_each: int = 4

    @property
    def ahead(self) -> int:
        """The maximum number of submitted calls, done or not."""
        return _TASKS if self.kind == "async" else self.ahead_of_each * self.workers

    @contextmanager
    def running(self, call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
        """Run the workers for the block and return the function that submits a call.

        Calls that have not begun at the end of the block are dropped.
        """
        if self.kind == "async":
            with _event_loop(call) as submit:
                yield submit
            return
        if self.kind == "threads":
            threads = ThreadPoolExecutor(self.workers, thread_name_prefix="rowstream-map")
            try:
                yield lambda *args: threads.submit(copy_context().run, call, *args)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
            return
        if multiprocessing.current_process().daemon:
            raise UnsupportedError(
                "num_proc= starts processes, which a worker of a loader may not do: read with"
                " num_workers=0, or leave num_proc= out"
            )
        # A forked worker has the function without pickling it, lambdas too; it runs only Python.
        fork = "fork" in multiprocessing.get_all_start_methods() and os.name == "posix"
        context = multiprocessing.get_context("fork" if fork else "spawn")
        with folder() as memory:
            processes = ProcessPoolExecutor(
                self.workers,
                mp_context=context,
                initializer=_install,
                initargs=(call, memory, os.getpid()),
            )
            try:
                yield _Groups(processes, memory, self.ahead)
            finally:
                processes.shutdown(wait=False, cancel_futures=True)


class _Groups:
    """A function that submits calls to processes: as many together as take a few milliseconds.

    So a call that takes microseconds does not cost more on its way than it takes, and one that
    takes seconds waits for no other.

    Attributes:
        ahead: The number of calls that are submitted before results are awaited.
    """

    def __init__(self, processes: ProcessPoolExecutor, folder: str, ahead: int) -> None:
        self._processes, self._folder, self._ahead = processes, folder, ahead
        self._size, self._waiting = 1, _Group()

    @property
    def ahead(self) -> int:
        return self._ahead * self._size

    def __call__(self, *args: Any) -> _Later:
        group = self._waiting
        group.calls.append(args)
        later = _Later(self, group, len(group.calls) - 1)
        if len(group.calls) >= self._size:
            self.send(group)
        return later

    def send(self, group: _Group) -> None:
        """Submit a group, if it was not yet."""
        if group.future is None:
            group.future = self._processes.submit(_run, hand(group.calls, self._folder))
            group.calls, self._waiting = [], _Group()

    def results(self, group: _Group) -> list[Any]:
        """Wait for the results of a group."""
        if group.results is None:
            self.send(group)
            if group.future is None:
                raise AssertionError("a group was not sent (a bug of rowstream)")
            try:
                seconds, handed = group.future.result()
            except BrokenExecutor as error:
                error.add_note(
                    "a process that ran the function died without a word: it was killed, ran out of"
                    " memory, or crashed"
                )
                raise
            group.results = taken(handed)
            if group.results:
                each = seconds / len(group.results)
                self._size = max(1, min(_MOST_TOGETHER, 2 * self._size, int(_TOGETHER / each)))
        return group.results


@dataclass
class _Group:
    """Calls that are submitted together, and their results."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    future: Future[tuple[float, Handed]] | None = None
    results: list[Any] | None = None


class _Later:
    """The result of a call in another process, to be."""

    def __init__(self, groups: _Groups, group: _Group, at: int) -> None:
        self._groups, self._group, self._at = groups, group, at

    def result(self) -> Any:
        """Wait for the result and return it, or raise the error of the call."""
        results = self._groups.results(self._group)
        result = results[min(self._at, len(results) - 1)]
        if isinstance(result, _Failed):
            raise result.error
        return result


@contextmanager
def _event_loop(call: Callable[..., Any]) -> Iterator[Callable[..., Future[Any]]]:
    import asyncio

    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="rowstream-map", daemon=True)
    thread.start()
    futures: list[Future[Any]] = []

    def submit(*args: Any) -> Future[Any]:
        future = asyncio.run_coroutine_threadsafe(call(*args), loop)
        if len(futures) > 4 * _TASKS:
            futures[:] = [one for one in futures if not one.done()]
        futures.append(future)
        return future

    try:
        yield submit
    finally:
        for future in futures:
            future.cancel()

        async def end() -> None:
            await loop.shutdown_asyncgens()
            loop.stop()

        # On its own thread: this one may have a loop that runs, where a stream is collected.
        asyncio.run_coroutine_threadsafe(end(), loop)
        if thread is not current_thread():
            thread.join()
            loop.close()
