"""Arrow arrays of Python values: by the values' own types, or as a feature has them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream.features.extension import ArrayType, array_storage, list_array
from rowstream.features.features import cast_to_python_objects, encode_nested_example, get_nested_type, times
from rowstream.features.natural import natural_array
from rowstream.features.types import Json, LargeList, List, Pairs, Value

FAILED = (TypeError, ValueError, OverflowError, pa.ArrowException)
"""What Arrow raises of values that it has no array for."""


def first_there(values: Any) -> Any:
    """The first value that is there and not empty."""
    for value in values:
        if value is not None and not (isinstance(value, (list, tuple)) and not len(value)):
            return value
    return None


def raw_array(data: Any, thorough: bool = False) -> Any:
    """An Arrow array of values, by their own types. `thorough`: whether each value is looked at, not only the first."""
    if isinstance(data, np.ndarray):
        if data.dtype != object:
            return list_array(data) if data.ndim > 1 else pa.array(times(data))
        data = list(data)
    arrays = isinstance(data, list) and isinstance(first := first_there(data), np.ndarray) and first.dtype.kind not in "OMm"
    if arrays and all(one is None or isinstance(one, np.ndarray) for one in data):
        return _of_arrays(data)
    return natural_array(cast_to_python_objects(data, only_1d_for_numpy=True, optimize_list_casting=not thorough))


def array_of(data: Any) -> Any:
    """An Arrow array of values, by their own types, each looked at where the first does not tell of all.

    Raises:
        pyarrow.ArrowInvalid, TypeError: they have no common type.
    """
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return data
    try:
        return raw_array(data)
    except FAILED as error:
        try:
            return raw_array(data, thorough=True)
        except FAILED:
            raise error from None


def _of_arrays(data: list[Any]) -> Any:
    """A column of lists of NumPy arrays."""
    there = [one for one in data if one is not None]
    if any(one.ndim != there[0].ndim for one in there):
        return natural_array([None if one is None else one.tolist() for one in data])
    if there[0].ndim == 0:
        return pa.array([None if one is None else one[()] for one in data])
    lengths = [0 if one is None else len(one) for one in data]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = pa.concat_arrays([list_array(one) for one in there])
    mask = pa.array([one is None for one in data]) if len(there) < len(data) else None
    if offsets[-1] >= 1 << 31:
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, mask=mask)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)


def encoded_at(value: Any, path: list[Any], encode: Any = None) -> Any:
    """A value with what is at a path as JSON text: as `Json` encodes it, or another function."""
    if value is None:
        return None
    if not path:
        return Json().encode_example(value) if encode is None else encode(value)
    at, *rest = path
    if at == 0:
        return [encoded_at(one, rest, encode) for one in value]
    return {**value, at: encoded_at(value.get(at), rest, encode)}


def json_paths(feature: Any, path: tuple[Any, ...] = ()) -> list[list[Any]]:
    """Where a feature has `Json`."""
    if isinstance(feature, Json):
        return [list(path)]
    if isinstance(feature, dict):
        return [found for name, one in feature.items() for found in json_paths(one, (*path, name))]
    if isinstance(feature, (List, LargeList)):
        return json_paths(feature.feature, (*path, 0))
    return []


def has_pairs(feature: Any) -> bool:
    """Whether there are maps in a feature."""
    if isinstance(feature, dict):
        return any(map(has_pairs, feature.values()))
    return isinstance(feature, Pairs) or (isinstance(feature, (List, LargeList)) and has_pairs(feature.feature))


def typed_array(data: Any, feature: Any, thorough: bool = False, **allowed: bool) -> Any:
    """An Arrow array of values, as a feature has them. `allowed`: as `cast_array_to_feature` has it.

    Raises:
        pyarrow.ArrowInvalid, TypeError, ValueError: there is a value that the feature does not have.
    """
    from rowstream.table import cast_array_to_feature

    kind = get_nested_type(feature)
    if isinstance(kind, ArrayType):
        return pa.ExtensionArray.from_storage(kind, array_storage(data, kind))
    if isinstance(feature, Value) and feature.dtype.startswith(("timestamp[ns", "duration[ns")):
        # By themselves the times of pandas have microseconds.
        with suppress(*FAILED):
            return pa.array(data, kind)
    if has_pairs(feature):
        # By themselves pairs are lists, of two things of one type.
        with suppress(*FAILED):
            made = [None if one is None else encode_nested_example(feature, one) for one in data]
            return pa.array(cast_to_python_objects(made), kind)
    if paths := json_paths(feature):
        data = cast_to_python_objects(data)
        for path in paths:
            data = [encoded_at(one, path) for one in data]
    return cast_array_to_feature(raw_array(data, thorough), feature, **allowed)
