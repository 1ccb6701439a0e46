"""`decode_images`: images as arrays of pixels, decoded by the core on all threads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError, SchemaError
from rowstream.features.media.image import Image
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.ops.base import RowWise
from rowstream.ops.map import RowNode
from rowstream.storage.files import open as open_file

if TYPE_CHECKING:
    from rowstream.ops.base import Node, Upstream, World


_ENCODED = ("binary", "large_binary", "binary_view")
_CHOICES = {
    "resize": ("area", "crop", "random_resized_crop"),
    "filter": ("box", "bilinear", "bicubic", "lanczos"),
    "layout": ("HWC", "CHW"),
    "dtype": ("uint8", "float32"),
    "mode": ("RGB", "L"),
}
MAX_PIXELS = 178_956_970
"""The most pixels of an image, as Pillow has it before it raises `DecompressionBombError`."""


@dataclass(frozen=True)
class DecodeImages(RowWise):
    """A step that decodes the images of a column.

    The core does it while rows are read, where nothing in Python comes before; else this step hands
    the images of rows to it.

    Attributes:
        column: The name of the column.
        size: Rows and columns of pixels; each image's own if `None`.
        resize: `"area"`, `"crop"` or `"random_resized_crop"`.
        filter: `"box"`, `"bilinear"`, `"bicubic"` or `"lanczos"`.
        layout: `"HWC"` or `"CHW"`.
        dtype: `"uint8"` or `"float32"`.
        mode: `"RGB"` or `"L"`.
        flip: How often an image is mirrored.
        scale: The least and the most part of the area of a random crop.
        ratio: The least and the most ratio of its width to its height.
        normalize: The mean and the deviation of each channel.
        seed: The seed of random crops and flips.
        max_pixels: The most pixels that an image may say it has.
    """

    column: str
    size: tuple[int, int] | None = None
    resize: str = "area"
    filter: str = "bilinear"
    layout: str = "HWC"
    dtype: str = "uint8"
    mode: str = "RGB"
    flip: float = 0.0
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    normalize: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    seed: int = 0
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidArgumentError(
                    f"decode_images: {name} is one of {', '.join(map(repr, choices))}, not"
                    f" {getattr(self, name)!r}"
                )
        # What else may be wrong, the core knows.
        _core.ImageDecoder(json.dumps(self.spec()))

    def spec(self) -> dict[str, Any]:
        """Return the step as the core's plan has it, but for its kind."""
        return asdict(self)

    def core_step(self) -> dict[str, Any]:
        """Return the step as the core's plan has it."""
        return {"kind": "images", **self.spec()}

    def named(self, column: str) -> DecodeImages:
        """Return the step for the column under another name."""
        return replace(self, column=column)

    def check(self, features: Mapping[str, Any]) -> None:
        """Raise if a column of that name is not there, or has no images.

        Raises:
            InvalidArgumentError: There is no such column.
            SchemaError: Its type is another.
        """
        if self.column not in features:
            raise InvalidArgumentError(
                f"decode_images: there is no column {self.column!r}; the columns are"
                f" {list(features)}"
            )
        feature = features[self.column]
        encoded = isinstance(feature, Image) or (
            isinstance(feature, Value) and feature.dtype in _ENCODED
        )
        # Images whose column was not typed: what `Image()` stores.
        if not encoded and not (isinstance(feature, dict) and feature.keys() == {"bytes", "path"}):
            raise SchemaError(
                f"decode_images: the column {self.column!r} is {feature!r}, where images are"
                " Image() or bytes"
            )

    @property
    def feature(self) -> List:
        """The type of the column that it makes: nested lists, which say their lengths if known."""
        height, width = self.size or (-1, -1)
        channels = 3 if self.mode == "RGB" else 1
        shape = [height, width, channels] if self.layout == "HWC" else [channels, height, width]
        feature: Any = Value(self.dtype)
        for length in reversed(shape):
            feature = List(feature, length=length)
        result: List = feature
        return result

    def node(self, upstream: Upstream, state: Any, number: int, world: World) -> Node:
        """Return the node of this step."""
        return RowNode(
            upstream,
            state,
            number,
            lambda row, _: row,
            indexed=False,
            pool=_Ahead(self, (world.epoch << 32) + number),
        )

    def decoded(self, images: Sequence[Any], key: int | None) -> Any:
        """Decode images, each by a call of its own, so that they share the core's threads.

        Args:
            images: Bytes, paths, dicts of both, or `None`.
            key: What random crops depend on beside the images; chosen at random if `None`.

        Returns:
            An array of all, if they have one shape, otherwise a list of arrays or `None`.
        """
        decoder = _core.ImageDecoder(json.dumps(self.spec()))
        begun = [
            decoder.submit(
                [self._bytes(image)],
                [int.from_bytes(os.urandom(8), "little") if key is None else key],
            )
            for image in images
        ]
        arrays = []
        for i, one in enumerate(begun):
            try:
                arrays.append(_only(one.result()))
            except Exception as error:
                path = images[i].get("path") if isinstance(images[i], dict) else None
                error.add_note(
                    f"decode_images: column {self.column!r}, row {i} of the {len(begun)} that were"
                    f" asked for{'' if path is None else f', {path}'}"
                )
                raise
        return arrays

    def _bytes(self, image: Any) -> bytes | None:
        if isinstance(image, dict):
            image = image.get("path") if image.get("bytes") is None else image["bytes"]
        if isinstance(image, (str, os.PathLike)):
            with open_file(image, "rb") as file:
                content: bytes = file.read()
            return content
        if image is None or isinstance(image, bytes):
            return image
        if isinstance(image, (bytearray, memoryview)):
            return bytes(image)
        raise SchemaError(
            f"decode_images: the column {self.column!r} has {type(image).__name__}, where images"
            " are bytes, paths, or dicts of bytes and a path; what Image() decoded is decoded"
            " already: call decode_images before map, or cast_column(name, Image(decode=False))"
        )

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.spec().items())
        return f"DecodeImages({given})"


