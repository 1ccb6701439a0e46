"""Functions on paths and URLs alike, for code that imports `datasets.utils.file_utils`.

Of a chain of URLs, such as `zip://a.csv::https://host/b.zip`, they change the first one.
"""

from __future__ import annotations

import builtins
import hashlib
import os
import platform
import posixpath
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlparse

from rowstream.exceptions import DataFilesNotFoundError
from rowstream.storage import files
from rowstream.storage.download import Downloads
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.extract import extract
from rowstream.version import __version__

if TYPE_CHECKING:
    P = TypeVar("P", str, Path)


def is_local_path(url_or_filename: str) -> bool:
    """Return whether a text is a local path and not a URL."""
    scheme = urlparse(url_or_filename).scheme
    return scheme == "" or os.path.ismount(f"{scheme}:/")


def is_remote_url(url_or_filename: str) -> bool:
    """Return whether a text is a URL and not a local path."""
    return not is_local_path(url_or_filename)


def is_relative_path(url_or_filename: str) -> bool:
    """Return whether a text is a relative local path."""
    return urlparse(url_or_filename).scheme == "" and not os.path.isabs(url_or_filename)


def relative_to_absolute_path(path: P) -> P:
    """Return an absolute path, with `~` and environment variables expanded."""
    result = os.path.abspath(os.path.expanduser(os.path.expandvars(str(path))))
    return type(path)(result)


def url_or_path_join(base_name: str, *pathnames: str) -> str:
    """Join names to a folder or URL."""
    if is_remote_url(base_name):
        return posixpath.join(
            base_name, *(str(name).replace(os.sep, "/").lstrip("/") for name in pathnames)
        )
    return Path(base_name, *pathnames).as_posix()


def url_or_path_parent(url_or_path: str) -> str:
    """Return the folder or URL that contains a path or URL."""
    return (
        url_or_path[: url_or_path.rindex("/")]
        if is_remote_url(url_or_path)
        else os.path.dirname(url_or_path)
    )


def hash_url_to_filename(url: str, etag: str | None = None) -> str:
    """Return a hash as the file name for a URL and its ETag; an ending `.py` is kept."""
    result = hashlib.sha256(url.encode()).hexdigest()
    if etag:
        result += "." + hashlib.sha256(etag.encode()).hexdigest()
    return result + ".py" if url.endswith(".py") else result


def _hops(path: Any) -> tuple[str, str]:
    """Return the first URL of a chain, and the rest of the chain."""
    first, separator, rest = str(path).partition("::")
    return first, separator + rest


def _rooted(url: str) -> str:
    return f"{url}//" if url.endswith(":") else url


def xjoin(a: Any, *p: Any) -> str:
    """Join paths as `os.path.join`, also of URLs."""
    first, rest = _hops(a)
    return os.path.join(first, *p) if is_local_path(first) else posixpath.join(first, *p) + rest


def xdirname(a: Any) -> str:
    """Return the parent folder as `os.path.dirname`, also of URLs."""
    first, rest = _hops(a)
    return (
        _rooted(
            os.path.dirname(Path(first).as_posix())
            if is_local_path(first)
            else posixpath.dirname(first)
        )
        + rest
    )


def xbasename(a: Any) -> str:
    """Return the last name as `os.path.basename`, also of URLs."""
    first, _ = _hops(a)
    return (
        os.path.basename(Path(first).as_posix())
        if is_local_path(first)
        else posixpath.basename(first)
    )


def xsplit(a: Any) -> tuple[str, str]:
    """Split off the last name as `os.path.split`, also of URLs."""
    first, rest = _hops(a)
    if is_local_path(first):
        return os.path.split(Path(first).as_posix())
    head, tail = posixpath.split(first)
    return _rooted(head) + rest, tail


def xsplitext(a: Any) -> tuple[str, str]:
    """Split off the extension as `os.path.splitext`, also of URLs."""
    first, rest = _hops(a)
    if is_local_path(first):
        return os.path.splitext(Path(first).as_posix())
    stem, ending = posixpath.splitext(first)
    return stem + rest, ending


def _far(path: Any) -> bool:
    return is_remote_url(_hops(path)[0]) and not str(path).startswith("file://")


def _with(config: DownloadConfig | None) -> dict[str, Any]:
    return (
        {}
        if config is None
        else {"storage_options": config.storage_options or None, "token": config.token}
    )


