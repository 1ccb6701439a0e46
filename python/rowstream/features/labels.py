"""Names of labels in files: read as text, and made integers where the rows are.

The core reads labels as the integers that they are. Where a file has names, or integers as text, the schema that is declared says text,
and its metadata say which columns are to be labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rowstream.features.features import generate_from_dict
from rowstream.features.types import ClassLabel, LargeList, List, Value

_LABELS = "rowstream.labels"
_LISTS = frozenset(("List", "LargeList", "FixedSizeList"))
_TEXTS = ("Utf8", "LargeUtf8", "Utf8View")
_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def may_be_labels(schema: str) -> bool:
    """Whether there may be labels in the JSON of a schema."""
    return "ClassLabel" in schema


def names_declared(schema: dict[str, Any], found: list[Any]) -> dict[str, Any]:
    """The JSON of a declared schema, with text for labels of which a file has text.

    Args:
        schema: what is declared.
        found: the fields that the file shows.
    """
    metadata = schema.get("metadata") or {}
    said = dict(json.loads(metadata.get("huggingface", "{}")).get("info", {}).get("features") or {})
    types = {field["name"]: field["data_type"] for field in found}
    fields, labels = [], {}
    for field in schema["fields"]:
        name, declared = field["name"], field["data_type"]
        as_text = _as_text(generate_from_dict(said[name]), declared, types.get(name)) if name in said else declared
        if as_text != declared:
            labels[name] = said.pop(name)
        fields.append({**field, "data_type": as_text})
    if not labels:
        return schema
    more = {"huggingface": json.dumps({"info": {"features": said}}), _LABELS: json.dumps(labels)}
    return {**schema, "fields": fields, "metadata": {**metadata, **more}}


def labels_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a schema that are to be labels, or to have some, and are read as text."""
    text = (schema.get("metadata") or {}).get(_LABELS)
    return {} if text is None else {name: generate_from_dict(one) for name, one in json.loads(text).items()}


def named(feature: Any, known: Any) -> bool:
    """Whether a feature has labels of which a known one has names, or something else that is no integer."""
    if type(feature).__name__ == "ClassLabel":
        return not isinstance(known, ClassLabel) and not (isinstance(known, Value) and known.dtype in _INTEGERS)
    if isinstance(feature, Mapping):
        return any(named(of, known.get(name) if isinstance(known, Mapping) else None) for name, of in feature.items())
    return isinstance(feature, (List, LargeList)) and named(feature.feature, getattr(known, "feature", None))


def _as_text(feature: Any, declared: Any, found: Any) -> Any:
    """The JSON of a declared type, with text for labels of which a file has text."""
    if isinstance(feature, ClassLabel):
        return "Utf8" if _is_text(found) else declared
    there = found if isinstance(found, dict) else {}
    if isinstance(feature, Mapping) and "Struct" in there:
        types = {field["name"]: field["data_type"] for field in there["Struct"]}
        fields = [(field, feature[field["name"]], types.get(field["name"])) for field in declared["Struct"]]
        return {"Struct": [{**field, "data_type": _as_text(of, field["data_type"], kind)} for field, of, kind in fields]}
    if not isinstance(feature, (List, LargeList)) or not set(there) & _LISTS:
        return declared
    ((kind, of),), (items,) = declared.items(), there.values()
    # Lists of one length say it beside their items.
    item, *length = of if isinstance(of, list) else [of]
    inner = items[0] if isinstance(items, list) else items
    made = {**item, "data_type": _as_text(feature.feature, item["data_type"], inner["data_type"])}
    return {kind: [made, *length] if length else made}


def _is_text(found: Any) -> bool:
    return found in _TEXTS or (isinstance(found, dict) and found.get("Dictionary", [None])[-1] in _TEXTS)
