"""Types of media: a file's name, or its bytes, as `{"bytes": …, "path": …}`.

With `decode=False` rows have that. Images are decoded by Pillow; other media are stored and given, and not decoded yet.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, ClassVar

from rowstream.exceptions import UnsupportedError
from rowstream.features.types import FEATURE_TYPES, Value, type_field
from rowstream.files import open as open_file


class _Media:
    """What types of media have in common."""

    decode: bool
    dtype: ClassVar[str] = "dict"

    @property
    def pa_type(self) -> Any:
        """The pyarrow type: a struct of bytes and a path."""
        import pyarrow as pa

        return pa.struct({"bytes": pa.binary(), "path": pa.string()})

    def __call__(self) -> Any:
        """The pyarrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any]:
        """A path, bytes, or a dict of them, as what is stored."""
        if isinstance(value, (str, os.PathLike)):
            return {"path": str(value), "bytes": None}
        if isinstance(value, (bytes, bytearray)):
            return {"path": None, "bytes": bytes(value)}
        if isinstance(value, dict):
            if value.get("bytes") is None and value.get("path") is not None and os.path.isfile(value["path"]):
                return {"bytes": None, "path": value.get("path")}
            if value.get("bytes") is not None or value.get("path") is not None:
                return {"bytes": value.get("bytes"), "path": value.get("path")}
        made = self._encode(value)
        if made is None:
            kind = type(self).__name__
            raise ValueError(f"an {kind} is a path, bytes, or a dict with one of 'path' and 'bytes', found {type(value).__name__}")
        return made

    def _encode(self, value: Any) -> dict[str, Any] | None:
        return None

    def decode_example(self, value: dict[str, Any], token_per_repo_id: Any = None) -> Any:
        """What the bytes say."""
        kind = type(self).__name__
        if not self.decode:
            raise RuntimeError(f"Decoding is disabled for this feature. Please use {kind}(decode=True) instead.")
        raise UnsupportedError(f"{kind} is not decoded yet: cast_column(name, {kind}(decode=False)) gives bytes and paths")

    def flatten(self) -> Any:
        """Itself, or, not decoded, its fields."""
        return self if self.decode else {"bytes": Value("binary"), "path": Value("string")}

    def cast_storage(self, storage: Any) -> Any:
        """An array of paths, bytes or structs as one of what is stored."""
        import pyarrow as pa

        from rowstream.table import array_cast

        kind, n = storage.type, len(storage)
        if pa.types.is_null(kind):
            return pa.nulls(n, self.pa_type)
        paths, contents = pa.nulls(n, pa.string()), pa.nulls(n, pa.binary())
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            paths = storage.cast(pa.string())
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
            contents = storage.cast(pa.binary())
        elif pa.types.is_struct(kind):
            names = [of.name for of in kind]
            children = dict(zip(names, storage.flatten(), strict=True))
            contents, paths = children.get("bytes", contents), children.get("path", paths)
        elif pa.types.is_list(kind) and hasattr(self, "_of_lists"):
            contents = self._of_lists(storage)
        made = pa.StructArray.from_arrays(
            [contents.cast(pa.binary()), paths.cast(pa.string())], ["bytes", "path"], mask=storage.is_null() if storage.null_count else None
        )
        return array_cast(made, self.pa_type)

    def embed_storage(self, storage: Any, token_per_repo_id: Any = None, local_files: bool = True, remote_files: bool = True) -> Any:
        """What is stored, with the bytes of files in place of their paths."""
        import pyarrow as pa

        contents, paths = [], []
        for value in storage.to_pylist():
            content, path = (None, None) if value is None else (value["bytes"], value["path"])
            if content is None and path is not None and (remote_files if "://" in path else local_files):
                with open_file(path, "rb") as file:
                    content = file.read()
            contents.append(content)
            paths.append(None if path is None else os.path.basename(path))
        mask = storage.is_null() if storage.null_count else None
        return pa.StructArray.from_arrays([pa.array(contents, pa.binary()), pa.array(paths, pa.string())], ["bytes", "path"], mask=mask)


