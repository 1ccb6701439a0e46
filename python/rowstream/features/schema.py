"""Features as the JSON of an Arrow schema, which the core reads and writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rowstream.arrow.dtypes import arrow_type, core_name, core_type, named
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.convert import generate_from_dict, plain
from rowstream.features.features import Features
from rowstream.features.nested import LargeList, List, Pairs
from rowstream.features.registry import FEATURE_TYPES
from rowstream.features.scalar import ClassLabel, Value
from rowstream.features.text import Json

if TYPE_CHECKING:
    import pyarrow as pa


def schema_from_features(features: Any) -> str:
    """Return the JSON of the Arrow schema of features, of `rowstream` or of `datasets`.

    Raises:
        InvalidArgumentError: A value is not a feature, or a feature can't be stored in files.
    """
    if not isinstance(features, Mapping):
        raise InvalidArgumentError(
            "features= expects Features, a dict of names and types, found"
            f" {type(features).__name__}"
        )
    fields = [_field(str(name), feature) for name, feature in features.items()]
    said = {str(name): plain(feature) for name, feature in features.items() if _says_more(feature)}
    metadata = {"huggingface": json.dumps({"info": {"features": said}})} if said else {}
    return json.dumps({"fields": fields, "metadata": metadata})


def dtype_json(path: str, dtype: Any) -> Any:
    """Return the JSON of the Arrow type for a `dtype=` argument.

    It may be a `Value`, a Python type, or the name of a type of Arrow, NumPy or pandas.
    """
    if _is(dtype, "Value"):
        return _scalar(path, str(dtype.dtype))
    name = _PYTHON.get(dtype) if isinstance(dtype, type) else None
    text = name or str(getattr(dtype, "name", dtype)).lower()
    return _scalar(path, _PANDAS.get(text, text))


def pyarrow_type(feature: Any) -> pa.DataType:
    """Return the pyarrow type of a feature, of `rowstream` or of `datasets`."""
    return _pyarrow(_type("features", feature))


def _pyarrow(data_type: Any) -> pa.DataType:
    """Return the pyarrow type of a type's JSON, as `_type` writes it."""
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
    """Return whether the class of a feature has one of these names.

    By name, features of `datasets` are recognized without importing it.
    """
    return type(feature).__name__ in names


def _metadata(feature: Any) -> dict[str, str]:
    if _is(feature, "Json"):
        return {EXTENSION: JSON, "ARROW:extension:metadata": ""}
    if _is(feature, "Array2D", "Array3D", "Array4D", "Array5D"):
        return {"rowstream.shape": json.dumps(list(feature.shape))}
    # What the core reads the names of labels by.
    return (
        {"rowstream.labels": json.dumps(list(feature.names))}
        if _is(feature, "ClassLabel") and feature.names
        else {}
    )


def _field(name: str, feature: Any) -> dict[str, Any]:
    return {
        "name": name,
        "data_type": _type(name, feature),
        "nullable": True,
        "dict_id": 0,
        "dict_is_ordered": False,
        "metadata": _metadata(feature),
    }


def _type(path: str, feature: Any) -> dict[str, Any] | str:
    if isinstance(feature, Mapping):
        return {"Struct": [_field(str(name), of) for name, of in feature.items()]}
    if isinstance(feature, (list, tuple)) and len(feature) == 1:
        return {"List": _field("item", feature[0])}
    if _is(feature, "ClassLabel"):
        return "Int64"
    if _is(feature, "Pairs"):
        key, value = (_field(name, feature.feature[name]) for name in ("key", "value"))
        struct = {"Struct": [{**key, "nullable": False}, value]}
        return {
            "Map": [{**key, "name": "key_value", "data_type": struct, "nullable": False}, False]
        }
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
    if _is(feature, "Translation"):
        return _type(path, {name: Value("string") for name in sorted(feature.languages)})
    if _is(feature, "TranslationVariableLanguages"):
        return _type(path, dict.fromkeys(_VARIABLE, List(Value("string"))))
    if _is(feature, "Array2D", "Array3D", "Array4D", "Array5D"):
        inner: Any = Value(str(feature.dtype))
        for _ in feature.shape:
            inner = List(inner)
        return _type(path, inner)
    raise InvalidArgumentError(
        f"features: {path!r} is {feature!r}; expected a Value, List, LargeList, ClassLabel, Json,"
        " a Translation, an array, a type of media, or a dict of them for an object"
    )


def fields_declared(fields: list[Any], found: list[Any]) -> list[Any]:
    """Return the fields of a declared schema, with maps where the file has maps.

    Maps are declared as lists of keys and values.
    """
    types = {field["name"]: field["data_type"] for field in found}
    return [
        {**field, "data_type": _maps_declared(field["data_type"], types.get(field["name"]))}
        for field in fields
    ]


def may_be_maps(schema: str) -> bool:
    """Return whether the JSON of a schema may contain lists of keys and values."""
    return '"name": "key"' in schema and '"name": "value"' in schema


