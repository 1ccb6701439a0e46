"""Tables that carry their features in their metadata."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from rowstream.features.convert import plain
from rowstream.features.features import Features

_ARROW = (pa.Array, pa.ChunkedArray)


def items(values: list[Any]) -> list[Any] | pa.Array:
    """Return the values of rows, of which some may be Arrow arrays of one. If all are, they stay
    what they are.
    """
    arrow = [isinstance(one, _ARROW) for one in values]
    if not any(arrow):
        return values
    if all(arrow):
        try:
            return pa.concat_arrays(
                [one.chunk(0) if isinstance(one, pa.ChunkedArray) else one for one in values]
            )
        except pa.ArrowInvalid:
            pass  # of several types
    return [one.to_pylist()[0] if isinstance(one, _ARROW) else one for one in values]


def schema_metadata(features: Any, fingerprint: str | None = None) -> dict[str, Any]:
    """Return the metadata that `datasets` writes into its files."""
    result: dict[str, Any] = {"info": {"features": plain(features)}}
    if fingerprint is not None:
        result["fingerprint"] = fingerprint
    return result


def with_features(table: Any, features: Features) -> Any:
    """Return a table whose metadata has these features."""
    features = Features({name: features[name] for name in table.column_names})
    known = table.schema.metadata or {}
    metadata = json.loads(known[b"huggingface"].decode()) if b"huggingface" in known else {}
    metadata.setdefault("info", {})["features"] = plain(features)
    return table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
