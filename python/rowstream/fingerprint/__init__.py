"""Fingerprints of datasets and functions, by which cached results are found."""

from rowstream.fingerprint.caching import (
    disable_caching,
    enable_caching,
    get_temporary_cache_files_directory,
    is_caching_enabled,
)
from rowstream.fingerprint.code import Unhashable
from rowstream.fingerprint.hasher import Hasher
from rowstream.fingerprint.transform import (
    fingerprint_transform,
    generate_random_fingerprint,
    of_table,
    sampled,
    update_fingerprint,
    validate_fingerprint,
)

__all__ = [
    "Hasher",
    "Unhashable",
    "disable_caching",
    "enable_caching",
    "fingerprint_transform",
    "generate_random_fingerprint",
    "get_temporary_cache_files_directory",
    "is_caching_enabled",
    "of_table",
    "sampled",
    "update_fingerprint",
    "validate_fingerprint",
]
