"""Checks of what an Arrow type does not express: labels, and the shapes of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.arrow.maps import entries_of


def array_shape(pa_type: Any) -> tuple[tuple[int | None, ...], str] | None:
    """Return the shape and numbers' type of an array type, of this package or `datasets`."""
    if (
        isinstance(pa_type, pa.ExtensionType)
        and hasattr(pa_type, "ndims")
        and hasattr(pa_type, "value_type")
    ):
        return tuple(pa_type.shape), pa_type.value_type
    return None


def check_labels(array: Any, label: Any) -> None:
    """Check that integers are labels, or negative: -1 for unknown, -100 where a loss ignores it.

    Raises:
        ValueError: An integer is neither.
    """
    most = pc.max(array).as_py()
    if most is not None and most >= len(label.names):
        raise ValueError(
            f"Class label {most} greater than configured num_classes {len(label.names)}"
        )


def check_shapes(storage: Any, shape: tuple[int | None, ...]) -> None:
    """Check that nested lists have the shape of an array.

    Whole arrays may be null; a dimension of `None` has any length.

    Raises:
        ValueError: An array has another shape.
    """
    if _have_shape(storage, shape):
        return
    row = next(i for i in range(len(storage)) if not _have_shape(storage.slice(i, 1), shape))
    try:
        found = f"the shape {np.shape(storage[row].as_py())}"
    except ValueError:
        found = "lists of several lengths"
    raise ValueError(
        f"an array has {found}, not the shape {tuple(shape)} of its type (the one at {row})"
    )


def _have_shape(storage: Any, shape: tuple[int | None, ...]) -> bool:
    level = storage
    for i, length in enumerate(shape):
        lengths = level.value_lengths()
        if (i and lengths.null_count) or (
            length is not None and pc.any(pc.not_equal(lengths, length)).as_py()
        ):
            return False
        level = level.flatten()
    return True


def check(array: Any, feature: Any) -> None:
    """Check a column for what its feature requires beyond its Arrow type, at every depth.

    Raises:
        ValueError: A value is not a label, or has another shape.
    """
    if not _says_more(feature) or pa.types.is_null(array.type):
        return
    if isinstance(array, pa.ChunkedArray):
        for chunk in array.chunks:
            check(chunk, feature)
        return
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    if _is_label(feature):
        check_labels(storage, feature)
    elif _is_array(feature):
        check_shapes(storage, feature.shape)
    elif isinstance(feature, Mapping):
        for of, child in zip(storage.type, storage.flatten(), strict=True):
            check(child, feature.get(of.name))
    else:
        check(
            (entries_of(storage) if pa.types.is_map(storage.type) else storage).flatten(),
            _inner(feature),
        )


def check_table(table: Any, features: Mapping[str, Any]) -> None:
    """Check all columns of a table.

    Raises:
        ValueError: As in `check`.
    """
    for name, feature in features.items():
        if name in table.column_names:
            try:
                check(table[name], feature)
            except ValueError as error:
                error.add_note(f"in the column {name!r}")
                raise


def _is_label(feature: Any) -> bool:
    return type(feature).__name__ == "ClassLabel"


def _is_array(feature: Any) -> bool:
    return type(feature).__name__ in ("Array2D", "Array3D", "Array4D", "Array5D")


def _inner(feature: Any) -> Any:
    return feature[0] if isinstance(feature, (list, tuple)) else getattr(feature, "feature", None)


def _says_more(feature: Any) -> bool:
    if isinstance(feature, Mapping):
        return any(map(_says_more, feature.values()))
    inner = _inner(feature)
    return _is_label(feature) or _is_array(feature) if inner is None else _says_more(inner)


__all__ = ["check", "check_labels", "check_shapes", "check_table"]
