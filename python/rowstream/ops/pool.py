"""Pools of threads, processes or coroutines that run functions and keep the order of the rows."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Protocol

from rowstream.ops.undivided import stay_undivided

_TASKS = 256  # coroutines that run at once

_call: Callable[..., Any] | None = None  # in a worker process: the function that it runs


def _install(call: Callable[..., Any]) -> None:
    global _call
    _call = call
    stay_undivided()


def _run(*args: Any) -> Any:
    if _call is None:
        raise AssertionError("worker started before its function was set (a bug of rowstream)")
    try:
        result = _call(*args)
    except SystemExit as error:
        # In a process of its own it would end that; here it would end the program that waits for
        # the result, without a word.
        raise RuntimeError(f"the function ended its process: {error!r}") from error
    return result if isinstance(result, (dict, list, tuple)) or result is None else list(result)


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
    def running(self, call: Callable[..., Any]) -> Iterator[Callable[..., Future[Any]]]:
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
        # A forked worker has the function without pickling it, lambdas too; it runs only Python.
        fork = "fork" in multiprocessing.get_all_start_methods() and os.name == "posix"
        context = multiprocessing.get_context("fork" if fork else "spawn")
        processes = ProcessPoolExecutor(
            self.workers, mp_context=context, initializer=_install, initargs=(call,)
        )
        try:
            yield lambda *args: processes.submit(_run, *args)
        finally:
            processes.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _event_loop(call: Callable[..., Any]) -> Iterator[Callable[..., Future[Any]]]:
    import asyncio
    from threading import Thread

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
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
