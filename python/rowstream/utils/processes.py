"""Work in separate processes: how they start, what is sent to them, and how their progress, results
and errors come back.
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
from rowstream.utils.process_errors import raise_of, sendable
from rowstream.utils.ray_tasks import run_in_ray

_logger = logging.get_logger(__name__)


def _with_parent() -> None:
    """End this process when its parent ends, even in the middle of a task."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)


def _worker(pipe: Any, tasks: Any, others: list[Any]) -> None:
    """Run the tasks whose numbers come through a pipe, and send progress and results back.

    Nothing is sent by another thread, so what cannot be sent raises an error like any other.
    """
    for one in others:
        one.close()  # the parent's ends: held here, they would stay open when the parent is gone
    threading.Thread(target=_with_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    while (i := pipe.recv()) is not None:
        pending = 0

        def on_progress(n: int) -> None:
            nonlocal pending
            pending += n
            if pending >= 1000:
                pipe.send(("rows", pending))
                pending = 0

        try:
            result = _received(tasks[i])(on_progress)
            pipe.send(("rows", pending))
            pipe.send(("done", (i, result)))
        except SystemExit:
            return  # its end is seen, and is no result
        except BaseException as error:
            pipe.send(("error", (sendable(error), traceback.format_exc())))
            return


def _sent(task: Any, what: str) -> tuple[str, bytes]:
    """Return a task as bytes, and the name of the module that reads them.

    This is pickle, or cloudpickle or dill, which accept more functions, if one is installed.
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
    """Return a task from the bytes of `_sent`, or as it is in a forked process."""
    return __import__(task[0]).loads(task[1]) if isinstance(task, tuple) else task


def context() -> Any:
    """Return the `multiprocessing` context with which processes are started.

    It is that of `ROWSTREAM_START_METHOD`, or of `multiprocessing.set_start_method` if the program
    called it. Otherwise processes are forked, which accepts all functions and does not run the
    script again.
    """
    known = multiprocessing.get_all_start_methods()
    chosen = multiprocessing.get_start_method(allow_none=True)
    # The first is what Python takes where nobody chose.
    said = os.environ.get("ROWSTREAM_START_METHOD") or (chosen if chosen != known[0] else None)
    return multiprocessing.get_context(said or ("fork" if "fork" in known else "spawn"))


def run_in_processes(
    tasks: list[tuple[int, Any]],
    num_proc: int,
    on_progress: Callable[[int], None],
    done: Callable[[int, Any], None] | None,
    what: str,
    engine: str | None = None,
) -> None:
    """Run tasks in separate processes; a task is called with a function to report finished rows.

    Each process has its own pipe: if one ends, for whatever reason, the others do not wait for it.

    Args:
        tasks: The tasks, with their numbers.
        num_proc: The number of processes.
        on_progress: It is called with the number of rows that were finished.
        done: It is called with each task's number and result, unless it is `None`.
        what: The name of the operation, for errors.
        engine: `"ray"` for processes of a Ray cluster; of this machine if `None`.

    Raises:
        The error of the first task that fails; `RuntimeError` if a process ends before it is
            finished.
    """
    if engine is not None:
        run_in_ray(tasks, num_proc, on_progress, done, what)
        return
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
                    on_progress(content)
                elif kind == "error":
                    raise_of(content, f"{what}(num_proc={num_proc})")
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
    """Send a worker its next task, or `None` if there is none, and return whether there was one.

    A worker that has ended is noticed when its messages are read.
    """
    task = waiting.popleft()
    with suppress(OSError):
        pipe.send(task)
    return task is not None


def _heard(pipe: Any, worker: Any, what: str) -> Any:
    """Return the next message of a worker, or raise an error if it has ended."""
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
