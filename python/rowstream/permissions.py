"""The rights of files that this process makes."""

from __future__ import annotations

import os


def umask() -> int:
    """The rights that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
