"""What builders' scripts download and extract with."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rowstream.storage import files
from rowstream.storage.download import Downloads
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.extract import Entries, extract, members, walked
from rowstream.storage.urls import is_url, without_query


def _mapped(function: Callable[[list[str]], list[str]], data: Any) -> Any:
    """Apply a function of many to all strings of nested dicts, lists and tuples, at once."""
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
        self._base_path = base_path or os.path.abspath(".")
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
        return (
            f"{self._base_path.rstrip('/')}/{url}"
            if is_url(self._base_path)
            else str(Path(self._base_path) / url)
        )

    def download(self, url_or_urls: Any) -> Any:
        """Return the paths of files, downloaded where they are not there. Nested dicts and lists
        keep their form.

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
        """Return where archives are taken apart, and files decompressed; what is neither stays as
        it is.
        """

        def get(paths: list[str]) -> list[str]:
            folder = (
                None
                if self.download_config.cache_dir is None
                else Path(self.download_config.cache_dir) / "extracted"
            )
            made = [
                extract(path, folder, force=self.download_config.force_extract) for path in paths
            ]
            self.extracted_paths |= dict(zip(paths, made, strict=True))
            return made

        return _mapped(get, path_or_paths)

    def download_and_extract(self, url_or_urls: Any) -> Any:
        """Return both."""
        return self.extract(self.download(url_or_urls))

    def iter_archive(self, path_or_buf: Any) -> Any:
        """`(path within, file)` of each file of an archive, in its order, without extracting it."""
        if hasattr(path_or_buf, "read"):
            content = path_or_buf.read()
            return Entries(lambda: members(lambda: io.BytesIO(content)))
        return Entries(lambda: members(lambda: files.open(path_or_buf, "rb")))

    def iter_files(self, paths: Any) -> Any:
        """Return all files of folders and among paths, sorted, except hidden ones."""
        return Entries(lambda: walked(paths, self.download_config))

    def get_recorded_sizes_checksums(self) -> dict[str, dict[str, Any]]:
        """Return the length and the SHA-256 of each file that was downloaded, by its URL."""
        made = {}
        for url, path in self.downloaded_paths.items():
            digest = None
            if self.record_checksums:
                with Path(path).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            made[url] = {"num_bytes": Path(path).stat().st_size, "checksum": digest}
        return made

    def delete_extracted_files(self) -> None:
        """Remove what was extracted."""
        for source, made in self.extracted_paths.items():
            if made != source:
                if Path(made).is_dir():
                    shutil.rmtree(made)
                else:
                    Path(made).unlink(missing_ok=True)
        self.extracted_paths = {}

    def manage_extracted_files(self) -> None:
        """Remove what was extracted, if the configuration says so."""
        if self.download_config.delete_extracted:
            self.delete_extracted_files()


class StreamingDownloadManager(DownloadManager):
    """The same calls for streams: nothing is downloaded, and URLs stay URLs."""

    is_streaming = True

    def download(self, url_or_urls: Any) -> Any:
        """Return the URLs."""
        return _mapped(lambda urls: [self._absolute(url) for url in urls], url_or_urls)

    def extract(self, url_or_urls: Any) -> Any:
        """Return what is in an archive, as a chained URL; a compressed file as it is, since files
        are decompressed as they are read.
        """
        return _mapped(
            lambda urls: [
                f"zip://::{url}" if without_query(url).endswith(".zip") else url for url in urls
            ],
            url_or_urls,
        )

    def iter_files(self, urlpaths: Any) -> Any:
        """Return all files of folders and among URLs, sorted, except hidden ones."""
        return super().iter_files(urlpaths)

    def iter_archive(self, urlpath_or_buf: Any) -> Any:
        """`(path within, file)` of each file of an archive, in its order, as it comes."""
        if hasattr(urlpath_or_buf, "read"):
            return super().iter_archive(urlpath_or_buf)
        url = os.fspath(urlpath_or_buf).removeprefix("zip://::")
        config = self.download_config
        return Entries(
            lambda: members(
                lambda: files.open(
                    url, "rb", storage_options=config.storage_options or None, token=config.token
                )
            )
        )
