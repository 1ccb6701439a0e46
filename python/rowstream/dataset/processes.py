"""Work in processes of their own: how they start, what is sent to them, and how their progress, results and errors come back."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.utils import logging

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.get_logger(__name__)


def _worker(todo: Any, results: Any, tasks: Any) -> None:
    """What a process does: tasks, until there are none. Progress and results go back as they come."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    while (i := todo.get()) is not None:
        pending = 0

        def told(n: int) -> None:
            nonlocal pending
            pending += n
            if pending >= 1000:
                results.put((i, "rows", pending))
                pending = 0

        try:
            task = pickle.loads(tasks[i]) if isinstance(tasks[i], bytes) else tasks[i]  # noqa: S301 - of the process that started this one
            made = task(told)
            results.put((i, "rows", pending))
            results.put((i, "done", made))
        except BaseException as error:
            results.put((i, "error", (_sendable(error), traceback.format_exc())))
            return


def _sendable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it was made just now
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _sent(task: Any, what: str) -> bytes:
    """A task as bytes: by pickle, or by what pickles functions of all kinds, where it is installed."""
    try:
        return pickle.dumps(task)
    except Exception as error:
        for name in ("cloudpickle", "dill"):
            with suppress(ImportError):
                return __import__(name).dumps(task)
        raise InvalidArgumentError(
            f"{what}(num_proc=…) sends the function to other processes, and it cannot be pickled: {error}. Define it in a module, "
            "or install cloudpickle"
        ) from error


def context() -> Any:
    """How processes are started: by a fork, which takes functions of all kinds along, where no other thread runs that might hold a
    lock; or else anew.
    """
    if (said := os.environ.get("ROWSTREAM_START_METHOD")) is not None:
        return multiprocessing.get_context(said)
    others = [one for one in threading.enumerate() if one is not threading.current_thread() and type(one).__name__ != "TMonitor"]
    fork = not others and "fork" in multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if fork else "spawn")


def run_in_processes(
    tasks: list[tuple[int, Any]], num_proc: int, told: Callable[[int], None], done: Callable[[int, Any], None] | None, what: str
) -> None:
    """Does tasks in processes of their own. A task is called with a function that it tells how many rows more are done.

    Args:
        tasks: tasks, with their numbers.
        num_proc: processes.
        told: is told of rows that are done.
        done: is told of each task's number and result, if it is given.
        what: what the tasks are of, for errors.

    Raises:
        The error of the first task that fails; `RuntimeError` where a process is killed.
    """
    how = context()
    todo, results = how.Queue(), how.Queue()
    # Pickled here: what a queue pickles, it pickles on a thread of its own, where an error is lost.
    given = {i: task if how.get_start_method() == "fork" else _sent(task, what) for i, task in tasks}
    for i, _ in tasks:
        todo.put(i)
    for _ in range(num_proc):
        todo.put(None)
    workers = [how.Process(target=_worker, args=(todo, results, given), daemon=True) for _ in range(min(num_proc, len(tasks)))]
    left = len(tasks)
    try:
        for worker in workers:
            worker.start()
        while left:
            try:
                i, kind, content = results.get(timeout=0.2)
            except queue.Empty:
                if dead := [worker.exitcode for worker in workers if not worker.is_alive() and worker.exitcode]:
                    _logger.error(f"processes of {what} ended with {dead}: they may have used more memory than there is")
                    raise RuntimeError(
                        f"One of the subprocesses has abruptly died during {what} operation.To debug the error, disable multiprocessing."
                    ) from None
                continue
            if kind == "rows":
                told(content)
            elif kind == "error":
                error, where = content
                error.add_note(f"In a process of {what}(num_proc={num_proc}):\n{where}")
                raise error
            else:
                if done is not None:
                    done(i, content)
                left -= 1
    finally:
        for worker in workers:
            if left and worker.is_alive():
                worker.terminate()
        for worker in workers:
            if worker.pid is not None:
                worker.join(5)
        for one in (todo, results):
            one.close()
            one.cancel_join_thread()