def xopen(
    file: Any,
    mode: str = "r",
    *args: Any,
    download_config: DownloadConfig | None = None,
    **kwargs: Any,
) -> Any:
    """Open a file as `open` does, also from URLs."""
    if _far(file):
        opened: Any = files.open
        return opened(str(file), mode, *args, **kwargs, **_with(download_config))
    return builtins.open(str(file).removeprefix("file://"), mode, *args, **kwargs)


def xexists(urlpath: Any, download_config: DownloadConfig | None = None) -> bool:
    """Return whether a path exists as `os.path.exists`, also for URLs."""
    return files.exists(str(urlpath), **_with(download_config))


def xisfile(path: Any, download_config: DownloadConfig | None = None) -> bool:
    """Return whether a path is a file as `os.path.isfile`, also for URLs."""
    if not _far(path):
        return os.path.isfile(path)
    try:
        xopen(path, "rb", download_config=download_config).close()
    except FileNotFoundError:
        return False
    return True


def xisdir(path: Any, download_config: DownloadConfig | None = None) -> bool:
    """Return whether a path is a folder as `os.path.isdir`; a URL is one if it contains files."""
    if not _far(path):
        return os.path.isdir(path)
    try:
        return bool(files.list(str(path), **_with(download_config)))
    except FileNotFoundError:
        return False


def xgetsize(path: Any, download_config: DownloadConfig | None = None) -> int:
    """Return the size of a file as `os.path.getsize`, also for URLs."""
    if not _far(path):
        return os.path.getsize(path)
    with xopen(path, "rb", download_config=download_config) as file:
        size: int = file.seek(0, os.SEEK_END)
    return size


def xglob(
    urlpath: Any, *, recursive: bool = False, download_config: DownloadConfig | None = None
) -> list[str]:
    """Return the matches of a pattern as `glob.glob`, also for URLs."""
    if _far(urlpath):
        return files.glob(str(urlpath), **_with(download_config))
    import glob

    return glob.glob(str(urlpath), recursive=recursive)


def readline(f: Any) -> bytes:
    """Read a line from a raw binary file, byte by byte and nothing after it."""
    result = bytearray()
    read: Callable[[int], bytes] = f.read
    while byte := read(1):
        result += byte
        if byte == b"\n":
            break
    return bytes(result)


def cached_path(
    url_or_filename: Any, download_config: DownloadConfig | None = None, **download_kwargs: Any
) -> str:
    """Return the local path of a file or URL, after downloading it if it is not in the cache.

    An archive is extracted if the settings say so.

    Args:
        url_or_filename: The path or URL.
        download_config: The settings.
        download_kwargs: Attributes of the settings, if `download_config` is `None`.

    Raises:
        DataFilesNotFoundError: The file does not exist.
        ReadError: The file cannot be downloaded.
    """
    config = download_config or DownloadConfig(**download_kwargs)
    source = str(url_or_filename).removeprefix("file://")
    if not _far(source) and not os.path.exists(source):
        raise DataFilesNotFoundError(f"Local file {source} doesn't exist")
    (result,) = Downloads(config).get([source])
    if config.extract_compressed_file:
        result = extract(
            result,
            Path(config.cache_dir) / "extracted" if config.cache_dir else None,
            force=config.force_extract,
        )
    return relative_to_absolute_path(result)


def get_datasets_user_agent(user_agent: str | dict[str, Any] | None = None) -> str:
    """Return the user agent of requests: the versions of rowstream, Python and installed libraries.

    More text can be added.
    """
    result = [f"rowstream/{__version__}", f"python/{platform.python_version()}"]
    for name, package in (
        ("hf_hub", "huggingface_hub"),
        ("pyarrow", "pyarrow"),
        ("torch", "torch"),
    ):
        try:
            result.append(f"{name}/{version(package)}")
        except PackageNotFoundError:
            continue
    more = (
        [f"{name}/{value}" for name, value in user_agent.items()]
        if isinstance(user_agent, dict)
        else [user_agent]
        if user_agent
        else []
    )
    return "; ".join([*result, *more])


__all__ = [
    "DownloadConfig",
    "cached_path",
    "get_datasets_user_agent",
    "hash_url_to_filename",
    "is_local_path",
    "is_relative_path",
    "is_remote_url",
    "readline",
    "relative_to_absolute_path",
    "url_or_path_join",
    "url_or_path_parent",
    "xbasename",
    "xdirname",
    "xexists",
    "xgetsize",
    "xglob",
    "xisdir",
    "xisfile",
    "xjoin",
    "xopen",
    "xsplit",
    "xsplitext",
]
