"""Types of media: a file's name, or its bytes, as `{"bytes": …, "path": …}`.

With `decode=False` rows have that. Images are decoded by Pillow; other media are stored and given,
and not decoded yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rowstream.features.media.base import MediaFeature
from rowstream.features.scalar import type_field


@dataclass
class BioSequence(MediaFeature):
    """A file of sequences of nucleotides or amino acids. Args: `format` of the file, such as
    `"fasta"`; `decode`.
    """

    format: str = "fasta"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioSequence")

    __hash__ = object.__hash__


@dataclass
class BioStructure(MediaFeature):
    """A file of a molecule in space. Args: `format` of the file, such as `"pdb"`; `decode`."""

    format: str = "pdb"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioStructure")

    __hash__ = object.__hash__


def _plain(name: str) -> Any:
    @dataclass
    class Media(MediaFeature):
        decode: bool = True
        id: str | None = field(default=None, repr=False)
        _type: str = type_field(name)

        __hash__ = object.__hash__

    Media.__name__ = Media.__qualname__ = name
    Media.__doc__ = f"A {name} file: stored and given, and not decoded yet."
    return Media


Pdf, Nifti, Mesh = (_plain(name) for name in ("Pdf", "Nifti", "Mesh"))
