"""Files of any other source, which file systems of `fsspec` list and read in their own threads."""

from __future__ import annotations

import os
import threading
from typing import Any

from rowstream import _core
from rowstream.exceptions import DataFilesNotFoundError, UnsupportedError
from rowstream.storage.urls import shown

_THREADS = 8
_OPTIONS: dict[int, dict[str, Any]] = {}
_STARTED: set[int] = set()
_LOCK = threading.Lock()


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError:
        raise UnsupportedError(
            "files of other places than this machine, HTTP, S3, GCS, Azure and the Hub are read by"
            " fsspec: pip install fsspec"
        ) from None
    return fsspec


def serve(store: int, options: dict[str, Any]) -> None:
    """Answer the core's requests for these options in this process, in threads.

    Args:
        store: The number of these options in the requests.
        options: The options of the file systems.
    """
    with _LOCK:
        _OPTIONS[store] = options
        if os.getpid() not in _STARTED:
            _STARTED.clear()
            _STARTED.add(os.getpid())
            for i in range(_THREADS):
                threading.Thread(target=_answer, name=f"rowstream-fsspec-{i}", daemon=True).start()


def _again() -> None:
    """Start the threads again in a forked child, which has none of them."""
    global _LOCK
    _LOCK = threading.Lock()
    if _STARTED:
        _STARTED.clear()
        for store, options in list(_OPTIONS.items()):
            serve(store, options)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_again)


def _answer() -> None:
    files: dict[tuple[int, str], tuple[Any, str]] = {}
    while (request := _core.next_request()) is not None:
        try:
            key = (request.store, request.url)
            if key not in files:
                if len(files) > 1000:
                    files.clear()
                files[key] = _fsspec().core.url_to_fs(
                    request.url, **_OPTIONS.get(request.store, {})
                )
            system, path = files[key]
            if request.range is None:
                info = system.info(path)
                if info["type"] == "directory":
                    request.failed("missing", "is a folder, not a file")
                    continue
                size = info.get("size")
                request.opened(
                    len(system.cat_file(path)) if size is None else int(size), _version(info)
                )
            else:
                start, end = request.range
                request.read(bytes(system.cat_file(path, start=start, end=end)))
        except FileNotFoundError as error:
            request.failed("missing", str(error) or "there is no such file")
        except PermissionError as error:
            request.failed("refused", str(error))
        except BaseException as error:
            request.failed("other", f"{type(error).__name__}: {error}")


def _version(info: dict[str, Any]) -> str | None:
    """Return what identifies the version of a file, if its file system provides it."""
    for name in (
        "ETag",
        "etag",
        "md5Hash",
        "content_md5",
        "mtime",
        "LastModified",
        "last_modified",
        "created",
        "modified",
    ):
        if info.get(name) is not None:
            return f"{name} {info[name]}"
    return None


def resolve(pattern: str, options: dict[str, Any]) -> list[str]:
    """Return the URLs of the files that match a pattern of `fsspec`."""
    fsspec = _fsspec()
    if not any(char in pattern for char in "*?["):
        return [pattern]
    system, path = fsspec.core.url_to_fs(pattern, **options)
    head, _, tail = pattern.partition("::")
    scheme = head.partition("://")[0]
    found = [one for one in sorted(system.glob(path)) if not system.isdir(one)]
    result = [
        f"{scheme}://{one.lstrip('/')}::{tail}" if tail else str(system.unstrip_protocol(one))
        for one in found
    ]
    if not result:
        raise DataFilesNotFoundError(f"no file matches {shown(pattern)}")
    return result
