"""Archives extracted, as code for `datasets.utils.extract` asks for it."""

from __future__ import annotations

import os
from pathlib import Path

from rowstream.storage.extract import extract


class ExtractManager:
    """Takes archives apart, and decompresses files.

    Args:
        cache_dir: where to, in a folder `extracted`; into the cache if `None`.

    Example:
        >>> ExtractManager(cache_dir="cache").extract("notes.txt.gz")
    """

    def __init__(self, cache_dir: str | os.PathLike[str] | None = None) -> None:
        self.extract_dir = None if cache_dir is None else os.path.join(cache_dir, "extracted")

    def extract(self, input_path: str | os.PathLike[str], force_extract: bool = False) -> str:
        """Return where an archive was extracted, or a file decompressed; what is neither stays as
        it is.

        Raises:
            FileFormatError: the archive is damaged, or a member would leave the folder.
        """
        folder = None if self.extract_dir is None else Path(self.extract_dir)
        return extract(os.fspath(input_path), folder, force=force_extract)
