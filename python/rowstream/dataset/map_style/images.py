"""Images of map-style datasets, decoded by the core."""

from __future__ import annotations

from typing import Any, Literal, Self

from rowstream.dataset.map_style.column_types import ColumnTypes
from rowstream.features.media.image import Image
from rowstream.ops.images import MAX_PIXELS, ImageTransform, decoding


class MapStyleImages(ColumnTypes):
    """The method of map-style datasets that decodes images."""

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
        seed: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Self:
        """Decode the images of a column into arrays of pixels whenever rows are read.

        It is a transform, as `set_transform` sets one: `ds[i]`, `ds[:8]`, iteration and loaders
        give NumPy arrays, which torch's loaders collate to tensors; `with_format` removes it. The
        images of a batch are decoded on all threads. What the options do says
        `IterableDataset.decode_images`.

        Args:
            column: The name of the column: bytes, or `Image()`.
            size, resize, filter, layout, dtype, mode, flip: As for streams.
            scale, ratio, normalize, max_pixels: As for streams.
            seed: The seed of random parts and flips, which then depend on it and on the image
                only; each read is another if `None`.

        Returns:
            A new dataset.

        Raises:
            InvalidArgumentError: There is no such column, or an argument makes no sense.
            SchemaError: The column has no images.
            FileFormatError: While rows are read: an image is damaged, or too large.

        Example:
            >>> import numpy as np
            >>> pixels = np.zeros((40, 60, 3), dtype=np.uint8)
            >>> ds = Dataset.from_dict({"image": [pixels]}, features=Features({"image": Image()}))
            >>> ds.decode_images("image", size=(16, 24), layout="CHW")[0]["image"].shape
            (3, 16, 24)
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
            seed=seed or 0,
            max_pixels=max_pixels,
        )
        step.check(self.features)
        encoded = (
            self.cast_column(column, Image(decode=False))
            if isinstance(self.features[column], Image)
            else self
        )
        return encoded.with_transform(ImageTransform(step, None if seed is None else 0))
