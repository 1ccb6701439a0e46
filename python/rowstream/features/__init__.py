"""The types of columns, as people know them from `datasets`."""

from rowstream.features.arrays import Array2D, Array3D, Array4D, Array5D
from rowstream.features.features import Features
from rowstream.features.media.audio import Audio
from rowstream.features.media.documents import BioSequence, BioStructure, Mesh, Nifti, Pdf
from rowstream.features.media.image import Image
from rowstream.features.media.ref import MediaRef
from rowstream.features.media.video import Video
from rowstream.features.nested import LargeList, List, Sequence
from rowstream.features.scalar import ClassLabel, Value
from rowstream.features.schema import features_from_schema
from rowstream.features.text import Json, Translation, TranslationVariableLanguages

__all__ = [
    "Array2D",
    "Array3D",
    "Array4D",
    "Array5D",
    "Audio",
    "BioSequence",
    "BioStructure",
    "ClassLabel",
    "Features",
    "Image",
    "Json",
    "LargeList",
    "List",
    "MediaRef",
    "Mesh",
    "Nifti",
    "Pdf",
    "Sequence",
    "Translation",
    "TranslationVariableLanguages",
    "Value",
    "Video",
    "features_from_schema",
]
