"""The requested splits, whoever reads their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.dataset.stream_splits import load_streams

if TYPE_CHECKING:
    from rowstream.resolve.request import Request


def load_request(
    request: Request,
    split: Any,
    *,
    streaming: bool,
    cache_dir: Any = None,
    keep_in_memory: bool | None = None,
    mode: Any = None,
    checks: Any = None,
) -> Any:
    """Return the requested splits, as datasets or as streams; all of them if `split` is `None`."""
    # Imported where it is needed: streams of the core need no pyarrow.
    if request.reader is not None:
        from rowstream.packaged.load import load_packaged

        return load_packaged(
            request,
            split,
            streaming=streaming,
            cache_dir=cache_dir,
            keep_in_memory=keep_in_memory,
            mode=mode,
        )
    if streaming:
        return load_streams(request, split)
    from rowstream.dataset.splits import load_prepared

    return load_prepared(request, split, cache_dir, keep_in_memory, mode, checks)
