"""What rowstream logs, and how much of it is shown."""

from __future__ import annotations

import logging
import os
from logging import CRITICAL, DEBUG, ERROR, FATAL, INFO, NOTSET, WARN, WARNING

from rowstream.utils.progress import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

_LEVELS = {"debug": DEBUG, "info": INFO, "warning": WARNING, "error": ERROR, "critical": CRITICAL}
_root = logging.getLogger("rowstream")


def _set_up() -> None:
    said = (
        os.environ.get("DATASETS_VERBOSITY") or os.environ.get("ROWSTREAM_VERBOSITY") or "warning"
    )
    if not _root.handlers:
        _root.addHandler(logging.StreamHandler())
    _root.setLevel(_LEVELS.get(said.lower(), WARNING))
    _root.propagate = True


def get_logger(name: str | None = None) -> logging.Logger:
    """Return the logger of a module, below that of rowstream."""
    return logging.getLogger(name) if name else _root


def below(name: str) -> None:
    """Hangs rowstream's logger below another, whose level, handlers and propagation count from now
    on: they are ours at first.
    """
    global _root
    ours, other = _root, logging.getLogger(name)
    if other is ours:
        return
    for handler in list(ours.handlers):
        ours.removeHandler(handler)
        other.addHandler(handler)
    other.propagate, ours.propagate, ours.parent = ours.propagate, True, other
    other.setLevel(ours.level)
    ours.setLevel(NOTSET)
    _root = other


def get_verbosity() -> int:
    """Return the level from which on messages are shown."""
    return _root.getEffectiveLevel()


def set_verbosity(verbosity: int) -> None:
    """Show messages from a level on."""
    _root.setLevel(verbosity)


def set_verbosity_debug() -> None:
    """Show all messages."""
    set_verbosity(DEBUG)


def set_verbosity_info() -> None:
    """Show messages that tell what is done, and those that matter more."""
    set_verbosity(INFO)


def set_verbosity_warning() -> None:
    """Show warnings and errors."""
    set_verbosity(WARNING)


def set_verbosity_error() -> None:
    """Show errors."""
    set_verbosity(ERROR)


def disable_propagation() -> None:
    """Messages are not handed on to the root logger."""
    _root.propagate = False


def enable_propagation() -> None:
    """Messages are handed on to the root logger too."""
    _root.propagate = True


def disable_progress_bar() -> None:
    """Draws no progress bars."""
    disable_progress_bars()


def enable_progress_bar() -> None:
    """Draws progress bars."""
    enable_progress_bars()


def is_progress_bar_enabled() -> bool:
    """Return whether progress bars are drawn."""
    return not are_progress_bars_disabled()


_set_up()


__all__ = [
    "CRITICAL",
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "NOTSET",
    "WARN",
    "WARNING",
    "get_logger",
    "get_verbosity",
    "set_verbosity",
]
