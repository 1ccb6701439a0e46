"""Arrays of two to five dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rowstream.features.scalar import type_field


class ArrayXD:
    """What arrays of two to five dimensions have in common."""

    shape: tuple[int | None, ...]
    dtype: str

    def __post_init__(self) -> None:
        """Make the shape a tuple, however it was written."""
        self.shape = tuple(self.shape)

    def __call__(self) -> Any:
        """Return the pyarrow extension type."""
        from rowstream.arrow.extension import array_type

        return array_type(self.shape, self.dtype)

    def encode_example(self, value: Any) -> Any:
        """Return a value as Arrow takes it."""
        return value


def _array(n: int) -> Any:
    @dataclass
    class Array(ArrayXD):
        shape: tuple[int | None, ...]
        dtype: str
        id: str | None = field(default=None, repr=False)
        _type: str = type_field(f"Array{n}D")

        __hash__ = object.__hash__

    Array.__name__ = Array.__qualname__ = f"Array{n}D"
    Array.__doc__ = f"""An array of {n} dimensions.

    Args:
        shape: the length of each dimension; the first may be `None` for any.
        dtype: the type of its numbers.

    Example:
        >>> Features({{"x": Array{n}D(shape={tuple(range(1, n + 1))}, dtype="int32")}})
    """
    return Array


Array2D, Array3D, Array4D, Array5D = (_array(n) for n in (2, 3, 4, 5))