def _maps_declared(declared: Any, found: Any) -> dict[str, Any] | str:
    """Return the JSON of a declared type, with maps where the file has maps.

    Declared features have lists of keys and values there: their plain data has no maps.
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
        return {
            kind: [
                {**of[0], "data_type": _maps_declared(of[0]["data_type"], field["data_type"])},
                of[1],
            ]
        }
    inner = (
        of["data_type"].get("Struct", ())
        if kind == "List" and isinstance(of["data_type"], dict)
        else ()
    )
    if (
        kind in ("List", "Map")
        and other == "Map"
        and (kind == "Map" or [field["name"] for field in inner] == ["key", "value"])
    ):
        entries, ordered = there
        fields = entries["data_type"]["Struct"]
        types = inner or of[0]["data_type"]["Struct"]
        pairs = zip(types, fields, strict=True)
        result = [
            {
                **b,
                "data_type": _maps_declared(a["data_type"], b["data_type"]),
                "metadata": a["metadata"],
            }
            for a, b in pairs
        ]
        return {"Map": [{**entries, "data_type": {"Struct": result}}, ordered]}
    return declared


def _says_more(feature: Any) -> bool:
    """Return whether a feature has more information than its Arrow type."""
    if isinstance(feature, Mapping):
        return any(map(_says_more, feature.values()))
    if isinstance(feature, (list, tuple)):
        return any(map(_says_more, feature))
    if hasattr(feature, "feature"):
        return _says_more(feature.feature)
    return not _is(feature, "Value")


def _scalar(path: str, dtype: str) -> dict[str, Any] | str:
    try:
        return core_type(dtype)
    except ValueError as error:
        raise InvalidArgumentError(
            f"features: {path!r} has the type {dtype!r}, which files do not have: {error}"
        ) from None


_VARIABLE = ("language", "translation")
"""What is stored of texts in languages that differ between rows."""

EXTENSION, JSON = "ARROW:extension:name", "arrow.json"
"""The metadata of fields of JSON texts."""


def features_from_schema(
    schema: dict[str, Any], columns: list[tuple[str, str]] | None = None
) -> Features:
    """Return the features of rows with the schema of a file.

    Args:
        schema: The JSON of an Arrow schema, as the core writes it.
        columns: Pairs of a name in the schema and its name in the rows, if only some columns are
            read or they are renamed.

        Class labels, media, arrays and JSON in the metadata that `datasets` writes are used where
            they fit the stored types.
    """
    known = _written_by_datasets(schema)
    fields = {field["name"]: field for field in schema["fields"]}
    # What the core calls the file of a row, and its number there.
    fields |= {"\0file": {"data_type": "Utf8"}, "\0row": {"data_type": "Int64"}}
    pairs = (
        columns
        if columns is not None
        else [(field["name"], field["name"]) for field in schema["fields"]]
    )
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
    """Return the feature of a field; `known` is the plain data that `datasets` wrote for it."""
    data_type = field["data_type"]
    # Lists were once written as a list of one type.
    written = (
        {"_type": "List", "feature": known[0]}
        if isinstance(known, list) and len(known) == 1
        else known
        if isinstance(known, dict)
        else {}
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
            return Pairs(
                {
                    name: _feature(one, said.get(name))
                    for name, one in zip(names, entries["data_type"]["Struct"], strict=True)
                }
            )
    return _value(core_name(data_type))


_TEXTS = ("Utf8", "LargeUtf8", "Utf8View")


def _said(data_type: Any, written: dict[str, Any]) -> Any:
    """Return the written feature if it adds to the Arrow type and fits it, else `None`."""
    name = written.get("_type")
    if name == "ClassLabel":
        fits = isinstance(data_type, str) and isinstance(written.get("names"), list)
        return ClassLabel(names=[str(one) for one in written["names"]]) if fits else None
    if name not in FEATURE_TYPES:
        return None
    if name == "Json":
        fits = data_type in _TEXTS
    elif name in ("Array2D", "Array3D", "Array4D", "Array5D"):
        fits = isinstance(data_type, dict) and set(data_type) <= {
            "List",
            "LargeList",
            "FixedSizeList",
        }
    else:
        struct = data_type.get("Struct") if isinstance(data_type, dict) else None
        parts = {of["name"] for of in struct or ()}
        fits = struct is not None and (
            parts == set(written.get("languages") or ())
            if name == "Translation"
            else parts == set(_VARIABLE)
            if name == "TranslationVariableLanguages"
            else hasattr(FEATURE_TYPES[name], "embed_storage") and parts == {"bytes", "path"}
        )
    return generate_from_dict(written) if fits else None


def _value(dtype: str) -> Value:
    """Return a `Value` by the name of a type, also of types that `Value` does not accept."""
    if named(dtype) is not None:
        return Value(dtype)
    result = Value("null")
    result.dtype = dtype
    return result
