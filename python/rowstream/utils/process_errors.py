"""Errors of other processes, of this machine and of a cluster: how they are sent and raised."""

from __future__ import annotations

import pickle
from typing import NoReturn, TypeVar

E = TypeVar("E", bound=BaseException)


def sendable(error: E) -> E | RuntimeError:
    """Return an error that another process can read: one of its text, if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it was made just now
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def raise_of(error: tuple[BaseException, str], where: str) -> NoReturn:
    """Raise an error of another process.

    Args:
        error: The error, and its traceback as text.
        where: What the process did.
    """
    error[0].add_note(f"In a process of {where}:\n{error[1]}")
    raise error[0]
