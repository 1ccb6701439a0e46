"""A line that shows how a loop gets on: a progress bar with the figures of `DataLoader.stats`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from rowstream.utils import progress

_PAUSE = 0.5  # seconds between two looks at the figures


def shown(
    batches: Iterator[Any], stats: Callable[[], dict[str, Any]], done: int, total: int | None
) -> Iterator[Any]:
    """Yield batches, and show how they get on.

    Args:
        batches: The batches.
        stats: Return the figures.
        done: The number of batches of the epoch that were given before.
        total: The number of all, if it is known.
    """
    with progress.bar(total, "Batches", " batches", initial=done) as bar:
        told = perf_counter()
        for batch in batches:
            bar.update(1)
            # Not of the first batches, which say nothing yet.
            if (now := perf_counter()) - told > _PAUSE:
                told = now
                bar.set_postfix_str(line_of(stats()))
            yield batch
        bar.set_postfix_str(line_of(stats()))


def line_of(stats: dict[str, Any]) -> str:
    """Return figures as a short text.

    Args:
        stats: What `DataLoader.stats` returns.

    Example:
        >>> line_of({"rows_per_second": 1200.4, "megabytes_per_second": 3.21, "waited_share": 0.5,
        ...          "ready_batches": 4, "retries": 0, "cache_hits": 7})
        '1,200 rows/s, 3.2 MB/s, waited 50%, 4 ready, 7 cache hits'
    """
    parts = [
        f"{stats['rows_per_second']:,.0f} rows/s",
        f"{stats['megabytes_per_second']:,.1f} MB/s",
        f"waited {stats['waited_share']:.0%}",
        f"{stats['ready_batches']} ready",
    ]
    for name, text in (("retries", "retries"), ("cache_hits", "cache hits")):
        if stats[name]:
            parts.append(f"{stats[name]:,} {text}")
    return ", ".join(parts)
