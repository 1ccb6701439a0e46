"""Options of sources by the names that users of fsspec's file systems have for them, as the core
has them.

None is left out without a word: it is honoured, or a warning says that it changes nothing here, or
an error names it, and all others that are like it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rowstream.storage.options import azure, gcs, s3
from rowstream.storage.options.base import PATIENCE, flag
from rowstream.storage.options.http import hub_token, of_http


def of_cloud(kind: str, options: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the options of an object store by the names that the core has for them, and how
    patient to be.

    Raises:
        InvalidArgumentError: some are not honoured.
        FilePermissionError: there are no credentials, and the environment says that none are to be
            asked for.
    """
    made = {"s3": s3, "gs": gcs, "az": azure}[kind].meant(options)
    return made, {name: made.pop(name) for name in PATIENCE if name in made}


__all__ = ["PATIENCE", "flag", "hub_token", "of_cloud", "of_http"]
