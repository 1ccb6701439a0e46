"""Whether results of `map` and others are cached, and the temporary folder if they are not."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref

from rowstream import config

_enabled = True


def enable_caching() -> None:
    """Reuse results of `map`, `filter` and others from cache files; this is the default.

    A result is found by its fingerprint, so the same transform of the same data is computed once.
    Datasets in memory have no cache files.

    Example:
        >>> enable_caching()
        >>> is_caching_enabled()
        True
    """
    global _enabled
    _enabled = True


def disable_caching() -> None:
    """Compute results of `map`, `filter` and others anew instead of reusing cache files.

    They are written to a temporary folder that is deleted when the process ends. The cached files
    of datasets that `load_dataset` built are still used.

    Example:
        >>> disable_caching()
        >>> is_caching_enabled()
        False
        >>> enable_caching()
    """
    global _enabled
    _enabled = False


def is_caching_enabled() -> bool:
    """Return whether results of `map`, `filter` and others are reused from cache files.

    Example:
        >>> enable_caching()
        >>> is_caching_enabled()
        True
    """
    return _enabled


class _TempCacheDir:
    """A temporary folder that is removed when the process ends."""

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
        """Remove the folder before the process ends."""
        self._finalizer()


_temporary: tuple[int, _TempCacheDir] | None = None


def get_temporary_cache_files_directory() -> str:
    """Return the temporary folder of this process, which is removed when it ends."""
    global _temporary
    if _temporary is None or _temporary[0] != os.getpid() or not os.path.isdir(_temporary[1].name):
        _temporary = (os.getpid(), _TempCacheDir())
    return _temporary[1].name
