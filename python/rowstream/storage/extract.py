"""Extraction of archives and compressed files."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rowstream.exceptions import DataFilesNotFoundError, FileFormatError, UnsupportedError
from rowstream.storage import files
from rowstream.storage.environment import own_cache
from rowstream.storage.urls import is_url, without_query
from rowstream.utils.locks import locked

if TYPE_CHECKING:
    from rowstream.storage.download_config import DownloadConfig


def extract(path: str, folder: Path | None = None, *, force: bool = False) -> str:
    """Extract an archive into a folder or decompress a file, and return the path of the result.

    A file that is neither is returned as it is. Members cannot be written outside the folder, be
    links that lead out of it, or be devices.

    Raises:
        FileFormatError: The archive is damaged, or a member would be written outside the folder.
    """
    source = Path(path)
    status = source.stat()
    name = hashlib.sha256(
        f"{source.resolve()} {status.st_size} {status.st_mtime_ns}".encode()
    ).hexdigest()
    home = folder or own_cache() / "extracted"
    result = home / name
    with source.open("rb") as file:
        head = file.read(8)
    packed = next((opened for magic, opened in _OPENERS.items() if head.startswith(magic)), None)
    archive = zipfile.is_zipfile(source) or tarfile.is_tarfile(source)
    if head.startswith(b"\x28\xb5\x2f\xfd") and not archive:
        packed = _zstd
    if not archive and packed is None:
        return path
    with locked(home / f"{name}.lock"):
        if result.exists() and not force:
            return str(result)
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
            if result.is_dir():
                shutil.rmtree(result)
            (aside / "made").replace(result)
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            EOFError,
            lzma.LZMAError,
            gzip.BadGzipFile,
        ) as error:
            raise FileFormatError(f"{path}: cannot extract the archive: {error}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return str(result)


class Entries:
    """The members of an archive or the files of folders, read anew in each iteration."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Any]:
        return self._make()


def members(opened: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """Yield pairs `(name, file)` of the files in an archive, in its order, except hidden ones."""
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
                if (
                    member_.isreg()
                    and not _hidden(member_.name)
                    and (content := tar.extractfile(member_)) is not None
                ):
                    yield member_.name, content
                tar.members = []  # type: ignore[attr-defined]  # they would be kept


def _hidden(name: str) -> bool:
    return os.path.basename(name).startswith((".", "__"))


def walked(paths: Any, config: DownloadConfig) -> Iterator[str]:
    """Yield the files among paths, and all files of the folders among them."""
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        text = os.fspath(path)
        if is_url(text):
            if Path(without_query(text)).suffix:
                yield text
            else:
                for found in files.list(
                    text, storage_options=config.storage_options or None, token=config.token
                ):
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


_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


class _Header(tarfile.TarInfo):
    """A header of a tar archive, with an error if it is damaged.

    Another archive may follow the end of one, so damage would otherwise look like the end.
    """

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
            if (
                ".." in parts
                or member.filename.startswith(("/", "\\"))
                or (parts and parts[0].endswith(":"))
            ):
                raise FileFormatError(
                    f"{source}: the member {member.filename!r} would be written outside of the"
                    " folder"
                )
            archive.extract(member, to)
