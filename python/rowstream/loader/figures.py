"""What a loader says of itself: how fast it is, what it waits for, what limits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.loader.profile import Profile, profile_of

if TYPE_CHECKING:
    from rowstream.loader.ahead import Ahead
    from rowstream.loader.place import Place
    from rowstream.loader.watch import Watch


class LoaderFigures:
    """The methods of `DataLoader` that say how it gets on."""

    _watch: Watch
    _ahead: Ahead | None
    _place: Place

    if TYPE_CHECKING:

        def __len__(self) -> int: ...

    def stats(self) -> dict[str, Any]:
        """Return how many batches were given, how fast, and how long the loop waited for them.

        Returns:
            `batches`, `rows` and `bytes` that were given, by all iterations since the loader was
            made; the `seconds` that took, of which the loop waited `waited_seconds` for batches,
            a `waited_share`, and did something else for `worked_seconds`; `rows_per_second` and
            `megabytes_per_second` (10⁶ bytes). The `ready_batches` and `ready_bytes` that are made
            ahead now, and the `collating_batches` that threads or processes work on. The
            `total_batches` of this epoch, if that is known, and the `eta_seconds` until its end at
            this rate; else `None`. And what the core did in the process since then: `requests`,
            the `retries` among them, `bytes_received`, `cache_hits` and `cache_misses` (ranges of
            the cache on disk), `cache_bytes`, `files_opened`.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2, 3]}), format="numpy")
            >>> _ = list(loader)
            >>> loader.stats()["rows"], loader.stats()["bytes"], loader.stats()["total_batches"]
            (3, 24, 3)
        """
        ahead, total = self._ahead, self._total()
        ready, size = (0, 0) if ahead is None else (len(ahead), ahead.bytes)
        found: dict[str, Any] = self._watch.stats()
        left = total and self._watch.left(max(0, total - self._place.batches))
        return {
            **found,
            "ready_batches": ready,
            "ready_bytes": size,
            "collating_batches": self._watch.collating,
            "total_batches": total,
            "eta_seconds": left,
        }

    def profile(self) -> Profile:
        """Return what limits the loader so far, and what to change.

        Returns:
            A `Profile`: `limit` is `"read"`, `"collate"` or `"copy"`, or `"step"` where the loop
            hardly waits; `seconds` of each stage, `waited_share`, and `advice`. It prints as text.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2, 3]}), format="numpy")
            >>> loader.profile().limit
            'nothing'
            >>> _ = list(loader)
            >>> sorted(loader.profile().seconds)
            ['collate', 'copy', 'read']
        """
        return profile_of(self._watch)

    def _total(self) -> int | None:
        """Return the number of batches of an epoch, where it is known."""
        try:
            return len(self)
        except TypeError:
            return None
