"""Features of document and science files, stored as bytes and a path.

Rows can be read with `decode=False`: these files are not decoded in this version.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rowstream.features.media.base import MediaFeature
from rowstream.features.scalar import type_field


@dataclass
class BioSequence(MediaFeature):
    """The feature of files with sequences of nucleotides or amino acids, such as FASTA.

    Rows can be read with `decode=False` only, as `{"bytes": …, "path": …}`.

    Args:
        format: The format of the files, such as `"fasta"`.
        decode: Decode the files, which this version does not support.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"sequence": BioSequence(decode=False)})
        >>> Dataset.from_dict({"sequence": ["a.fasta"]}, features=features)[0]
        {'sequence': {'bytes': None, 'path': 'a.fasta'}}
    """

    format: str = "fasta"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioSequence")

    __hash__ = object.__hash__


@dataclass
class BioStructure(MediaFeature):
    """The feature of files with the three-dimensional structure of molecules, such as PDB.

    Rows can be read with `decode=False` only, as `{"bytes": …, "path": …}`.

    Args:
        format: The format of the files, such as `"pdb"`.
        decode: Decode the files, which this version does not support.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"structure": BioStructure(decode=False)})
        >>> Dataset.from_dict({"structure": ["a.pdb"]}, features=features)[0]
        {'structure': {'bytes': None, 'path': 'a.pdb'}}
    """

    format: str = "pdb"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioStructure")

    __hash__ = object.__hash__


def _plain(name: str) -> type:
    @dataclass
    class Media(MediaFeature):
        decode: bool = True
        id: str | None = field(default=None, repr=False)
        _type: str = type_field(name)

        __hash__ = object.__hash__

    Media.__name__ = Media.__qualname__ = name
    Media.__doc__ = f"""The feature of {name} files, stored as bytes and a path.

    Rows can be read with `decode=False` only, as `{{"bytes": …, "path": …}}`.

    Args:
        decode: Decode the files, which this version does not support.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({{"file": {name}(decode=False)}})
        >>> Dataset.from_dict({{"file": ["a.{name.lower()}"]}}, features=features)[0]
        {{'file': {{'bytes': None, 'path': 'a.{name.lower()}'}}}}
    """
    return Media


Pdf, Nifti, Mesh = (_plain(name) for name in ("Pdf", "Nifti", "Mesh"))
