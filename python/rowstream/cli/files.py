"""`index` and `download`: files of sources."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from rowstream.cache.entries import size
from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, loaded
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.download_manager import DownloadManager
from rowstream.storage.files import glob
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
                out.line(path if out.quiet else f"read  {path}")
        return
    for path in index(given.archive, given.output):
        out.value({"index": path}) if out.json else out.line(path)


def _download(given: argparse.Namespace, out: Output) -> None:
    files = {
        file["path"]: file["size"]
        for ds in loaded(given).values()
        for file in ds._plan.listing["files"]
    }
    urls = [path for path in files if is_url(path)]
    if given.dry_run:
        for url in urls:
            out.line(url if out.quiet else f"read  {url} ({size(files[url])})")
        return
    manager = DownloadManager(download_config=DownloadConfig())
    found = dict(zip(urls, manager.download(urls), strict=True)) if urls else {}
    for path in files:
        local = found.get(path, path)
        if given.to is not None:
            os.makedirs(given.to, exist_ok=True)
            local = shutil.copy(local, os.path.join(given.to, os.path.basename(path)))
        if out.json:
            out.value({"url": path, "path": local, "bytes": files[path]})
        else:
            out.line(local)