@dataclass(frozen=True)
class ImageTransform:
    """The step as a transform of map-style datasets: a function of a batch.

    Attributes:
        step: The step.
        key: What random crops depend on beside the images; chosen at random if `None`.
    """

    step: DecodeImages
    key: int | None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a batch with the images of the column decoded."""
        column = self.step.column
        if column not in batch:
            return batch
        return {**batch, column: self.step.decoded(batch[column], self.key)}


def _only(images: Any) -> Any:
    """Return the one image of a result."""
    return images[0]


def decoding(column: str, **options: Any) -> DecodeImages:
    """Return the step for the arguments of `decode_images`.

    Raises:
        InvalidArgumentError: An argument makes no sense.
    """
    size, flip, normalize = (options.pop(name) for name in ("size", "flip", "normalize"))
    filter, dtype = options.pop("filter"), options.pop("dtype")
    if size is not None:
        size = (size, size) if isinstance(size, int) else tuple(size)
        if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
            raise InvalidArgumentError(
                f"decode_images: size is a number of pixels, or height and width, not {size!r}"
            )
    if normalize is not None:
        mean, std = ((one,) if isinstance(one, (int, float)) else one for one in normalize)
        normalize = tuple(tuple(map(float, one)) for one in (mean, std))
    if size is None and options["resize"] != "area":
        raise InvalidArgumentError(f"decode_images: resize={options['resize']!r} needs size=")
    return DecodeImages(
        column=column,
        size=size,
        filter=filter or ("box" if options["resize"] == "area" else "bilinear"),
        dtype=dtype or ("uint8" if normalize is None else "float32"),
        flip=0.5 if flip is True else float(flip),
        normalize=normalize,
        **options,
    )


class _Decoding:
    """A row whose image is being decoded."""

    def __init__(self, row: dict[str, Any], column: str, begun: _core.DecodedImages) -> None:
        self._row, self._column, self._begun = row, column, begun

    def result(self) -> dict[str, Any]:
        try:
            image = _only(self._begun.result())
        except Exception as error:
            error.add_note(f"decode_images: column {self._column!r}, after a Python function")
            raise
        return {**self._row, self._column: image}


class _Ahead:
    """A pool in which the core decodes the images of the next rows."""

    def __init__(self, step: DecodeImages, key: int) -> None:
        self._step, self._key = step, key

    @property
    def ahead(self) -> int:
        """The maximum number of images that are decoded or wait for it."""
        return 2 * (os.cpu_count() or 1) + 1

    @contextmanager
    def running(self, call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:  # noqa: ARG002
        """Return the function that begins to decode the image of a row.

        Args:
            call: The function of a row, which this step has none of.
        """
        step, decoder = self._step, _core.ImageDecoder(json.dumps(self._step.spec()))

        def submit(row: Any, _: int) -> _Decoding:
            if not isinstance(row, dict) or step.column not in row:
                raise InvalidArgumentError(
                    f"decode_images: there is no column {step.column!r}; the columns are"
                    f" {list(row) if isinstance(row, dict) else type(row).__name__}"
                )
            begun = decoder.submit([step._bytes(row[step.column])], [self._key])
            return _Decoding(row, step.column, begun)

        yield submit
