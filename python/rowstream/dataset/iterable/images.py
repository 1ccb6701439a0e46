"""Images of streams, decoded by the core."""

from __future__ import annotations

from typing import Any, Literal, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.ops.decode import Decode
from rowstream.ops.images import MAX_PIXELS, DecodeImages, decoding


class StreamImages(StreamBase):
    """The method of streams that decodes images."""

    def decode_images(
        self,
        column: str,
        size: int | tuple[int, int] | None = None,
        resize: Literal["area", "crop", "random_resized_crop"] = "area",
        *,
        filter: Literal["box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["HWC", "CHW"] = "HWC",
        dtype: Literal["uint8", "float32"] | None = None,
        mode: Literal["RGB", "L"] = "RGB",
        flip: bool | float = False,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        normalize: tuple[Any, Any] | None = None,
        seed: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> Self:
        """Decode the images of a column into arrays of pixels: JPEG, PNG and WebP.

        The core decodes them on all threads, without the interpreter lock, ahead of the iteration
        and within `ROWSTREAM_MEMORY`; the order of the rows stays. Shuffle buffers hold the encoded
        images, wherever `shuffle` is called. Images are turned as their EXIF data says; alpha is
        left out, and of 16 bits a channel the upper 8 are kept.

        Rows and batches have NumPy arrays, or tensors of the dataset's format, of the same type. In
        batches of `iter` and `batch`, images of one size are one array of shape (rows, height,
        width, channels) in a format of tensors.

        Random crops and flips depend on `seed`, the epoch and the row, and on nothing else: a
        resumed stream and any number of workers give the same pixels, another epoch others. Behind
        a Python function the row is not known, and the content of the image stands for it.

        Args:
            column: The name of the column: bytes, or `{"bytes", "path"}` as `Image()` stores it.
            size: Height and width in pixels, or one number for both; each image's own if `None`.
            resize: `"area"` for the whole image, whatever its proportions; `"crop"` for its middle,
                as large as the proportions of `size` allow; `"random_resized_crop"` for a random
                part, as `RandomResizedCrop` of torchvision.
            filter: How pixels are weighed, over all that a new one covers: `"box"`, `"bilinear"`,
                `"bicubic"` or `"lanczos"`. `"box"` for `"area"` and otherwise `"bilinear"` if
                `None`.
            layout: `"HWC"` for height, width, channels; `"CHW"` for channels first.
            dtype: `"uint8"` for 0 to 255, `"float32"` for 0 to 1. With `normalize` it is
                `"float32"`.
            mode: `"RGB"` for three channels, `"L"` for one of lightness.
            flip: How often images are mirrored from left to right, from 0 to 1; `True` for 0.5.
            scale: The least and the most part of the area that a random part has.
            ratio: The least and the most ratio of width to height that a random part has.
            normalize: The mean and the standard deviation of each channel, for values from 0 to 1.
            seed: The seed of random parts and flips.
            max_pixels: An image that says it has more pixels raises an error.

        Returns:
            A new stream. The images of a column can be decoded in one way only.

        Raises:
            InvalidArgumentError: There is no such column, or an argument makes no sense.
            SchemaError: The column has no images.
            UnsupportedError: Rows are in batches already.
            FileFormatError: While iterating: an image is damaged, or too large. The error names
                the file and the row; `load_dataset(..., on_error="skip")` leaves such rows out.

        Example:
            >>> import numpy as np
            >>> pixels = np.zeros((40, 60, 3), dtype=np.uint8)
            >>> ds = Dataset.from_dict({"image": [pixels]}, features=Features({"image": Image()}))
            >>> stream = ds.to_iterable_dataset().decode_images("image", size=32, resize="crop")
            >>> next(iter(stream))["image"].shape
            (32, 32, 3)
        """
        step = decoding(
            column,
            size=size,
            resize=resize,
            filter=filter,
            layout=layout,
            dtype=dtype,
            mode=mode,
            flip=flip,
            scale=scale,
            ratio=ratio,
            normalize=normalize,
            seed=seed,
            max_pixels=max_pixels,
        )
        return self._with_images(step)

    def _with_images(self, step: DecodeImages) -> Self:
        """Return the stream with a step that decodes images."""
        column, plan, features = step.column, self._plan, self.features
        if any(one.column == column for one in plan.column_steps):
            raise InvalidArgumentError(
                f"decode_images: the images of {column!r} are decoded already"
            )
        if plan.grouped:
            raise UnsupportedError("decode_images: the rows are in batches: call it before batch()")
        if features is not None:
            step.check(features)
        if not plan.steps and not plan.python:
            return self._with(plan.decoding(step))
        given_decoded = any(isinstance(step, Decode) for step in plan.steps)
        if given_decoded and features is not None and getattr(features[column], "decode", False):
            raise UnsupportedError(
                f"decode_images: a Python function comes before it, and gets the images of"
                f" {column!r} decoded by Image(): call decode_images first, or"
                f" cast_column({column!r}, Image(decode=False)) before that function"
            )
        known = None if features is None else Features({**features, column: step.feature})
        return self._with(plan.then(step), _known=known)
