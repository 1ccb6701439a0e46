"""An `open` that also opens URLs, for the code of builders."""

from __future__ import annotations

import os
import sys
from typing import Any

from rowstream.storage.files import open as open_url
from rowstream.storage.urls import is_url


def opens_urls(of: type) -> None:
    """Let a builder's module open URLs with the built-in `open`.

    A module that has an `open` of its own keeps it.
    """
    module = sys.modules.get(of.__module__)
    if module is not None and "open" not in vars(module):
        module.open = open_anywhere  # type: ignore[attr-defined]  # modules take any name


def open_anywhere(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    """Open a file as the built-in `open` does, or a URL."""
    import builtins

    if isinstance(file, (str, os.PathLike)) and is_url(os.fspath(file)):
        return open_url(file, mode, *args, **kwargs)
    return builtins.open(file, mode, *args, **kwargs)
