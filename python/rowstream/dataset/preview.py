"""Datasets as notebooks show them."""

from __future__ import annotations

from html import escape
from typing import Any

from rowstream.exceptions import UnsupportedError
from rowstream.features.media.ref import MediaRef
from rowstream.features.nested import with_decoding
from rowstream.formatting.html import preview, type_text

_ROWS = 5


def not_decoded(ds: Any) -> Any:
    """Return a stream of plain rows, whose media are not decoded: references, where they can be.

    Args:
        ds: A stream.
    """
    ds = ds.with_format(None)
    if not ds.features:
        return ds._with(_decoding=None)
    try:
        ds.decode(enable=False)
    except UnsupportedError:  # after functions
        return ds._with(_decoding=None)
    return ds._decoded_as(with_decoding(ds.features, enable=False, media=True), 0)


def referenced(rows: list[Any], features: Any) -> list[Any]:
    """Return rows with references in the place of stored media, by the types of their columns.

    Args:
        rows: The rows, whose media are not decoded.
        features: The types of the columns, where they are known.
    """
    media = {name: one for name, one in (features or {}).items() if hasattr(one, "decode_example")}

    def made(name: str, value: Any) -> Any:
        stored = isinstance(value, dict) and {"bytes", "path"} <= set(value)
        if name not in media or not stored or isinstance(value, MediaRef):
            return value
        return MediaRef.of(value, media[name])

    return [{name: made(name, value) for name, value in row.items()} for row in rows]


def preview_of(ds: Any, title: str, count: int | None) -> str:
    """Return the first rows of a dataset as HTML.

    Args:
        ds: A stream.
        title: What stands above them.
        count: The number of rows, if it is known.
    """
    try:
        rows = referenced(not_decoded(ds).take(_ROWS).to_list(), ds.features)
    except Exception as error:  # whatever a function of users raises
        return f"<pre>{escape(repr(ds))}</pre><p>No rows: {escape(str(error))}</p>"
    features = ds.features
    types = (
        dict.fromkeys(dict.fromkeys(name for row in rows for name in row), "")
        if features is None
        else {name: type_text(feature) for name, feature in features.items()}
    )
    of = "" if count is None else f" of {count:,}"
    return preview(title, rows, types, f"the first {len(rows):,}{of} rows")
