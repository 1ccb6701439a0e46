"""The description of the work of one process of `map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class MapJob:
    """All that a process needs to know to map its shard of the rows."""

    shard: Any
    function: Callable[..., Any]
    with_indices: bool = False
    with_rank: bool = False
    input_columns: list[str] | None = None
    batched: bool = False
    batch_size: int | None = 1000
    drop_last_batch: bool = False
    remove_columns: list[str] | None = None
    keep_in_memory: bool = False
    cache_file_name: str | None = None
    writer_batch_size: int | None = 1000
    features: Any = None
    disable_nullable: bool = False
    fn_kwargs: dict[str, Any] | None = None
    try_original_type: bool | None = True
    on_mixed_types: str | None = "use_json"
    new_fingerprint: str | None = None
    rank: int | None = None
    offset: int = 0
    # Whether the file is the user's, and has all columns.
    whole: bool = False


def gave_nothing(job: MapJob, n: int) -> int:
    """Return how many of the `n` rows of a shard the function gets, without a dropped batch."""
    size = job.batch_size or 0
    return n // size * size if job.batched and job.drop_last_batch and size > 0 else n
