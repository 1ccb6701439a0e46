"""Whole files on disk: downloaded once, shared by all processes, resumed, checked; and archives taken apart.

Files of the Hub go where its own client keeps them (`HF_HUB_CACHE`: blobs by content, snapshots of links, refs), so that both
have one copy. All else goes to a folder of rowstream's own, by URL and version.
"""

from __future__ import annotations

import bz2
import contextlib
import enum
import errno
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from rowstream import files
from rowstream.access import Access, hub_cache, own_cache
from rowstream.exceptions import (
    DataFilesNotFoundError,
    FileFormatError,
    FilePermissionError,
    InvalidArgumentError,
    ReadError,
    UnsupportedError,
)
from rowstream.resolve.hub import taken_apart, write_small
from rowstream.resolve.urls import Places, is_url, origins, without_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RETRIES = 6  # requests in a row that may fail, where nobody said how many


class DownloadMode(enum.Enum):
    """What becomes of what is there already."""

    REUSE_DATASET_IF_EXISTS = "reuse_dataset_if_exists"
    REUSE_CACHE_IF_EXISTS = "reuse_cache_if_exists"
    FORCE_REDOWNLOAD = "force_redownload"


class VerificationMode(enum.Enum):
    """What is checked of a data set that is made: `ALL_CHECKS`, the splits and the checksums of files; `BASIC_CHECKS`, the splits; or
    nothing.
    """

    ALL_CHECKS = "all_checks"
    BASIC_CHECKS = "basic_checks"
    NO_CHECKS = "no_checks"


@dataclass
class DownloadConfig:
    """How files are downloaded. Those arguments that are not described change nothing: they are there for code that gives them.

    Attributes:
        cache_dir: the folder of files that are not of the Hub; rowstream's own if `None`.
        force_download: whether to download what is there already.
        local_files_only: whether to raise rather than to ask any server.
        extract_compressed_file: whether `cached_path` takes archives apart.
        force_extract: whether to take apart what was already.
        num_proc: files that are downloaded at once; 8 if `None`.
        max_retries: requests in a row that may fail without having brought a byte; 6 if it is 1, which `datasets` has by default.
        token: the token of the Hub.
        storage_options: options of the sources.
        download_desc: what stands before the progress bar.
        disable_tqdm: whether no progress is shown.
    """

    cache_dir: str | Path | None = None
    force_download: bool = False
    resume_download: bool = False
    local_files_only: bool = False
    proxies: dict[str, str] | None = None
    user_agent: str | None = None
    extract_compressed_file: bool = False
    force_extract: bool = False
    delete_extracted: bool = False
    extract_on_the_fly: bool = False
    use_etag: bool = True
    num_proc: int | None = None
    max_retries: int = 1
    token: str | bool | None = field(default=None, repr=False)
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False)
    download_desc: str | None = None
    disable_tqdm: bool = False

    def copy(self) -> DownloadConfig:
        """A copy."""
        return replace(self, storage_options=dict(self.storage_options))


@contextlib.contextmanager
def _locked(path: Path, rights: int = 0o700) -> Iterator[None]:
    """Alone among all processes that know the file, where its file system has locks. Nothing is left locked by a process that ends."""
    path.parent.mkdir(rights, parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)  # what another process downloads
                continue
            except OSError:
                pass  # a file system without locks
            break
        yield


