"""Settings for downloads and for the checks of a dataset that is built."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class DownloadMode(enum.Enum):
    """Choices of what to do with data that is in the cache already, for `download_mode=`.

    `REUSE_DATASET_IF_EXISTS` (default) reuses downloads and the built dataset,
    `REUSE_CACHE_IF_EXISTS` reuses downloads only, and `FORCE_REDOWNLOAD` reuses neither. Their
    values (`"force_redownload"`, …) are accepted too.

    Example:
        >>> DownloadMode("force_redownload")
        <DownloadMode.FORCE_REDOWNLOAD: 'force_redownload'>
    """

    REUSE_DATASET_IF_EXISTS = "reuse_dataset_if_exists"
    REUSE_CACHE_IF_EXISTS = "reuse_cache_if_exists"
    FORCE_REDOWNLOAD = "force_redownload"


class VerificationMode(enum.Enum):
    """Choices of what to check after a dataset is built, for `verification_mode=`.

    `ALL_CHECKS` checks the splits and the checksums of downloaded files, `BASIC_CHECKS` (default)
    only the splits, and `NO_CHECKS` nothing. Their values (`"no_checks"`, …) are accepted too.

    Example:
        >>> VerificationMode("no_checks")
        <VerificationMode.NO_CHECKS: 'no_checks'>
    """

    ALL_CHECKS = "all_checks"
    BASIC_CHECKS = "basic_checks"
    NO_CHECKS = "no_checks"


@dataclass
class DownloadConfig:
    """Settings for downloading and extracting files.

    Attributes that are not listed here have no effect; `datasets` has them, so code may pass them.

    Attributes:
        cache_dir: The folder for files that are not from the Hub; rowstream's own cache if `None`.
        force_download: Download files even if they are in the cache.
        local_files_only: Use only files in the cache; raise an error for others.
        extract_compressed_file: Let `cached_path` also extract archives.
        force_extract: Extract archives even if they were extracted before.
        delete_extracted: Let `manage_extracted_files` remove extracted files.
        num_proc: The number of files to download at the same time; 8 if `None`.
        max_retries: The number of requests in a row that may fail without any data; 1, the default
            in `datasets`, means 6.
        token: The Hub token; `None` or `True` uses the stored one, `False` uses none.
        storage_options: Credentials and settings, as in `load_dataset`.
        download_desc: The text in front of the progress bar; `"Downloading"` if `None`.
        disable_tqdm: Show no progress bar.

    Example:
        >>> DownloadManager(download_config=DownloadConfig(cache_dir="cache", num_proc=4))
        <...DownloadManager object at ...>
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
        """Return a copy with its own `storage_options` dict.

        Example:
            >>> config = DownloadConfig(storage_options={"timeout": 10})
            >>> other = config.copy()
            >>> other.storage_options["timeout"] = 60
            >>> config.storage_options
            {'timeout': 10}
        """
        return replace(self, storage_options=dict(self.storage_options))
