"""The features by the name that their plain data has in `_type`."""

from __future__ import annotations

from typing import Any

from rowstream.features.arrays import Array2D, Array3D, Array4D, Array5D
from rowstream.features.media.audio import Audio
from rowstream.features.media.documents import BioSequence, BioStructure, Mesh, Nifti, Pdf
from rowstream.features.media.image import Image
from rowstream.features.media.video import Video
from rowstream.features.nested import LargeList, List, Sequence
from rowstream.features.scalar import ClassLabel, Value
from rowstream.features.text import Json, Translation, TranslationVariableLanguages

FEATURE_TYPES: dict[str, Any] = {
    "Value": Value,
    "ClassLabel": ClassLabel,
    "Translation": Translation,
    "TranslationVariableLanguages": TranslationVariableLanguages,
    "LargeList": LargeList,
    "List": List,
    "Sequence": Sequence,
    "Array2D": Array2D,
    "Array3D": Array3D,
    "Array4D": Array4D,
    "Array5D": Array5D,
    "Json": Json,
    "BioSequence": BioSequence,
    "BioStructure": BioStructure,
    "Image": Image,
    "Audio": Audio,
    "Video": Video,
    "Pdf": Pdf,
    "Nifti": Nifti,
    "Mesh": Mesh,
}
"""The features by the name in `_type`."""
