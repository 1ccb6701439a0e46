"""Paths and URLs alike, as code for `datasets.utils.file_utils` takes them: of a chain,
`zip://a.csv::https://host/b.zip`, the first.
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
    """Return whether it is a path of this machine, and no URL."""
    scheme = urlparse(url_or_filename).scheme
    return scheme == "" or os.path.ismount(f"{scheme}:/")


def is_remote_url(url_or_filename: str) -> bool:
    """Return whether it is a URL."""
    return not is_local_path(url_or_filename)


def is_relative_path(url_or_filename: str) -> bool:
    """Return whether it is a path that says not from where."""
    return urlparse(url_or_filename).scheme == "" and not os.path.isabs(url_or_filename)


def relative_to_absolute_path(path: P) -> P:
    """Return a path from the root on, with `~` and variables as what they stand for."""
    made = os.path.abspath(os.path.expanduser(os.path.expandvars(str(path))))
    return type(path)(made)


def url_or_path_join(base_name: str, *pathnames: str) -> str:
    """Return what is below a folder or URL."""
    if is_remote_url(base_name):
        return posixpath.join(
            base_name, *(str(name).replace(os.sep, "/").lstrip("/") for name in pathnames)
        )
    return Path(base_name, *pathnames).as_posix()


def url_or_path_parent(url_or_path: str) -> str:
    """Return the folder or URL that it is in."""
    return (
        url_or_path[: url_or_path.rindex("/")]
        if is_remote_url(url_or_path)
        else os.path.dirname(url_or_path)
    )


def hash_url_to_filename(url: str, etag: str | None = None) -> str:
    """Return a name for the file of a URL, and of a version of it; `.py` at the end stays."""
    made = hashlib.sha256(url.encode()).hexdigest()
    if etag:
        made += "." + hashlib.sha256(etag.encode()).hexdigest()
    return made + ".py" if url.endswith(".py") else made


def _hops(path: Any) -> tuple[str, str]:
    """Return the first of a chain, and the rest."""
    first, separator, rest = str(path).partition("::")
    return first, separator + rest


def _rooted(url: str) -> str:
    return f"{url}//" if url.endswith(":") else url


def xjoin(a: Any, *p: Any) -> str:
    """`os.path.join`."""
    first, rest = _hops(a)
    return os.path.join(first, *p) if is_local_path(first) else posixpath.join(first, *p) + rest


def xdirname(a: Any) -> str:
    """`os.path.dirname`."""
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
    """`os.path.basename`."""
    first, _ = _hops(a)
    return (
        os.path.basename(Path(first).as_posix())
        if is_local_path(first)
        else posixpath.basename(first)
    )


def xsplit(a: Any) -> tuple[str, str]:
    """`os.path.split`."""
    first, rest = _hops(a)
    if is_local_path(first):
        return os.path.split(Path(first).as_posix())
    head, tail = posixpath.split(first)
    return _rooted(head) + rest, tail


def xsplitext(a: Any) -> tuple[str, str]:
    """`os.path.splitext`."""
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
    """`open`, of URLs too."""
    if _far(file):
        opened: Any = files.open
        return opened(str(file), mode, *args, **kwargs, **_with(download_config))
    return builtins.open(str(file).removeprefix("file://"), mode, *args, **kwargs)


def xexists(urlpath: Any, download_config: DownloadConfig | None = None) -> bool:
    """`os.path.exists`, of URLs too."""
    return files.exists(str(urlpath), **_with(download_config))


def xisfile(path: Any, download_config: DownloadConfig | None = None) -> bool:
    """`os.path.isfile`, of URLs too."""
    if not _far(path):
        return os.path.isfile(path)
    try:
        xopen(path, "rb", download_config=download_config).close()
    except FileNotFoundError:
        return False
    return True


def xisdir(path: Any, download_config: DownloadConfig | None = None) -> bool:
    """`os.path.isdir`, of URLs too: whether there are files below it."""
    if not _far(path):
        return os.path.isdir(path)
    try:
        return bool(files.list(str(path), **_with(download_config)))
    except FileNotFoundError:
        return False


def xgetsize(path: Any, download_config: DownloadConfig | None = None) -> int:
    """`os.path.getsize`, of URLs too."""
    if not _far(path):
        return os.path.getsize(path)
    with xopen(path, "rb", download_config=download_config) as file:
        size: int = file.seek(0, os.SEEK_END)
    return size


def xglob(
    urlpath: Any, *, recursive: bool = False, download_config: DownloadConfig | None = None
) -> list[str]:
    """`glob.glob`, of URLs too."""
    if _far(urlpath):
        return files.glob(str(urlpath), **_with(download_config))
    import glob

    return glob.glob(str(urlpath), recursive=recursive)


def readline(f: Any) -> bytes:
    """Return a line of a raw binary file, read byte by byte: nothing after it is touched."""
    made = bytearray()
    read: Callable[[int], bytes] = f.read
    while byte := read(1):
        made += byte
        if byte == b"\n":
            break
    return bytes(made)


def cached_path(
    url_or_filename: Any, download_config: DownloadConfig | None = None, **download_kwargs: Any
) -> str:
    """Return the path of a file of this machine, or of a URL: downloaded if it is not there, and
    taken apart if the configuration says so.

    Args:
        url_or_filename: the path or URL.
        download_config: how it is downloaded.
        download_kwargs: attributes of the configuration, if it is not given.

    Raises:
        DataFilesNotFoundError: there is no such file.
        ReadError: it cannot be downloaded.
    """
    config = download_config or DownloadConfig(**download_kwargs)
    source = str(url_or_filename).removeprefix("file://")
    if not _far(source) and not os.path.exists(source):
        raise DataFilesNotFoundError(f"Local file {source} doesn't exist")
    (made,) = Downloads(config).get([source])
    if config.extract_compressed_file:
        made = extract(
            made,
            Path(config.cache_dir) / "extracted" if config.cache_dir else None,
            force=config.force_extract,
        )
    return relative_to_absolute_path(made)


def get_datasets_user_agent(user_agent: str | dict[str, Any] | None = None) -> str:
    """Return what requests of a script say of who asks: rowstream, Python and what is installed
    beside it, and more if given.
    """
    made = [f"rowstream/{__version__}", f"python/{platform.python_version()}"]
    for name, package in (
        ("hf_hub", "huggingface_hub"),
        ("pyarrow", "pyarrow"),
        ("torch", "torch"),
    ):
        try:
            made.append(f"{name}/{version(package)}")
        except PackageNotFoundError:
            continue
    more = (
        [f"{name}/{value}" for name, value in user_agent.items()]
        if isinstance(user_agent, dict)
        else [user_agent]
        if user_agent
        else []
    )
    return "; ".join([*made, *more])


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
