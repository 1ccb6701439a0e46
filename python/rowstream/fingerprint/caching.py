"""Whether results are cached, and the temporary folder where they are not."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref

from rowstream import config

_enabled = True


def enable_caching() -> None:
    """Keep what transforms make in files, and find it there again by its fingerprint.

    This is so at first.
    """
    global _enabled
    _enabled = True


def disable_caching() -> None:
    """Do not look in files for what transforms make; keep it in a temporary folder until the
    process ends.
    """
    global _enabled
    _enabled = False


def is_caching_enabled() -> bool:
    """Return whether what transforms made is looked for in files."""
    return _enabled


class _TempCacheDir:
    """A folder that is removed when the process ends."""

    def __init__(self) -> None:
        place = os.environ.get("TMPDIR") or os.environ.get("TEMP") or os.environ.get("TMP")
        if place:
            place = os.path.normpath(place)
            if os.path.exists(place) and not os.path.isdir(place):
                raise OSError(
                    f"TMPDIR is set to '{place}' but it is not a directory. Please point TMPDIR to"
                    " a writable directory."
                )
            try:
                os.makedirs(place, exist_ok=True)
            except OSError as error:
                raise OSError(
                    f"TMPDIR is set to '{place}' but the directory does not exist and could not be"
                    f" created: {error}."
                ) from error
        self.name = tempfile.mkdtemp(prefix=config.TEMP_CACHE_DIR_PREFIX, dir=place or None)
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)

    def cleanup(self) -> None:
        """Remove it now."""
        self._finalizer()


_temporary: tuple[int, _TempCacheDir] | None = None


def get_temporary_cache_files_directory() -> str:
    """Return a folder of this process that is removed when it ends."""
    global _temporary
    if _temporary is None or _temporary[0] != os.getpid() or not os.path.isdir(_temporary[1].name):
        _temporary = (os.getpid(), _TempCacheDir())
    return _temporary[1].name
