"""Features of arrays with two to five dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowstream.features.scalar import type_field

if TYPE_CHECKING:
    import pyarrow as pa


class ArrayXD:
    """The base class of the features of arrays with two to five dimensions."""

    shape: tuple[int | None, ...]
    dtype: str

    def __post_init__(self) -> None:
        """Convert the shape to a tuple."""
        self.shape = tuple(self.shape)

    def __call__(self) -> pa.DataType:
        """Return the pyarrow extension type."""
        from rowstream.arrow.extension import array_type

        return array_type(self.shape, self.dtype)

    def encode_example(self, value: Any) -> Any:
        """Return an array or nested list unchanged: Arrow stores it by the feature's type.

        Args:
            value: A NumPy array or nested lists of the feature's shape, which is checked on
                storing.

        Example:
            >>> Array2D(shape=(2, 2), dtype="int32").encode_example([[1, 2], [3, 4]])
            [[1, 2], [3, 4]]
        """
        return value


def _array(n: int) -> type:
    @dataclass
    class Array(ArrayXD):
        shape: tuple[int | None, ...]
        dtype: str
        id: str | None = field(default=None, repr=False)
        _type: str = type_field(f"Array{n}D")

        __hash__ = object.__hash__

    Array.__name__ = Array.__qualname__ = f"Array{n}D"
    Array.__doc__ = f"""The feature of arrays with {n} dimensions and a fixed shape.

    Rows have nested lists, or arrays with `with_format("numpy")` and the like.

    Args:
        shape: The length of each dimension; the first may be `None` for any length.
        dtype: The name of the numbers' type, such as `"float32"`.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> import numpy as np
        >>> features = Features({{"x": Array{n}D(shape={(2,) * n}, dtype="int32")}})
        >>> ds = Dataset.from_dict({{"x": [np.zeros({(2,) * n})]}}, features=features)
        >>> ds.with_format("numpy")[0]["x"].shape
        {(2,) * n}
    """
    return Array


Array2D, Array3D, Array4D, Array5D = (_array(n) for n in (2, 3, 4, 5))
