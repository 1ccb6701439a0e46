"""Looking at data: a page that a server of this machine shows, and figures of columns.

`rowstream view SOURCE` on a command line does the same.
"""

from __future__ import annotations

from rowstream.view.server import Viewer, serve

__all__ = ["Viewer", "serve"]
