"""Progress bars: drawn by tqdm where it is installed, and where nobody has switched them off."""

from __future__ import annotations

import os
from typing import Any

_disabled = os.environ.get("HF_DATASETS_DISABLE_PROGRESS_BARS", "").upper() in (
    "1",
    "ON",
    "YES",
    "TRUE",
)


def disable_progress_bars() -> None:
    """Draws no progress bars."""
    global _disabled
    _disabled = True


def enable_progress_bars() -> None:
    """Draws progress bars. What `HF_DATASETS_DISABLE_PROGRESS_BARS` says is overruled."""
    global _disabled
    _disabled = False


def are_progress_bars_disabled() -> bool:
    """Return whether progress bars are not drawn."""
    return _disabled


disable_progress_bar, enable_progress_bar = disable_progress_bars, enable_progress_bars


def is_progress_bar_enabled() -> bool:
    """Return whether progress bars are drawn."""
    return not _disabled


class _NoBar:
    """What counts and draws nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n: int = 1) -> None:
        """Count."""

    def set_description(self, *_: Any, **__: Any) -> None:
        """Says what is done."""

    def close(self) -> None:
        """End."""


def bar(total: int | None, desc: str, unit: str = " examples", initial: int = 0) -> Any:
    """Return a progress bar."""
    if _disabled:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _NoBar()
    return tqdm(total=total, desc=desc, unit=unit, initial=initial)
