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
    return arrow_type(core_name(data_type))


_PYTHON = {str: "string", int: "int64", float: "float64", bool: "bool", bytes: "binary"}
_PANDAS = {"object": "string", "str": "string", "int": "int64", "boolean": "bool"}


def _is(feature: Any, *names: str) -> bool:
    """By name: features of `datasets` are taken too, without loading it."""
    return type(feature).__name__ in names


def _field(name: str, feature: Any) -> dict[str, Any]:
    return {
        "name": name,
        "data_type": _type(name, feature),
        "nullable": True,
        "dict_id": 0,
        "dict_is_ordered": False,
        "metadata": {EXTENSION: JSON, "ARROW:extension:metadata": ""} if _is(feature, "Json") else {},
    }


def _type(path: str, feature: Any) -> Any:
    if isinstance(feature, Mapping):
        return {"Struct": [_field(str(name), of) for name, of in feature.items()]}
    if isinstance(feature, (list, tuple)) and len(feature) == 1:
        return {"List": _field("item", feature[0])}
    if _is(feature, "ClassLabel"):
        return "Int64"
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
