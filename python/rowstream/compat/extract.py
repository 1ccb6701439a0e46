"""Extraction of archives, for code that imports `datasets.utils.extract`."""

from __future__ import annotations

import os
from pathlib import Path

from rowstream.storage.extract import extract


class ExtractManager:
    """Extracts archives and decompresses files.

    Args:
        cache_dir: The folder whose subfolder `extracted` the results go to; the cache if `None`.

    Example:
        >>> ExtractManager(cache_dir="cache").extract("notes.txt.gz")  # doctest: +SKIP
        'cache/extracted/...'
    """

    def __init__(self, cache_dir: str | os.PathLike[str] | None = None) -> None:
        self.extract_dir = None if cache_dir is None else os.path.join(cache_dir, "extracted")

    def extract(self, input_path: str | os.PathLike[str], force_extract: bool = False) -> str:
        """Extract an archive or decompress a file, and return the path of the result.

        A file that is neither is returned as it is.

        Raises:
            FileFormatError: The archive is damaged, or a member would leave its folder.
        """
        folder = None if self.extract_dir is None else Path(self.extract_dir)
        return extract(os.fspath(input_path), folder, force=force_extract)
