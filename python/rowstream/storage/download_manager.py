"""Managers with which builders' scripts download and extract files."""

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
    """Apply a function once to the list of all strings in nested dicts, lists and tuples."""
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
    result = iter(function(flat))

    def build(one: Any) -> Any:
        if isinstance(one, Mapping):
            return {key: build(of) for key, of in one.items()}
        if isinstance(one, (list, tuple)):
            return type(one)(build(of) for of in one)
        return next(result)

    return build(data)


class DownloadManager:
    """Downloads and extracts files for builders, loading scripts and notebooks.

    Files are downloaded to the cache and shared by all processes; an interrupted download resumes.
    All methods accept a single path or URL, or nested dicts and lists of them, and return the same
    structure.

    Args:
        dataset_name: The name of the dataset; no effect.
        data_dir: The folder with files that the user downloaded by hand.
        download_config: Settings for the downloads; the default ones if `None`.
        base_path: The folder or URL for relative paths; the current folder if `None`.
        record_checksums: Record the SHA-256 of each downloaded file.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}])
        1
        >>> manager = DownloadManager()
        >>> manager.download_and_extract({"train": "train.jsonl"})
        {'train': '...train.jsonl'}
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
        """The folder with files that the user downloaded by hand, or `None`.

        Example:
            >>> DownloadManager(data_dir="downloads").manual_dir
            'downloads'
        """
        return self._data_dir

    @property
    def downloaded_size(self) -> int:
        """The total size in bytes of all downloaded files.

        Example:
            >>> DownloadManager().downloaded_size
            0
        """
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
        """Download files that are not in the cache and return their local paths.

        Several files are downloaded at the same time. Local files are used where they are.

        Args:
            url_or_urls: A URL or path, or nested dicts and lists of them.

        Returns:
            The local paths, in the same structure.

        Raises:
            DataFilesNotFoundError: A file does not exist, or is not in the cache and
                `local_files_only` is set.
            ReadError: A file cannot be downloaded.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> DownloadManager().download({"train": ["train.jsonl"]})
            {'train': ['...train.jsonl']}
            >>> DownloadManager().download("https://example.com/train.csv")  # doctest: +SKIP
            '...rowstream/downloads/...'
        """

        def get(urls: list[str]) -> list[str]:
            paths = Downloads(self.download_config).get([self._absolute(url) for url in urls])
            self.downloaded_paths |= dict(zip(urls, paths, strict=True))
            return paths

        return _mapped(get, url_or_urls)

    def extract(self, path_or_paths: Any) -> Any:
        """Extract archives, decompress compressed files, and return the local paths.

        The results are in the cache; a file that is neither stays where it is.

        Args:
            path_or_paths: A local path, or nested dicts and lists of them.

        Returns:
            The paths of the folders and files, in the same structure.

        Raises:
            FileFormatError: An archive is damaged, or a member would be written outside its folder.

        Example:
            >>> import gzip, pathlib
            >>> with gzip.open("notes.txt.gz", "wt") as file:
            ...     _ = file.write("done")
            >>> pathlib.Path(DownloadManager().extract("notes.txt.gz")).read_text()
            'done'
        """

        def get(paths: list[str]) -> list[str]:
            folder = (
                None
                if self.download_config.cache_dir is None
                else Path(self.download_config.cache_dir) / "extracted"
            )
            result = [
                extract(path, folder, force=self.download_config.force_extract) for path in paths
            ]
            self.extracted_paths |= dict(zip(paths, result, strict=True))
            return result

        return _mapped(get, path_or_paths)

    def download_and_extract(self, url_or_urls: Any) -> Any:
        """Download files, extract the archives among them, and return the local paths.

        Args:
            url_or_urls: A URL or path, or nested dicts and lists of them.

        Returns:
            The paths of the folders and files, in the same structure.

        Raises:
            DataFilesNotFoundError, ReadError, FileFormatError: As in `download` and `extract`.

        Example:
            >>> import gzip, pathlib
            >>> with gzip.open("notes.txt.gz", "wt") as file:
            ...     _ = file.write("done")
            >>> paths = DownloadManager().download_and_extract({"train": "notes.txt.gz"})
            >>> pathlib.Path(paths["train"]).read_text()
            'done'
        """
        return self.extract(self.download(url_or_urls))

    def iter_archive(self, path_or_buf: Any) -> Any:
        """Iterate over the files in a tar or zip archive without extracting it to disk.

        Files whose names start with `.` or `__` are left out.

        Args:
            path_or_buf: The path or URL of the archive, or an open binary file.

        Returns:
            An iterable of pairs `(path in the archive, open file)`, in the order of the archive. A
            file can only be read until the next one is reached.

        Example:
            >>> import zipfile
            >>> with zipfile.ZipFile("notes.zip", "w") as archive:
            ...     archive.writestr("a.txt", "done")
            >>> [(path, file.read()) for path, file in DownloadManager().iter_archive("notes.zip")]
            [('a.txt', b'done')]
        """
        if hasattr(path_or_buf, "read"):
            content = path_or_buf.read()
            return Entries(lambda: members(lambda: io.BytesIO(content)))
        return Entries(lambda: members(lambda: files.open(path_or_buf, "rb")))

    def iter_files(self, paths: Any) -> Any:
        """Iterate over all files at the given paths and in the given folders.

        The files of a folder are sorted. Files whose names start with `.` or `__` are left out.

        Args:
            paths: A path of a file or folder, or a list of them.

        Returns:
            An iterable of paths.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> list(DownloadManager().iter_files("."))
            ['train.jsonl']
        """
        return Entries(lambda: walked(paths, self.download_config))

    def get_recorded_sizes_checksums(self) -> dict[str, dict[str, Any]]:
        """Return the size and checksum of each downloaded file, by URL.

        Returns:
            A dict per URL with `num_bytes` and `checksum`: the SHA-256, or `None` without
            `record_checksums`.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> manager = DownloadManager()
            >>> _ = manager.download("train.jsonl")
            >>> manager.get_recorded_sizes_checksums()
            {'train.jsonl': {'num_bytes': 9, 'checksum': None}}
        """
        result = {}
        for url, path in self.downloaded_paths.items():
            digest = None
            if self.record_checksums:
                with Path(path).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            result[url] = {"num_bytes": Path(path).stat().st_size, "checksum": digest}
        return result

    def delete_extracted_files(self) -> None:
        """Delete all files and folders that this manager extracted; downloads stay.

        Example:
            >>> import gzip, os
            >>> with gzip.open("notes.txt.gz", "wt") as file:
            ...     _ = file.write("done")
            >>> manager = DownloadManager()
            >>> path = manager.extract("notes.txt.gz")
            >>> manager.delete_extracted_files()
            >>> os.path.exists(path)
            False
        """
        for source, result in self.extracted_paths.items():
            if result != source:
                if Path(result).is_dir():
                    shutil.rmtree(result)
                else:
                    Path(result).unlink(missing_ok=True)
        self.extracted_paths = {}

    def manage_extracted_files(self) -> None:
        """Delete the extracted files if `DownloadConfig.delete_extracted` is set.

        Example:
            >>> manager = DownloadManager(download_config=DownloadConfig(delete_extracted=True))
            >>> manager.manage_extracted_files()
        """
        if self.download_config.delete_extracted:
            self.delete_extracted_files()


class StreamingDownloadManager(DownloadManager):
    """A `DownloadManager` for streaming: it downloads nothing, and URLs stay URLs.

    Args:
        dataset_name, data_dir, download_config, base_path, record_checksums: As in
            `DownloadManager`.

    Example:
        >>> StreamingDownloadManager(base_path="https://example.com/data").download("train.csv")
        'https://example.com/data/train.csv'
    """

    is_streaming = True

    def download(self, url_or_urls: Any) -> Any:
        """Return the URLs without downloading, with `base_path` before relative ones.

        Args:
            url_or_urls: A URL or path, or nested dicts and lists of them.

        Example:
            >>> manager = StreamingDownloadManager(base_path="https://example.com/data")
            >>> manager.download(["train.csv", "test.csv"])
            ['https://example.com/data/train.csv', 'https://example.com/data/test.csv']
        """
        return _mapped(lambda urls: [self._absolute(url) for url in urls], url_or_urls)

    def extract(self, url_or_urls: Any) -> Any:
        """Return URLs of what is in archives, without downloading or extracting them.

        Zip archives become chained URLs (`zip://::…`). Other URLs do not change, since compressed
        files are decompressed while they are read.

        Args:
            url_or_urls: A URL or path, or nested dicts and lists of them.

        Example:
            >>> StreamingDownloadManager().extract(["https://example.com/a.zip", "b.csv.gz"])
            ['zip://::https://example.com/a.zip', 'b.csv.gz']
        """
        return _mapped(
            lambda urls: [
                f"zip://::{url}" if without_query(url).endswith(".zip") else url for url in urls
            ],
            url_or_urls,
        )

    def iter_files(self, urlpaths: Any) -> Any:
        """Iterate over all files at the given URLs and paths, and in the given folders.

        Args:
            urlpaths: A URL or path of a file or folder, or a list of them.

        Returns:
            An iterable of URLs and paths, as in `DownloadManager.iter_files`.

        Example:
            >>> list(StreamingDownloadManager().iter_files(["https://example.com/train.csv"]))
            ['https://example.com/train.csv']
        """
        return super().iter_files(urlpaths)

    def iter_archive(self, urlpath_or_buf: Any) -> Any:
        """Iterate over the files in an archive while it is downloaded.

        Args:
            urlpath_or_buf: The URL or path of the archive, or an open binary file.

        Returns:
            An iterable of pairs `(path in the archive, open file)` in the order of the archive.

        Example:
            >>> import zipfile
            >>> with zipfile.ZipFile("notes.zip", "w") as archive:
            ...     archive.writestr("a.txt", "done")
            >>> manager = StreamingDownloadManager()
            >>> [(path, file.read()) for path, file in manager.iter_archive("notes.zip")]
            [('a.txt', b'done')]
        """
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
