"""`open` that opens URLs too, for builders' code."""

from __future__ import annotations

import os
import sys
from typing import Any

from rowstream.storage.files import open as open_url
from rowstream.storage.urls import is_url


def opens_urls(of: type) -> None:
    """Lets a builder's module open URLs by the built-in `open`, as it would paths. A module with an
    `open` of its own keeps it.
    """
    module = sys.modules.get(of.__module__)
    if module is not None and "open" not in vars(module):
        module.open = open_anywhere  # type: ignore[attr-defined]  # modules take any name


def open_anywhere(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    """As the builtin `open`, of URLs too."""
    import builtins

    if isinstance(file, (str, os.PathLike)) and is_url(os.fspath(file)):
        return open_url(file, mode, *args, **kwargs)
    return builtins.open(file, mode, *args, **kwargs)
