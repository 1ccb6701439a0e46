"""Options of object stores, translated from the names of fsspec's file systems to the core's.

No option is ignored silently: it is used, or a warning says that it has no effect, or an error
names all options that are not supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rowstream.storage.options import azure, gcs, s3
from rowstream.storage.options.base import PATIENCE, flag
from rowstream.storage.options.http import hub_token, of_http


def of_cloud(kind: str, options: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the options of an object store under the core's names, and the timeouts and retries.

    Raises:
        InvalidArgumentError: Some options are not supported.
        FilePermissionError: There are no credentials, and the environment forbids looking for them.
    """
    result = {"s3": s3, "gs": gcs, "az": azure}[kind].meant(options)
    return result, {name: result.pop(name) for name in PATIENCE if name in result}


__all__ = ["PATIENCE", "flag", "hub_token", "of_cloud", "of_http"]
