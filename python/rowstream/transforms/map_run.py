"""The execution of one job of `map`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from rowstream import config
from rowstream.transforms.map_function import MapFunction, Row, reads_plain_rows
from rowstream.transforms.map_job import MapJob, gave_nothing
from rowstream.transforms.map_output import MapOutput


def parts_of_job(job: MapJob) -> Iterator[tuple[Any, Any]]:
    """Yield the positions and rows of a shard, one row at a time or in batches."""
    ds, size = job.shard, job.batch_size
    n = len(ds)
    if reads_plain_rows(job):
        rows = ds._core_rows()
        if job.input_columns is None:
            yield from enumerate(map(Row, rows))
        else:
            # What the function changes inside its arguments does not change the row.
            inputs = ds.select_columns(job.input_columns)._core_rows()
            yield from enumerate(zip(rows, inputs, strict=True))
        return
    if not job.batched:
        # Read by the thousand, given one by one.
        for start in range(0, n, 1000):
            some = ds._query(slice(start, start + 1000))
            for i in range(some.num_rows):
                yield start + i, some.slice(i, 1)
        return
    step, stop = size if size and size > 0 else max(1, n), gave_nothing(job, n)
    for start in range(0, stop, step):
        end = min(start + step, stop)
        yield list(range(start, end)), ds._query(slice(start, end))


def _results(job: MapJob) -> Iterator[tuple[int, Any]]:
    """Yield the number of rows read, and the result of the function for them."""
    function = MapFunction(job)
    if not inspect.iscoroutinefunction(job.function):
        for at, part in parts_of_job(job):
            yield len(at) if job.batched else 1, function(part, at)
        return
    loop = asyncio.new_event_loop()
    waiting: list[tuple[int, asyncio.Task[Any]]] = []
    most = config.MAX_NUM_RUNNING_ASYNC_MAP_FUNCTIONS_IN_PARALLEL
    try:
        for at, part in parts_of_job(job):
            waiting.append(
                (len(at) if job.batched else 1, loop.create_task(function.later(part, at)))
            )
            while len(waiting) >= most:
                n, task = waiting.pop(0)
                yield n, loop.run_until_complete(task)
        while waiting:
            n, task = waiting.pop(0)
            yield n, loop.run_until_complete(task)
    finally:
        for _, task in waiting:
            task.cancel()
        if waiting:
            loop.run_until_complete(
                asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
            )
        loop.close()


def run(job: MapJob, on_progress: Callable[[int], None]) -> Any:
    """Run a job and return the dataset of its result, or its shard if the function returned `None`.

    The file is complete, or does not exist.

    Args:
        job: The job.
        on_progress: A function that is called with each number of finished rows.
    """
    out, done = MapOutput(job), False
    try:
        for n, result in _results(job):
            out.write(result, n)
            on_progress(n)
        out.end()
        done = True
    finally:
        if not done:
            out.drop()
    return out.result()


def run_in_process(job: MapJob, on_progress: Callable[[int], None]) -> Any:
    """Run a job in a worker process, and return `None` where `run` returns the shard."""
    result = run(job, on_progress)
    return None if result is job.shard else result
