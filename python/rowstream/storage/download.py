"""Downloads of whole files: done once, shared by all processes, resumed and verified.

Files of the Hub are stored as its own client does (`HF_HUB_CACHE`: blobs by content, snapshots of
links, refs), so that both share one copy. All others are in a folder of rowstream, by URL and
version.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from rowstream.exceptions import (
    DataFilesNotFoundError,
    FileFormatError,
    FilePermissionError,
    InvalidArgumentError,
    ReadError,
)
from rowstream.storage.access import StorageOptions
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.environment import hub_cache, own_cache
from rowstream.storage.hub import taken_apart
from rowstream.storage.locations import FileLocations, origins
from rowstream.storage.urls import is_url, shown, without_query
from rowstream.utils.atomic import write_small
from rowstream.utils.locks import locked

_RETRIES = 6  # requests in a row that may fail, where nobody said how many


def _git_oid(path: Path, size: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass
class _Bars:
    """Progress bars: one for all files, and one for each large file; none without a terminal."""

    config: DownloadConfig
    total: Any = None
    each: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._tqdm: Any = None
        if not self.config.disable_tqdm and os.isatty(2):
            with contextlib.suppress(ImportError):
                from tqdm.auto import tqdm

                self._tqdm = tqdm
        return self

    def __exit__(self, *_: object) -> None:
        for bar in (*self.each.values(), self.total):
            if bar is not None:
                bar.close()

    def expect(self, name: str, size: int) -> None:
        """Add the size of a file to the total."""
        if self._tqdm is None:
            return
        if self.total is None:
            self.total = self._tqdm(
                total=0, unit="B", unit_scale=True, desc=self.config.download_desc or "Downloading"
            )
        self.total.total += size
        self.total.refresh()
        if size > 32 << 20:
            self.each[name] = self._tqdm(
                total=size,
                unit="B",
                unit_scale=True,
                desc=name.rsplit("/", 1)[-1][:40],
                leave=False,
            )

    def came(self, name: str, more: int) -> None:
        """Advance the bars by the number of bytes that were received of a file."""
        if self.total is not None:
            self.total.update(more)
        if bar := self.each.get(name):
            bar.update(more)


@dataclass
class _Wanted:
    """A file to download, and where to store it."""

    url: str
    location: str
    known: tuple[Any, ...]
    core: Any
    path: Path
    blob: Path
    lock: Path
    sha256: str | None = None
    git: str | None = None
    rights: int = 0o700
    """The permissions of created folders, before the umask."""


class Downloads:
    """Downloads with one set of credentials and settings."""

    def __init__(self, config: DownloadConfig | None = None) -> None:
        self.config = config or DownloadConfig()
        options = {
            "retries": _RETRIES if self.config.max_retries == 1 else self.config.max_retries,
            **self.config.storage_options,
        }
        self.access = StorageOptions(self.config.token, options)
        self.places = FileLocations(self.access)

    @property
    def _folder(self) -> Path:
        return Path(self.config.cache_dir) if self.config.cache_dir else own_cache() / "downloads"

    def get(self, urls: list[str]) -> list[str]:
        """Return the local paths of files, after downloading those that are not in the cache.

        Several files are downloaded at the same time, each over several connections.

        Raises:
            DataFilesNotFoundError: A file does not exist.
            ReadError: A file cannot be downloaded or stored.
        """
        from concurrent.futures import ThreadPoolExecutor

        with (
            _Bars(self.config) as bars,
            ThreadPoolExecutor(
                self.config.num_proc or 8, thread_name_prefix="rowstream-download"
            ) as pool,
        ):
            waiting = [pool.submit(self._one, url, bars) for url in urls]
            try:
                return [future.result() for future in waiting]
            except BaseException:
                for future in waiting:
                    future.cancel()
                self._stopped = True
                raise

    _stopped = False

    def _one(self, url: str, bars: _Bars) -> str:
        if not is_url(url):
            path = Path(url.removeprefix("file://"))
            if not path.exists():
                raise DataFilesNotFoundError(f"there is no file {path}")
            return str(path)
        if not url.startswith("hf://"):
            return self._got(self._of_url(url), bars)
        try:
            return self._got(self._of_hub(url, hub_cache(), 0o777), bars)
        except FilePermissionError:
            raise  # of a server
        except PermissionError:
            # What the shared folder refuses, because another user made a part of it, goes to a
            # folder of this user.
            return self._got(self._of_hub(url, self._folder / "hub", 0o700), bars)

    def _got(self, wanted: _Wanted | str, bars: _Bars) -> str:
        if isinstance(wanted, str):
            return wanted
        with locked(wanted.lock, wanted.rights):
            if self.config.force_download or not wanted.blob.exists():
                self._download(wanted, bars)
            if wanted.path != wanted.blob:
                _link(wanted.path, wanted.blob, wanted.rights)
        return str(wanted.path)

    def _of_hub(self, url: str, root: Path, rights: int) -> _Wanted | str:
        """Return where a file of the Hub is stored: below a folder, as the Hub client stores it."""
        found = self.places.resolve(url, ".")
        if len(found) != 1:
            raise InvalidArgumentError(f"{url} names {len(found)} files; a download is of one")
        location = found[0]
        size, version = self.places.known[location]
        kind, _, rest = location.removeprefix("hf://").partition("/")
        repo, _, rest = rest.partition("@")
        sha, _, path = rest.partition("/")
        home = root / f"{kind}--{repo.replace('/', '--')}"
        what, _, name = str(version).partition(":")
        snapshot = home / "snapshots" / sha / path
        if snapshot.exists() and snapshot.stat().st_size == size and not self.config.force_download:
            return str(snapshot)
        if self.config.local_files_only:
            raise DataFilesNotFoundError(f"{url} was not downloaded, and local_files_only is set")
        revision = unquote(taken_apart(url)[2] or "main")
        if revision != sha and ".." not in revision.split("/"):
            write_small(home / "refs" / revision, sha, private=rights == 0o700)
        lock = root / ".locks" / home.name / f"{name}.lock"
        blob = home / "blobs" / name
        if blob.exists() and blob.stat().st_size != size:
            blob.unlink()  # a part that somebody left
        core = self.access.core(location)
        sha256, git = (name, None) if what == "sha256" else (None, name)
        return _Wanted(
            url, location, (size, version), core, snapshot, blob, lock, sha256, git, rights
        )

    def _of_url(self, url: str) -> _Wanted | str:
        """Return where a file of any other source is stored, by URL and version."""
        name = hashlib.sha256(url.encode()).hexdigest()
        note = self._folder / f"{name}.json"
        if self.config.local_files_only:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(self._folder / json.loads(note.read_text())["file"])
            raise DataFilesNotFoundError(
                f"{shown(url)} was not downloaded, and local_files_only is set"
            )
        core = replace(self.access, origins=origins(url)).core(url)
        file = core.open(url)
        version = file.version or f"unknown {os.getpid()} {time.time_ns()}"
        blob = (
            self._folder
            / f"{name}-{hashlib.sha256(f'{file.size} {version}'.encode()).hexdigest()[:16]}"
        )
        write_small(
            note,
            json.dumps(
                {
                    "url": without_query(url),
                    "size": file.size,
                    "version": version,
                    "file": blob.name,
                }
            ),
        )
        known = (file.size, file.version) if file.version else ()
        return _Wanted(url, url, known, core, blob, blob, self._folder / f"{name}.lock")

    def _download(self, wanted: _Wanted, bars: _Bars) -> None:
        file = wanted.core.open(wanted.location, *wanted.known)
        wanted.blob.parent.mkdir(wanted.rights, parents=True, exist_ok=True)
        aside = wanted.blob.with_name(wanted.blob.name + ".incomplete")
        for place in (aside.parent, aside):
            if place.exists() and not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        name = shown(wanted.url)
        bars.expect(name, file.size)
        download, done = file.download(str(aside), wanted.sha256), 0
        ended = False
        while not ended:
            if self._stopped:
                raise ReadError(f"{name}: stopped")
            ended = download.wait()
            now = download.done
            bars.came(name, now - done)
            done = now
        if wanted.git and (found := _git_oid(aside, file.size)) != wanted.git:
            aside.unlink()
            raise FileFormatError(
                f"{name}: its content is {found}, and the Hub says {wanted.git}; it was removed,"
                " download it again"
            )
        aside.replace(wanted.blob)


def _link(path: Path, blob: Path, rights: int) -> None:
    """Create a link in a snapshot to its blob; a copy if the file system has no links."""
    path.parent.mkdir(rights, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:
        shutil.copyfile(blob, aside)
    aside.replace(path)
