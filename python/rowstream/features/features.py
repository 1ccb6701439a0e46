"""Features and Arrow types, and values of one as values of the other; by the names that `datasets` has for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from rowstream.features.media import encode_pil_image
from rowstream.features.names import arrow_type as string_to_arrow
from rowstream.features.names import dtype_of as _arrow_to_datasets_dtype
from rowstream.features.types import (
    FEATURE_TYPES,
    Array2D,
    Array3D,
    Array4D,
    Array5D,
    ArrayXD,
    Features,
    Json,
    LargeList,
    List,
    Pairs,
    Sequence,
    Value,
    relisted,
)
from rowstream.features.types import modern as _fix_for_backward_compatible_features
from rowstream.features.types import requires_decoding as require_decoding
from rowstream.features.types import visit as _visit

__all__ = [
    "ArrayXD",
    "_ArrayXD",
    "_align_features",
    "_arrow_to_datasets_dtype",
    "_check_if_features_can_be_aligned",
    "_fix_for_backward_compatible_features",
    "_visit",
    "align_features",
    "cast_to_python_objects",
    "check_alignable",
    "decode_nested_example",
    "encode_nested_example",
    "features_of_schema",
    "generate_from_arrow_type",
    "generate_from_dict",
    "get_nested_type",
    "plain",
    "reordered",
    "require_decoding",
    "require_storage_cast",
    "require_storage_embed",
    "string_to_arrow",
    "times",
]

# ------------------------------------------------------------------------------------------------------------- types


def get_nested_type(schema: Any) -> Any:
    """The pyarrow type of a feature."""
    import pyarrow as pa

    if isinstance(schema, dict):
        return pa.struct({name: get_nested_type(one) for name, one in schema.items()})
    if isinstance(schema, (list, tuple)):
        if len(schema) != 1:
            raise ValueError("When defining list feature, you should just provide one example of the inner type")
        return pa.list_(get_nested_type(schema[0]))
    if isinstance(schema, LargeList):
        return pa.large_list(get_nested_type(schema.feature))
    if isinstance(schema, Pairs):
        return pa.map_(get_nested_type(schema.feature["key"]), get_nested_type(schema.feature["value"]))
    if isinstance(schema, List):
        return pa.list_(get_nested_type(schema.feature), schema.length)
    return schema()


def generate_from_arrow_type(pa_type: Any) -> Any:
    """The feature of a pyarrow type."""
    import pyarrow as pa

    from rowstream.features.extension import array_shape

    if isinstance(pa_type, pa.StructType):
        return {of.name: generate_from_arrow_type(of.type) for of in pa_type}
    if isinstance(pa_type, pa.FixedSizeListType):
        return List(generate_from_arrow_type(pa_type.value_type), length=pa_type.list_size)
    if pa.types.is_large_list(pa_type) or pa.types.is_large_list_view(pa_type):
        return LargeList(generate_from_arrow_type(pa_type.value_type))
    if pa.types.is_list(pa_type) or pa.types.is_list_view(pa_type):
        return List(generate_from_arrow_type(pa_type.value_type))
    if pa.types.is_map(pa_type):
        return Pairs({"key": generate_from_arrow_type(pa_type.key_type), "value": generate_from_arrow_type(pa_type.item_type)})
    if (array := array_shape(pa_type)) is not None:
        shape, dtype = array
        return {2: Array2D, 3: Array3D, 4: Array4D, 5: Array5D}[len(shape)](shape=shape, dtype=dtype)
    if hasattr(pa, "JsonType") and isinstance(pa_type, pa.JsonType):
        return Json()
    if isinstance(pa_type, pa.BaseExtensionType):
        return generate_from_arrow_type(pa_type.storage_type)
    if isinstance(pa_type, pa.DataType):
        return Value(_arrow_to_datasets_dtype(pa_type))
    raise ValueError(f"Cannot convert {pa_type} to a Feature type.")


def features_of_schema(pa_schema: Any) -> Features:
    """The features of a pyarrow schema; those that its metadata has where they fit."""
    known = Features()
    if pa_schema.metadata and b"huggingface" in pa_schema.metadata:
        written = (json.loads(pa_schema.metadata[b"huggingface"].decode()).get("info") or {}).get("features")
        if written is not None:
            known = Features.from_dict(written)
    made = {}
    for of in pa_schema:
        feature = known.get(of.name)
        fits = feature is not None and get_nested_type(feature) == of.type
        made[of.name] = feature if fits else generate_from_arrow_type(of.type)
    return Features(made)


def plain(value: Any) -> Any:
    """Dataclasses as dicts of what is not their default, as `datasets` writes them down."""
    if is_dataclass(value) and not isinstance(value, type):
        made = {}
        for of in fields(value):
            one = plain(getattr(value, of.name))
            if not of.init or one != of.default or of.metadata.get("include_in_asdict_even_if_is_default", False):
                made[of.name] = one
        return made
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    return value


def generate_from_dict(obj: Any) -> Any:
    """The feature that `plain` wrote down."""
    if isinstance(obj, list):
        return [generate_from_dict(one) for one in obj]
    if "_type" not in obj or isinstance(obj["_type"], dict):
        return {name: generate_from_dict(one) for name, one in obj.items()}
    rest = dict(obj)
    name = rest.pop("_type")
    if name not in FEATURE_TYPES:
        raise ValueError(f"Feature type '{name}' not found. Available feature types: {list(FEATURE_TYPES)}")
    kind = FEATURE_TYPES[name]
    if kind in (List, LargeList, Sequence):
        feature = generate_from_dict(rest.pop("feature"))
        return kind(feature=feature, **rest)
    known = {of.name for of in fields(kind)} | {"num_classes"} & set(rest)
    return kind(**{key: one for key, one in rest.items() if key in known})


def reordered(source: Any, target: Any, place: str = "") -> Any:
    """A feature whose fields have the order that those of another have."""
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
    """Whether a feature has a way of its own to take Arrow arrays in."""
    return _has(feature, "cast_storage")


def require_storage_embed(feature: Any) -> bool:
    """Whether what a feature refers to can be put into its Arrow arrays."""
    return _has(feature, "embed_storage")


def _has(feature: Any, method: str) -> bool:
    found = []
    _visit(_fix_for_backward_compatible_features(feature), lambda one: found.append(hasattr(one, method)))
    return any(found)


def _is_null_feature(feature: Any) -> bool:
    """Whether a feature says nothing of the type: null, or lists of it."""
    if isinstance(feature, (List, LargeList)):
        return _is_null_feature(feature.feature)
    return isinstance(feature, Value) and feature.dtype == "null"


def _known_features(features_list: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for features in features_list:
        for name, feature in features.items():
            if isinstance(made.get(name), dict) and isinstance(feature, dict):
                made[name] = _known_features([made[name], feature])
            elif name not in made or _is_null_feature(made[name]):
                made[name] = feature
    return made


def align_features(features_list: list[Features]) -> list[Features]:
    """Features in which a column of a name is of one type, if it is null in some of them."""
    known = _known_features(features_list)
    return [Features({name: known[name] for name in features}) for features in features_list]


def check_alignable(features_list: list[Any]) -> None:
    """Raises where a column is of two types, neither of them null."""
    known: dict[str, Any] = {}
    for features in features_list:
        for name, feature in features.items():
            if name not in known or _is_null_feature(known[name]):
                known[name] = feature
    for features in features_list:
        for name, feature in features.items():
            if isinstance(feature, dict) and isinstance(known[name], dict):
                check_alignable([known[name], feature])
            elif not _is_null_feature(feature) and known[name] != feature:
                raise ValueError(
                    f"The features can't be aligned because the key {name} of features {features} has unexpected type - {feature} "
                    f'(expected either {known[name]} or Value("null").'
                )


# ------------------------------------------------------------------------------------------------------------ values


def _check_non_null_non_empty_recursive(obj: Any, schema: Any = None) -> bool:
    """Whether there is something that shows what the values of a list are."""
    if obj is None:
        return False
    if isinstance(obj, (list, tuple)) and (schema is None or isinstance(schema, (list, tuple, List, LargeList))):
        if not obj:
            return False
        inner = None if schema is None else schema[0] if isinstance(schema, (list, tuple)) else schema.feature
        return _check_non_null_non_empty_recursive(obj[0], inner)
    return True


def _telling(values: Any, schema: Any = None) -> Any:
    """The first value that shows what the others are; the last of all if none does."""
    value = None
    for value in values:
        if _check_non_null_non_empty_recursive(value, schema):
            break
    return value


def _loaded(module: str) -> Any:
    """A module, if something has loaded it: values of its types can only be there then."""
    return sys.modules.get(module)


def _as_array(obj: Any) -> Any:
    """The NumPy array of a tensor, or of what else is one; `None` of what is none."""
    import numpy as np

    if isinstance(obj, np.ndarray):
        return obj
    if (torch := _loaded("torch")) is not None and isinstance(obj, torch.Tensor):
        obj = obj.detach()
        return (obj.to(torch.float) if obj.dtype == torch.bfloat16 else obj).cpu().numpy()
    if (tf := _loaded("tensorflow")) is not None and isinstance(obj, tf.Tensor):
        return obj.numpy()
    return None


def times(value: Any) -> Any:
    """A NumPy time or array of times, in a unit that Arrow has: days as dates; anything else as it is."""
    import numpy as np

    kind = value.dtype.kind
    unit = np.datetime_data(value.dtype)[0] if kind in "Mm" else None
    if unit in (None, "s", "ms", "us", "ns"):
        return value
    if kind == "M" and unit in ("Y", "M", "W", "D", "generic"):
        return value.astype("datetime64[D]").astype(object)
    return value.astype(f"{kind}8[s]") if unit in ("W", "D", "h", "m") else value


def _cast_to_python_objects(obj: Any, only_1d_for_numpy: bool, optimize_list_casting: bool) -> tuple[Any, bool]:
    """What Arrow can take in place of a value, and whether it is another."""

    def of(value: Any) -> tuple[Any, bool]:
        return _cast_to_python_objects(value, only_1d_for_numpy, optimize_list_casting)

    import numpy as np

    if obj is None or isinstance(obj, (str, bytes, bool, int, float)):
        return obj, False
    if isinstance(obj, (np.datetime64, np.timedelta64)):
        timed = times(obj)
        return timed, timed is not obj
    if isinstance(obj, dict):
        made = {name: of(one) for name, one in obj.items()}
        changed = any(one[1] for one in made.values())
        return ({name: one[0] for name, one in made.items()} if changed else obj), changed
    if isinstance(obj, (list, tuple)):
        if not obj:
            return obj, False
        _first, changed = of(_telling(obj))
        if changed or not optimize_list_casting:
            return [of(one)[0] for one in obj], True
        return obj, False
    array = _as_array(obj)
    if array is not None:
        array = times(array)
        if array.ndim == 0:
            return array[()], True
        if not only_1d_for_numpy or array.ndim == 1:
            return array, array is not obj
        return [of(one)[0] for one in array], True
    if (pillow := _loaded("PIL.Image")) is not None and isinstance(obj, pillow.Image):
        return encode_pil_image(obj), True
    if (pd := _loaded("pandas")) is not None:
        if isinstance(obj, pd.Series):
            return of(obj.tolist())[0], True
        if isinstance(obj, pd.DataFrame):
            return {name: of(one)[0] for name, one in obj.to_dict("series").items()}, True
    if isinstance(obj, Mapping):
        return {name: of(one)[0] for name, one in obj.items()}, True
    if hasattr(obj, "__array__"):
        return (obj, False) if np.isscalar(obj) else (of(obj.__array__())[0], True)
    if type(obj).__name__ == "Column" and hasattr(obj, "column_name"):
        # A column of a map-style data set, which stands above this module.
        return list(obj), True
    return obj, False


def cast_to_python_objects(obj: Any, only_1d_for_numpy: bool = False, optimize_list_casting: bool = True) -> Any:
    """What Arrow can take in place of tensors, frames, images and other objects, inside lists and dicts too.

    Args:
        obj: the value.
        only_1d_for_numpy: whether arrays of more than one dimension become lists of arrays.
        optimize_list_casting: whether the first value of a list shows if any has to be changed.
    """
    return _cast_to_python_objects(obj, only_1d_for_numpy, optimize_list_casting)[0]


def _differs(made: Any, obj: Any) -> bool:
    try:
        return bool(made != obj)
    except ValueError:  # arrays
        return False


def _entries(value: Any) -> list[tuple[Any, Any]]:
    """The keys and values of a map: of pairs, of objects that have them, or of a dict."""
    if isinstance(value, Mapping):
        return list(value.items())
    return [(one["key"], one["value"]) if isinstance(one, Mapping) else tuple(one) for one in value]


def _entry(of: Any, schema: Any, entry: tuple[Any, Any], *args: Any) -> tuple[Any, Any]:
    """A key and a value, each through a function of a feature and a value."""
    key, value = entry
    return of(schema.feature["key"], key, *args), of(schema.feature["value"], value, *args)


def encode_nested_example(schema: Any, obj: Any, level: int = 0) -> Any:
    """A value as Arrow takes it, by its feature: names of labels as integers, images as bytes."""
    if isinstance(schema, dict):
        if obj is None:
            if level == 0:
                raise ValueError("Got None but expected a dictionary instead")
            return None
        return {name: encode_nested_example(one, obj.get(name), level + 1) for name, one in schema.items()}
    if isinstance(schema, Pairs):
        return None if obj is None else [_entry(encode_nested_example, schema, one, level + 1) for one in _entries(obj)]
    if isinstance(schema, (List, LargeList)):
        if obj is None:
            return None
        if len(obj):
            first = _telling(obj, schema.feature)
            if _differs(encode_nested_example(schema.feature, first, level + 1), first):
                return [encode_nested_example(schema.feature, one, level + 1) for one in obj]
        return list(obj)
    if hasattr(schema, "encode_example"):
        return None if obj is None else schema.encode_example(obj)
    return obj


def decode_nested_example(schema: Any, obj: Any, token_per_repo_id: Any = None) -> Any:
    """A value as users have it, of what is stored."""
    if obj is None:
        return None
    if isinstance(schema, dict):
        return {name: decode_nested_example(one, obj[name], token_per_repo_id) for name, one in schema.items() if name in obj}
    if isinstance(schema, (list, tuple)):
        schema = List(schema[0])
    if isinstance(schema, Pairs) and require_decoding(schema.feature):
        return [_entry(decode_nested_example, schema, one, token_per_repo_id) for one in _entries(obj)]
    if isinstance(schema, (List, LargeList)):
        if not require_decoding(schema.feature):
            return list(obj)
        return [decode_nested_example(schema.feature, one, token_per_repo_id) for one in obj]
    if hasattr(schema, "decode_example") and getattr(schema, "decode", True):
        return schema.decode_example(obj, token_per_repo_id=token_per_repo_id)
    return obj


# By these names code that was written for `datasets` imports them.
_ArrayXD = ArrayXD
_align_features = align_features
_check_if_features_can_be_aligned = check_alignable
