"""The schema that features say, as the JSON that the core reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.arrow import EXTENSION, JSON
from rowstream.features.features import plain
from rowstream.features.names import arrow_type, core_name, core_type
from rowstream.features.types import List, Value


def schema_from_features(features: Any) -> str:
    """The JSON of the Arrow schema that features say: those of `rowstream`, or of `datasets`.

    Raises:
        InvalidArgumentError: something in them is no feature, or one that files do not have.
    """
    if not isinstance(features, Mapping):
        raise InvalidArgumentError(f"features= expects Features, a dict of names and types, found {type(features).__name__}")
    fields = [_field(str(name), feature) for name, feature in features.items()]
    said = {str(name): plain(feature) for name, feature in features.items() if _says_more(feature)}
    metadata = {"huggingface": json.dumps({"info": {"features": said}})} if said else {}
    return json.dumps({"fields": fields, "metadata": metadata})


def dtype_json(path: str, dtype: Any) -> Any:
    """The JSON of the Arrow type that a `dtype=` says: a feature, or a type of Python, NumPy or pandas by its name."""
    if _is(dtype, "Value"):
        return _scalar(path, str(dtype.dtype))
    name = _PYTHON.get(dtype) if isinstance(dtype, type) else None
    text = name or str(getattr(dtype, "name", dtype)).lower()
    return _scalar(path, _PANDAS.get(text, text))


def pyarrow_type(feature: Any) -> Any:
    """The pyarrow type of a feature: of `rowstream`, or of `datasets`."""
    return _pyarrow(_type("features", feature))


def _pyarrow(data_type: Any) -> Any:
    """The pyarrow type that the JSON of one says, as `_type` makes it."""
    import pyarrow as pa

    of: Any
    kind, of = next(iter(data_type.items())) if isinstance(data_type, dict) else (data_type, None)
    match kind:
        case "Struct":
            return pa.struct([(field["name"], _pyarrow(field["data_type"])) for field in of])
        case "List":
            return pa.list_(_pyarrow(of["data_type"]))
        case "LargeList":
            return pa.large_list(_pyarrow(of["data_type"]))
        case "FixedSizeList":
            field, length = of
            return pa.list_(_pyarrow(field["data_type"]), length)
        case "Map":
            field, _ = of
            return pa.map_(*(_pyarrow(one["data_type"]) for one in field["data_type"]["Struct"]))
    return arrow_type(core_name(data_type))


_PYTHON = {str: "string", int: "int64", float: "float64", bool: "bool", bytes: "binary"}
_PANDAS = {"object": "string", "str": "string", "int": "int64", "boolean": "bool"}


def _is(feature: Any, *names: str) -> bool:
    """By name: features of `datasets` are taken too, without loading it."""
    return type(feature).__name__ in names


def _metadata(feature: Any) -> dict[str, str]:
    if _is(feature, "Json"):
        return {EXTENSION: JSON, "ARROW:extension:metadata": ""}
    if _is(feature, "Array2D", "Array3D", "Array4D", "Array5D"):
        return {"rowstream.shape": json.dumps(list(feature.shape))}
    # What the core reads the names of labels by.
    return {"rowstream.labels": json.dumps(list(feature.names))} if _is(feature, "ClassLabel") and feature.names else {}


def _field(name: str, feature: Any) -> dict[str, Any]:
    return {
        "name": name,
        "data_type": _type(name, feature),
        "nullable": True,
        "dict_id": 0,
        "dict_is_ordered": False,
        "metadata": _metadata(feature),
    }


def _type(path: str, feature: Any) -> Any:
    if isinstance(feature, Mapping):
        return {"Struct": [_field(str(name), of) for name, of in feature.items()]}
    if isinstance(feature, (list, tuple)) and len(feature) == 1:
        return {"List": _field("item", feature[0])}
    if _is(feature, "ClassLabel"):
        return "Int64"
    if _is(feature, "Pairs"):
        key, value = (_field(name, feature.feature[name]) for name in ("key", "value"))
        struct = {"Struct": [{**key, "nullable": False}, value]}
        return {"Map": [{**key, "name": "key_value", "data_type": struct, "nullable": False}, False]}
    if _is(feature, "LargeList"):
        return {"LargeList": _field("item", feature.feature)}
    if _is(feature, "List", "Sequence", "LegacyList"):
        item = _field("item", feature.feature)
        return {"List": item} if feature.length == -1 else {"FixedSizeList": [item, feature.length]}
    if _is(feature, "Value"):
        return _scalar(path, str(feature.dtype))
    if hasattr(feature, "embed_storage"):
        return {"Struct": [_field("bytes", Value("binary")), _field("path", Value("string"))]}
    if _is(feature, "Json"):
        return "Utf8"
    if _is(feature, "Array2D", "Array3D", "Array4D", "Array5D"):
        inner: Any = Value(str(feature.dtype))
        for _ in feature.shape:
            inner = List(inner)
        return _type(path, inner)
    raise InvalidArgumentError(
        f"features: {path!r} is {feature!r}; expected a Value, List, LargeList, ClassLabel, Json, an array, a type of media, or a dict of "
        "them for an object"
    )


def fields_declared(fields: list[Any], found: list[Any]) -> list[Any]:
    """Fields of a declared schema, with maps where a file has them of what is declared as lists of keys and values."""
    types = {field["name"]: field["data_type"] for field in found}
    return [{**field, "data_type": _maps_declared(field["data_type"], types.get(field["name"]))} for field in fields]


def may_be_maps(schema: str) -> bool:
    """Whether there may be lists of keys and values in the JSON of a schema."""
    return '"name": "key"' in schema and '"name": "value"' in schema


def _maps_declared(declared: Any, found: Any) -> Any:
    """The JSON of a declared type, as a map where a file has one of what is declared as lists of keys and values.

    Features that were written down do not tell the two apart.
    """
    if not isinstance(declared, dict) or not isinstance(found, dict):
        return declared
    ((kind, of),), ((other, there),) = declared.items(), found.items()
    if kind == "Struct" and other == "Struct":
        return {kind: fields_declared(of, there)}
    if kind in ("List", "LargeList") and other in ("List", "LargeList"):
        return {kind: {**of, "data_type": _maps_declared(of["data_type"], there["data_type"])}}
    if kind == "FixedSizeList" and other in ("List", "LargeList", "FixedSizeList"):
        field = there[0] if other == "FixedSizeList" else there
        return {kind: [{**of[0], "data_type": _maps_declared(of[0]["data_type"], field["data_type"])}, of[1]]}
    inner = of["data_type"].get("Struct", ()) if kind == "List" and isinstance(of["data_type"], dict) else ()
    if kind in ("List", "Map") and other == "Map" and (kind == "Map" or [field["name"] for field in inner] == ["key", "value"]):
        entries, ordered = there
        fields = entries["data_type"]["Struct"]
        types = inner or of[0]["data_type"]["Struct"]
        pairs = zip(types, fields, strict=True)
        made = [{**b, "data_type": _maps_declared(a["data_type"], b["data_type"]), "metadata": a["metadata"]} for a, b in pairs]
        return {"Map": [{**entries, "data_type": {"Struct": made}}, ordered]}
    return declared


def _says_more(feature: Any) -> bool:
    """Whether a feature is more than the type of what is stored says."""
    if isinstance(feature, Mapping):
        return any(map(_says_more, feature.values()))
    if isinstance(feature, (list, tuple)):
        return any(map(_says_more, feature))
    if hasattr(feature, "feature"):
        return _says_more(feature.feature)
    return not _is(feature, "Value")


def _scalar(path: str, dtype: str) -> Any:
    try:
        return core_type(dtype)
    except ValueError as error:
        raise InvalidArgumentError(f"features: {path!r} has the type {dtype!r}, which files do not have: {error}") from None