@dataclass
class Image(_Media):
    """An image.

    Args:
        mode: the mode that Pillow converts it to.
        decode: whether rows have a `PIL.Image.Image`, or else `{"bytes": …, "path": …}`.

    Example:
        >>> ds = ds.cast_column("image", Image(decode=False))
    """

    mode: str | None = None
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Image")

    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        import numpy as np

        if isinstance(value, list):
            value = np.array(value)
        if isinstance(value, np.ndarray):
            return encode_np_array(value)
        pillow = _pillow()
        return encode_pil_image(value) if isinstance(value, pillow.Image) else None

    def decode_example(self, value: dict[str, Any], token_per_repo_id: Any = None) -> Any:
        """A `PIL.Image.Image`."""
        if not self.decode:
            raise RuntimeError("Decoding is disabled for this feature. Please use Image(decode=True) instead.")
        pillow = _pillow()
        content, path = value.get("bytes"), value.get("path")
        if content is None:
            if path is None:
                raise ValueError(f"An image should have one of 'path' or 'bytes' but both are None in {value}.")

            with open_file(path, "rb") as file:
                content = file.read()
        made = pillow.open(BytesIO(content))
        made.load()
        if path is not None and value.get("bytes") is None:
            made.filename = path
        from PIL import ImageOps

        if made.getexif().get(0x0112) is not None:
            made = ImageOps.exif_transpose(made)
        return made.convert(self.mode) if self.mode and self.mode != made.mode else made

    def _of_lists(self, storage: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        return pa.array([None if one is None else encode_np_array(np.array(one))["bytes"] for one in storage.to_pylist()], pa.binary())


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise ImportError("images need Pillow: pip install Pillow") from error
    return PIL.Image


def image_to_bytes(image: Any) -> bytes:
    """A Pillow image as bytes: in its own format, or PNG, or TIFF where PNG does not have its mode."""
    buffer = BytesIO()
    lossless = "PNG" if image.mode in ("1", "L", "LA", "RGB", "RGBA") else "TIFF"
    own = image.format if image.format in ("PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP") and image.format != "JPEG" else None
    image.save(buffer, format=image.format if image.format == "JPEG" else own or lossless)
    return buffer.getvalue()


def encode_pil_image(image: Any) -> dict[str, Any]:
    """A Pillow image as what is stored: its file where it has one, or its bytes."""
    name = getattr(image, "filename", "")
    return {"path": name, "bytes": None} if name else {"path": None, "bytes": image_to_bytes(image)}


def encode_np_array(array: Any) -> dict[str, Any]:
    """An array of pixels as what is stored, in the nearest type that images have."""
    import numpy as np

    pillow = _pillow()
    if array.dtype.kind in "iu" and array.ndim == 3:
        if array.min(initial=0) < 0 or array.max(initial=0) > 255:
            raise TypeError(f"pixels are numbers from 0 to 255, found {array.dtype} from {array.min()} to {array.max()}")
        array = array.astype(np.uint8)
    elif array.dtype.kind not in "iuf":
        raise TypeError(f"an array of {array.dtype} is no image")
    elif array.dtype.kind == "f":
        array = array.astype(np.float32)
    elif array.dtype not in (np.uint8, np.uint16, np.int32):
        array = array.astype(np.int32 if array.dtype.kind == "i" else np.uint8 if array.max(initial=0) < 256 else np.uint16)
    return {"path": None, "bytes": image_to_bytes(pillow.fromarray(array))}


@dataclass
class Audio(_Media):
    """A sound.

    Args:
        sampling_rate: what decoding is to give.
        decode: whether rows are decoded, or else `{"bytes": …, "path": …}`.
        num_channels: what decoding is to give.
        stream_index: which stream of the file.
    """

    sampling_rate: int | None = None
    decode: bool = True
    num_channels: int | None = None
    stream_index: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Audio")

    __hash__ = object.__hash__


@dataclass
class Video(_Media):
    """A film. Args: as those of `Audio`."""

    decode: bool = True
    stream_index: int | None = None
    dimension_order: str = "NCHW"
    num_ffmpeg_threads: int = 1
    device: Any = "cpu"
    seek_mode: str = "exact"
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Video")

    __hash__ = object.__hash__


@dataclass
class BioSequence(_Media):
    """A file of sequences of nucleotides or amino acids. Args: `format` of the file, such as `"fasta"`; `decode`."""

    format: str = "fasta"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioSequence")

    __hash__ = object.__hash__


@dataclass
class BioStructure(_Media):
    """A file of a molecule in space. Args: `format` of the file, such as `"pdb"`; `decode`."""

    format: str = "pdb"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("BioStructure")

    __hash__ = object.__hash__


def _plain(name: str) -> Any:
    @dataclass
    class Media(_Media):
        decode: bool = True
        id: str | None = field(default=None, repr=False)
        _type: str = type_field(name)

        __hash__ = object.__hash__

    Media.__name__ = Media.__qualname__ = name
    Media.__doc__ = f"A {name} file: stored and given, and not decoded yet."
    return Media


Pdf, Nifti, Mesh = (_plain(name) for name in ("Pdf", "Nifti", "Mesh"))

FEATURE_TYPES.update(
    {
        "BioSequence": BioSequence,
        "BioStructure": BioStructure,
        "Image": Image,
        "Audio": Audio,
        "Video": Video,
        "Pdf": Pdf,
        "Nifti": Nifti,
        "Mesh": Mesh,
    }
)
