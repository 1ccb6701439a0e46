"""The feature of images, decoded by Pillow."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rowstream.features.media.base import MediaFeature, content_of
from rowstream.features.scalar import type_field
from rowstream.utils.optional import import_optional

if TYPE_CHECKING:
    from types import ModuleType


@dataclass
class Image(MediaFeature):
    """The feature of images, stored as bytes and a path, and decoded by Pillow.

    Values may be paths, bytes, dicts of both, Pillow images or arrays of pixels. An image is
    decoded when its row is read.

    Args:
        mode: The Pillow mode to which images are converted, such as `"RGB"`; their own if `None`.
        decode: Return Pillow images; if `False`, `{"bytes": …, "path": …}`.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> import numpy as np
        >>> pixels = np.zeros((2, 3, 3), dtype=np.uint8)
        >>> ds = Dataset.from_dict({"image": [pixels]}, features=Features({"image": Image()}))
        >>> ds[0]["image"].size
        (3, 2)
        >>> ds = ds.cast_column("image", Image(decode=False))
        >>> sorted(ds[0]["image"])
        ['bytes', 'path']
    """

    mode: str | None = None
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Image")

    dtype = "PIL.Image.Image"
    article = "An image"
    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        import numpy as np

        if isinstance(value, list):
            value = np.array(value)
        if isinstance(value, np.ndarray):
            return encode_np_array(value)
        pillow = _pillow()
        return encode_pil_image(value) if isinstance(value, pillow.Image) else None

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        """Return a Pillow image, turned as its EXIF data says."""
        result = _pillow().open(BytesIO(content_of(content, path)))
        result.load()
        if path is not None and content is None:
            result.filename = path
        from PIL import ImageOps

        if result.getexif().get(0x0112) is not None:
            result = ImageOps.exif_transpose(result)
        return result.convert(self.mode) if self.mode and self.mode != result.mode else result

    def _of_lists(self, storage: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        return pa.array(
            [
                None if one is None else encode_np_array(np.array(one))["bytes"]
                for one in storage.to_pylist()
            ],
            pa.binary(),
        )


def _pillow() -> ModuleType:
    result: ModuleType = import_optional("PIL.Image", "images", "Pillow")
    return result


def image_to_bytes(image: Any) -> bytes:
    """Return a Pillow image as the bytes of a file.

    The format is the image's own where it has one, else PNG, or TIFF for modes that PNG lacks.
    """
    buffer = BytesIO()
    lossless = "PNG" if image.mode in ("1", "L", "LA", "RGB", "RGBA") else "TIFF"
    own = (
        image.format
        if image.format in ("PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP") and image.format != "JPEG"
        else None
    )
    image.save(buffer, format=image.format if image.format == "JPEG" else own or lossless)
    return buffer.getvalue()


def encode_pil_image(image: Any) -> dict[str, Any]:
    """Convert a Pillow image to what is stored: its path if it has one, else its bytes."""
    name = getattr(image, "filename", "")
    return {"path": name, "bytes": None} if name else {"path": None, "bytes": image_to_bytes(image)}


def encode_np_array(array: Any) -> dict[str, Any]:
    """Convert an array of pixels to what is stored, with the nearest pixel type that images have.

    Raises:
        TypeError: The array is not numeric, or has values that pixels of no type have.
    """
    import numpy as np

    pillow = _pillow()
    given = array.dtype
    if array.dtype.kind in "iu" and array.ndim == 3:
        if array.min(initial=0) < 0 or array.max(initial=0) > 255:
            raise TypeError(
                f"pixels are numbers from 0 to 255, found {array.dtype} from {array.min()} to"
                f" {array.max()}"
            )
        array = array.astype(np.uint8)
    elif array.dtype.kind not in "biuf":
        raise TypeError(f"an array of {array.dtype} is no image")
    elif array.dtype.kind == "f":
        array = array.astype(np.float32)
    elif array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        array = array.astype(array.dtype.newbyteorder("="))
    elif array.dtype.kind != "b":
        limits = np.iinfo(np.int32)
        if array.min(initial=0) < limits.min or array.max(initial=0) > limits.max:
            raise TypeError(
                f"pixels are numbers of at most 32 bits with a sign, found {array.dtype} from"
                f" {array.min()} to {array.max()}"
            )
        array = array.astype(np.int32)
    if array.dtype.itemsize < given.itemsize:
        warnings.warn(
            f"Downcasting array dtype {given} to {array.dtype} to be compatible with 'Pillow'",
            stacklevel=2,
        )
    return {"path": None, "bytes": image_to_bytes(pillow.fromarray(array))}
