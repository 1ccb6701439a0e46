"""Features from the schema that the core found, which comes as JSON: pyarrow is not needed for it."""

from __future__ import annotations

import json
from typing import Any

from rowstream.features.features import generate_from_dict
from rowstream.features.names import core_name, named
from rowstream.features.types import FEATURE_TYPES, ClassLabel, Features, Json, LargeList, List, Pairs, Value

EXTENSION, JSON = "ARROW:extension:name", "arrow.json"
"""What fields of JSON texts say of themselves."""


def features_from_schema(schema: dict[str, Any], columns: list[tuple[str, str]] | None = None) -> Features:
    """The features of rows with this schema.

    Args:
        schema: the JSON of an Arrow schema, as the core writes it.
        columns: `(name in the schema, name in the row)`, if they are not all, or have other names.

    Where a file's metadata has features that `datasets` wrote, its class labels, media, arrays and JSON are kept where they fit what
    is stored.
    """
    known = _written_by_datasets(schema)
    fields = {field["name"]: field for field in schema["fields"]}
    # What the core calls the file of a row, and its number there.
    fields |= {"\0file": {"data_type": "Utf8"}, "\0row": {"data_type": "Int64"}}
    pairs = columns if columns is not None else [(field["name"], field["name"]) for field in schema["fields"]]
    return Features({name: _feature(fields[source], known.get(source)) for source, name in pairs})


def _written_by_datasets(schema: dict[str, Any]) -> dict[str, Any]:
    text = (schema.get("metadata") or {}).get("huggingface")
    if not text:
        return {}
    try:
        features = json.loads(text)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _feature(field: dict[str, Any], known: Any = None) -> Any:
    """The feature of one field; `known` is what `datasets` wrote of it."""
    data_type = field["data_type"]
    # Lists were once written as a list of one type.
    written = (
        {"_type": "List", "feature": known[0]} if isinstance(known, list) and len(known) == 1 else known if isinstance(known, dict) else {}
    )
    inner = written.get("feature")
    if (said := _said(data_type, written)) is not None:
        return said
    if data_type in _TEXTS and (field.get("metadata") or {}).get(EXTENSION) == JSON:
        return Json()
    of: Any
    kind, of = next(iter(data_type.items())) if isinstance(data_type, dict) else (data_type, None)
    match kind:
        case "List":
            return List(_feature(of, inner))
        case "LargeList":
            return LargeList(_feature(of, inner))
        case "FixedSizeList":
            item, length = of
            return List(_feature(item, inner), length=length)
        case "Struct":
            return {one["name"]: _feature(one, written.get(one["name"])) for one in of}
        case "Map":
            entries, _ = of
            said = inner if isinstance(inner, dict) else {}
            names = ("key", "value")
            return Pairs({name: _feature(one, said.get(name)) for name, one in zip(names, entries["data_type"]["Struct"], strict=True)})
    return _value(core_name(data_type))


_TEXTS = ("Utf8", "LargeUtf8", "Utf8View")


def _said(data_type: Any, written: dict[str, Any]) -> Any:
    """The feature that was written of a type, if it is more than the type says and fits it."""
    name = written.get("_type")
    if name == "ClassLabel":
        fits = isinstance(data_type, str) and isinstance(written.get("names"), list)
        return ClassLabel(names=[str(one) for one in written["names"]]) if fits else None
    if name not in FEATURE_TYPES:
        return None
    if name == "Json":
        fits = data_type in _TEXTS
    elif name in ("Array2D", "Array3D", "Array4D", "Array5D"):
        fits = isinstance(data_type, dict) and set(data_type) <= {"List", "LargeList", "FixedSizeList"}
    else:
        struct = data_type.get("Struct") if isinstance(data_type, dict) else None
        fits = struct is not None and hasattr(FEATURE_TYPES[name], "embed_storage") and {of["name"] for of in struct} == {"bytes", "path"}
    return generate_from_dict(written) if fits else None


def _value(dtype: str) -> Value:
    """The feature of a type by its name; files may also have types that have no name among those of `Value`."""
    if named(dtype) is not None:
        return Value(dtype)
    made = Value("null")
    made.dtype = dtype
    return made
