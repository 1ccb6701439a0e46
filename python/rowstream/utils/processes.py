"""Work in processes of their own: how they start, what is sent to them, and how their progress,
results and errors come back.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.utils import logging

_logger = logging.get_logger(__name__)


def _with_parent() -> None:
    """End this process when its parent does, whatever it is busy with."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)


def _worker(pipe: Any, tasks: Any, others: list[Any]) -> None:
    """Do the tasks whose numbers a process is told. Progress and results go back as they come.

    Nothing here is done on a thread of its own: what was sent is sent, and what cannot be is an
    error like any other.
    """
    for one in others:
        one.close()  # the parent's ends: held here, they would stay open when the parent is gone
    threading.Thread(target=_with_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    while (i := pipe.recv()) is not None:
        pending = 0

        def told(n: int) -> None:
            nonlocal pending
            pending += n
            if pending >= 1000:
                pipe.send(("rows", pending))
                pending = 0

        try:
            made = _received(tasks[i])(told)
            pipe.send(("rows", pending))
            pipe.send(("done", (i, made)))
        except SystemExit:
            return  # its end is seen, and is no result
        except BaseException as error:
            pipe.send(("error", (_sendable(error), traceback.format_exc())))
            return


def _sendable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it was made just now
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _sent(task: Any, what: str) -> tuple[str, bytes]:
    """Return a task as bytes, and what reads them: pickle, or what pickles functions of all kinds,
    where it is installed.
    """
    try:
        return "pickle", pickle.dumps(task)
    except Exception as error:
        # With the globals that a function uses: those of a script are not there where it is not
        # run.
        for name, options in (("cloudpickle", {}), ("dill", {"recurse": True})):
            with suppress(ImportError):
                return name, __import__(name).dumps(task, **options)
        raise InvalidArgumentError(
            f"{what}(num_proc=…) sends the function to other processes, and it cannot be pickled:"
            f" {error}. Define it in a module, or install cloudpickle"
        ) from error


def _received(task: Any) -> Any:
    """Return a task, as `_sent` sent it, or as a fork has it."""
    return __import__(task[0]).loads(task[1]) if isinstance(task, tuple) else task


def context() -> Any:
    """Return how processes are started: as `ROWSTREAM_START_METHOD` says, or the program by
    `multiprocessing.set_start_method`; or else by a fork, which takes functions of all kinds along
    and never runs the script again. Other threads of the program change nothing.
    """
    known = multiprocessing.get_all_start_methods()
    chosen = multiprocessing.get_start_method(allow_none=True)
    # The first is what Python takes where nobody chose.
    said = os.environ.get("ROWSTREAM_START_METHOD") or (chosen if chosen != known[0] else None)
    return multiprocessing.get_context(said or ("fork" if "fork" in known else "spawn"))


def run_in_processes(
    tasks: list[tuple[int, Any]],
    num_proc: int,
    told: Callable[[int], None],
    done: Callable[[int, Any], None] | None,
    what: str,
) -> None:
    """Do tasks in processes of their own. A task is called with a function that it tells how many
    rows more are done.

    Each has a pipe of its own: where one ends, whatever its exit code, nothing of the others waits
    for it.

    Args:
        tasks: tasks, with their numbers.
        num_proc: processes.
        told: is told of rows that are done.
        done: is told of each task's number and result, if it is given.
        what: what the tasks are of, for errors.

    Raises:
        The error of the first task that fails; `RuntimeError` where a process ends before it is
        done.
    """
    how = context()
    fork = how.get_start_method() == "fork"
    given = {i: task if fork else _sent(task, what) for i, task in tasks}
    waiting, left = deque([*given, *[None] * num_proc]), len(tasks)
    workers: list[Any] = []
    # The ends of pipes here, of the workers that have a task.
    busy: dict[Any, Any] = {}
    try:
        for _ in range(min(num_proc, len(tasks))):
            ours, theirs = how.Pipe()
            worker = how.Process(
                target=_worker, args=(theirs, given, [*busy, ours] if fork else []), daemon=True
            )
            worker.start()
            theirs.close()  # held here, its end would not be seen
            workers.append(worker)
            busy[ours] = worker
            _tell(ours, waiting)
        while left:
            ready: list[Any] = connection.wait(list(busy), timeout=1)
            # What a worker has started itself may hold its end of the pipe open.
            for pipe in ready or [pipe for pipe, worker in busy.items() if not worker.is_alive()]:
                kind, content = _heard(pipe, busy[pipe], what)
                if kind == "rows":
                    told(content)
                elif kind == "error":
                    error, where = content
                    error.add_note(f"In a process of {what}(num_proc={num_proc}):\n{where}")
                    raise error
                else:
                    left -= 1
                    if not _tell(pipe, waiting):
                        del busy[pipe]
                        pipe.close()
                    if done is not None:
                        done(*content)
    finally:
        for worker in workers:
            if left:
                worker.terminate()
        for pipe in busy:
            pipe.close()
        for worker in workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()
                worker.join()


def _tell(pipe: Any, waiting: deque[int | None]) -> bool:
    """Give a worker its next task, or tells it that there is none. One that is gone is found out
    when it is listened to.
    """
    task = waiting.popleft()
    with suppress(OSError):
        pipe.send(task)
    return task is not None


def _heard(pipe: Any, worker: Any, what: str) -> Any:
    """Return what a worker says."""
    with suppress(EOFError, OSError):
        if pipe.poll():
            return pipe.recv()
    worker.join()
    _logger.error(
        f"a process of {what} ended by itself, with exit code {worker.exitcode}: it may have used"
        " more memory than there is"
    )
    raise RuntimeError(
        f"One of the subprocesses has abruptly died during {what} operation.To debug the error,"
        " disable multiprocessing."
    ) from None
