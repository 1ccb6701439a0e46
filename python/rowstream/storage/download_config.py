"""How downloads are done."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class DownloadMode(enum.Enum):
    """What becomes of what is there already."""

    REUSE_DATASET_IF_EXISTS = "reuse_dataset_if_exists"
    REUSE_CACHE_IF_EXISTS = "reuse_cache_if_exists"
    FORCE_REDOWNLOAD = "force_redownload"


class VerificationMode(enum.Enum):
    """What is checked of a data set that is made: `ALL_CHECKS`, the splits and the checksums of
    files; `BASIC_CHECKS`, the splits; or nothing.
    """

    ALL_CHECKS = "all_checks"
    BASIC_CHECKS = "basic_checks"
    NO_CHECKS = "no_checks"


@dataclass
class DownloadConfig:
    """How files are downloaded. Those arguments that are not described change nothing: they are
    there for code that gives them.

    Attributes:
        cache_dir: the folder of files that are not of the Hub; rowstream's own if `None`.
        force_download: whether to download what is there already.
        local_files_only: whether to raise rather than to ask any server.
        extract_compressed_file: whether `cached_path` takes archives apart.
        force_extract: whether to take apart what was already.
        num_proc: files that are downloaded at once; 8 if `None`.
        max_retries: requests in a row that may fail without having brought a byte; 6 if it is 1,
            which `datasets` has by default.
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
        """Return a copy."""
        return replace(self, storage_options=dict(self.storage_options))
