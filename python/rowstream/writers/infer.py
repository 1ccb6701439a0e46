"""Columns of Python values as Arrow arrays: types found, mixed ones as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.arrow.cast import array_cast
from rowstream.arrow.exact import FAILED, located
from rowstream.features.cast import cast_array_to_feature, typed_array
from rowstream.features.convert import generate_from_arrow_type
from rowstream.features.encode import cast_to_python_objects
from rowstream.features.infer import first_there, raw_array
from rowstream.features.json_paths import encoded_at, mixed_paths, with_json
from rowstream.features.media.documents import document
from rowstream.features.media.image import Image
from rowstream.features.nested import List
from rowstream.features.scalar import Value

if TYPE_CHECKING:
    from rowstream.features.features import Features


def media(data: Any) -> tuple[Any, Any]:
    """Return media objects as they are stored, and their feature."""
    first = first_there(data)
    if (feature := _feature(first)) is not None:
        return [None if one is None else feature.encode_example(one) for one in data], feature
    if isinstance(first, list) and first and (feature := _feature(first[0])) is not None:
        encode = feature.encode_example
        return [None if one is None else [*map(encode, one)] for one in data], List(feature)
    return data, None


def _feature(value: Any) -> Any:
    """Return the feature of an image or a document that a library has opened; else `None`."""
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return Image()
    return document(value)


_INTEGERS = {int, type(None)}
_NARROW = {
    "attention_mask": "int8",
    "special_tokens_mask": "int8",
    "input_ids": "int32",
    "token_type_ids": "int8",
}
"""Columns of tokenizers, whose integers are small."""


def _narrowed(array: Any, name: str | None) -> pa.Array:
    """Integers of tokenizers in fewer bytes, where they fit."""
    if name not in _NARROW:
        return array
    leaf, depth = array.type, 0
    while pa.types.is_list(leaf) and depth < 2:
        leaf, depth = leaf.value_type, depth + 1
    if not pa.types.is_int64(leaf):
        return array
    to = pa.type_for_alias(_NARROW[name])
    for _ in range(depth):
        to = pa.list_(to)
    try:
        return array_cast(array, to)
    except pa.ArrowInvalid:
        return array


def column(
    data: Any,
    feature: Any = None,
    try_feature: Any = None,
    name: str | None = None,
    on_mixed_types: str | None = None,
) -> tuple[Any, Any]:
    """Return an Arrow array of the values of a column, and its feature.

    Args:
        data: a list, a NumPy array, a pandas or Polars series, or an Arrow array.
        feature: what they have to be.
        try_feature: what they are where that fits; else what they are by themselves.
        name: the column's name: tokenizers' columns are stored in fewer bytes.
        on_mixed_types: `"use_json"`: values that have no common type are stored as JSON.

    Raises:
        TypeError: values do not have the type that they have to have.
        pyarrow.ArrowInvalid: values have no common type.
    """
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        if feature is not None:
            return cast_array_to_feature(data, feature), feature
        return data, generate_from_arrow_type(data.type)
    if type(data).__module__.startswith("polars"):
        return column(data.to_arrow(), feature, try_feature, name, on_mixed_types)
    wanted = feature if feature is not None else try_feature
    if wanted is None:
        data, wanted = media(data)
        feature = wanted
    allowed = {
        "allow_primitive_to_str": feature is not None,
        "allow_decimal_to_str": feature is not None,
    }
    if wanted is not None:
        try:
            if (quick := _quick(data, wanted)) is not None:
                return quick, wanted
            result = typed_array(data, wanted, **allowed)
            if (
                feature is not None
                or not isinstance(first_there(data), str)
                or _same_text(raw_array(data), result)
            ):
                return result, wanted
        except FAILED as error:
            if feature is not None:
                return _again(data, feature, allowed, error), feature
    try:
        array = raw_array(data)
    except FAILED as error:
        if "overflow" in str(error):
            raise OverflowError(
                "There was an overflow: reduce writer_batch_size to have batches smaller than"
                f" 2GB.\n({error})"
            ) from None
        try:
            array = raw_array(data, thorough=True)
        except FAILED:
            paths = (
                mixed_paths(cast_to_python_objects(list(data), optimize_list_casting=False))
                if on_mixed_types == "use_json"
                else []
            )
            if not paths:
                raise error from None
            return _jsoned(data, paths)
    if (
        on_mixed_types == "use_json"
        and _has_struct(array.type)
        and (paths := mixed_paths(cast_to_python_objects(list(data))))
    ):
        return _jsoned(data, paths)
    if wanted is None:
        array = _narrowed(array, name)
    return array, generate_from_arrow_type(array.type)


def given_column(
    data: Any, feature: Any, name: str | None = None, before: int = 0
) -> pa.Array | pa.ChunkedArray:
    """Return an Arrow array of values that have to be of a feature.

    Args:
        data: as `column` takes it.
        feature: what they have to be.
        name: the column's name, for errors.
        before: rows before these, for errors.

    Raises:
        InexactError: a value is not one of the feature.
        TypeError, ValueError, pyarrow.ArrowException: other values that are none; noted with the
            row.
    """
    try:
        return column(data, feature, None, name)[0]
    except FAILED as error:
        if isinstance(error, OverflowError):
            raise
        raise located(
            error, name, data, feature, lambda some: column(some, feature), before
        ) from None


def encoded(features: Features, row: Any, number: int) -> dict[str, Any]:
    """Convert a row to what Arrow stores. An error says which row it is."""
    try:
        return features.encode_example(row)
    except (TypeError, ValueError) as error:
        error.add_note(f"row {number}")
        raise


def _same_text(before: Any, after: Any) -> bool:
    """Return whether text that was read as numbers or times would be written as it was."""
    if not is_text(before.type) or is_text(after.type) or pa.types.is_nested(after.type):
        return True
    return isinstance(after, pa.ExtensionArray) or bool(after.cast(before.type).equals(before))


def is_text(kind: Any) -> bool:
    """Return whether an Arrow type is one of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _quick(data: Any, wanted: Any) -> pa.Array | None:
    """Return a column of plain values, in one step; `None` where it takes more."""
    if (
        isinstance(data, list)
        and isinstance(wanted, Value)
        and wanted.dtype in ("string", "int64", "float64", "bool")
    ):
        first = first_there(data)
        # Of floats, pyarrow would make integers.
        if type(first) in (str, int, float, bool) and (
            wanted.dtype != "int64" or {*map(type, data)} <= _INTEGERS
        ):
            try:
                return pa.array(data, wanted.pa_type)
            except FAILED:
                return None
    return None


def _has_struct(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return True
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _has_struct(
        kind.value_type
    )


def _jsoned(data: Any, paths: list[list[Any]]) -> tuple[Any, Any]:
    values = cast_to_python_objects(list(data), optimize_list_casting=False)
    for path in paths:
        values = [encoded_at(one, path) for one in values]
    array = pa.array(values)
    feature = with_json(generate_from_arrow_type(array.type), paths)
    return cast_array_to_feature(array, feature), feature


def _again(data: Any, feature: Any, allowed: dict[str, bool], error: Exception) -> Any:
    """Convert values one by one, where all together did not work."""
    text = str(error)
    if "overflow" in text:
        raise OverflowError(
            "There was an overflow: reduce writer_batch_size to have batches smaller than"
            f" 2GB.\n({error})"
        ) from None
    if isinstance(error, pa.ArrowNotImplementedError) or not any(
        part in text for part in ("Could not convert", "cannot mix", "Expected ")
    ):
        raise error
    return typed_array(data, feature, thorough=True, **allowed)
