"""Conversion of Python values to what Arrow stores for their features, and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rowstream.features.media.documents import document
from rowstream.features.media.frames import VideoDecoder
from rowstream.features.media.image import encode_pil_image
from rowstream.features.media.sound import AudioDecoder
from rowstream.features.nested import LargeList, List, Pairs, requires_decoding

if TYPE_CHECKING:
    import numpy as np


def _check_non_null_non_empty_recursive(obj: Any, schema: Any = None) -> bool:
    """Return whether a value shows its type: it is neither null nor an empty list."""
    if obj is None:
        return False
    if isinstance(obj, (list, tuple)) and (
        schema is None or isinstance(schema, (list, tuple, List, LargeList))
    ):
        if not obj:
            return False
        inner = (
            None
            if schema is None
            else schema[0]
            if isinstance(schema, (list, tuple))
            else schema.feature
        )
        return _check_non_null_non_empty_recursive(obj[0], inner)
    return True


def _telling(values: Any, schema: Any = None) -> Any:
    """Return the first value that shows the type of the others; the last value if none does."""
    value = None
    for value in values:
        if _check_non_null_non_empty_recursive(value, schema):
            break
    return value


def _loaded(module: str) -> Any:
    """Return a module if it has been imported: only then can there be values of its types."""
    return sys.modules.get(module)


def _as_array(obj: Any) -> np.ndarray[Any, Any] | None:
    """Return the NumPy array of an array or tensor; `None` for anything else."""
    import numpy as np

    if isinstance(obj, np.ndarray):
        return obj
    if (torch := _loaded("torch")) is not None and isinstance(obj, torch.Tensor):
        obj = obj.detach()
        return (obj.to(torch.float) if obj.dtype == torch.bfloat16 else obj).cpu().numpy()
    if (tf := _loaded("tensorflow")) is not None and isinstance(obj, tf.Tensor):
        return obj.numpy()
    return None


def _cast_to_python_objects(
    obj: Any, only_1d_for_numpy: bool, optimize_list_casting: bool
) -> tuple[Any, bool]:
    """Convert a value to what Arrow accepts, and return whether that changed it."""

    def of(value: Any) -> tuple[Any, bool]:
        return _cast_to_python_objects(value, only_1d_for_numpy, optimize_list_casting)

    import numpy as np

    if obj is None or isinstance(obj, (str, bytes, bool, int, float)):
        return obj, False
    if isinstance(obj, (np.datetime64, np.timedelta64)):
        timed = times(obj)
        return timed, timed is not obj
    if isinstance(obj, dict):
        result = {name: of(one) for name, one in obj.items()}
        changed = any(one[1] for one in result.values())
        return ({name: one[0] for name, one in result.items()} if changed else obj), changed
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
    if (feature := document(obj)) is not None:
        return feature.encode_example(obj), True
    if isinstance(obj, (AudioDecoder, VideoDecoder)):
        return obj.encoded, True
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


def cast_to_python_objects(
    obj: Any, only_1d_for_numpy: bool = False, optimize_list_casting: bool = True
) -> Any:
    """Convert tensors, frames, images and other objects to what Arrow accepts, at every depth.

    Args:
        obj: The value.
        only_1d_for_numpy: Convert arrays of more than one dimension to lists of arrays.
        optimize_list_casting: Leave a list as it is if its first value needs no conversion.
    """
    return _cast_to_python_objects(obj, only_1d_for_numpy, optimize_list_casting)[0]


def _differs(made: Any, obj: Any) -> bool:
    try:
        return bool(made != obj)
    except ValueError:  # arrays
        return False


def _entries(value: Any) -> list[tuple[Any, Any]]:
    """Return the items of a map that is a dict, pairs, or structs of a key and a value."""
    if isinstance(value, Mapping):
        return list(value.items())
    return [(one["key"], one["value"]) if isinstance(one, Mapping) else tuple(one) for one in value]


def _entry(of: Any, schema: Any, entry: tuple[Any, Any], *args: Any) -> tuple[Any, Any]:
    """Convert a key and a value by a function of a feature and a value."""
    key, value = entry
    return of(schema.feature["key"], key, *args), of(schema.feature["value"], value, *args)


def encode_nested_example(schema: Any, obj: Any, level: int = 0) -> Any:
    """Convert a value to what Arrow stores for its feature: labels to integers, images to bytes."""
    if isinstance(schema, dict):
        if obj is None:
            if level == 0:
                raise ValueError("Got None but expected a dictionary instead")
            return None
        return {
            name: encode_nested_example(one, obj.get(name), level + 1)
            for name, one in schema.items()
        }
    if isinstance(schema, Pairs):
        return (
            None
            if obj is None
            else [_entry(encode_nested_example, schema, one, level + 1) for one in _entries(obj)]
        )
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
    """Convert a stored value to the value that users get."""
    if obj is None:
        return None
    if isinstance(schema, dict):
        return {
            name: decode_nested_example(one, obj[name], token_per_repo_id)
            for name, one in schema.items()
            if name in obj
        }
    if isinstance(schema, (list, tuple)):
        schema = List(schema[0])
    if isinstance(schema, Pairs) and requires_decoding(schema.feature):
        return [
            _entry(decode_nested_example, schema, one, token_per_repo_id) for one in _entries(obj)
        ]
    if isinstance(schema, (List, LargeList)):
        if not requires_decoding(schema.feature):
            return list(obj)
        return [decode_nested_example(schema.feature, one, token_per_repo_id) for one in obj]
    if hasattr(schema, "decode_example") and getattr(schema, "decode", True):
        return schema.decode_example(obj, token_per_repo_id=token_per_repo_id)
    return obj


def times(value: Any) -> Any:
    """Convert NumPy times to a unit that Arrow has; other values are returned as they are."""
    import numpy as np

    kind = value.dtype.kind
    unit = np.datetime_data(value.dtype)[0] if kind in "Mm" else None
    if unit in (None, "s", "ms", "us", "ns"):
        return value
    if kind == "M" and unit in ("Y", "M", "W", "D", "generic"):
        return value.astype("datetime64[D]").astype(object)
    return value.astype(f"{kind}8[s]") if unit in ("W", "D", "h", "m") else value
