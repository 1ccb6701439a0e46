"""Conversion of features to Arrow types and to plain data, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from rowstream.arrow.dtypes import dtype_of
from rowstream.features.arrays import Array2D, Array3D, Array4D, Array5D
from rowstream.features.nested import (
    LargeList,
    List,
    Pairs,
    Sequence,
    relisted,
    upgrade_lists,
    visit,
)
from rowstream.features.registry import FEATURE_TYPES
from rowstream.features.scalar import Value
from rowstream.features.text import Json

if TYPE_CHECKING:
    import pyarrow as pa


def get_nested_type(schema: Any) -> pa.DataType:
    """Return the pyarrow type of a feature."""
    import pyarrow as pa

    if isinstance(schema, dict):
        return pa.struct({name: get_nested_type(one) for name, one in schema.items()})
    if isinstance(schema, (list, tuple)):
        if len(schema) != 1:
            raise ValueError(
                "When defining list feature, you should just provide one example of the inner type"
            )
        return pa.list_(get_nested_type(schema[0]))
    if isinstance(schema, LargeList):
        return pa.large_list(get_nested_type(schema.feature))
    if isinstance(schema, Pairs):
        return pa.map_(
            get_nested_type(schema.feature["key"]), get_nested_type(schema.feature["value"])
        )
    if isinstance(schema, List):
        return pa.list_(get_nested_type(schema.feature), schema.length)
    return schema()


def generate_from_arrow_type(pa_type: Any) -> Any:
    """Return the feature of a pyarrow type."""
    import pyarrow as pa

    from rowstream.arrow.checks import array_shape

    if isinstance(pa_type, pa.StructType):
        return {of.name: generate_from_arrow_type(of.type) for of in pa_type}
    if isinstance(pa_type, pa.FixedSizeListType):
        return List(generate_from_arrow_type(pa_type.value_type), length=pa_type.list_size)
    if pa.types.is_large_list(pa_type) or pa.types.is_large_list_view(pa_type):
        return LargeList(generate_from_arrow_type(pa_type.value_type))
    if pa.types.is_list(pa_type) or pa.types.is_list_view(pa_type):
        return List(generate_from_arrow_type(pa_type.value_type))
    if pa.types.is_map(pa_type):
        return Pairs(
            {
                "key": generate_from_arrow_type(pa_type.key_type),
                "value": generate_from_arrow_type(pa_type.item_type),
            }
        )
    if (array := array_shape(pa_type)) is not None:
        shape, dtype = array
        return {2: Array2D, 3: Array3D, 4: Array4D, 5: Array5D}[len(shape)](
            shape=shape, dtype=dtype
        )
    if hasattr(pa, "JsonType") and isinstance(pa_type, pa.JsonType):
        return Json()
    if isinstance(pa_type, pa.BaseExtensionType):
        return generate_from_arrow_type(pa_type.storage_type)
    if isinstance(pa_type, pa.DataType):
        return Value(dtype_of(pa_type))
    raise ValueError(f"Cannot convert {pa_type} to a Feature type.")


def plain(value: Any) -> Any:
    """Convert dataclasses to dicts without fields at their default, as `datasets` does."""
    if is_dataclass(value) and not isinstance(value, type):
        result = {}
        for of in fields(value):
            one = plain(getattr(value, of.name))
            if (
                not of.init
                or one != of.default
                or of.metadata.get("include_in_asdict_even_if_is_default", False)
            ):
                result[of.name] = one
        return result
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    return value


def generate_from_dict(obj: Any) -> Any:
    """Return the feature of the plain data that `plain` returned."""
    if isinstance(obj, list):
        return [generate_from_dict(one) for one in obj]
    if "_type" not in obj or isinstance(obj["_type"], dict):
        return {name: generate_from_dict(one) for name, one in obj.items()}
    rest = dict(obj)
    name = rest.pop("_type")
    if name not in FEATURE_TYPES:
        raise ValueError(
            f"Feature type '{name}' not found. Available feature types: {list(FEATURE_TYPES)}"
        )
    kind = FEATURE_TYPES[name]
    if kind in (List, LargeList, Sequence):
        feature = generate_from_dict(rest.pop("feature"))
        return kind(feature=feature, **rest)
    known = {of.name for of in fields(kind)} | {"num_classes"} & set(rest)
    return kind(**{key: one for key, one in rest.items() if key in known})


def reordered(source: Any, target: Any, place: str = "") -> Any:
    """Return a feature with its fields in the order of another feature's."""
    at = f" at {place[1:]}" if place else ""
    if isinstance(source, dict):
        if not isinstance(target, dict):
            raise ValueError(f"Type mismatch: between {source} and {target}{at}")
        if sorted(source) != sorted(target):
            raise ValueError(
                f"Keys mismatch: between {source} (source) and {target} (target).\n"
                f"{source.keys() - target.keys()} are missing from target "
                f"and {target.keys() - source.keys()} are missing from source{at}"
            )
        return {name: reordered(source[name], target[name], f"{place}.{name}") for name in target}
    for kind in (List, LargeList):
        if isinstance(source, kind):
            if not isinstance(target, kind):
                raise ValueError(f"Type mismatch: between {source} and {target}{at}")
            inner = reordered(source.feature, target.feature, f"{place}.<list>")
            # What is written down of maps is that of lists.
            return relisted(target if isinstance(target, Pairs) else source, inner)
    return source


def require_storage_cast(feature: Any) -> bool:
    """Return whether a feature, or one inside it, has its own cast of Arrow arrays."""
    return _has(feature, "cast_storage")


def require_storage_embed(feature: Any) -> bool:
    """Return whether a feature, or one inside it, can embed files into Arrow arrays."""
    return _has(feature, "embed_storage")


def _has(feature: Any, method: str) -> bool:
    found = []
    visit(upgrade_lists(feature), lambda one: found.append(hasattr(one, method)))
    return any(found)
