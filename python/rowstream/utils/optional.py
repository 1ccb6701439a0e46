"""Libraries that only some features need, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXTRAS = {
    "Pillow": "image",
    "av": "video",
    "biopython": "bio",
    "h5py": "hdf5",
    "nibabel": "nifti",
    "pdfplumber": "pdf",
    "pyiceberg": "iceberg",
    "pylance": "lance",
    "soundfile": "audio",
    "soxr": "audio",
    "trimesh": "mesh",
    "tsfile": "tsfile",
    "vortex-data": "vortex",
}


def import_optional(package: str, for_what: str, install: str) -> Any:
    """Import a library that only some features need.

    Args:
        package: Its module.
        for_what: What needs it, at the beginning of the error.
        install: What is installed for it.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        extra = _EXTRAS.get(install)
        known = "" if extra is None else f", or pip install 'rowstream[{extra}]'"
        raise ImportError(f"{for_what} need {install}: pip install {install}{known}") from error
