"""Progress bars, drawn by tqdm if it is installed and unless they are disabled."""

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
    """Hide the progress bars of this process, such as those of `map`.

    The environment variable `HF_DATASETS_DISABLE_PROGRESS_BARS=1` does the same at the start.

    Example:
        >>> rowstream.disable_progress_bars()
        >>> rowstream.are_progress_bars_disabled()
        True
        >>> rowstream.enable_progress_bars()
    """
    global _disabled
    _disabled = True


def enable_progress_bars() -> None:
    """Show progress bars again, whatever `HF_DATASETS_DISABLE_PROGRESS_BARS` says.

    Example:
        >>> rowstream.enable_progress_bars()
        >>> rowstream.are_progress_bars_disabled()
        False
    """
    global _disabled
    _disabled = False


def are_progress_bars_disabled() -> bool:
    """Return whether progress bars are hidden.

    Example:
        >>> rowstream.disable_progress_bars()
        >>> are_progress_bars_disabled()
        True
        >>> rowstream.enable_progress_bars()
    """
    return _disabled


disable_progress_bar, enable_progress_bar = disable_progress_bars, enable_progress_bars


def is_progress_bar_enabled() -> bool:
    """Return whether progress bars are shown.

    Example:
        >>> rowstream.enable_progress_bars()
        >>> is_progress_bar_enabled()
        True
    """
    return not _disabled


class _NoBar:
    """A progress bar that draws nothing, for when bars are disabled."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n: int = 1) -> None:
        """Ignore the number of rows that are done."""

    def set_description(self, *_: Any, **__: Any) -> None:
        """Ignore the description that a bar would show."""

    def set_postfix_str(self, *_: Any, **__: Any) -> None:
        """Ignore the text that a bar would show."""

    def close(self) -> None:
        """Do nothing, since nothing was drawn."""


def bar(total: int | None, desc: str, unit: str = " examples", initial: int = 0) -> Any:
    """Return a progress bar, or one that draws nothing if bars are disabled."""
    if _disabled:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _NoBar()
    return tqdm(total=total, desc=desc, unit=unit, initial=initial)
