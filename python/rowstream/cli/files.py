"""`index` and `download`: files of sources."""

from __future__ import annotations

import filecmp
import os
import shutil
from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, files_of, loaded
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.download_manager import DownloadManager
from rowstream.storage.files import exists, glob
from rowstream.storage.urls import is_url
from rowstream.webdataset.indexing import index

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the subcommands to a parser."""
    index = commands.add_parser(
        "index", help="write an index beside tar archives, by which they are read in parts"
    )
    index.add_argument("archive", nargs="+", help="archives; patterns and braces for several")
    index.add_argument("--output", help="the folder of the indexes, if not beside the archives")
    index.add_argument("--dry-run", action="store_true", help="print what would be read")
    add_forms(index, "the paths of the indexes")
    index.set_defaults(run=_index)
    download = commands.add_parser("download", help="get the files of a source into the cache")
    add_source(download, rows=False)
    download.add_argument("--to", metavar="FOLDER", help="also copy them into a folder")
    download.add_argument("--dry-run", action="store_true", help="print what would be read")
    add_forms(download, "the paths of the files")
    download.set_defaults(run=_download)


def _index(given: argparse.Namespace, out: Output) -> None:
    if given.dry_run:
        for archive in given.archive:
            for path in glob(archive) if set(archive) & set("*?{[") else [archive]:
                if not exists(path):
                    raise DataFilesNotFoundError(f"there is no archive {path}")
                out.would_read(path)
        return
    for path in index(given.archive, given.output):
        out.value({"index": path}) if out.json else out.line(path)


def _copied(path: str, target: str) -> str:
    """Copy a file to where there is none, or the same; return the target."""
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    if os.path.exists(target):
        if filecmp.cmp(path, target, shallow=False):
            return target
        raise InvalidArgumentError(f"{target} is there, and is another file: remove it first")
    return shutil.copy(path, target)


def _download(given: argparse.Namespace, out: Output) -> None:
    files = {file["path"]: file["size"] for ds in loaded(given).values() for file in files_of(ds)}
    urls = [path for path in files if is_url(path)]
    if given.dry_run:
        for url in urls:
            out.would_read(url)
        return
    manager = DownloadManager(download_config=DownloadConfig())
    found = dict(zip(urls, manager.download(urls), strict=True)) if urls else {}
    # Of URLs as well, whose slashes a common path would change.
    common = os.path.commonprefix(list(files)).rpartition("/")[0]  # noqa: RUF071
    for path in files:
        local = found.get(path, path)
        if given.to is not None:
            # Files of one name lie in folders of their own, as they did.
            inside = path.removeprefix(common).lstrip("/").partition("?")[0]
            local = _copied(local, os.path.join(given.to, inside))
        if out.json:
            out.value({"url": path, "path": local, "bytes": files[path]})
        else:
            out.line(local)