def _git_oid(path: Path, size: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass
class _Bars:
    """Progress of all files together, and of each that takes its time; nothing is shown where nobody looks."""

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
        """One more file."""
        if self._tqdm is None:
            return
        if self.total is None:
            self.total = self._tqdm(total=0, unit="B", unit_scale=True, desc=self.config.download_desc or "Downloading")
        self.total.total += size
        self.total.refresh()
        if size > 32 << 20:
            self.each[name] = self._tqdm(total=size, unit="B", unit_scale=True, desc=name.rsplit("/", 1)[-1][:40], leave=False)

    def came(self, name: str, more: int) -> None:
        """More bytes of a file."""
        if self.total is not None:
            self.total.update(more)
        if bar := self.each.get(name):
            bar.update(more)


@dataclass
class _Wanted:
    """A file that is to be downloaded, and where to."""

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
    """Of folders that are made, before the umask."""


class Downloads:
    """Downloads for one set of credentials and settings."""

    def __init__(self, config: DownloadConfig | None = None) -> None:
        self.config = config or DownloadConfig()
        options = {"retries": _RETRIES if self.config.max_retries == 1 else self.config.max_retries, **self.config.storage_options}
        self.access = Access(self.config.token, options)
        self.places = Places(self.access)

    @property
    def _folder(self) -> Path:
        return Path(self.config.cache_dir) if self.config.cache_dir else own_cache() / "downloads"

    def get(self, urls: list[str]) -> list[str]:
        """The paths of files, downloaded where they are not there: some at once, each by several connections.

        Raises:
            DataFilesNotFoundError: there is no such file.
            ReadError: it cannot be downloaded, or not be written.
        """
        from concurrent.futures import ThreadPoolExecutor

        with _Bars(self.config) as bars, ThreadPoolExecutor(self.config.num_proc or 8, thread_name_prefix="rowstream-download") as pool:
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
            # What the shared folder refuses, because another user made a part of it, goes to a folder of this user.
            return self._got(self._of_hub(url, self._folder / "hub", 0o700), bars)

    def _got(self, wanted: _Wanted | str, bars: _Bars) -> str:
        if isinstance(wanted, str):
            return wanted
        with _locked(wanted.lock, wanted.rights):
            if self.config.force_download or not wanted.blob.exists():
                self._download(wanted, bars)
            if wanted.path != wanted.blob:
                _link(wanted.path, wanted.blob, wanted.rights)
        return str(wanted.path)

    def _of_hub(self, url: str, root: Path, rights: int) -> _Wanted | str:
        """A file of the Hub: in the layout of its own client, below a folder."""
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
        return _Wanted(url, location, (size, version), core, snapshot, blob, lock, sha256, git, rights)

    def _of_url(self, url: str) -> _Wanted | str:
        """A file of any other source: by URL and version."""
        name = hashlib.sha256(url.encode()).hexdigest()
        note = self._folder / f"{name}.json"
        if self.config.local_files_only:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(self._folder / json.loads(note.read_text())["file"])
            raise DataFilesNotFoundError(f"{without_query(url)} was not downloaded, and local_files_only is set")
        core = replace(self.access, origins=origins(url)).core(url)
        file = core.open(url)
        version = file.version or f"unknown {os.getpid()} {time.time_ns()}"
        blob = self._folder / f"{name}-{hashlib.sha256(f'{file.size} {version}'.encode()).hexdigest()[:16]}"
        write_small(note, json.dumps({"url": without_query(url), "size": file.size, "version": version, "file": blob.name}))
        known = (file.size, file.version) if file.version else ()
        return _Wanted(url, url, known, core, blob, blob, self._folder / f"{name}.lock")

    def _download(self, wanted: _Wanted, bars: _Bars) -> None:
        file = wanted.core.open(wanted.location, *wanted.known)
        wanted.blob.parent.mkdir(wanted.rights, parents=True, exist_ok=True)
        aside = wanted.blob.with_name(wanted.blob.name + ".incomplete")
        for place in (aside.parent, aside):
            if place.exists() and not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        name = without_query(wanted.url)
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
            raise FileFormatError(f"{name}: its content is {found}, and the Hub says {wanted.git}; it was removed, download it again")
        aside.replace(wanted.blob)


def _link(path: Path, blob: Path, rights: int) -> None:
    """Makes a name of a snapshot that leads to its blob; a copy where there are no links."""
    path.parent.mkdir(rights, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:
        shutil.copyfile(blob, aside)
    aside.replace(path)


def _mapped(function: Callable[[list[str]], list[str]], data: Any) -> Any:
    """Applies a function of many to all strings of nested dicts, lists and tuples, at once."""
    flat: list[str] = []

    def collect(one: Any) -> None:
        if isinstance(one, Mapping):
            for of in one.values():
                collect(of)
        elif isinstance(one, (list, tuple)):
            for of in one:
                collect(of)
        else:
            flat.append(os.fspath(one))

    collect(data)
    made = iter(function(flat))

    def build(one: Any) -> Any:
        if isinstance(one, Mapping):
            return {key: build(of) for key, of in one.items()}
        if isinstance(one, (list, tuple)):
            return type(one)(build(of) for of in one)
        return next(made)

    return build(data)


_PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def extract(path: str, folder: Path | None = None, *, force: bool = False) -> str:
    """Takes an archive apart into a folder, or decompresses a file; gives where. What is neither is given as it is.

    Members cannot be written outside of the folder, be links that lead out of it, or be devices.

    Raises:
        FileFormatError: the archive is damaged, or a member would leave the folder.
    """
    source = Path(path)
    status = source.stat()
    name = hashlib.sha256(f"{source.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()
    home = folder or own_cache() / "extracted"
    made = home / name
    with source.open("rb") as file:
        head = file.read(8)
    packed = next((opened for magic, opened in _PACKED.items() if head.startswith(magic)), None)
    archive = zipfile.is_zipfile(source) or tarfile.is_tarfile(source)
    if head.startswith(b"\x28\xb5\x2f\xfd") and not archive:
        packed = _zstd
    if not archive and packed is None:
        return path
    with _locked(home / f"{name}.lock"):
        if made.exists() and not force:
            return str(made)
        aside = Path(tempfile.mkdtemp(dir=home))
        try:
            if zipfile.is_zipfile(source):
                _unzip(source, aside / "made")
            elif archive:
                with tarfile.open(source, tarinfo=_Header, ignore_zeros=True) as opened:
                    opened.extractall(aside / "made", filter="data")
            else:
                with packed(source, "rb") as packed_file, (aside / "made").open("wb") as out:  # type: ignore[misc]
                    shutil.copyfileobj(packed_file, out, 1 << 20)
            if made.is_dir():
                shutil.rmtree(made)
            (aside / "made").replace(made)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise FileFormatError(f"{path}: it cannot be taken apart: {error}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return str(made)


class _Header(tarfile.TarInfo):
    """A header of an archive. After the end of one another may follow; what says that it is a header, and is damaged, is an error."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf[257:262]) == b"ustar":
                raise FileFormatError(f"a header of the tar archive is damaged: {error}") from error
            raise


def _zstd(path: Path, mode: str) -> Any:
    try:
        import zstandard
    except ImportError:
        raise UnsupportedError(f"{path}: pip install zstandard to decompress it") from None
    return zstandard.open(path, mode)


def _unzip(source: Path, to: Path) -> None:
    to.mkdir()
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            parts = Path(member.filename.replace("\\", "/")).parts
            if ".." in parts or member.filename.startswith(("/", "\\")) or (parts and parts[0].endswith(":")):
                raise FileFormatError(f"{source}: the member {member.filename!r} would be written outside of the folder")
            archive.extract(member, to)


class _Entries:
    """Members of an archive, or files of folders; each time it is gone through, anew."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Any]:
        return self._make()


def _members(opened: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """`(name, file)` of each file of an archive, in its order, except hidden ones."""
    with contextlib.closing(opened()) as file:
        head = file.read(4)
        file.seek(0)
        if head == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if not info.is_dir() and not _hidden(info.filename):
                        with archive.open(info) as member:
                            yield info.filename, member
            return
        with tarfile.open(fileobj=file, mode="r|*", tarinfo=_Header, ignore_zeros=True) as tar:
            for member_ in tar:
                if member_.isreg() and not _hidden(member_.name) and (content := tar.extractfile(member_)) is not None:
                    yield member_.name, content
                tar.members = []  # type: ignore[attr-defined]  # they would be kept


def _hidden(name: str) -> bool:
    return os.path.basename(name).startswith((".", "__"))  # noqa: PTH119 - names of archives have slashes


def _walked(paths: Any, config: DownloadConfig) -> Iterator[str]:
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        text = os.fspath(path)
        if is_url(text):
            if Path(without_query(text)).suffix:
                yield text
            else:
                for found in files.list(text, storage_options=config.storage_options or None, token=config.token):
                    if not _hidden(found):
                        yield found
        elif Path(text).is_file():
            if not _hidden(text):
                yield text
        elif Path(text).is_dir():
            for folder, names, there in os.walk(text):
                names[:] = sorted(name for name in names if not _hidden(name))
                for name in sorted(there):
                    if not _hidden(name):
                        yield str(Path(folder) / name)
        else:
            raise DataFilesNotFoundError(f"there is no file or folder {text}")


class DownloadManager:
    """Downloads files and takes archives apart, as loading scripts and notebooks do.

    Args:
        dataset_name: what it is for.
        data_dir: a folder that the user filled by hand.
        download_config: how.
        base_path: what relative names are below: a folder or a URL.
        record_checksums: whether the SHA-256 of what is downloaded is recorded.

    Example:
        >>> paths = DownloadManager().download_and_extract({"train": "https://host/train.tar.gz"})
    """

    is_streaming = False

    def __init__(
        self,
        dataset_name: str | None = None,
        data_dir: str | None = None,
        download_config: DownloadConfig | None = None,
        base_path: str | None = None,
        record_checksums: bool = False,
    ) -> None:
        self._dataset_name, self._data_dir = dataset_name, data_dir
        self._base_path = base_path or os.path.abspath(".")  # noqa: PTH100
        self.download_config = download_config or DownloadConfig()
        self.record_checksums = record_checksums
        self.downloaded_paths: dict[str, str] = {}
        self.extracted_paths: dict[str, str] = {}

    @property
    def manual_dir(self) -> str | None:
        """The folder that the user filled by hand."""
        return self._data_dir

    @property
    def downloaded_size(self) -> int:
        """The bytes of all that was downloaded."""
        return sum(Path(path).stat().st_size for path in self.downloaded_paths.values())

    def _absolute(self, url: str) -> str:
        if is_url(url) or Path(url).is_absolute():
            return url
        return f"{self._base_path.rstrip('/')}/{url}" if is_url(self._base_path) else str(Path(self._base_path) / url)

    def download(self, url_or_urls: Any) -> Any:
        """The paths of files, downloaded where they are not there. Nested dicts and lists keep their form.

        Raises:
            DataFilesNotFoundError: there is no such file.
            ReadError: it cannot be downloaded.
        """

        def get(urls: list[str]) -> list[str]:
            paths = Downloads(self.download_config).get([self._absolute(url) for url in urls])
            self.downloaded_paths |= dict(zip(urls, paths, strict=True))
            return paths

        return _mapped(get, url_or_urls)

    def extract(self, path_or_paths: Any) -> Any:
        """Where archives are taken apart, and files decompressed; what is neither stays as it is."""

        def get(paths: list[str]) -> list[str]:
            folder = None if self.download_config.cache_dir is None else Path(self.download_config.cache_dir) / "extracted"
            made = [extract(path, folder, force=self.download_config.force_extract) for path in paths]
            self.extracted_paths |= dict(zip(paths, made, strict=True))
            return made

        return _mapped(get, path_or_paths)

    def download_and_extract(self, url_or_urls: Any) -> Any:
        """Both."""
        return self.extract(self.download(url_or_urls))

    def iter_archive(self, path_or_buf: Any) -> Any:
        """`(path within, file)` of each file of an archive, in its order, without taking it apart."""
        if hasattr(path_or_buf, "read"):
            content = path_or_buf.read()
            return _Entries(lambda: _members(lambda: io.BytesIO(content)))
        return _Entries(lambda: _members(lambda: files.open(path_or_buf, "rb")))

    def iter_files(self, paths: Any) -> Any:
        """All files of folders and among paths, sorted, except hidden ones."""
        return _Entries(lambda: _walked(paths, self.download_config))

    def get_recorded_sizes_checksums(self) -> dict[str, dict[str, Any]]:
        """The length and the SHA-256 of each file that was downloaded, by its URL."""
        made = {}
        for url, path in self.downloaded_paths.items():
            digest = None
            if self.record_checksums:
                with Path(path).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            made[url] = {"num_bytes": Path(path).stat().st_size, "checksum": digest}
        return made

    def delete_extracted_files(self) -> None:
        """Removes what was taken apart."""
        for source, made in self.extracted_paths.items():
            if made != source:
                if Path(made).is_dir():
                    shutil.rmtree(made)
                else:
                    Path(made).unlink(missing_ok=True)
        self.extracted_paths = {}

    def manage_extracted_files(self) -> None:
        """Removes what was taken apart, if the configuration says so."""
        if self.download_config.delete_extracted:
            self.delete_extracted_files()


class StreamingDownloadManager(DownloadManager):
    """The same calls for streams: nothing is downloaded, and URLs stay URLs."""

    is_streaming = True

    def download(self, url_or_urls: Any) -> Any:
        """The URLs."""
        return _mapped(lambda urls: [self._absolute(url) for url in urls], url_or_urls)

    def extract(self, url_or_urls: Any) -> Any:
        """What is in an archive, as a chained URL; a compressed file as it is, since files are decompressed as they are read."""
        return _mapped(
            lambda urls: [f"zip://::{url}" if without_query(url).endswith(".zip") else url for url in urls],
            url_or_urls,
        )

    def iter_files(self, urlpaths: Any) -> Any:
        """All files of folders and among URLs, sorted, except hidden ones."""
        return super().iter_files(urlpaths)

    def iter_archive(self, urlpath_or_buf: Any) -> Any:
        """`(path within, file)` of each file of an archive, in its order, as it comes."""
        if hasattr(urlpath_or_buf, "read"):
            return super().iter_archive(urlpath_or_buf)
        url = os.fspath(urlpath_or_buf).removeprefix("zip://::")
        config = self.download_config
        return _Entries(lambda: _members(lambda: files.open(url, "rb", storage_options=config.storage_options or None, token=config.token)))
