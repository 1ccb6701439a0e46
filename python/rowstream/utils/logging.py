"""The log messages of rowstream, and which of them are shown."""

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
    if _root.level == NOTSET:
        # Who said it before this was imported meant it.
        _root.setLevel(_LEVELS.get(said.lower(), WARNING))
    _root.propagate = True


def get_logger(name: str | None = None) -> logging.Logger:
    """Return the logger of a module, a child of rowstream's, or rowstream's own without a name."""
    return logging.getLogger(name) if name else _root


def below(name: str) -> None:
    """Make rowstream's logger a child of another, whose level, handlers and propagation then apply.

    The other logger starts with those of rowstream.
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
    """Return the lowest level whose messages are shown."""
    return _root.getEffectiveLevel()


def set_verbosity(verbosity: int) -> None:
    """Show only messages of a level and above, such as `logging.INFO`."""
    _root.setLevel(verbosity)


def set_verbosity_debug() -> None:
    """Show all messages, also those for debugging."""
    set_verbosity(DEBUG)


def set_verbosity_info() -> None:
    """Show messages about what is being done, and warnings and errors."""
    set_verbosity(INFO)


def set_verbosity_warning() -> None:
    """Show only warnings and errors."""
    set_verbosity(WARNING)


def set_verbosity_error() -> None:
    """Show only errors, but no warnings."""
    set_verbosity(ERROR)


def disable_propagation() -> None:
    """Stop passing messages to the root logger."""
    _root.propagate = False


def enable_propagation() -> None:
    """Pass messages to the root logger as well."""
    _root.propagate = True


def disable_progress_bar() -> None:
    """Hide progress bars, as in `rowstream.disable_progress_bars`."""
    disable_progress_bars()


def enable_progress_bar() -> None:
    """Show progress bars, as in `rowstream.enable_progress_bars`."""
    enable_progress_bars()


def is_progress_bar_enabled() -> bool:
    """Return whether progress bars are shown."""
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
