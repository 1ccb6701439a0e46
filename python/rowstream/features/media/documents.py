"""The features of documents, of scans, and of shapes: files that a library of their own reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from gzip import decompress
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from rowstream.features.media.base import MediaFeature, content_of
from rowstream.features.scalar import type_field
from rowstream.utils.optional import import_optional

_MESHES = ("glb", "gltf", "ply", "stl", "obj")


@dataclass
class Pdf(MediaFeature):
    """The feature of PDF files, stored as bytes and a path, and decoded by pdfplumber.

    A row has a `pdfplumber.PDF`, with `pages`, their texts, tables and images.

    Args:
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"file": Pdf(decode=False)})
        >>> Dataset.from_dict({"file": ["a.pdf"]}, features=features)[0]
        {'file': MediaRef(path='a.pdf', bytes=None)}
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Pdf")

    dtype = "pdfplumber.pdf.PDF"
    article = "A pdf"
    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        if not type(value).__module__.startswith("pdfplumber"):
            return None
        name = getattr(value.stream, "name", None)
        if isinstance(name, str):
            return {"path": name, "bytes": None}
        value.stream.seek(0)
        return {"path": None, "bytes": value.stream.read()}

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        plumber = import_optional("pdfplumber", "PDF files", "pdfplumber")
        # It reads pages when they are asked for, so the file stays open with it.
        if content is None and path is not None and "://" not in path:
            return plumber.open(path)
        return plumber.open(BytesIO(content_of(content, path)))


@dataclass
class Nifti(MediaFeature):
    """The feature of NIfTI files, as scans of brains, stored as bytes and a path.

    A row has the image that nibabel reads: `shape`, `affine`, `get_fdata()`.

    Args:
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"file": Nifti(decode=False)})
        >>> Dataset.from_dict({"file": ["a.nii"]}, features=features)[0]
        {'file': MediaRef(path='a.nii', bytes=None)}
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Nifti")

    dtype = "nibabel.nifti1.Nifti1Image"
    article = "A nifti"
    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        if not hasattr(value, "file_map") or not hasattr(value, "affine"):
            return None
        name = value.get_filename()
        return {"path": name, "bytes": None} if name else {"path": None, "bytes": value.to_bytes()}

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        nibabel = import_optional("nibabel", "NIfTI files", "nibabel")
        if content is None and path is not None and "://" not in path:
            return nibabel.load(path)
        content = content_of(content, path)
        if content[:2] == b"\x1f\x8b":
            content = decompress(content)
        # The second version of the format has a longer header.
        second = int.from_bytes(content[:4], "little") == 540 or content[:4] == b"\0\0\x02\x1c"
        return (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(content)


def document(value: Any) -> Pdf | Nifti | None:
    """Return the feature of a document that a library has opened; `None` for other objects."""
    library = type(value).__module__.partition(".")[0]
    if library == "pdfplumber" and hasattr(value, "pages"):
        return Pdf()
    if library == "nibabel" and hasattr(value, "affine"):
        return Nifti()
    return None


@dataclass
class Mesh(MediaFeature):
    """The feature of files of three-dimensional shapes, stored as bytes and a path.

    A row has what trimesh reads: a `Trimesh`, or a `Scene` for glTF. The end of the path says the
    format: `.glb`, `.gltf`, `.ply`, `.stl` or `.obj`.

    Args:
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"file": Mesh(decode=False)})
        >>> Dataset.from_dict({"file": ["a.stl"]}, features=features)[0]
        {'file': MediaRef(path='a.stl', bytes=None)}
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Mesh")

    dtype = "trimesh.Trimesh"
    article = "A mesh"
    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        if not type(value).__module__.startswith("trimesh"):
            return None
        return {"path": "mesh.glb", "bytes": value.export(file_type="glb")}

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        trimesh = import_optional("trimesh", "shapes", "trimesh")
        name = (path or "").partition("::")[0].partition("?")[0].lower()
        end = name.rpartition(".")[2]
        if end not in _MESHES:
            raise ValueError(
                f"the path of a shape ends with {', '.join('.' + one for one in _MESHES)}, which"
                f" says its format, found {path!r}"
            )
        return trimesh.load(BytesIO(content_of(content, path)), file_type=end)


@dataclass
class BioSequence(MediaFeature):
    """The feature of files with a sequence of nucleotides or amino acids, such as FASTA.

    A row has the first record of the file, a `SeqRecord` of Biopython.

    Args:
        format: The format of the files, as Biopython names it, such as `"fasta"`.
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"sequence": BioSequence(decode=False)})
        >>> Dataset.from_dict({"sequence": ["a.fasta"]}, features=features)[0]
        {'sequence': MediaRef(path='a.fasta', bytes=None)}
    """

    format: str = "fasta"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioSequence")

    dtype = "Bio.SeqRecord.SeqRecord"
    article = "A sequence"
    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        if type(value).__name__ != "SeqRecord":
            return None
        return {"path": None, "bytes": value.format(self.format).encode()}

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        sequences = import_optional("Bio.SeqIO", "sequences", "biopython")
        text = content_of(content, path).decode()
        record = next(sequences.parse(_lines(text), self.format), None)
        if record is None:
            raise ValueError(f"there is no record of {self.format} in {path or 'the bytes'}")
        return record


@dataclass
class BioStructure(MediaFeature):
    """The feature of files with the three-dimensional structure of molecules, such as PDB.

    A row has a `Structure` of Biopython.

    Args:
        format: `"pdb"` or `"mmcif"`.
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        id: A free text that is kept with the feature, as in `datasets`.

    Raises:
        ValueError: The format is another.

    Example:
        >>> features = Features({"structure": BioStructure(decode=False)})
        >>> Dataset.from_dict({"structure": ["a.pdb"]}, features=features)[0]
        {'structure': MediaRef(path='a.pdb', bytes=None)}
    """

    format: str = "pdb"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioStructure")

    dtype = "Bio.PDB.Structure.Structure"
    article = "A structure"
    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        if self.format not in ("mmcif", "pdb"):
            raise ValueError(
                f"Unsupported structure format {self.format!r}. Supported formats are:"
                " ['mmcif', 'pdb']."
            )

    def _encode(self, value: Any) -> dict[str, Any] | None:
        if type(value).__name__ != "Structure":
            return None
        io = import_optional("Bio.PDB", "structures", "biopython")
        writer = io.PDBIO() if self.format == "pdb" else io.MMCIFIO()
        writer.set_structure(value)
        buffer = _lines("")
        writer.save(buffer)
        return {"path": None, "bytes": buffer.getvalue().encode()}

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        io = import_optional("Bio.PDB", "structures", "biopython")
        parser = (io.PDBParser if self.format == "pdb" else io.MMCIFParser)(QUIET=True)
        name = "structure" if path is None else PurePosixPath(path).name.partition(".")[0]
        return parser.get_structure(name, _lines(content_of(content, path).decode()))


def _lines(text: str) -> Any:
    from io import StringIO

    return StringIO(text, newline=None)
