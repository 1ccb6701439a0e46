"""Values of samples as the bytes of members of tar archives, by the ends of their names."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rowstream.features.media.base import content_of

if TYPE_CHECKING:
    import pyarrow as pa

# What is written as text, and what readers take for JSON.
_TEXTS = frozenset(
    ["txt", "text", "transcript", "caption", "cls", "cls2", "index", "count", "inx", "id"]
)
_READ_AS_TEXT = frozenset(["txt", "text", "transcript"])
"""What `load_dataset` takes for texts."""
JSON = frozenset(["json", "jsn"])
_NUMBERS = frozenset(["cls", "cls2", "id", "index", "inx"])
"""What `load_dataset` takes for whole numbers."""
_IMAGES = frozenset(["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm"])
_PICKLED = frozenset(["pkl", "pickle", "pyd", "pth", "pt"])


def encoded(field: str, ending: str, value: Any, kind: Any = None) -> tuple[str, Any]:
    """Return the name of a field's member and its bytes; what has no form of its own is JSON.

    Args:
        field: The name of the field.
        ending: What it ends in.
        value: The value.
        kind: The NumPy type of the numbers of an array, if it is known.

    Raises:
        ValueError: A value is not what the ending of the field says.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return field, value
    if ending == "npy":
        return field, _array(value, kind)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        # A number of NumPy, or a tensor of one.
        value = value.item()
    if ending in JSON:
        return field, _json_text(value) if isinstance(value, str) else _as_json(value)
    if isinstance(value, str):
        named = field if ending in _TEXTS or "." in field else f"{field}.txt"
        return named, value.encode("utf-8", "surrogatepass")
    if isinstance(value, Mapping) and value.keys() == {"bytes", "path"}:
        content = content_of(value["bytes"], value["path"])
        return _media_name(field, ending, value["path"], content), content
    if hasattr(value, "save") and hasattr(value, "getbands"):
        return field, _image(ending, value)
    if ending == "npz" and isinstance(value, Mapping):
        return field, _arrays(value)
    if ending in _IMAGES and hasattr(value, "__array__"):
        return field, _image(ending, _pixels(value))
    if ending in _PICKLED:
        raise ValueError("nothing is pickled: give its bytes, or another ending")
    if ending in _TEXTS and isinstance(value, (bool, int, float)):
        # Readers take these for whole numbers.
        return field, str(int(value) if isinstance(value, bool) else value).encode()
    return f"{field}.json", _as_json(value)


_MARKS = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
}
_RIFF = {b"WEBP": "webp", b"WAVE": "wav"}
_VIDEOS = ("mp4", "mkv", "webm", "mov")
_MEDIA = frozenset([*_IMAGES, *_MARKS.values(), *_RIFF.values(), "m4a", *_VIDEOS])


def _media_name(field: str, ending: str, path: str | None, content: Any) -> str:
    """Return the name of a file of media, with the ending of its format if it has none of one."""
    if ending in _MEDIA:
        return field
    head = bytes(content[:12])
    found = (path or "").rpartition(".")[2].lower()
    if found not in _MEDIA:
        marks = (end for mark, end in _MARKS.items() if head.startswith(mark))
        found = _RIFF.get(head[8:12], "") if head[:4] == b"RIFF" else next(marks, "")
    return f"{field}.{found}" if found else field


def read_again(field: pa.Field) -> str:
    """Return the name of a column, with an ending that `load_dataset` takes for what it is."""
    import pyarrow as pa

    name, kind = str(field.name), field.type
    ending = name.rpartition(".")[2].lower()
    if ending in JSON:
        return name
    if any(of(kind) for of in (pa.types.is_string, pa.types.is_large_string)):
        return name if ending in _READ_AS_TEXT else f"{name}.txt"
    whole = pa.types.is_integer(kind) and kind != pa.uint64()
    if whole and ending in _NUMBERS:
        return name
    plain = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)
    return f"{name}.json" if ending in _TEXTS and any(of(kind) for of in plain) else name


def number_of(kind: pa.DataType) -> Any:
    """Return the NumPy type of the numbers in lists of a type; `None` where there are none."""
    import pyarrow as pa

    kind = getattr(kind, "storage_type", kind)
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return kind.to_pandas_dtype() if plain else None


def _json_text(text: str) -> bytes:
    """Return text that is JSON already, as columns of the type `Json` have it."""
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"its ending says that it is JSON, and {text[:40]!r} is none") from error
    return text.encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"JSON has no {type(value).__name__}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def _as_json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _array(value: Any, kind: Any = None) -> bytes:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind == "O":
        raise ValueError("it is no array of numbers, or has missing ones")
    array = array if kind is None else array.astype(kind)
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


def _arrays(values: Mapping[str, Any]) -> bytes:
    import numpy as np

    arrays = {name: np.asarray(value) for name, value in values.items()}
    if any(array.dtype.kind == "O" for array in arrays.values()):
        raise ValueError("it has what is no array of numbers")
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _pixels(value: Any) -> Any:
    """Return an array of pixels as an image: bytes, or numbers from 0 to 1."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(value)
    if pixels.dtype.kind == "f":
        if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 1:
            raise ValueError(
                f"pixels that are {pixels.dtype} are from 0 to 1, found {pixels.min()} to"
                f" {pixels.max()}"
            )
        pixels = (pixels * 255).round().astype(np.uint8)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or pixels.shape[2:] in ((1,), (3,), (4,))):
        raise ValueError(
            "an array of pixels is uint8, or float from 0 to 1, of height, width and 1, 3 or 4"
            f" channels, found {pixels.dtype} of shape {pixels.shape}"
        )
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)


def _image(ending: str, value: Any) -> bytes:
    content = io.BytesIO()
    formats = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}
    lossless = {} if ending not in ("jpg", "jpeg") else {"quality": 95}
    value.save(
        content, formats.get(ending, ending.upper() if "." not in ending else "PNG"), **lossless
    )
    return content.getvalue()
