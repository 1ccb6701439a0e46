"""What becomes of members, in the habits of the package `webdataset`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.utils.optional import import_optional
from rowstream.webdataset.reader import ending

_IMAGES = frozenset(("jpg", "jpeg", "jpe", "png", "ppm", "pgm", "pbm", "pnm", "webp", "bmp", "gif"))
_KINDS = ("l", "rgb", "rgba")


def decoded(
    handlers: list[Callable[[str, bytes], Any]],
    only: frozenset[str] | None,
    sample: dict[str, Any],
) -> dict[str, Any]:
    """Return a sample with its members decoded."""
    result = {}
    for name, value in sample.items():
        skipped = name.startswith("__") or not isinstance(value, bytes)
        if skipped or (only is not None and name not in only):
            result[name] = value
            continue
        made = _decoded(handlers, name, value)
        result[name] = value if made is None else made
    return result


def _decoded(handlers: list[Callable[[str, bytes], Any]], name: str, content: bytes) -> Any:
    """Return what the first handler that knows a member makes of it."""
    if ending(name) == "gz":
        import gzip

        name, content = name[:-3], gzip.decompress(content)
        made = _decoded(handlers, name, content)
        return content if made is None else made
    for handler in (*handlers, _basic):
        # The functions of users are told the name as webdataset has it.
        made = handler("." + name, content)
        if made is not None:
            return made
    return None


def _basic(name: str, content: bytes) -> Any:
    """Decode texts, numbers, JSON and arrays, as `webdataset` does by default."""
    name = name.removeprefix(".")
    end = ending(name)
    if end in ("txt", "text", "transcript"):
        return content.decode()
    if end in ("cls", "cls2", "index", "inx", "id"):
        return int(content)
    if end in ("json", "jsn"):
        import json

        return json.loads(content)
    if end in ("npy", "npz"):
        import numpy as np

        found = np.load(BytesIO(content), allow_pickle=False)
        return found if isinstance(found, np.ndarray) else dict(found)
    if end in ("pkl", "pickle", "pyd", "pth"):
        raise UnsupportedError(
            f"the member {name!r} is pickled, and nothing is unpickled, since that could run any"
            " program"
        )
    if end in ("mp", "msg"):
        return import_optional("msgpack", "members of MessagePack", "msgpack").unpackb(content)
    if end == "cbor":
        return import_optional("cbor2", "members of CBOR", "cbor2").loads(content)
    if end in ("ten", "tb"):
        raise UnsupportedError(
            f"the member {name!r} is of webdataset's own format of arrays, which is not read:"
            " decode(function) may read it"
        )
    return None


def image_handler(kind: str) -> Callable[[str, bytes], Any]:
    """Return the function that decodes images to what a name says.

    Raises:
        InvalidArgumentError: There is no such name.
    """
    lower = kind.lower()
    mode = lower.removeprefix("torch").removeprefix("pil").removesuffix("8") or "rgb"
    if mode not in _KINDS:
        raise InvalidArgumentError(
            f"decode({kind!r}): images are decoded to 'pil', 'rgb', 'rgb8', 'torchrgb', … with 'l'"
            " or 'rgba' for 'rgb'"
        )
    return partial(_image, lower, mode.upper())


def _image(kind: str, mode: str, name: str, content: bytes) -> Any:
    if ending(name) not in _IMAGES:
        return None
    import numpy as np

    image = import_optional("PIL.Image", "images", "Pillow").open(BytesIO(content)).convert(mode)
    if kind.startswith("pil"):
        return image
    pixels = np.array(image)
    if not kind.endswith("8"):
        pixels = pixels.astype(np.float32) / 255
    if not kind.startswith("torch"):
        return pixels
    torch = import_optional("torch", "tensors", "torch")
    planes = pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))
