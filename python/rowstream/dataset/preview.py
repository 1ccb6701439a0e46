"""Datasets as notebooks show them."""

from __future__ import annotations

from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.formatting.html import preview, type_text

_ROWS = 5


def not_decoded(ds: Any) -> Any:
    """Return a stream of plain rows, whose media are not decoded: references, where they can be.

    Args:
        ds: A stream.
    """
    ds = ds.with_format(None)
    try:
        return ds.decode(enable=False)
    except (InvalidArgumentError, UnsupportedError):
        # After functions, or of unknown types.
        return ds._with(_decoding=None)


def preview_of(ds: Any, title: str, count: int | None) -> str:
    """Return the first rows of a dataset as HTML.

    Args:
        ds: A stream.
        title: What stands above them.
        count: The number of rows, if it is known.
    """
    rows = not_decoded(ds).take(_ROWS).to_list()
    features = ds.features
    types = (
        dict.fromkeys(dict.fromkeys(name for row in rows for name in row), "")
        if features is None
        else {name: type_text(feature) for name, feature in features.items()}
    )
    of = "" if count is None else f" of {count:,}"
    return preview(title, rows, types, f"the first {len(rows):,}{of} rows")
