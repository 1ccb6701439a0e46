"""Work on the machines of a Ray cluster, as `processes` does it on this one."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.utils.process_errors import raise_of, sendable


def check_engine(engine: str | None, what: str) -> None:
    """Raise unless an engine is known.

    Raises:
        InvalidArgumentError: It is not.
    """
    if engine not in (None, "ray"):
        raise InvalidArgumentError(
            f"{what}: engine is None for processes of this machine, or 'ray', found {engine!r}"
        )


def cluster_size() -> int:
    """Return the number of CPUs of the cluster; one that runs is joined, else one is started."""
    return max(1, int(_started().cluster_resources().get("CPU", 1)))


def run_in_ray(
    tasks: list[tuple[int, Any]],
    most: int,
    on_progress: Callable[[int], None],
    done: Callable[[int, Any], None] | None,
    what: str,
) -> None:
    """Run tasks on the cluster.

    Args:
        tasks: The tasks, with their numbers. Each is called with a function to report finished
            rows.
        most: How many run at once.
        on_progress: It is called with the number of rows of each task that is finished.
        done: It is called with each task's number and result, unless it is `None`.
        what: The name of the operation, for errors.

    Raises:
        The error of the first task that fails.
    """
    ray = _started()
    remote = ray.remote(_called)
    waiting = list(reversed(tasks))
    running: dict[Any, int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < most:
                i, task = waiting.pop()
                running[remote.remote(task)] = i
            (ready, *_), _ = ray.wait(list(running))
            i = running.pop(ready)
            try:
                result, rows, error = ray.get(ready)
            except ray.exceptions.WorkerCrashedError as crashed:
                raise RuntimeError(
                    f"a process of {what} ended by itself, four times: it may have used more memory"
                    " than there is"
                ) from crashed
            if error is not None:
                raise_of(error, f"{what}(engine='ray')")
            on_progress(rows)
            if done is not None:
                done(i, result)
    finally:
        for task in running:
            ray.cancel(task)


def _called(task: Any) -> tuple[Any, int, Any]:
    """Call a task; return its result, the number of rows that it reported, and its error."""
    rows = 0

    def on_progress(n: int) -> None:
        nonlocal rows
        rows += n

    try:
        return task(on_progress), rows, None
    except Exception as error:
        return None, rows, (sendable(error), traceback.format_exc())


def _started() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError("engine='ray' needs Ray: pip install ray") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    return ray
